"""The media relays: how they are, what they carry and by which way; emptying one."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from centrex import api
from tui.relayed import call_lines
from tui.screens.live import LiveScreen
from tui.screens.questions import Tell
from tui.widgets.lines import Line, wrap
from tui.widgets.table import Column, Row
from tui.words import figure, span
from tui.work import begin

_WIDTH: Final = 66
"""Cells of a line of what is told of a relay."""
_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "available": ("● available", "good"),
    "draining": ("↓ draining", "warn"),
    "silent": ("✗ silent", "bad"),
    "gone": ("✗ gone", "bad"),
    "refused": ("✗ refused", "bad"),
}


def state_of(row: Row) -> tuple[str, str]:
    """Return the state of a relay as it is shown, and in which style."""
    return _STATES.get(str(row["state"]), (f"? {row['state']}", "warn"))


def _load(row: Row) -> float:
    return float(row["sessions"]) / row["capacity"] if row.get("capacity") else 0.0


def _free_ports(row: Row) -> str:
    """Return how many ports a call could have, leased ahead or not."""
    free = api.free_ports(row["figures"])
    return "–" if free is None else figure(free)


class RelaysScreen(LiveScreen):
    """The relays."""

    mode = page = "relays"
    title_words, command, rows_key = "Media relays", "relays", "relays"
    key_names: Sequence[str] = ("name",)
    nothing = "no relay has logged in: voice passes end to end, or not at all (media.mode)"
    sort = "name"
    changing = frozenset({"drain"})
    columns: ClassVar[tuple[Column, ...]] = (
        Column(name="name", title="Relay", text=lambda row: row["name"], least=8, weight=0),
        Column(
            name="state", title="State", least=11, weight=0,
            text=lambda row: state_of(row)[0], style=lambda row: state_of(row)[1],
        ),
        Column(
            name="sessions", title="Calls", text=lambda row: figure(row["sessions"]),
            sort=lambda row: row["sessions"], right=True, least=5, weight=0,
        ),
        Column(
            name="load", title="Load", text=lambda row: f"{_load(row):.0%}", sort=_load,
            right=True, least=4, weight=1,
        ),
        Column(
            name="packets", title="Packets/s", text=lambda row: figure(row["packets_per_s"]),
            sort=lambda row: row["packets_per_s"], right=True, least=6, weight=0,
        ),
        Column(
            name="ports", title="Ports free", shown=False, right=True, least=6, weight=0,
            text=_free_ports, sort=lambda row: api.free_ports(row["figures"]) or 0,
        ),
        Column(
            name="refused", title="Refused", shown=False, right=True, least=6, weight=0,
            text=lambda row: figure(row["figures"].get("refused", 0)),
            sort=lambda row: row["figures"].get("refused", 0),
        ),
        Column(
            name="dropped", title="Dropped", shown=False, right=True, least=6, weight=0,
            text=lambda row: figure(row["figures"].get("dropped", 0)),
            sort=lambda row: row["figures"].get("dropped", 0),
        ),
        Column(name="path", title="Path", text=lambda row: row["path"] or "–", weight=0),
        Column(
            name="address", title="Address", weight=3, most=46,
            text=lambda row: ", ".join(map(str, dict(row.get("addresses", {})).values())) or "–",
        ),
        Column(
            name="since", title="Since", text=lambda row: span(row["since_s"]),
            sort=lambda row: row["since_s"], right=True, least=8, weight=2,
        ),
        Column(name="why", title="Why", text=lambda row: row["why"], most=80, weight=5),
        Column(name="source", title="Logs in from", text=lambda row: row["source"], shown=False),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "drain", "drain/undrain")]

    def open(self, row: Row) -> None:
        """Show its figures, and the calls it carries."""
        begin(self, partial(self._open, row), only="open")

    async def _open(self, row: Row) -> None:
        name = str(row["name"])
        answer = await self.dashboard.ask("relays.calls", {"name": name, "offset": 0, "limit": 200})
        if answer is None:
            return
        lines: list[Line] = [
            [(" " * (len(about) + 2) if at else f"{about}: ", "dim"), (part, "")]
            for about, words in api.relay_in_words(row)
            for at, part in enumerate(wrap(words, max(16, _WIDTH - len(about) - 2)))
        ]
        calls = answer.get("relays.calls", answer.get("calls", ()))
        if not calls:
            lines.append([("it carries no call", "dim")])
        for call in calls:
            lines += call_lines(call, _WIDTH)
        more = int(answer.get("total", 0)) - len(answer.get("relays.calls", ()))
        if more > 0:
            lines.append([(f"and {more} more: centrex relays calls {name}", "dim")])
        text = "\n".join("".join(part for part, _ in line) for line in lines)
        self.app.push_screen(Tell(f"Figures and streams of {name}", lines, copied=text))

    def action_drain(self) -> None:
        """Give a relay no new calls, or some again."""
        row = self.chosen_or_say()
        if row is None:
            return
        name, draining = str(row["name"]), row["state"] == "draining"
        if draining:
            text, verb = f"{name} is given new calls again.", "give it calls"
        else:
            text = f"{name} is given no new calls. Those it carries ({row['sessions']}) go on."
            verb = "drain"
        heading = "Give it calls again?" if draining else "Drain this relay?"
        self.sure(heading, text, verb, "relays.drain", name=name, on=not draining)

    def done_words(self, command: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """Say what the relay does now."""
        drains = bool(answer.get("draining"))
        return f"{params['name']} {'is draining' if drains else 'is given calls again'}"
