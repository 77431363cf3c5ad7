"""Calls that go on without the relay they need: what of them must not be forgotten.

A relay has ended its part, or the need was seen too late. Their next offer is relayed, whatever it shows. It knows Call-IDs, and nothing of relays.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

MOST: Final = 10_000
"""Calls remembered."""
RELAYED_BEFORE: Final = "it was relayed before"
"""Why a call is to be relayed again whose relay has ended its part."""


class Orphan(NamedTuple):
    """A call that goes on without a relay, and needs one."""

    caller_tag: bytes
    natted: list[bool]
    """Whether caller and callee are behind NAT, as far as messages have shown."""
    why: str
    """Why it is to be relayed again."""
    later: int = 1
    """What is to be added to the versions of its descriptions, for either phone knows the last one with
    other addresses, and may leave aside what comes with the same version (RFC 3264 §8, 4028 §7.4)."""


class Orphans:
    """Such calls by Call-ID; the oldest goes where there are too many."""

    def __init__(self) -> None:
        self._calls: dict[bytes, Orphan] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, call_id: bytes) -> bool:
        return call_id in self._calls

    def get(self, call_id: bytes) -> Orphan | None:
        """Return what is known of a call; None where it is none of these."""
        return self._calls.get(call_id)

    def take(self, call_id: bytes) -> Orphan | None:
        """Return what is known of a call, and forget it."""
        return self._calls.pop(call_id, None)

    def why(self, call_id: bytes) -> str:
        """Return why a call is to be relayed again; empty where it is none of these."""
        orphan = self._calls.get(call_id)
        return "" if orphan is None else orphan.why

    def natted(self, call_id: bytes) -> list[bool]:
        """Return whether caller and callee are behind NAT, as far as is known."""
        orphan = self._calls.get(call_id)
        return [False, False] if orphan is None else orphan.natted

    def add(self, call_id: bytes, orphan: Orphan) -> None:
        """Remember a call."""
        while len(self._calls) >= MOST:
            del self._calls[next(iter(self._calls))]
        self._calls[call_id] = orphan

    def hear(self, call_id: bytes, look: Callable[[], Orphan | None]) -> None:
        """Have a call looked at that is none of these yet, and remember it if it is one."""
        orphan = None if call_id in self._calls else look()
        if orphan is not None:
            self.add(call_id, orphan)

    def discard(self, call_id: bytes) -> None:
        """Forget a call, if it is one of these."""
        if self._calls:
            self._calls.pop(call_id, None)
