"""The words after `:`, and the same in the palette: what each is called and what it does."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.dialogs import DIALOGS

if TYPE_CHECKING:
    from tui.app import Dashboard


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command."""

    name: str
    words: str
    """What it does, for the palette and the help."""
    takes: str = ""
    """What may stand behind it."""
    aliases: tuple[str, ...] = ()


COMMANDS: Final = (
    Command(name="main", words="settings, activity log and statistics", aliases=("home", "log")),
    Command(
        name="config", words="the configuration", takes="[DIALOG]", aliases=("settings", "conf")
    ),
    Command(
        name="phones", words="who is registered", takes="[FILTER]",
        aliases=("regs", "reg", "registrations"),
    ),
    Command(name="calls", words="the calls in progress", takes="[FILTER]"),
    Command(
        name="call", words="the ladder of one call or registration", takes="CALL-ID",
        aliases=("explain",),
    ),
    Command(name="relays", words="the media relays", takes="[FILTER]"),
    Command(name="bans", words="the sources that are not heard", takes="[FILTER]"),
    Command(
        name="watch", words="who watches the directory", takes="[FILTER]",
        aliases=("subscriptions", "subs"),
    ),
    Command(
        name="route", words="what would become of a call to a number", takes="[NUMBER]",
        aliases=("test",),
    ),
    Command(name="theme", words="other colours, until it is closed", takes="[NAME]"),
    Command(name="help", words="all keys and this screen's page", takes="[PAGE]", aliases=("?",)),
    Command(name="quit", words="close the dashboard", aliases=("q", "q!", "exit", "detach")),
)  # fmt: skip

_BY_NAME: Final[Mapping[str, Command]] = {
    name: command for command in COMMANDS for name in (command.name, *command.aliases)
}


def find(line: str) -> tuple[Command | None, str, str]:
    """Return the command a line names, its argument, and the nearest name where there is none."""
    name, _, argument = line.strip().lstrip(":").partition(" ")
    command = _BY_NAME.get(name.lower())
    near = "" if command else next(iter(difflib.get_close_matches(name.lower(), _BY_NAME, 1)), "")
    return command, argument.strip(), near


def completions() -> list[str]:
    """Return what may be completed after `:`."""
    dialogs = [f"config {dialog.name}" for dialog in DIALOGS]
    return [*(command.name for command in COMMANDS), *dialogs]


class Palette(Provider):
    """The same commands for the palette."""

    @property
    def _dashboard(self) -> "Dashboard":
        return cast("Dashboard", self.app)

    def _offers(self) -> list[tuple[str, str, str]]:
        offers = [
            (command.name, command.words, command.name)
            for command in COMMANDS
            if command.takes != "CALL-ID"
        ]
        offers += [
            (f"config: {dialog.title}", "a tab of the configuration", f"config {dialog.name}")
            for dialog in DIALOGS
        ]
        return offers

    async def discover(self) -> Hits:
        """Yield everything, as nothing is typed yet."""
        for title, words, line in self._offers():
            yield DiscoveryHit(title, partial(self._dashboard.obey, line), help=words)

    async def search(self, query: str) -> Hits:
        """Yield what fits."""
        matcher = self.matcher(query)
        for title, words, line in self._offers():
            score = matcher.match(f"{title} {words}")
            if score > 0:
                yield Hit(score, title, partial(self._dashboard.obey, line), help=words)
