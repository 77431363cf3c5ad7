"""The sources that are not heard, why and how long; letting one in again."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from tui.screens.live import LiveScreen
from tui.widgets.table import Column
from tui.words import day_and_time, span


class BansScreen(LiveScreen):
    """The bans."""

    mode = page = "bans"
    title_words, command, rows_key = "Bans", "bans", "bans"
    key_names: Sequence[str] = ("source",)
    nothing = "nobody is banned"
    sort = "left"
    changing = frozenset({"release"})
    columns: ClassVar[tuple[Column, ...]] = (
        Column(name="source", title="Source", text=lambda row: row["source"], least=15, weight=0),
        Column(name="reason", title="Reason", text=lambda row: row["reason"], most=80, weight=2),
        Column(
            name="left", title="Left", text=lambda row: span(row["seconds_left"]),
            sort=lambda row: row["seconds_left"], right=True, least=8, weight=0,
        ),
        Column(name="until", title="Until", text=lambda row: day_and_time(row["until"]), least=19, weight=3),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [Binding("d", "release", "release")]

    def action_release(self) -> None:
        """Hear a source again."""
        row = self.chosen_or_say()
        if row is not None:
            text = f"{row['source']} is heard again at once. It was banned: {row['reason']}."
            self.sure("Release?", text, "release", "bans.release", source=row["source"])

    def done_words(self, command: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """Say who is heard again."""
        return f"{params['source']} is heard again"
