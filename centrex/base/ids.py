"""Identifiers nobody can guess, drawn from an injected source of random bytes."""

from collections.abc import Callable
from typing import Final

_POOL: Final = 4096


class Ids:
    """Mints branches, tags and other tokens.

    Args:
        entropy: Gives that many random bytes, such as `os.urandom`; seeded in tests.
    """

    __slots__ = ("_at", "_entropy", "_pool")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._pool = b""
        self._at = 0

    def token(self) -> bytes:
        """Return 16 lower-case hexadecimal digits (64 random bits)."""
        at = self._at
        if at >= len(self._pool):
            self._pool = self._entropy(_POOL).hex().encode()
            at = 0
        self._at = at + 16
        return self._pool[at : at + 16]

    def key(self, octets: int = 32) -> bytes:
        """Return a secret of that many random bytes."""
        return self._entropy(octets)
