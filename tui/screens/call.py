"""One call or registration: what became of it in plain words, its ladder, its messages."""

import base64
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from centrex import api
from tui.filter import Filter
from tui.ladder import COLUMNS, Ladder, is_message, raw_lines, texts
from tui.screens.questions import Confirm, Lines
from tui.screens.view import View
from tui.widgets.lines import Line, Panel, wrap
from tui.widgets.prompt import Prompt
from tui.widgets.rows import Rows
from tui.work import begin

BESIDE = 140
"""Cells from which on the chosen message stands beside the ladder."""


class LadderRows(Rows):
    """The ladder, of which an entry is chosen."""

    heads = 2
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "message", key_display="⏎"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.call: Mapping[str, Any] = {}
        self.decisions = True
        self.filter = Filter()
        self.ladder = Ladder((), (), 80)

    def take(self, call: Mapping[str, Any]) -> None:
        """Show a call; what was chosen stays so."""
        self.call = call
        self.lay_out()

    def lay_out(self) -> None:
        """Lay the ladder out for the width there is."""
        call, was = self.call, self.chosen
        entries = [one for one in call.get("entries", ()) if self.filter.keeps(texts(one))]
        self.ladder = Ladder(
            list(call.get("parties", ())), entries,
            max(40, self.size.width - 2), decisions=self.decisions,
            users=dict(call.get("users", {})),
        )  # fmt: skip
        if was is not None and was in self.ladder.entries:
            self.cursor = self.ladder.entries.index(was)
        self.changed()

    def narrow(self, text: str) -> None:
        """Show only entries that pass a filter."""
        self.filter = Filter(text, COLUMNS)
        self.lay_out()

    def on_resize(self) -> None:
        """Lay it out anew."""
        self.lay_out()

    @property
    def chosen(self) -> Mapping[str, Any] | None:
        """The entry under the cursor."""
        entries = self.ladder.entries
        return entries[self.cursor] if self.cursor < len(entries) else None

    def count(self) -> int:
        """Return how many entries there are."""
        return len(self.ladder.entries)

    def empty(self) -> Line:
        """Say that nothing is known, or that nothing passes the filter."""
        if self.filter and self.call.get("entries"):
            return [("no entry passes the filter; Esc clears it", "dim")]
        return [("no messages are kept of it", "dim")]

    def head(self, index: int) -> Line:
        """Return the columns' names and lines."""
        return [(" ", ""), *self.ladder.head()[index]]

    def line(self, index: int) -> Line:
        """Return an entry."""
        return self.ladder.line(index)


class CallScreen(View):
    """One call.

    Args:
        call_id: Which.
    """

    mode = "calls"
    page = "call"
    changing = frozenset({"end"})
    DEFAULT_CSS = """
    CallScreen #words {
        height: auto; max-height: 8; padding: 0 1; border-bottom: solid $primary 60%;
    }
    CallScreen Lines { width: 2fr; height: 100%; border-left: solid $primary 60%; display: none; }
    CallScreen.-message Lines { display: block; }
    CallScreen.-message.-narrow LadderRows { display: none; }
    CallScreen.-message.-narrow Lines { width: 1fr; border-left: none; }
    CallScreen LadderRows { width: 3fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "decisions", "decisions"),
        Binding("e", "end", "end call"),
        Binding("P", "pcapng", "pcapng"),
        Binding("r", "again", "refresh", show=False),
        Binding("escape", "escape", "back", key_display="Esc"),
        Binding("enter", "message", "ladder", show=False),
    ]

    def __init__(self, call_id: str) -> None:
        super().__init__()
        self.call_id = call_id
        self.call: dict[str, Any] = {}
        self._busy = False

    def body(self) -> ComposeResult:
        """Make the words, the ladder and the message."""
        yield Panel(id="words")
        with Horizontal():
            yield LadderRows()
            yield Lines()

    def on_mount(self) -> None:
        """The ladder has the keys."""
        self.rows.focus()
        self._fit()

    @property
    def rows(self) -> LadderRows:
        """The ladder."""
        return self.query_one(LadderRows)

    @property
    def message(self) -> Lines:
        """The chosen message."""
        return self.query_one(Lines)

    def _fit(self) -> None:
        narrow = self.app.size.width < BESIDE
        self.set_class(narrow, "-narrow")
        if not narrow:
            self.add_class("-message")

    def on_resize(self) -> None:
        """Put the message beside the ladder or in its place."""
        self._fit()
        self.call_after_refresh(self._say)

    def resumed(self) -> None:
        """Look at once."""
        self.look()

    def figures(self, values: Mapping[str, Any]) -> None:
        """Look again while the call goes on."""
        if self.call.get("state") in ("calling", "ringing", "up") and self.is_current:
            self.look()

    def look(self) -> None:
        """Ask for the call, unless that is being done."""
        if not self._busy:
            self._busy = True
            begin(self, self._ask)

    async def _ask(self) -> None:
        try:
            self.call = await self.dashboard.feed.ask("call", {"id": self.call_id})
        except (api.Refused, api.Unavailable) as error:
            if not self.call:
                nearest = error.detail.get("nearest", ()) if isinstance(error, api.Refused) else ()
                self.call = {"headline": str(error), "advice": [f"known: {one}" for one in nearest]}
        finally:
            self._busy = False
        if not self.is_made:
            return
        self.rows.take(self.call)
        self._say()
        self._show_message()
        self.refresh_bindings()

    def _say(self) -> None:
        """Tell in plain words what became of it."""
        width = max(20, self.size.width - 4)
        lines: list[Line] = [
            [(line, "strong")] for line in wrap(str(self.call.get("headline", "")), width)
        ]
        for advice in self.call.get("advice", ()):
            first, *rest = wrap(str(advice), width - 2)
            lines.append([("• ", "key"), (first, "")])
            lines += [[("  ", ""), (line, "")] for line in rest]
        state, lost = self.call.get("state", ""), self.call.get("lost", 0)
        words = f"{self.call.get('call_id', self.call_id)}"
        facts: list[Any] = [("Call-ID ", "dim"), (words, "dim")]
        if state:
            facts.append((f"   {state}", "good" if state == "up" else "note"))
        if self.rows.filter:
            found = f"{self.rows.count()} of {len(self.call.get('entries', ()))} pass"
            facts.append((f"   {found} /{self.rows.filter.text}", "warn"))
        if lost:
            facts.append((f"   the first {lost} entries are not kept any more", "warn"))
        self.query_one("#words", Panel).show([*lines[:6], facts])

    def _show_message(self) -> None:
        entry = self.rows.chosen
        if entry is None:
            self.message.show([[("nothing is chosen", "dim")]])
        elif is_message(entry):
            self.message.show(raw_lines(entry))
        else:
            width = max(20, self.message.size.width - 3)
            self.message.show(
                [
                    [("decided by the server", "title")],
                    *([(line, "")] for line in wrap(str(entry.get("text", "")), width)),
                    (),
                    [("rule ", "dim"), (str(entry.get("rule", "")), "strong")],
                ]
            )

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the chosen message."""
        if event.rows is self.rows:
            self._show_message()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Show the message in place of the ladder, or beside it."""
        self.add_class("-message")
        self._show_message()
        self.call_after_refresh(self.message.focus)

    def action_message(self) -> None:
        """Go back to the ladder."""
        self.action_escape()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what can be done with this call."""
        if action == "end" and self.call.get("state") not in ("calling", "ringing", "up"):
            return False
        if action == "message":
            return self.message.has_focus
        return super().check_action(action, parameters)

    def filter_text(self) -> str:
        """Return the filter of the ladder."""
        return self.rows.filter.text

    def narrow(self, text: str) -> None:
        """Filter the ladder."""
        self.rows.narrow(text)
        self._say()
        self._show_message()

    def action_filter(self) -> None:
        """Filter the ladder, which comes back where a message stands in its place."""
        if self.has_class("-narrow"):
            self.remove_class("-message")
        self.rows.focus()
        super().action_filter()

    def action_escape(self) -> None:
        """Go back to the ladder, clear its filter, then go to where one came from."""
        if self.message.has_focus:
            if self.has_class("-narrow"):
                self.remove_class("-message")
            self.rows.focus()
        elif self.filter_text():
            self.narrow("")
        else:
            self.app.pop_screen()

    def action_again(self) -> None:
        """Look now."""
        self.look()

    def action_decisions(self) -> None:
        """Show decisions, or messages alone."""
        self.rows.decisions = not self.rows.decisions
        self.rows.lay_out()
        self._show_message()

    def action_end(self) -> None:
        """End the call."""

        def answered(yes: bool | None) -> None:
            if yes:
                begin(self, self._end)

        text = "Both phones are told to hang up."
        self.app.push_screen(Confirm("End this call?", text, verb="end it"), answered)

    async def _end(self) -> None:
        if await self.dashboard.ask("calls.end", {"id": self.call_id}) is not None:
            self.dashboard.say("the call is being ended")
            self.look()

    def chosen_text(self) -> str:
        """Return the chosen entry: a message whole, a decision as a sentence."""
        entry = self.rows.chosen
        if entry is None:
            return ""
        if not is_message(entry):
            return str(entry.get("text", ""))
        lines = raw_lines(entry)
        return "\n".join("".join(api.shown(text, 4096) for text, _ in line) for line in lines)

    def all_text(self) -> str:
        """Return the words and the ladder."""
        told = [str(self.call.get("headline", "")), *map(str, self.call.get("advice", ()))]
        words = "".join(f"{api.shown(line, 2000)}\n" for line in told)
        return f"{words}\n{self.rows.ladder.as_text()}"

    def action_write(self) -> None:
        """Write the call, messages and all, to a text file."""
        self.prompt.ask("text", "write to: ", self.dashboard.file_name("call"))

    def action_pcapng(self) -> None:
        """Write the call to a file for Wireshark."""
        self.prompt.ask("pcapng", "write to: ", self.dashboard.file_name("call", "pcapng"))

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        """Export under the name that was typed."""
        if event.purpose in ("text", "pcapng"):
            event.prevent_default()
            begin(self, partial(self._export, event.purpose, event.text))

    async def _export(self, form: str, name: str) -> None:
        told = await self.dashboard.ask("call.export", {"id": self.call_id, "format": form})
        if told is not None:
            self.dashboard.write_file(name, base64.b64decode(str(told["data"])))
