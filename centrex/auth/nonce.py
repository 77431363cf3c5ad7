"""Nonces that need no table, and the windows that keep a request from being played again.

A nonce holds the time and a serial number under a keyed hash over both, the realm and the source
host, so that minting remembers nothing. Only nonces that were *used* with a right answer take room,
one number each, in a bounded table. This module knows nothing of logins or of messages.
"""

import enum
import hashlib
from typing import Final

from centrex.base import Instant

_STAMP: Final = 16
_LENGTH: Final = 40
_WINDOW: Final = 64
_SEEN: Final = (1 << _WINDOW) - 1


class Age(enum.Enum):
    """What a nonce is worth."""

    FRESH = "fresh"
    STALE = "stale"
    FOREIGN = "foreign"


FRESH: Final = Age.FRESH
STALE: Final = Age.STALE
FOREIGN: Final = Age.FOREIGN


class Nonces:
    """Mints nonces and knows its own again (RFC 7616 §3.3, §5.4).

    Args:
        key: The secret; 16 to 64 random octets. A new one makes every earlier nonce foreign.
        life_s: For how long a nonce is fresh.
        realm: The realm it is minted for.
    """

    __slots__ = ("_keyed", "_life", "_serial")

    def __init__(self, key: bytes, life_s: float, *, realm: bytes) -> None:
        self._keyed = hashlib.blake2b(realm + b"\0", key=key, digest_size=12)
        self._life = life_s
        self._serial = 0

    @property
    def life_s(self) -> float:
        """For how long a nonce is fresh, in seconds."""
        return self._life

    def mint(self, now: Instant, source: bytes) -> bytes:
        """Return a nonce that no one else gets: 40 lower-case hexadecimal digits.

        Args:
            now: Monotonic seconds, not negative.
            source: The host it is for; from any other it is foreign.
        """
        self._serial = serial = (self._serial + 1) & 0xFFFFFFFF
        stamp = b"%08x%08x" % (int(now) & 0xFFFFFFFF, serial)
        keyed = self._keyed.copy()
        keyed.update(stamp + source)
        return stamp + keyed.hexdigest().encode()

    def check(self, nonce: bytes, now: Instant, source: bytes) -> Age:
        """Tell whether a nonce is ours, for this source, and young enough."""
        if len(nonce) != _LENGTH:
            return FOREIGN
        stamp = nonce[:_STAMP]
        keyed = self._keyed.copy()
        keyed.update(stamp + source)
        if keyed.hexdigest().encode() != nonce[_STAMP:]:
            return FOREIGN
        # Ours, so the digits are digits. A time to come is a clock that went back: worth a retry.
        return FRESH if 0 <= int(now) - int(stamp[:8], 16) <= self._life else STALE


class Window:
    """Which nonce counts were used: per nonce the highest, and which of the 64 up to it.

    There are two generations of at most `bound` nonces. The younger one becomes the older after a
    nonce's life, when every nonce in the one it replaces is stale by its time. Should it fill up
    before, the generation dropped leaves a floor behind: nonces minted up to there that are not in
    the table count as used, so that nothing forgotten can be played again; their phones are
    challenged once more.

    Args:
        life_s: For how long a nonce is fresh.
        bound: How many nonces one generation holds.
    """

    __slots__ = ("_bound", "_floor", "_life", "_old", "_old_top", "_top", "_turned", "_young")

    def __init__(self, life_s: float, bound: int = 32_768) -> None:
        self._life, self._bound = life_s, bound
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._turned = -1.0
        self._top = self._old_top = self._floor = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def use(self, nonce: bytes, count: int, now: Instant) -> bool:
        """Mark a nonce count as used; return False if it was, or is too old to tell.

        Args:
            nonce: A nonce that `Nonces.check` found fresh, in a request whose response was right.
            count: Its `nc`, from 1.
            now: Monotonic seconds.
        """
        # Time and serial: unique for one key even where the serial wraps, and growing.
        stamp = int(nonce[:_STAMP], 16)
        seen = self._young.get(stamp)
        if seen is None:
            seen = self._old.get(stamp)
            if seen is None:
                if stamp <= self._floor or count <= 0:
                    return False
                self._enter(stamp, count << _WINDOW | 1, now)
                return True
        highest = seen >> _WINDOW
        ahead = count - highest
        if ahead > 0:
            mask = (seen << ahead) & _SEEN if ahead < _WINDOW else 0
            self._keep(stamp, count << _WINDOW | mask | 1)
            return True
        bit = 1 << -ahead
        if -ahead >= _WINDOW or count <= 0 or seen & bit:
            return False
        self._keep(stamp, seen | bit)
        return True

    def _keep(self, stamp: int, seen: int) -> None:
        (self._young if stamp in self._young else self._old)[stamp] = seen

    def _enter(self, stamp: int, seen: int, now: Instant) -> None:
        due = now - self._turned > self._life
        if due or len(self._young) >= self._bound:
            if not due:
                self._floor = max(self._floor, self._old_top)
            self._old, self._old_top = self._young, self._top
            self._young, self._top, self._turned = {}, 0, now
        self._young[stamp] = seen
        self._top = max(self._top, stamp)
