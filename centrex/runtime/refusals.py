"""Which refused logins of relays are worth a line in the log: the first, what is new, and one an hour.

A relay with a wrong secret tries again every few seconds, for as long as nobody mends it. It keeps the
sources and what they were refused for, and writes nothing.
"""

from typing import Final

from centrex.base import Instant

AGAIN_S: Final = 3600.0
"""After how long the same is told again."""
_SOURCES: Final = 256
_KINDS: Final = 8
"""Relays and reasons of one source that are told one by one."""


class _Source:
    __slots__ = ("count", "kinds", "told")

    def __init__(self) -> None:
        self.kinds: set[tuple[str, str]] = set()
        self.told, self.count = 0.0, 0


class Refusals:
    """What was refused lately, by the host it came from."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def tell(self, name: str, source: str, why: str, now: Instant) -> int:
        """Take in a refusal; return how many there were since the last line; 0 for no line now.

        Args:
            name: The name the relay gave.
            source: Where it connects from, with its port.
            why: Why it was refused.
            now: The time.
        """
        host = source.rpartition(":")[0]
        known = self._sources.pop(host, None)
        if known is None:
            if len(self._sources) >= _SOURCES:
                del self._sources[next(iter(self._sources))]
            known = _Source()
        self._sources[host] = known
        known.count += 1
        is_new = (name, why) not in known.kinds and len(known.kinds) < _KINDS
        if not is_new and now - known.told < AGAIN_S:
            return 0
        if is_new:
            known.kinds.add((name, why))
        count, known.count, known.told = known.count, 0, now
        return count

    def forget(self, name: str, source: str) -> None:
        """The relay of that name has come from there: what it is refused for after that is news."""
        known = self._sources.get(source.rpartition(":")[0])
        if known is not None:
            known.kinds = {one for one in known.kinds if one[0] != name}
