"""The first start: a few questions, a secure configuration, and what to type into the phones."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import Input, Static

from centrex import api
from tui.screens.questions import Lines
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, clean

Writer: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes the answers to `api.setup_questions`, writes a configuration, tells what `centrex init`
tells. Raises `ConfigError` or `OSError`."""


class FirstStart(Screen[bool]):
    """Asks, writes, tells; answers whether there is a configuration now.

    Args:
        writer: Writes it.
    """

    DEFAULT_CSS = """
    FirstStart { align: center middle; }
    FirstStart > Vertical {
        width: 76; max-width: 100%; height: auto; max-height: 100%; border: round $primary;
        padding: 0 2; border-title-color: $text-primary; border-title-style: bold;
    }
    FirstStart Input { border: none; height: 1; padding: 0 1; background: $panel; }
    FirstStart Input:focus { background: $primary 40%; }
    FirstStart Static { height: auto; }
    FirstStart .-name { text-style: bold; margin-top: 1; }
    FirstStart .-help { color: $text-muted; }
    FirstStart #problem { color: $text-error; }
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
                yield Input(default, id=one["name"], compact=True, select_on_focus=True)
            yield Static("", id="problem", markup=False)
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
        at = names.index(event.input.id or names[0])
        if at + 1 < len(names):
            self.query_one(f"#{names[at + 1]}").focus()
        else:
            self._write()

    def _write(self) -> None:
        wanted: dict[str, Any] = {}
        for one in self._questions:
            typed = self.query_one(f"#{one['name']}", Input).value.strip()
            if one["list"]:
                wanted[one["name"]] = _names(typed)
            elif one["type"] == "integer" and not typed.isdigit():
                self._object(f"{one['label']}: must be a whole number", one["name"])
                return
            else:
                wanted[one["name"]] = int(typed) if one["type"] == "integer" else typed
        try:
            self.told = self._writer(wanted)
        except api.ConfigError as error:
            problem = next(iter(api.iter_problems(error)))
            key = str(problem["key"])
            self._object(f"{key}: {problem['message']}", key.rpartition(".")[2])
        except (api.CentrexError, OSError) as error:
            self._object(str(error), self._questions[0]["name"])
        else:
            self.call_later(self._tell)

    def _object(self, words: str, name: str) -> None:
        self.query_one("#problem", Static).update(f"✗ {clean(words)}")
        field = self.query(f"#{name}")
        if field:
            field.first().focus()

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
