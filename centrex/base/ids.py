"""Identifiers nobody can guess, drawn from an injected source of random bytes."""

from collections.abc import Callable
from typing import Final

_POOL: Final = 1024


class Ids:
    """Mints branches, tags, other tokens and numbers.

    Args:
        entropy: Gives that many random bytes, such as `os.urandom`; seeded in tests.
    """

    __slots__ = ("_entropy", "_pool")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._pool: list[bytes] = []

    def token(self) -> bytes:
        """Return 16 lower-case hexadecimal digits (64 random bits)."""
        if not self._pool:
            digits = self._entropy(_POOL).hex().encode()
            self._pool = [digits[at : at + 16] for at in range(0, len(digits), 16)]
        return self._pool.pop()

    def below(self, count: int) -> int:
        """Return a number from 0 on, below `count`, which is small beside 2**64."""
        return int(self.token(), 16) * count >> 64

    def key(self, octets: int = 32) -> bytes:
        """Return a secret of that many random bytes."""
        return self._entropy(octets)
