"""The last minutes of the figures, for sparklines, and the rates that no counter tells."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

_KEPT: Final = 240


def at(values: Mapping[str, Any], dotted: str, default: Any = 0) -> Any:
    """Return a value from nested mappings by its dotted name."""
    found: Any = values
    for name in dotted.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return default
        found = found[name]
    return default if found is None else found


class History:
    """Series of figures, one value for each snapshot."""

    NAMES: Final = (
        "calls.now", "registrations.bindings", "rates.calls_per_s", "rates.registers_per_s",
        "rates.messages_in_per_s", "rates.messages_out_per_s", "relays.packets_per_s",
    )  # fmt: skip

    def __init__(self) -> None:
        self._series: dict[str, deque[float]] = {name: deque(maxlen=_KEPT) for name in self.NAMES}

    def take(self, snapshot: Mapping[str, Any]) -> None:
        """Add the figures of one moment."""
        for name, series in self._series.items():
            value = at(snapshot, name)
            series.append(float(value) if isinstance(value, int | float) else 0.0)

    def series(self, name: str) -> Sequence[float]:
        """Return what is kept of one figure, the oldest first."""
        return list(self._series[name])
