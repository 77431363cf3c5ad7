"""A call whose media go through somebody: through whom, and what was described so far."""

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

    @property
    def by(self) -> str:
        """Return the name of the relay."""
        return self.relay.name


class Delegated:
    """A call whose media rtpengine relays.

    Attributes:
        call_id: Its Call-ID.
        by: Which rtpengine; empty until one has answered.
        caller_tag: The caller's tag.
        natted: Whether caller and callee are behind NAT, as far as messages have shown.
        offered_by: The tag of whoever's offer has no answer yet; empty where none is open.
        known: Descriptions that were translated last, by what they were translated from.
        offers: The branches by which the call was offered, under their names for rtpengine.
        offer: The question of the last offer within the dialog, which a refusal takes back.
        stable: The questions of the last offer that was accepted, and of its answer.
    """

    __slots__ = (
        "by",
        "call_id",
        "caller_tag",
        "known",
        "natted",
        "offer",
        "offered_by",
        "offers",
        "stable",
    )

    def __init__(self, call_id: bytes, caller_tag: bytes) -> None:
        self.call_id, self.caller_tag = call_id, caller_tag
        self.by = ""
        self.natted = [False, False]
        self.offered_by = b""
        self.known: dict[object, bytes] = {}
        self.offers: list[bytes] = []
        self.offer: object = None
        self.stable: list[object] = []
