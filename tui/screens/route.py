"""The route tester: a number, who calls and when; what would become of the call, while it is typed."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal
from textual.timer import Timer
from textual.widgets import Input, Static

from centrex import api
from tui.route import answer_lines
from tui.screens.questions import Lines
from tui.screens.view import View
from tui.widgets.field import Field
from tui.widgets.lines import Line, entitle, wrap
from tui.work import begin

_PAUSE_S: Final = 0.2
"""How long nothing is typed before it is asked."""
_FIELDS: Final = (
    ("number", "Number", "what is called: 1001, 0041445551234"),
    ("from", "Caller", "a user of this server; empty for a stranger"),
    ("at", "Time", "now, or such as 2026-12-24T18:30, in the plans' time zone"),
)


class RouteScreen(View):
    """Number, caller and time above, the answer below."""

    mode = page = "route"
    DEFAULT_CSS = """
    RouteScreen #question { height: 4; padding: 0 1; }
    RouteScreen #question Horizontal { height: 1; }
    RouteScreen #question Static { width: 10; color: $text-muted; }
    RouteScreen #question Input {
        width: 1fr; border: none; height: 1; padding: 0; background: $surface;
    }
    RouteScreen #question Input:focus { border: none; background: $primary 40%; }
    RouteScreen #route-frame {
        height: 1fr; border-top: solid $primary 60%; border-title-color: $text-primary;
        border-title-style: bold; padding: 0 1;
    }
    RouteScreen Lines { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,i", "type", "type", key_display="⏎"),
        Binding("e", "edits", "edits on/off"),
        Binding("r", "again", "test again"),
        Binding("escape", "escape", "to the keys", key_display="Esc"),
    ]
    AUTO_FOCUS: ClassVar[str | None] = "#number"

    def __init__(self) -> None:
        super().__init__()
        self.answer: dict[str, Any] = {}
        self.with_edits = True
        self._why: list[str] = []
        self._timer: Timer | None = None
        self._counted = 0

    def body(self) -> ComposeResult:
        """Make the fields and the answer."""
        with Container(id="question"):
            for name, label, words in _FIELDS:
                with Horizontal():
                    yield Static(label, markup=False)
                    yield Field(placeholder=words, id=name, compact=True, max_length=256)
        with Container(id="route-frame"):
            yield Lines()

    def on_mount(self) -> None:
        """Name the frame."""
        self._show()

    @property
    def lines(self) -> Lines:
        """The answer."""
        return self.query_one(Lines)

    def field(self, name: str) -> Input:
        """Return one of the fields."""
        return self.query_one(f"#{name}", Input)

    @property
    def edits(self) -> int:
        """How many edits of the configuration are not applied yet."""
        draft = self.dashboard.draft
        return 0 if draft is None else len(draft)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what there is: no filter; edits only where there are any."""
        if action == "filter":
            return False
        if action == "edits":
            return bool(self.edits)
        if action == "escape":
            return isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    # -- asking ------------------------------------------------------------------------------

    def resumed(self) -> None:
        """Ask again: phones, plans or edits may be others now."""
        self.refresh_bindings()
        if self.field("number").value:
            self.ask()

    def narrow(self, text: str) -> None:
        """Test this number."""
        self.field("number").value = text
        self.ask()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Ask once nothing more is typed."""
        if event.input.id not in {name for name, _, _ in _FIELDS}:
            return
        event.stop()
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(_PAUSE_S, self.ask)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Ask at once; the answer has the keys."""
        if event.input.id in {name for name, _, _ in _FIELDS}:
            event.stop()
            self.lines.focus()
            self.ask()

    def on_key(self, event: events.Key) -> None:
        """Go from field to field by the arrows."""
        names = [name for name, _, _ in _FIELDS]
        here = getattr(self.focused, "id", None)
        if event.key in ("up", "down") and here in names:
            event.stop()
            at = names.index(here) + (1 if event.key == "down" else -1)
            if at < len(names):
                self.field(names[max(0, at)]).focus()
            else:
                self.lines.focus()

    def ask(self) -> None:
        """Have the call looked into."""
        begin(self, self._ask, only="route")

    async def _ask(self) -> None:
        wanted = {name: self.field(name).value.strip() for name, _, _ in _FIELDS}
        self._why = []
        if not wanted["number"]:
            self.answer = {}
            self._show()
            return
        draft = self.dashboard.draft
        params: dict[str, Any] = dict(wanted)
        self._counted = self.edits if self.with_edits else 0
        if draft is not None and self._counted:
            params |= {"fingerprint": draft.fingerprint, "changes": draft.changes()}
        try:
            self.answer = await self.dashboard.feed.ask("route.test", params)
        except api.Refused as error:
            self.answer = {}
            problems = [f"{one['key']}: {one['message']}" for one in api.iter_problems(error)]
            head = "the edits cannot be used" if problems else str(error)
            self._why = [head, *problems]
        except api.Unavailable as error:
            self.answer, self._why = {}, [str(error)]
        self._show()

    # -- showing -----------------------------------------------------------------------------

    def _lines(self) -> list[Line]:
        width = max(40, self.lines.size.width - 2)
        if self._why:
            return [
                [("✗ ", "bad"), (line, "")] for why in self._why for line in wrap(why, width - 2)
            ]
        if not self.answer:
            words = (
                "Type a number: what would become of a call to it, rule by rule, who would ring "
                "when, and under which addresses. Nobody is called."
            )
            return [[(line, "dim")] for line in wrap(words, width)]
        return answer_lines(self.answer, width, self._counted)

    def _show(self) -> None:
        if not self.is_made:
            return
        self.lines.show(self._lines())
        edits = self.edits
        parts = ["Route tester"]
        if edits:
            used = "counted in" if self.with_edits else "left out; e counts them in"
            parts.append(f"{edits} edit{'s' * (edits != 1)} not applied, {used}")
        entitle(self.query_one("#route-frame"), " – ".join(parts))

    def on_descendant_focus(self) -> None:
        """Tell which keys work now."""
        self.refresh_bindings()

    def on_resize(self) -> None:
        """Draw the time-line anew."""
        self.call_after_refresh(self._show)

    def action_escape(self) -> None:
        """Leave the fields, so that keys are commands."""
        self.lines.focus()

    def action_type(self) -> None:
        """Type another number."""
        self.field("number").focus()

    def action_again(self) -> None:
        """Test again."""
        self.ask()

    def action_edits(self) -> None:
        """Count the edits in, or leave them out."""
        self.with_edits = not self.with_edits
        self.ask()

    def _text(self) -> str:
        return "\n".join(
            "".join(api.shown(text, 4096) for text, _ in line) for line in self._lines()
        )

    def chosen_text(self) -> str:
        """Return what becomes of the call."""
        told: Mapping[str, Any] = self.answer
        return f"{told['number']}: {told['outcome']}" if told else ""

    def all_text(self) -> str:
        """Return the whole answer."""
        return self._text() + "\n" if self.answer else ""
