"""Who watches the directory and the calls; says plainly where an older engine cannot serve watchers."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from tui.screens.live import LiveScreen
from tui.widgets.table import Column, Row
from tui.words import person, span


def _text(name: str) -> Any:
    return lambda row: str(row.get(name, ""))


class SubscriptionsScreen(LiveScreen):
    """The subscriptions."""

    mode = page = "subscriptions"
    title_words, command, rows_key = "Watchers", "subscriptions", "rows"
    key_names: Sequence[str] = ("watcher", "target", "package", "source")
    nothing = "nobody watches"
    paged = True
    columns: ClassVar[tuple[Column, ...]] = (
        Column(
            name="watcher", title="Watcher", text=lambda row: person(str(row.get("watcher", ""))),
            least=8,
        ),
        Column(name="target", title="Watches", text=_text("target"), least=10),
        Column(name="package", title="Event", text=_text("package"), least=6),
        Column(name="state", title="State", text=_text("state"), least=6),
        Column(
            name="expires", title="Expires", text=lambda row: span(row.get("expires_s", 0)),
            sort=lambda row: row.get("expires_s", 0), right=True, least=8,
        ),
        Column(
            name="notified", title="Told", text=_text("notified"),
            sort=lambda row: row.get("notified", 0), right=True, least=4,
        ),
        Column(name="source", title="From", text=_text("source"), least=10),
    )  # fmt: skip

    def rows_of(self, answer: Mapping[str, Any]) -> Sequence[Row]:
        """Return the rows, and tell where there can be none yet."""
        if not answer.get("available", True):
            self.table.nothing = "this server is of an older version, which serves no watchers"
        return super().rows_of(answer)
