"""The statistics bar: registrations, calls, messages and relays, now and lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tui.history import History, at
from tui.widgets.lines import Line, Panel, Run
from tui.words import bars, figure, tall_bars

WIDE: Final = 170
"""Cells from which on the figures stand in cards with tall bars."""
_TALL: Final = 3
_NAME, _RATE, _SPARK, _LEAST = 13, 16, 40, 4
"""Cells of a name, of a rate, of a sparkline at most and at least."""
_NARROW: Final = 24
"""Cells of the card of what was sent, which has one figure only."""
_READABLE: Final = 8
"""Cells of a sparkline that reasons of drops leave."""
_NO_FIGURES: Final[Mapping[str, Any]] = {}


def _pair(name: str, value: str, style: str = "strong") -> list[Run]:
    return [(f" {name} ", "dim"), (value, style)]


def _reasons(counted: Mapping[str, Any], named: int) -> str:
    """Return how many there are in all, with the reasons that were the most frequent."""
    counts = {str(why): int(n) for why, n in counted.items() if n}
    if not counts:
        return "0"
    worst = sorted(counts, key=lambda why: -counts[why])[:named]
    words = ", ".join(f"{why.removeprefix('media-')} {figure(counts[why])}" for why in worst)
    return figure(sum(counts.values())) + (f" ({words})" if words else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Figures that belong together, with the rate that is drawn beside them."""

    name: str
    series: str
    rate: str
    figures: Line

    @property
    def taken(self) -> int:
        """Cells of the figures."""
        return sum(len(text) for text, _ in self.figures)


class StatisticsBar(Panel):
    """The bar at the foot of the main screen.

    Args:
        history: The last minutes.
    """

    DEFAULT_CSS = """
    StatisticsBar { height: 5; }
    """

    def __init__(self, history: History, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._history = history
        self._values: Mapping[str, Any] = _NO_FIGURES

    def take(self, values: Mapping[str, Any]) -> None:
        """Show a snapshot."""
        self._values = values
        self.compose_lines()

    def compose_lines(self) -> None:
        """Lay the figures out for the width there is."""
        width = self.size.width
        if width >= WIDE:
            self.show(self._cards(width))
            return
        room = width - _NAME - _RATE - _READABLE
        received, media = self._received(room), self._media(room)
        groups = (self._calls(), self._phones(), received, self._sent(), media)
        rooms = [width - _NAME - _RATE - group.taken for group in groups]
        spark = min([_SPARK, *(room for room in rooms if room >= _LEAST)])
        self.show([self._row(group, width, spark) for group in groups])

    def on_resize(self) -> None:
        """Lay the figures out anew."""
        self._drawn.clear()
        self.compose_lines()

    def _count(self, dotted: str) -> str:
        return figure(at(self._values, dotted))

    def _bad(self, dotted: str) -> str:
        return "warn" if at(self._values, dotted) else "strong"

    def _rates(self, name: str) -> str:
        second = f"{self._count(f'rates.{name}_per_s')}/s"
        minute = at(self._values, f"rates.{name}_per_min", None)
        return second if minute is None else f"{second} {figure(minute)}/min"

    def _calls(self) -> _Group:
        figures = [
            *_pair("now", self._count("calls.now")),
            *_pair("peak", self._count("calls.peak")),
            *_pair("total", self._count("calls.total")),
            *_pair("failed", self._count("calls.failed"), self._bad("calls.failed")),
        ]
        return _Group(
            name="calls", series="rates.calls_per_s", rate=self._rates("calls"), figures=figures
        )

    def _phones(self) -> _Group:
        refused = at(self._values, "refused_challenges")
        figures = [
            *_pair("now", self._count("registrations.bindings")),
            *_pair("peak", self._count("registrations.peak")),
            *_pair("total", self._count("registrations.total")),
            *_pair("refused", figure(refused), "warn" if refused else "strong"),
        ]
        return _Group(
            name="phones",
            series="rates.registers_per_s",
            rate=self._rates("registers"),
            figures=figures,
        )

    def _received(self, room: int) -> _Group:
        """Return the messages that came in; of the reasons of drops as many as there is room for."""
        total = _pair("total", self._count("messages.in"))
        left = room - sum(len(text) for text, _ in [*total, *_pair("dropped", "")])
        dropped = dict(at(self._values, "drops", {}))
        told = [_reasons(dropped, named) for named in (2, 1, 0)]
        drops = next((words for words in told if len(words) <= left), told[-1])
        return _Group(
            name="messages in",
            series="rates.messages_in_per_s",
            rate=self._count("rates.messages_in_per_s") + "/s",
            figures=[*total, *_pair("dropped", drops, "strong" if drops == "0" else "warn")],
        )

    def _sent(self) -> _Group:
        return _Group(
            name="messages out",
            series="rates.messages_out_per_s",
            rate=self._count("rates.messages_out_per_s") + "/s",
            figures=_pair("total", self._count("messages.out")),
        )

    def _media(self, room: int) -> _Group:
        """Return relays and what is amiss with media, if anything; who watches gives way to that."""
        available, known = at(self._values, "relays.available"), at(self._values, "relays.known")
        bans = at(self._values, "bans")
        figures = [
            *_pair("relays", f"{available}/{known}", "strong" if available else "warn"),
            *_pair("sessions", self._count("relays.sessions")),
            *_pair("bans", figure(bans), "warn" if bans else "strong"),
        ]
        watched = _pair("watched", self._count("subscriptions"))
        amiss = dict(at(self._values, "media_amiss", {}))
        told = [_pair("amiss", _reasons(amiss, named), "warn") for named in (2, 1, 0)]
        rests = [[*words, *watched] for words in told] + [told[-1]] if any(amiss.values()) else []
        left = room - sum(len(text) for text, _ in figures)
        fits = (rest for rest in rests if sum(len(text) for text, _ in rest) <= left)
        figures += next(fits, rests[-1] if rests else watched)
        return _Group(
            name="media",
            series="relays.packets_per_s",
            rate=self._count("relays.packets_per_s") + " packets/s",
            figures=figures,
        )

    def _row(self, group: _Group, width: int, spark: int) -> Line:
        left: Line = [(f" {group.name:<{_NAME - 1}}", "title"), *group.figures]
        taken = _NAME + group.taken
        if width - taken - _RATE < spark:
            return left
        return [
            *left,
            (" " * (width - taken - _RATE - spark), ""),
            (f"{group.rate:>{_RATE - 1}} ", "strong"),
            (bars(self._history.series(group.series), spark), "info"),
        ]

    def _cards(self, width: int) -> list[Line]:
        """Return cards side by side; that of the messages sent, which is short, is a narrow one."""
        each = (width - _NARROW) // 4
        cards = (
            (self._calls(), each),
            (self._phones(), each),
            (self._received(each - 1), each),
            (self._sent(), _NARROW),
            (self._media(width - _NARROW - 3 * each - 1), width - _NARROW - 3 * each),
        )
        lines: list[list[Run]] = [[] for _ in range(2 + _TALL)]
        for group, room in cards:
            rate = f"{group.rate:>{room - len(group.name) - 2}} "
            lines[0] += [(f" {group.name}", "title"), (rate, "strong")]
            lines[1] += [*group.figures, (" " * max(0, room - group.taken), "")]
            history: Sequence[float] = self._history.series(group.series)
            for at_line, text in enumerate(tall_bars(history, room - 2, _TALL)):
                lines[2 + at_line].append((f" {text} ", "info"))
        return [list(line) for line in lines]
