"""The ladder of one call: a column for each party, an arrow for each message, decisions between.

It turns the answer to `call` into lines; it refuses to know where they are drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from rich.cells import cell_len

from tui.widgets.lines import Line, Run, clean, fit
from tui.words import clock, person

Entry: TypeAlias = Mapping[str, Any]

TIME: Final = 13
"""Cells of the time at the left."""
COLUMNS: Final = ("kind", "from", "to", "text", "rule", "raw")
"""What a filter may name before a colon."""
_LEAST: Final = 16
"""Cells between two columns, at least."""


def is_message(entry: Entry) -> bool:
    """Return whether an entry is a message, and not a decision."""
    return entry.get("kind") == "message"


def texts(entry: Entry) -> dict[str, str]:
    """Return what a filter looks at."""
    told = entry.get("summary") if is_message(entry) else entry.get("text")
    return {
        "kind": str(entry.get("kind", "")),
        "from": str(entry.get("from", "")),
        "to": str(entry.get("to", "")),
        "text": str(told or ""),
        "rule": str(entry.get("rule", "")),
        "raw": str(entry.get("raw", "")),
    }


def style_of(summary: str) -> str:
    """Return the style of a message by what it is: a request, or how well it went."""
    head, _, rest = summary.partition(" ")
    if head == "SIP/2.0":
        head = rest.partition(" ")[0]
    if not head[:3].isdigit():
        return "info"
    return {"1": "dim", "2": "good", "3": "note"}.get(head[0], "bad")


def label(summary: str) -> str:
    """Return what stands on an arrow: `INVITE 1002`, `180 Ringing`."""
    if summary.startswith("SIP/2.0 "):
        return summary[8:]
    method, _, rest = summary.removesuffix(" SIP/2.0").partition(" ")
    return f"{method} {person(rest)}" if rest else method


def acknowledged(entries: Sequence[Entry]) -> dict[int, str]:
    """Return which of some entries acknowledge a refusal, by their places, and its status.

    Such an ACK ends where the refusal was made (RFC 3261 §17.1.1.3), whomever it is addressed to.
    """
    finals: dict[tuple[str, str], str] = {}
    found = {}
    for place, entry in enumerate(entries):
        if not is_message(entry):
            continue
        summary = str(entry.get("summary", ""))
        way = str(entry.get("from", "")), str(entry.get("to", ""))
        status = summary.removeprefix("SIP/2.0 ")[:3]
        if summary.startswith("INVITE "):
            finals.pop(way[::-1], None)
        elif status.isdigit():
            if status >= "200" and not _answers_another(summary):
                finals[way] = status
        elif summary.startswith("ACK ") and finals.get(way[::-1], "2") >= "300":
            found[place] = finals[way[::-1]]
    return found


def _answers_another(summary: str) -> bool:
    """Return whether a response is known to answer another request than an INVITE."""
    return summary.endswith(")") and not summary.endswith("(INVITE)")


class Ladder:
    """The lines of a call.

    Args:
        parties: The columns' names.
        entries: What happened, in order.
        width: Cells there are.
        decisions: Whether decisions are shown.
        users: Who is whom, by the columns' names.
    """

    def __init__(
        self,
        parties: Sequence[str],
        entries: Sequence[Entry],
        width: int,
        *,
        decisions: bool = True,
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.parties = list(parties)
        self._users = users or {}
        self.entries = [one for one in entries if decisions or is_message(one)]
        self._acknowledged = acknowledged(self.entries)
        self._width = width
        count = max(1, len(self.parties))
        self._pitch = max(_LEAST, (width - TIME - 2) // count)
        self._at = {
            name: TIME + self._pitch // 2 + n * self._pitch for n, name in enumerate(parties)
        }

    def head(self) -> tuple[Line, Line]:
        """Return the names of the columns, and the beginning of their lines."""
        names: list[Run] = [(" " * TIME, "")]
        for name in self.parties:
            text = fit(self._called(name), self._pitch - 1).rstrip()
            left = (self._pitch - cell_len(text)) // 2
            names.append((" " * left + text + " " * (self._pitch - left - cell_len(text)), "title"))
        return names, [(self._rails(), "dim")]

    def _called(self, name: str) -> str:
        """Return what a column is called: a user and where he is, by whichever transport."""
        user = self._users.get(name)
        return f"{user}  {name.rpartition(' ')[2]}" if user else name

    def _rails(self) -> str:
        cells = [" "] * (TIME + self._pitch * max(1, len(self.parties)))
        for at in self._at.values():
            cells[at] = "│"
        return "".join(cells)

    def line(self, index: int) -> Line:
        """Return the line of an entry."""
        entry = self.entries[index]
        time = (fit(clock(str(entry.get("at", ""))), TIME), "dim")
        if not is_message(entry):
            return [time, ("◆ ", "note"), (str(entry.get("text", "")), "note")]
        status = self._acknowledged.get(index)
        text = f"ACK ({status})" if status else label(str(entry.get("summary", "")))
        return [time, *self._arrow(entry, text)]

    def _arrow(self, entry: Entry, words: str) -> list[Run]:
        summary = str(entry.get("summary", ""))
        style = style_of(summary)
        start, end = self._at.get(str(entry.get("from"))), self._at.get(str(entry.get("to")))
        if start is None or end is None or start == end:
            way = f"{entry.get('from', '?')} → {entry.get('to', '?')}"
            return [(f"{way}: {summary}", style)]
        left, right = min(start, end), max(start, end)
        room = right - left - 1
        text = clean(words)
        if cell_len(text) > room - 4:
            text = fit(text, max(1, room - 4))
        dashes = room - cell_len(text) - 2
        before = dashes // 2
        if end > start:
            body = "─" * before + " " + text + " " + "─" * (dashes - before - 1) + "►"
        else:
            body = "◄" + "─" * (before - 1) + " " + text + " " + "─" * (dashes - before)
        rails = self._rails()
        return [
            (rails[TIME : left + 1], "dim"),
            (body, style),
            (rails[right:], "dim"),
        ]

    def as_text(self) -> str:
        """Return the ladder as plain lines."""
        lines = [*self.head(), *(self.line(index) for index in range(len(self.entries)))]
        return "".join("".join(clean(text) for text, _ in line).rstrip() + "\n" for line in lines)


def raw_lines(entry: Entry) -> list[Line]:
    """Return a message as it was, each part in its style, nothing in it dangerous."""
    lines: list[Line] = [
        [
            (f"{entry.get('from', '')} → {entry.get('to', '')}", "strong"),
            (f"  {entry.get('transport', '')}, {entry.get('size', 0)} octets", "dim"),
        ],
        (),
    ]
    in_body = False
    for number, text in enumerate(str(entry.get("raw", "")).replace("\r\n", "\n").split("\n")):
        if number == 0:
            lines.append([(text, style_of(text) + " strong")])
        elif in_body:
            lines.append(_body_line(text))
        elif not text:
            in_body = True
            lines.append(())
        else:
            lines.append(_header_line(text))
    return lines


_TELLING: Final = frozenset(
    {
        "from", "f", "to", "t", "contact", "m", "call-id", "i", "route", "record-route",
        "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
        "reason", "warning",
    }
)  # fmt: skip


def _header_line(text: str) -> Line:
    name, colon, value = text.partition(":")
    if not colon:
        return [(text, "")]
    style = "strong" if name.strip().lower() in _TELLING else ""
    return [(name + colon, "key"), (value, style)]


def _body_line(text: str) -> Line:
    if len(text) > 1 and text[1] == "=":
        return [(text[:2], "note"), (text[2:], "strong" if text[0] in "cm" else "")]
    return [(text, "")]
