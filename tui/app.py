"""The dashboard: it holds what the instance told last, and leads from screen to screen.

It speaks to an instance through `tui.feed` only, and does not know whether the engine runs in this
process or in another one, save for the words it has for that.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from textual import events
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.driver import Driver
from textual.filter import LineFilter
from textual.worker import Worker

from centrex import api
from tui import commands
from tui.activity import Activity
from tui.draft import Draft
from tui.feed import Connected, Disconnected, Facts, Feed, Figures, Happened, Missed, Opener
from tui.history import History, at
from tui.keys import Keys
from tui.memory import Arranged, Memory
from tui.no_color import Plain
from tui.places import FIRST, SCREENS
from tui.screens.call import CallScreen
from tui.screens.first_start import FirstStart, Writer
from tui.screens.help import HelpScreen
from tui.screens.questions import Confirm
from tui.screens.trouble import TroubleScreen
from tui.screens.view import View
from tui.terminal import TakenAway, enduring
from tui.widgets.lines import clean
from tui.widgets.reminder import Waiting, decided, remind, seconds_left
from tui.widgets.settings_area import in_force
from tui.widgets.topline import PLACES
from tui.work import begin
from tui.writing import Writing

DARK: Final = "textual-dark"
_PATIENCE_S: Final = 15
"""How long after their time changes are thought to wait where the engine does not say otherwise."""
_ALIASES: Final = {
    "home": "main", "log": "main", "phones": "registrations", "watch": "subscriptions",
}  # fmt: skip


class Dashboard(Writing):
    """The application.

    Args:
        opener: Starts the engine here, or attaches to a running one.
        read_only: Whether changing anything is out of the question.
        writer: Writes a first configuration; given where there is none yet.
        memory: What was chosen in former sessions; nothing of it is kept if not given.
        signals: Whether SIGTERM and SIGHUP close it, as they do where it owns the process.
    """

    TITLE: str | None = "Centrex"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {commands.Palette}  # noqa: RUF012 - Textual's own form
    CSS = """
    Screen { layout: vertical; }
    """
    MODES = dict(SCREENS)  # noqa: RUF012 - Textual's own form
    DEFAULT_MODE = FIRST
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"go('{mode}')", title, show=False) for key, mode, title in PLACES),
        Binding("colon", "command", "command", key_display=":"),
        Binding("question_mark", "help", "help", key_display="?"),
        Binding("K", "decide(True)", "keep", show=False),
        Binding("R", "decide(False)", "roll back", show=False),
        Binding("q", "quit", "quit"),
        Binding("ctrl+q,ctrl+c", "quit", "quit", show=False),
        Binding("f1", "help", "help", show=False),
    ]

    def __init__(
        self,
        opener: Opener,
        *,
        read_only: bool = False,
        writer: Writer | None = None,
        signals: bool = False,
        memory: Memory | None = None,
    ) -> None:
        super().__init__()
        self.memory = memory or Memory()
        self.read_only = read_only
        self.activity, self.history = Activity(), History()
        self.snapshot: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.relays: Sequence[Mapping[str, Any]] = ()
        self.online = False
        self.described: Mapping[str, Mapping[str, Any]] = {}
        """The configuration's tables, once they have been asked for."""
        self.draft: Draft | None = None
        """The edits of the configuration that are not applied yet, where there are any."""
        self.feed = Feed(opener, self.post_message)
        self.keys = Keys(self)
        self.waiting: Waiting | None = None
        """Changes that are in force and go unless they are kept."""
        self.amiss = ""
        """Why changes were not rolled back, until it has been read, or is so no more."""
        self._amiss_read, self._amiss_stood = "", False
        self._snapshot_at = 0.0
        self._missed: set[str] = set()
        self._writer, self._signals = writer, signals
        self._theme_chosen = ""

    # -- the instance ------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to speak to the instance, once there is a configuration."""
        begin(self, self.keys.run, name="keys")
        if self._signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self._quit)
        if self._writer is not None:
            self.push_screen(FirstStart(self._writer), self._configured)
        else:
            self.call_after_refresh(self._begin)  # to start an engine is work for this process too

    async def on_event(self, event: events.Event) -> None:
        """Have what is typed and clicked dealt with one after the other."""
        typed = isinstance(event, events.InputEvent | events.Paste) and not event.is_forwarded
        if not (typed and self.keys.holds(event)):
            await super().on_event(event)

    def get_driver_class(self) -> type[Driver]:
        """Return what drives the terminal."""
        return enduring(super().get_driver_class())

    def on_taken_away(self, event: TakenAway) -> None:
        """Close; nobody is there to be asked."""
        self._quit()

    def _configured(self, written: bool | None) -> None:
        if written:
            self._begin()
        else:
            self.exit(0)

    def _begin(self) -> None:
        begin(self, self.feed.run, name="feed")

    async def ask(
        self, command: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Have the instance carry out a command; say in words why not, and return None then."""
        try:
            return await self.feed.ask(command, params)
        except (api.Refused, api.Unavailable) as error:
            self.say(str(error), bad=True)
        return None

    def say(self, text: str, *, bad: bool = False) -> None:
        """Show a few words for a few seconds."""
        mark = "✗ " if bad else "✓ "
        self.notify(
            mark + clean(text, 300), severity="error" if bad else "information", markup=False
        )

    @property
    def may_change(self) -> bool:
        """Whether changing things is offered."""
        return not self.read_only and self.online

    @property
    def view(self) -> View | None:
        """The screen of the present mode, whatever question stands before it."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, View):
                return screen
        return None

    def _views(self) -> list[View]:
        return [one for one in self.screen_stack if isinstance(one, View) and one.is_made]

    def on_connected(self, event: Connected) -> None:
        """The instance answers."""
        instance = self.feed.instance
        if instance is not None and instance.read_only:
            self.read_only = True
        self.online = True
        if isinstance(self.screen, TroubleScreen):
            self.pop_screen()
        begin(self, self._learn, only="learn")
        self._state_changed()

    async def _learn(self) -> None:
        """Learn what can be set, which the help tells too."""
        try:
            told = await self.feed.ask("config.describe")
        except (api.Refused, api.Unavailable) as error:
            self.log.warning(str(error))  # the tab will say it to whoever opens it
        else:
            self.described = {str(one["table"]): one for one in told["tables"]}

    def on_disconnected(self, event: Disconnected) -> None:
        """The instance is away, or could not be started."""
        self.online = False
        if self.status and not event.final:
            self._state_changed()
            return
        if isinstance(self.screen, TroubleScreen):
            self.screen.take(event.why, event.problems, final=event.final)
        else:
            self.push_screen(TroubleScreen(event.why, event.problems, final=event.final))
        self._state_changed()

    def _state_changed(self) -> None:
        for view in self._views():
            view.show_state()
            view.refresh_bindings()

    def on_missed(self, event: Missed) -> None:
        """Something is not told any more; say so once."""
        if event.why not in self._missed:
            self._missed.add(event.why)
            self.say(event.why, bad=True)

    def on_figures(self, event: Figures) -> None:
        """A snapshot has come."""
        self.snapshot, self._snapshot_at = event.values, time.monotonic()
        self.history.take(event.values)
        if self.waiting is not None:
            self._remind()
            if time.monotonic() > self.waiting.until + _PATIENCE_S:
                self._decided(
                    "the time is over, and it is not known whether the changes are rolled back: "
                    "see the activity log", bad=True,
                )  # fmt: skip
        for view in self._views():
            view.figures(event.values)

    def on_facts(self, event: Facts) -> None:
        """What changes seldom has come."""
        self.status, self.relays, self.config = event.status, event.relays, event.config
        self._obey_config()
        self._learn_of_waiting()
        for view in self._views():
            view.show_state()
            view.facts()

    def on_happened(self, event: Happened) -> None:
        """Something has happened."""
        batch = self.activity.take(event.rows, event.lost)
        if any(str(one.get("name", "")).startswith("config.") for one in batch):
            self.feed.look()
        for one in batch:
            self._heed(one)
        for view in self._views():
            view.happened(batch)

    def _obey_config(self) -> None:
        lines = in_force(self.config, "basic.activity_lines", 5000)
        if isinstance(lines, int) and lines != self.activity.ring.limit:
            self.activity.ring.resize(lines)
        wanted = str(in_force(self.config, "basic.theme", "") or "")
        if wanted != self._theme_chosen:
            self._theme_chosen = wanted
            if not self._use_theme(wanted):
                self.say(f"basic.theme: there is no theme {wanted}", bad=True)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Return what becomes of each line before it is written: its colours go where none are wanted."""
        return (Plain(),) if self.no_color else super().get_line_filters()

    def _use_theme(self, name: str) -> bool:
        if not name or (self.no_color and name in self.available_themes):
            self.theme = DARK  # whose grounds tell what is marked, where no colour is shown
        elif name in self.available_themes:
            self.theme = name
        else:
            return False
        return True

    # -- changes that wait to be kept --------------------------------------------------------

    def await_decision(self, confirm_by: str, seconds: int) -> None:
        """Remind of changes that the engine rolls back at a moment of its own clock."""
        now = time.monotonic()
        at_snapshot = str(self.snapshot.get("at", ""))
        since = now - self._snapshot_at
        left = seconds_left(confirm_by, at_snapshot, seconds + since) - since
        self.waiting, self.amiss = Waiting(now + left), ""
        self._remind()

    def _learn_of_waiting(self) -> None:
        """Take over what the instance says of changes that wait, whoever has made them."""
        why = str(self.status.get("not_rolled_back", ""))
        if not why:
            if self._amiss_stood:  # the file was taken over since: it is as it says
                self.amiss = ""
                self._remind()
            self._amiss_read = ""
        elif why != self._amiss_read:
            self._complain(why)
        self._amiss_stood = bool(why)
        if self.status.get("confirm_by"):
            if self.waiting is None or self.waiting.learned:
                left = float(self.status.get("confirm_left_s", 0))
                self.waiting = Waiting(time.monotonic() + left, learned=True)
                self._remind()
        elif self.waiting is not None and self.waiting.learned:
            self.waiting = None
            self._remind()

    def _remind(self) -> None:
        begin(self, self._show_reminder, only="remind")

    async def _show_reminder(self) -> None:
        left = self.waiting.left(time.monotonic()) if self.waiting is not None else None
        for screen in self.screen_stack:
            if not isinstance(screen, View) or screen.is_made:
                await remind(screen, left, may_decide=self.may_change, amiss=self.amiss)

    def _heed(self, event: Mapping[str, Any]) -> None:
        """Heed what an event tells of changes that waited."""
        outcome, why = decided(event), str(dict(event.get("fields") or {}).get("why", ""))
        if outcome == "amiss":
            self._complain(why)
        elif outcome == "rolled back":
            waiting = self.waiting
            self._decided(
                f"rolled back: {why}", bad=bool(waiting and not waiting.left(time.monotonic()))
            )
        elif outcome:
            self._decided(outcome)

    def _complain(self, why: str) -> None:
        """Say that changes were not rolled back, until it is read."""
        self.waiting, self.amiss = None, why
        self._remind()

    def _decided(self, outcome: str, *, bad: bool = False) -> None:
        """Take the reminder away: it was decided here, by somebody else, or by the time."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.decided:
            self.say(outcome, bad=bad)
        self._remind()

    def action_decide(self, keep: bool) -> None:
        """Keep the changes that wait, or roll them back; or have read why they were not."""
        if self.waiting is None and self.amiss and keep:
            self._amiss_read, self.amiss = self.amiss, ""
            self._remind()
        if self.waiting is not None and self.may_change:
            begin(self, partial(self._decide, keep=keep), only="decide")

    async def _decide(self, *, keep: bool) -> None:
        if self.waiting is None:
            return
        self.waiting.decided = True
        told = await self.ask("config.confirm" if keep else "config.rollback")
        if told is not None:
            if told.get("rolled_back", True):
                self.say("kept" if keep else f"rolled back: {told.get('why', '')}")
                self._decided("")
            else:
                self._complain(str(told.get("why", "")))
            self.feed.look()
        elif self.waiting is not None:
            self.waiting.decided = False

    # -- words of the head -------------------------------------------------------------------

    @property
    def instance_name(self) -> str:
        """The instance's name."""
        return str(self.status.get("instance", "") or "centrex")

    @property
    def uptime_s(self) -> float:
        """How long the engine runs."""
        return float(at(self.snapshot, "uptime_s", self.status.get("uptime_s", 0)))

    @property
    def is_remote(self) -> bool:
        """Whether the engine is another process's."""
        instance = self.feed.instance
        return instance is None or instance.mode == "attached"

    @property
    def mode_words(self) -> str:
        """In-process or attached, and whether read-only."""
        words = "attached" if self.is_remote else "in-process"
        return f"{words}, read-only" if self.read_only else words

    def marks(self) -> tuple[tuple[str, str], ...]:
        """Return what is not as usual, with its style."""
        found = []
        if not self.online:
            found.append(("… starting", "note") if self.feed.starting else ("✗ away", "bad"))
        elif self.snapshot.get("state") == "stopping":
            found.append(("stopping", "warn"))
        if self.read_only:
            found.append(("read-only", "warn"))
        if self.online and self.size.width >= 110:
            found.append(("● " + ("attached" if self.is_remote else "in-process"), "good"))
        return tuple(found)

    # -- leading about -----------------------------------------------------------------------

    def go(self, mode: str, filter_text: str = "") -> None:
        """Go to a screen, and filter it if a filter is given."""
        mode = _ALIASES.get(mode, mode)
        if isinstance(self.screen, View | HelpScreen | CallScreen):
            while len(self.screen_stack) > 1 and not isinstance(self.screen, TroubleScreen):
                self.pop_screen()
            self.switch_mode(mode)
            self.call_after_refresh(self._remind)
            if filter_text:
                self.call_after_refresh(self._narrow, filter_text)

    def _narrow(self, text: str) -> None:
        view = self.view
        if view is not None:
            view.narrow(text)
            view.show_state()

    def action_go(self, mode: str) -> None:
        """Go to a screen."""
        self.go(mode)

    def open_call(self, call_id: str) -> None:
        """Open the ladder of a call or a registration."""
        self.push_screen(CallScreen(call_id))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer `:` only where a command can be typed."""
        if action == "command":
            return isinstance(self.screen, View)
        return super().check_action(action, parameters)

    def action_command(self) -> None:
        """Let a command be typed."""
        if isinstance(self.screen, View):
            self.screen.prompt.ask("command", ":", choices=commands.completions())

    def obey(self, line: str) -> None:
        """Carry out what was typed after `:`."""
        if not line.strip():
            return
        command, argument, near = commands.find(line)
        if command is None:
            hint = f"; did you mean :{near}?" if near else "; ? shows all commands"
            self.say(f"there is no command {line.split(maxsplit=1)[0]}{hint}", bad=True)
            return
        if command.takes.startswith("CALL") and not argument:
            self.say(f":{command.name} wants a {command.takes}", bad=True)
            return
        special: dict[str, Callable[[str], object]] = {
            "config": self._open_config,
            "call": self.open_call,
            "theme": self._choose_theme,
            "help": self._open_help,
            "quit": lambda _: begin(self, self.action_quit),
        }
        carry_out = special.get(command.name)
        if carry_out is not None:
            carry_out(argument)
        else:
            self.go(command.name, argument)

    def _open_config(self, name: str) -> None:
        self.go("config")
        if name:
            self.call_after_refresh(self._narrow, name)

    def _choose_theme(self, name: str) -> None:
        if not name:
            self.search_themes()
        elif not self._use_theme(name):
            self.say(f"there is no theme {name}", bad=True)

    def _open_help(self, page: str) -> None:
        self.push_screen(HelpScreen(page or self._page(), self.described))

    def _page(self) -> str:
        screen = self.screen
        return str(getattr(screen, "page", "") or "main")

    def action_help(self) -> None:
        """Show all keys and the page of this screen."""
        if not isinstance(self.screen, HelpScreen | CommandPalette):
            self._open_help("")

    async def action_quit(self) -> None:
        """Close; ask first where edits would be lost, or an engine with calls would end."""
        if self.draft is not None and len(self.draft):
            one = len(self.draft) == 1
            text = (
                f"{len(self.draft)} edit{' of the configuration is' if one else 's of the configuration are'} "
                "not applied, and would be lost."
            )
            question = Confirm("Leave without them?", text, verb="leave")
            self.push_screen(question, lambda yes: self._leave_waiting() if yes else None)
            return
        self._leave_waiting()

    def _leave_waiting(self) -> None:
        """Close; ask first where changes wait that somebody here might keep."""
        if self.waiting is not None and self.may_change:
            when = (
                f"in {self.waiting.left(time.monotonic())} s"
                if self.is_remote
                else "with its next start"
            )
            text = (
                "The changes that were applied wait to be kept (K). Unless somebody keeps them, the "
                f"server rolls them back {when}."
            )
            question = Confirm("Leave without keeping them?", text, verb="leave")
            self.push_screen(question, lambda yes: self._leave_asked() if yes else None)
            return
        self._leave_asked()

    def _leave_asked(self) -> None:
        """Close; ask first where that would end an engine with calls."""
        calls = at(self.snapshot, "calls.now", 0)
        asks = bool(in_force(self.config, "basic.confirm_exit", True))
        if self.online and not self.is_remote and calls and asks:
            one = calls == 1
            text = (
                f"The server runs inside this dashboard and stops with it. {calls} "
                f"call{' is' if one else 's are'} in progress. Calls that are up go on, through the "
                "relay too, which stays while it carries any; calls being set up end. No new call "
                "can be made until the server is started again."
            )
            question = Confirm("Stop the server?", text, verb="stop it and quit")
            self.push_screen(question, lambda yes: self._quit() if yes else None)
            return
        self._quit()

    def _quit(self) -> None:
        begin(self, self._leave, name="leave")

    async def _leave(self) -> None:
        for worker in list(self.workers):
            if worker.name == "feed":
                worker.cancel()
        try:
            await self.feed.close()
        except (api.CentrexError, OSError) as error:
            self.log.error(str(error))
        self.exit(0)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Keep what workers do to those who started them."""
        event.stop()

    def remember(self, table: str, arranged: Arranged) -> None:
        """Keep how a table is looked at, for this session and those to come."""
        if self.memory.keep(table, arranged):
            begin(self, partial(self._save, table))

    async def _save(self, table: str) -> None:
        try:
            await asyncio.to_thread(self.memory.save, table)
        except OSError as error:
            self.say(f"the columns are not remembered: {error}", bad=True)
