"""A call whose media go through a relay: which relay, and what was described so far."""

from typing import Protocol

from centrex.media.exchange import Exchange, Family
from centrex.media.terms import Slot


class Relay(Protocol):
    """A relay, as far as a call needs it."""

    @property
    def name(self) -> str:
        """Under which operators know it."""

    def slot(self, family: Family, near: str = "") -> Slot | None:
        """Take a slot that was leased ahead; one at the address `near`, if it has one."""


class Carried:
    """How one call's media are relayed.

    Attributes:
        relay: By which relay.
        exchange: What its descriptions said.
        natted: Whether caller and callee are behind NAT, as far as messages have shown.
    """

    __slots__ = ("exchange", "natted", "relay")

    def __init__(self, relay: Relay, exchange: Exchange) -> None:
        self.relay, self.exchange = relay, exchange
        self.natted = [False, False]
