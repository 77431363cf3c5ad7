"""The activity log: everything the server does, live, filtered, paused, searched, jumped from.

Lines come at any rate and are kept in a ring; only those in sight are drawn, four times a second
at most. It refuses to know what becomes of the line that was opened.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from tui.activity import Activity, Event
from tui.filter import Filter
from tui.widgets.lines import Line, clean
from tui.widgets.rows import Rows
from tui.words import clock

COLUMNS: Final = ("time", "kind", "severity", "text", "event")
_FACT: Final = re.compile(r' [\w.-]+=(?:"[^"]*"|[^\s"]*)')
_FACTS: Final = re.compile(rf"([\w.-]+)((?:{_FACT.pattern})*)")
_RANKS: Final[Mapping[str, int]] = {
    "status": 0,
    "aor": 1, "login": 1, "user": 1, "from": 1, "relay": 1, "gateway": 1,
    "to": 2,
    "reason": 3, "why": 3,
    "src": 6,
    "call-id": 7,
}  # fmt: skip
"""In which order facts are shown; others stand in their own between, empty ones behind."""
_SEVERITIES: Final[Mapping[str, tuple[str, str]]] = {
    "debug": ("debug", "dim"),
    "info": ("info ", ""),
    "notice": ("note ", "note"),
    "warning": ("warn ", "warn"),
    "error": ("ERROR", "bad"),
}


def texts(event: Event) -> dict[str, str]:
    """Return what a filter looks at."""
    return {
        "time": clock(str(event.get("at", ""))),
        "kind": str(event.get("kind", "")),
        "severity": str(event.get("severity", "")),
        "text": str(event.get("text", "")),
        "event": str(event.get("name", "")),
    }


def as_line(event: Event) -> str:
    """Return an event as one line for the clipboard or a file, nothing dangerous in it."""
    return clean(
        f"{event.get('at', '')} {event.get('severity', '')} {event.get('kind', '')} "
        f"{event.get('text', '')}"
    )


def told_first(text: str) -> str:
    """Return an event's text with what matters first, for where it is cut: how it ended, who, why.

    The log file has the source first, for programs that read it; here it stands last.
    """
    found = _FACTS.fullmatch(text)
    if found is None:
        return text
    return found[1] + "".join(sorted(_FACT.findall(found[2]), key=_rank))


def _rank(fact: str) -> int:
    name, _, value = fact[1:].partition("=")
    return _RANKS.get(name, 4) if value not in ("", '""') else 5


class ActivityLog(Rows):
    """The log.

    Args:
        activity: What is kept of the events.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", key_display="⏎"),
        Binding("p,space", "pause", "pause", key_display="p"),
        Binding("f", "follow", "follow", show=False),
    ]

    class Changed(Message):
        """The log is paused, goes on, or shows other lines: its title is out of date."""

    def __init__(self, activity: Activity, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.activity = activity
        self.filter = Filter()
        self.following = True
        self.paused = False
        self.missed = 0
        """Lines that came since it was paused."""
        self._seen: deque[Event] = deque(maxlen=activity.ring.limit)
        self.refilter()

    def refilter(self) -> None:
        """Choose anew which lines are seen."""
        kept = (event for event in self.activity.ring if self._keeps(event))
        self._seen = deque(kept, maxlen=self.activity.ring.limit)
        self.missed = 0
        if self.is_mounted:
            self._settle()

    def narrow(self, text: str) -> None:
        """Show only lines that pass a filter."""
        self.filter = Filter(text, COLUMNS)
        self.refilter()

    def take(self, batch: Sequence[Event]) -> None:
        """Show what a batch brought, unless it is paused."""
        if self.paused:
            self.missed += len(batch)
            self.post_message(self.Changed())
            return
        if self._seen.maxlen != self.activity.ring.limit:
            self.refilter()  # the bound is another one now
            return
        new = [event for event in batch if self._keeps(event)]
        if not new:
            return
        limit = self._seen.maxlen or 0
        gone = max(0, len(self._seen) + len(new) - limit)
        self._seen.extend(new)
        if not self.following:
            self.cursor = max(0, self.cursor - gone)
            if gone:
                self.scroll_to(y=max(0, self.top - gone), animate=False, immediate=True, force=True)
        self._settle()

    def _keeps(self, event: Event) -> bool:
        if not self.activity.wants(event):
            return False
        return not self.filter or self.filter.keeps(texts(event))

    def _settle(self) -> None:
        if self.following:
            self.cursor = max(0, len(self._seen) - 1)
        self.changed()
        if self.following:
            self.scroll_to(
                y=max(0, len(self._seen) - self.seen), animate=False, immediate=True, force=True
            )
        self.post_message(self.Changed())

    @property
    def chosen(self) -> Event | None:
        """The line under the cursor."""
        return self._seen[self.cursor] if self.cursor < len(self._seen) else None

    @property
    def shown(self) -> Sequence[Event]:
        """All lines that pass the filter."""
        return list(self._seen)

    @property
    def has_cursor(self) -> bool:
        """Only who reads has a cursor; who watches the end has none."""
        return not self.following

    def count(self) -> int:
        """Return how many lines are seen."""
        return len(self._seen)

    def empty(self) -> Line:
        """Say that nothing has happened, or nothing that passes."""
        if len(self.activity.ring):
            return [("no line passes the filter and the kinds chosen", "dim")]
        return [("nothing has happened yet", "dim")]

    def line(self, index: int) -> Line:
        """Return time, severity, kind and text of an event."""
        event = self._seen[index]
        severity = str(event.get("severity", ""))
        word, style = _SEVERITIES.get(severity, (severity[:5].ljust(5), ""))
        return [
            (clock(str(event.get("at", ""))) + " ", "dim"),
            (word + " ", style),
            (str(event.get("kind", ""))[:14].ljust(15), "info"),
            (told_first(str(event.get("text", ""))), style if style in ("warn", "bad") else ""),
        ]

    def move_to(self, index: int) -> None:
        """Choose a line; beyond the last one the log is followed again."""
        last = self.count() - 1
        following = index > last or (index == last and self.following)
        self.following = following
        super().move_to(index)
        self.post_message(self.Changed())

    def action_edge(self, which: int) -> None:
        """Go to the first line, or to the last one and follow."""
        if which > 0:
            self.action_follow()
        else:
            super().action_edge(which)

    def action_follow(self) -> None:
        """Follow what happens."""
        self.following = True
        if self.paused:
            self.action_pause()
        self._settle()

    def action_pause(self) -> None:
        """Hold the log still, or let it go on."""
        self.paused = not self.paused
        if not self.paused:
            self.refilter()
        self.post_message(self.Changed())
