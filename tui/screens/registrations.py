"""The phones that are registered: who, where, by what, how long; and forgetting one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from tui.screens.live import LiveScreen
from tui.widgets.table import Column, Row
from tui.words import person, span

_WHOLE: Final = re.compile(r"sips?:[^@\s]+@[^@\s]+")


class RegistrationsScreen(LiveScreen):
    """Who is registered."""

    mode = page = "registrations"
    title_words, command, rows_key = "Phones", "registrations", "registrations"
    key_names: Sequence[str] = ("aor", "contact")
    nothing = "no phone is registered"
    sort = "user"
    paged = True
    changing = frozenset({"remove", "remove_all"})
    columns: ClassVar[tuple[Column, ...]] = (
        Column(name="user", title="User", text=lambda row: person(row["aor"]), least=6, weight=0),
        Column(
            name="contact", title="Contact", text=lambda row: row["contact"], least=14, most=60,
            weight=4,
        ),
        Column(name="via", title="Via", text=lambda row: row["transport"] or "?", least=3, weight=0),
        Column(
            name="source", title="Real address", text=lambda row: row["source"] or "–", least=13,
            weight=1,
        ),
        Column(
            name="expires", title="Expires", text=lambda row: span(row["expires_s"]),
            sort=lambda row: row["expires_s"], right=True, least=8, weight=0,
        ),
        Column(
            name="device", title="Device", text=lambda row: row["user_agent"], least=8, most=48,
            weight=3,
        ),
        Column(name="aor", title="Address", text=lambda row: row["aor"], shown=False, weight=5),
        Column(name="q", title="q", text=lambda row: f"{row['q']:.1f}", shown=False, least=3),
        Column(
            name="call-id", title="Call-ID", text=lambda row: row.get("call_id", ""), shown=False,
            weight=6,
        ),
    )  # fmt: skip
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "remove", "remove"),
        Binding("D", "remove_all", "all of the user", show=False),
    ]

    def params(self) -> dict[str, Any]:
        """Ask for one user only, where so many are registered that not all are shown."""
        text = self.table.filter.text if self.is_mounted else ""
        return {"aor": text} if _WHOLE.fullmatch(text) else {}

    def narrow(self, text: str) -> None:
        """Filter; a whole address is asked for at the server, where all of them are."""
        super().narrow(text)
        if _WHOLE.fullmatch(text):
            self.look()

    def hint_for_more(self) -> str:
        """Return how to see one of the others."""
        return "/sip:USER@DOMAIN finds any"

    def open(self, row: Row) -> None:
        """Tell how it came to be registered."""
        if row.get("call_id"):
            self.dashboard.open_call(str(row["call_id"]))

    def action_remove(self) -> None:
        """Forget the chosen phone."""
        row = self.chosen_or_say()
        if row is None:
            return
        text = (
            f"The phone of {row['aor']} at {row['contact']} is forgotten at once. It comes back "
            "when it next registers; until then it cannot be called."
        )
        self.sure(
            "Remove this phone?", text, "remove", "registrations.remove",
            aor=row["aor"], contact=row["contact"],
        )  # fmt: skip

    def action_remove_all(self) -> None:
        """Forget all phones of the chosen one's user."""
        row = self.chosen_or_say()
        if row is None:
            return
        text = (
            f"All phones of {row['aor']} are forgotten at once. They come back when they next "
            "register; until then nobody can call them."
        )
        heading = "Remove all phones of this user?"
        self.sure(heading, text, "remove all", "registrations.remove", aor=row["aor"])

    def done_words(self, command: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """Say how many were forgotten."""
        return f"removed {answer.get('removed', 0)} of {params['aor']}"
