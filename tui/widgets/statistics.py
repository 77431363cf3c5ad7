"""The statistics bar: registrations, calls, messages and relays, now and lately."""

from collections.abc import Mapping
from typing import Any, Final

from tui.history import History, at
from tui.widgets.lines import Line, Panel, Run
from tui.words import bars, figure, tall_bars

WIDE: Final = 150
"""Cells from which on the figures stand in four cards with tall bars."""
_TALL: Final = 3
_NAME, _RATE, _SPARK, _LEAST = 10, 9, 40, 4
"""Cells of a name, of a rate, of a sparkline at most and at least."""
_NO_FIGURES: Final[Mapping[str, Any]] = {}


def _pair(name: str, value: str, style: str = "strong") -> list[Run]:
    return [(f" {name} ", "dim"), (value, style)]


def _drops(values: Mapping[str, Any]) -> str:
    drops = {str(why): int(n) for why, n in dict(at(values, "drops", {})).items() if n}
    if not drops:
        return "0"
    worst = sorted(drops, key=lambda why: -drops[why])[:2]
    named = ", ".join(f"{why} {figure(drops[why])}" for why in worst)
    return f"{figure(sum(drops.values()))} ({named})"


class StatisticsBar(Panel):
    """The bar at the foot of the main screen.

    Args:
        history: The last minutes.
    """

    DEFAULT_CSS = """
    StatisticsBar { height: 4; }
    StatisticsBar.-wide { height: 5; }
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
        self.set_class(width >= WIDE, "-wide")
        groups = (self._calls(), self._registrations(), self._messages(), self._media())
        if width >= WIDE:
            self.show(self._cards(groups, width))
        else:
            rooms = [
                width - _NAME - _RATE - sum(len(t) for t, _ in figures)
                for _, _, figures, _ in groups
            ]
            spark = min([_SPARK, *(room for room in rooms if room >= _LEAST)])
            self.show([self._row(*group, width, spark) for group in groups])

    def on_resize(self) -> None:
        """Lay the figures out anew."""
        self._drawn.clear()
        self.compose_lines()

    def _count(self, dotted: str) -> str:
        return figure(at(self._values, dotted))

    def _bad(self, dotted: str) -> str:
        return "warn" if at(self._values, dotted) else "strong"

    def _calls(self) -> tuple[str, str, Line, str]:
        runs = [
            *_pair("now", self._count("calls.now")),
            *_pair("peak", self._count("calls.peak")),
            *_pair("total", self._count("calls.total")),
            *_pair("failed", self._count("calls.failed"), self._bad("calls.failed")),
        ]
        return "calls", "rates.calls_per_s", runs, self._count("rates.calls_per_s") + "/s"

    def _registrations(self) -> tuple[str, str, Line, str]:
        refused = at(self._values, "refused_challenges")
        runs = [
            *_pair("now", self._count("registrations.bindings")),
            *_pair("peak", self._count("registrations.peak")),
            *_pair("total", self._count("registrations.total")),
            *_pair("refused", figure(refused), "warn" if refused else "strong"),
        ]
        rate = self._count("rates.registers_per_s") + "/s"
        return "phones", "rates.registers_per_s", runs, rate

    def _messages(self) -> tuple[str, str, Line, str]:
        drops = _drops(self._values)
        runs = [
            *_pair("in", self._count("messages.in")),
            *_pair("out", self._count("messages.out")),
            *_pair("dropped", drops, "strong" if drops == "0" else "warn"),
        ]
        rate = self._count("rates.messages_in_per_s") + "/s"
        return "messages", "rates.messages_in_per_s", runs, rate

    def _media(self) -> tuple[str, str, Line, str]:
        available, known = at(self._values, "relays.available"), at(self._values, "relays.known")
        bans = at(self._values, "bans")
        runs = [
            *_pair("relays", f"{available}/{known}", "strong" if available else "warn"),
            *_pair("sessions", self._count("relays.sessions")),
            *_pair("bans", figure(bans), "warn" if bans else "strong"),
            *_pair("watched", self._count("subscriptions")),
        ]
        rate = self._count("relays.packets_per_s") + "/s"
        return "media", "relays.packets_per_s", runs, rate

    def _row(
        self, name: str, series: str, figures: Line, rate: str, width: int, spark: int
    ) -> Line:
        taken = _NAME + sum(len(text) for text, _ in figures)
        left: Line = [(f" {name:<{_NAME - 1}}", "title"), *figures]
        if width - taken - _RATE < spark:
            return left
        return [
            *left,
            (" " * (width - taken - _RATE - spark), ""),
            (f"{rate:>{_RATE - 1}} ", "strong"),
            (bars(self._history.series(series), spark), "info"),
        ]

    def _cards(self, groups: tuple[tuple[str, str, Line, str], ...], width: int) -> list[Line]:
        each = width // len(groups)
        lines: list[list[Run]] = [[] for _ in range(2 + _TALL)]
        for name, series, figures, rate in groups:
            lines[0] += [(f" {name}", "title"), (f"{rate:>{each - len(name) - 2}} ", "strong")]
            taken = sum(len(text) for text, _ in figures)
            lines[1] += [*figures, (" " * max(0, each - taken), "")]
            for at_line, text in enumerate(
                tall_bars(self._history.series(series), each - 2, _TALL)
            ):
                lines[2 + at_line].append((f" {text} ", "info"))
        return [list(line) for line in lines]
