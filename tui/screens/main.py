"""The main screen: settings area, activity log, statistics bar."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from tui.activity import ALWAYS, KINDS
from tui.screens.questions import Choose, Tell, in_full, paragraphs
from tui.screens.view import View
from tui.widgets.activity_log import ActivityLog, as_line
from tui.widgets.lines import entitle
from tui.widgets.settings_area import SettingsArea
from tui.widgets.statistics import StatisticsBar
from tui.words import many

_REFUSED: Final = "registration.refused"
"""What is told of a registration that came to nothing: no phone stands in the list of them."""


class _Framed(Container):
    """A part of the screen under a title."""

    DEFAULT_CSS = """
    _Framed {
        border-top: solid $primary 60%; border-title-color: $text-primary;
        border-title-style: bold; border-subtitle-color: $text-muted; height: auto;
    }
    _Framed.-rest { height: 1fr; }
    """


class MainScreen(View):
    """What operators look at all day."""

    mode = page = "main"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "kinds", "kinds"),
        Binding("i", "in_full", "settings in full", show=False),
        Binding("X", "clear", "clear log", show=False),
    ]

    def body(self) -> ComposeResult:
        """Make the three areas."""
        with _Framed(id="settings-frame"):
            yield SettingsArea()
        with _Framed(id="log-frame", classes="-rest"):
            yield ActivityLog(self.dashboard.activity, id="log")
        with _Framed(id="statistics-frame"):
            yield StatisticsBar(self.dashboard.history)

    def on_mount(self) -> None:
        """Name the areas; the log has the keys."""
        self.query_one("#settings-frame").border_title = "Settings"
        self.query_one("#statistics-frame").border_title = "Statistics"
        self.log_widget.focus()
        self._name_log()

    @property
    def log_widget(self) -> ActivityLog:
        """The activity log."""
        return self.query_one(ActivityLog)

    def resumed(self) -> None:
        """Show what has happened meanwhile."""
        if not self.log_widget.paused:
            self.log_widget.refilter()
        self.facts()
        if self.dashboard.snapshot:
            self.figures(self.dashboard.snapshot)

    def figures(self, values: Mapping[str, Any]) -> None:
        """Show a snapshot."""
        self.query_one(StatisticsBar).take(values)
        self._show_facts()

    def facts(self) -> None:
        """Show what changes seldom."""
        self._show_facts()

    def _show_facts(self) -> None:
        board = self.dashboard
        if board.status:
            self.query_one(SettingsArea).take(
                board.status,
                board.relays,
                board.config,
                mode=board.mode_words,
                uptime_s=board.uptime_s,
            )

    def happened(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Show a batch of events."""
        self.log_widget.take(batch)

    def on_activity_log_changed(self) -> None:
        """Tell in the title what the log is doing."""
        self._name_log()

    def _name_log(self) -> None:
        log, activity = self.log_widget, self.dashboard.activity
        state = (
            f"‖ paused, {log.missed} new"
            if log.paused
            else "▼ following"
            if log.following
            else f"line {log.cursor + 1}"
        )
        parts = [f"Activity – {state}", many(log.count(), "line")]
        if activity.hidden:
            parts.append(f"{many(len(activity.hidden), 'kind')} off")
        if log.filter:
            parts.append(f"filter {log.filter.text}")
        if activity.lost:
            parts.append(f"{activity.lost} lost")
        entitle(self.query_one("#log-frame"), " · ".join(parts))

    def filter_text(self) -> str:
        """Return the log's filter."""
        return self.log_widget.filter.text

    def narrow(self, text: str) -> None:
        """Filter the log."""
        self.log_widget.narrow(text)

    def action_escape(self) -> None:
        """Clear the filter, then follow again."""
        if self.filter_text():
            self.narrow("")
        else:
            self.log_widget.action_follow()

    def action_kinds(self) -> None:
        """Choose which kinds of events are seen, here only; `[events]` rules what is written."""
        activity = self.dashboard.activity
        names = [kind for kind in KINDS if kind not in ALWAYS]
        seen = [kind for kind in names if kind not in activity.hidden]

        def chosen(picked: list[str] | None) -> None:
            if picked is not None:
                activity.hidden = set(names) - set(picked)
                self.log_widget.refilter()

        question = Choose("Kinds shown (errors always are)", names, seen, several=True)
        self.app.push_screen(question, chosen)

    def action_in_full(self) -> None:
        """Show what the settings area says, uncut."""
        facts = self.query_one(SettingsArea).in_full
        text = "".join(f"{name}\t{value}\n" for name, value in facts)
        self.app.push_screen(Tell("Settings", in_full(facts), copied=text))

    def action_clear(self) -> None:
        """Forget the lines seen so far."""
        self.dashboard.activity.ring.clear()
        self.log_widget.refilter()

    def on_rows_opened(self) -> None:
        """Go to the call or the registration that the line speaks of, or show it whole."""
        event = self.log_widget.chosen
        if event is None:
            return
        stands = event.get("kind") == "registrations" and event.get("name") != _REFUSED
        if event.get("call_id") and not stands:
            self.dashboard.open_call(str(event["call_id"]))
        elif aor := event.get("aor"):
            self.dashboard.go("registrations", str(aor))
        elif event.get("call_id"):
            self.dashboard.open_call(str(event["call_id"]))
        else:
            line = as_line(event)
            self.app.push_screen(Tell("Activity", paragraphs(line), copied=line))

    def chosen_text(self) -> str:
        """Return the chosen line."""
        event = self.log_widget.chosen
        return as_line(event) if event is not None else ""

    def all_text(self) -> str:
        """Return the lines that pass the filter."""
        return "".join(as_line(event) + "\n" for event in self.log_widget.shown)
