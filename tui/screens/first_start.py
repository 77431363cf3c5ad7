"""The first start: a few questions, a secure configuration, and what to type into the phones."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from centrex import api
from tui.screens.questions import Lines
from tui.widgets.field import Field
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, clean

Writer: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes the answers to `api.setup_questions`, writes a configuration, tells what `centrex init`
tells. Raises `ConfigError` or `OSError`."""


class _Answer(Field):
    """Where an answer is typed; the foot names the key that takes it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "next", key_display="⏎"),
        Binding("shift+tab", "app.focus_previous", "back", key_display="⇧Tab"),
    ]


class FirstStart(Screen[bool]):
    """Asks, writes, tells; answers whether there is a configuration now.

    Args:
        writer: Writes it.
    """

    DEFAULT_CSS = """
    FirstStart { align: center middle; }
    FirstStart > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary;
        padding: 0 2; overflow-y: auto; border-title-color: $text-primary; border-title-style: bold;
    }
    FirstStart Input { border: none; height: 1; padding: 0 1; background: $panel; }
    FirstStart Input:focus { background: $primary 40%; }
    FirstStart Static { height: auto; }
    FirstStart .-name { text-style: bold; margin-top: 1; }
    FirstStart .-help { color: $text-muted; }
    FirstStart .-wrong { color: $text-error; display: none; }
    FirstStart .-wrong.-there { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next", "next", key_display="⏎"),
        Binding("y", "copy", "copy"),
        Binding("escape", "leave", "leave", key_display="Esc"),
    ]
    page = "first-start"

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer
        self._questions = api.setup_questions()
        self.told: dict[str, Any] | None = None

    def compose(self) -> ComposeResult:
        """Make the questions."""
        with Vertical(id="ask") as box:
            box.border_title = "Welcome to Centrex – there is no configuration yet"
            for one in self._questions:
                default = ", ".join(one["default"]) if one["list"] else str(one["default"])
                yield Static(one["label"], classes="-name", markup=False)
                yield Static(one["help"], classes="-help", markup=False)
                yield _Answer(default, id=one["name"], compact=True, select_on_focus=True)
                yield Static("", id=f"wrong-{one['name']}", classes="-wrong", markup=False)
            yield Static("", id="wrong-", classes="-wrong", markup=False)
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin with the domain."""
        self.query(Input).first().focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Copy only what has been told."""
        return self.told is not None if action == "copy" else True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Go to the next question; write after the last one."""
        event.stop()
        names = [one["name"] for one in self._questions]
        name = event.input.id or names[0]
        if not self._judge(name):
            return
        at = names.index(name)
        if at + 1 < len(names):
            self.query_one(f"#{names[at + 1]}").focus()
        else:
            self._write()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Take back what was said of an answer once it is put right."""
        event.stop()
        if self.query_one(f"#wrong-{event.input.id}").has_class("-there"):
            self._judge(str(event.input.id))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Judge an answer that is left."""
        left = event.widget
        if isinstance(left, _Answer) and left.is_attached and self.told is None:
            said = self.query_one(f"#wrong-{left.id}").has_class("-there")
            if not said:  # what was said stands until the answer is another one
                self._judge(str(left.id))

    def _answers(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what was answered, and what of it has not even the right form."""
        wanted: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for one in self._questions:
            name = one["name"]
            typed = self.query_one(f"#{name}", Input).value.strip()
            if one["list"]:
                wanted[name] = _names(typed)
            elif one["type"] != "integer":
                wanted[name] = typed
            elif typed.isascii() and typed.isdigit():
                wanted[name] = int(typed)
            else:
                wanted[name], wrong[name] = one["default"], "must be a whole number"
        return wanted, wrong

    def _judge(self, name: str) -> bool:
        """Say at once what is wrong with one answer, the others being as they should."""
        wanted, wrong = self._answers()
        if name not in wrong:
            usual = {one["name"]: one["default"] for one in self._questions}
            try:
                answers = {**usual, name: wanted[name]}
                api.setup(answers, Path("centrex.toml"), force=True, write=False)
            except api.ConfigError as error:
                wrong |= self._found(error)
        self._object(name, wrong.get(name, ""))
        return name not in wrong

    def _found(self, error: api.ConfigError) -> dict[str, str]:
        """Return what is wrong by the name of the question; by no name what none asks for."""
        found: dict[str, list[str]] = {}
        for problem in api.iter_problems(error):
            key, message = str(problem["key"]), str(problem["message"])
            asked = (one["name"] for one in self._questions if key.startswith(one["key"]))
            name = next(asked, "")
            words = message if name else f"{key}: {message}"
            if words not in found.setdefault(name, []):
                found[name].append(words)
        return {name: "; ".join(words) for name, words in found.items()}

    def _write(self) -> None:
        wanted, wrong = self._answers()
        if not wrong:
            try:
                self.told = self._writer(wanted)
            except api.ConfigError as error:
                wrong = self._found(error)
            except (api.CentrexError, OSError) as error:
                wrong = {"": str(error)}
        names = [one["name"] for one in self._questions]
        for name in [*names, ""]:
            self._object(name, wrong.get(name, ""))
        if wrong:
            self.query_one(f"#{next((name for name in names if name in wrong), names[0])}").focus()
        else:
            self.call_later(self._tell)

    def _object(self, name: str, words: str) -> None:
        """Say at a question what is wrong with its answer, or nothing."""
        place = self.query_one(f"#wrong-{name}", Static)
        place.set_class(bool(words), "-there")
        place.update(f"✗ {clean(words)}" if words else "")

    async def _tell(self) -> None:
        box = self.query_one("#ask", Vertical)
        box.border_title = "What to type into the phones"
        await box.remove_children()
        await box.mount(Lines(self._answer()))
        self.query_one(Lines).focus()
        self.refresh_bindings()

    def _answer(self) -> list[Line]:
        told = self.told or {}
        lines: list[Line] = [
            (),
            [("SIP server / domain   ", "dim"), (str(told["domain"]), "strong")],
        ]
        if told["server"] != told["domain"]:
            lines.append([("outbound proxy        ", "dim"), (str(told["server"]), "strong")])
        lines += [
            [("port                  ", "dim"), (str(told["port"]), "strong")],
            [("transport             ", "dim"), (" or ".join(told["transports"]), "strong")],
            (),
            [("user and login        password – shown only now", "title")],
        ]
        for phone in told["phones"]:
            lines.append([(f"{phone['login']:<22}", "strong"), (phone["password"], "good")])
        if not told["phones"]:
            lines.append([("no logins yet; p on the Authentication tab makes one", "dim")])
        return [
            *lines,
            (),
            [("Written to ", "dim"), (str(told["file"]), "")],
            [("y copies this, Enter starts the server.", "dim")],
        ]

    def action_next(self) -> None:
        """Start the server, once all has been told."""
        if self.told is not None:
            self.dismiss(True)

    def action_copy(self) -> None:
        """Copy what to type into the phones."""
        text = "\n".join("".join(part for part, _ in line) for line in self._answer())
        self.app.copy_to_clipboard(text.strip() + "\n")
        self.notify("✓ copied")

    def action_leave(self) -> None:
        """Leave: with the server if there is a configuration, for good otherwise."""
        self.dismiss(self.told is not None)


def _names(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]
