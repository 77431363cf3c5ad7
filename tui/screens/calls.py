"""The calls in progress: who with whom, how long, by which relay; ending one, opening its ladder."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from tui.screens.live import LiveScreen
from tui.widgets.table import Column, Row
from tui.words import clock, person, span

_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "calling": ("→ calling", "note"),
    "ringing": ("~ ringing", "warn"),
    "up": ("● up", "good"),
    "ended": ("○ ended", "dim"),
}


def state_text(row: Row) -> str:
    """Return a call's state with a sign before it."""
    return _MARKS.get(str(row["state"]), (str(row["state"]), ""))[0]


class CallsScreen(LiveScreen):
    """The calls."""

    mode = page = "calls"
    title_words, command, rows_key = "Calls", "calls", "calls"
    key_names: Sequence[str] = ("id",)
    nothing = "no call is in progress"
    sort = "duration"
    paged = True
    changing = frozenset({"end"})
    columns: ClassVar[tuple[Column, ...]] = (
        Column(name="from", title="From", text=lambda row: person(row["from"]), least=8, weight=1),
        Column(name="to", title="To", text=lambda row: person(row["to"]), least=8, weight=1),
        Column(
            name="state", title="State", text=state_text, least=9, weight=0,
            style=lambda row: _MARKS.get(str(row["state"]), ("", ""))[1],
        ),
        Column(
            name="duration", title="Duration", text=lambda row: span(row["duration_s"] or 0),
            sort=lambda row: row["duration_s"] or 0, right=True, least=8, weight=0,
        ),
        Column(name="relay", title="Relay", text=lambda row: row.get("relay", "") or "–", weight=2),
        Column(name="codec", title="Codec", text=lambda row: row.get("codec", "") or "–", weight=2),
        Column(
            name="started", title="Started", text=lambda row: clock(row["started_at"])[:8],
            least=8, weight=3,
        ),
        Column(name="caller", title="Caller at", text=lambda row: row["caller"], weight=4),
        Column(
            name="callee", title="Callee at", text=lambda row: row["callee"], weight=5,
        ),
        Column(
            name="call-id", title="Call-ID", text=lambda row: row["id"], shown=False, most=60,
            weight=6,
        ),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [Binding("e", "end", "end call")]

    def open(self, row: Row) -> None:
        """Open the ladder."""
        self.dashboard.open_call(str(row["id"]))

    def action_end(self) -> None:
        """End a call."""
        row = self.chosen_or_say()
        if row is None:
            return
        text = (
            f"The call of {person(row['from'])} with {person(row['to'])} is ended: both phones "
            "are told to hang up."
        )
        self.sure("End this call?", text, "end it", "calls.end", id=row["id"])

    def done_words(self, command: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """Say that it ends."""
        return "the call is being ended"
