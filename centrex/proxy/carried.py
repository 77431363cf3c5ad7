"""A call whose media go through somebody: through whom, and what was described so far."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from centrex.base import Instant
from centrex.farm.bencode import Encodable
from centrex.farm.relay import Unsaid
from centrex.media.exchange import NOWHERE, Exchange, Family
from centrex.media.terms import Session, Slot
from centrex.routing.target import Target

if TYPE_CHECKING:
    from centrex.proxy.context import Context


class Relay(Protocol):
    """A relay, as far as a call needs it."""

    @property
    def name(self) -> str:
        """Under which operators know it."""

    def slot(self, family: Family, near: str = "") -> Slot | None:
        """Take a slot that was leased ahead; one at the address `near`, if it has one."""

    def speaks(self, family: Family) -> bool:
        """Whether it has an address of that IP version."""

    def is_lost(self, now: Instant) -> bool:
        """Whether it has been gone for so long that nobody waits for it any more."""


class Farm(Protocol):
    """The relays, as far as calls need them."""

    def open(
        self, now: Instant, families: Sequence[Family] = (), tried: Collection[str] = ()
    ) -> Relay | None:
        """Return the relay for the next session, or None while none is available.

        Args:
            now: The time.
            families: The IP versions of which it must have ports.
            tried: The names of relays that could not serve the session.
        """

    def lacks(self, families: Sequence[Family]) -> Family | None:
        """Return an IP version of which no relay that takes calls has an address; None for none."""

    def put(self, relay: Relay, session: Session, now: Instant) -> None:
        """Tell a relay of a session, or of its change."""

    def end(self, relay: Relay, name: str, reason: str, now: Instant) -> None:
        """End a session at its relay."""

    def expect(self, relay: Relay, name: str, unsaid: Unsaid) -> None:
        """A relay is going to carry a session; it is told once there is something to carry."""

    def forgo(self, relay: Relay, name: str) -> None:
        """A session that a relay expected is not going to be: its slots are free again."""

    def give_back(self, relay: Relay, slots: Iterable[Slot]) -> None:
        """Take back slots that were taken just now, and are of no use."""

    @property
    def expects_ports(self) -> bool:
        """Whether ports are being leased at a relay that would take calls."""


def pick(
    farm: Farm,
    now: Instant,
    families: Sequence[Family],
    others: Sequence[Family],
    tried: Collection[str] = (),
) -> Relay | None:
    """Return the relay for the next session: if there is one, with ports for all who are called.

    Args:
        farm: The relays.
        now: The time.
        families: The IP versions of which it must have ports.
        others: Those of which it should.
        tried: The names of relays that could not serve the session.
    """
    if not others:
        return farm.open(now, families, tried)
    wanted = [*families, *(one for one in others if one not in families)]
    relay = farm.open(now, wanted, tried)
    return (
        relay
        if relay is not None or len(wanted) == len(families)
        else farm.open(now, families, tried)
    )


class Begun:
    """What is known of the INVITEs of a call that is relayed.

    Attributes:
        offer: What they offer; empty where that is nothing.
        forks: Those that begin it: several where a proxy before us has forked it. When it is
            answered, the one that was, if there were several.
    """

    __slots__ = ("forks", "offer")

    def __init__(self) -> None:
        self.offer = b""
        self.forks: list[Context] = []

    def joins(self, ctx: "Context", offer: bytes) -> None:
        """An INVITE begins it, alone or with others."""
        self.offer = offer
        if ctx not in self.forks:
            self.forks.append(ctx)

    def goes_to(self, ctx: "Context") -> None:
        """That one was answered."""
        self.forks = [ctx] if len(self.forks) > 1 else []


class Carried(Begun):
    """How one call's media are relayed.

    Attributes:
        relay: By which relay.
        exchange: What its descriptions said.
        natted: Whether caller and callee are behind NAT, as far as messages have shown.
        towards: The target its INVITE was sent to last.
        ends: How the caller and that target are reached.
        declined: What was last put in place of an answer that could not pass.
    """

    __slots__ = ("declined", "ends", "exchange", "natted", "relay", "towards")

    def __init__(self, relay: Relay, exchange: Exchange) -> None:
        super().__init__()
        self.relay, self.exchange = relay, exchange
        self.natted = [False, False]
        self.towards: Target | None = None
        self.ends = (NOWHERE, NOWHERE)
        self.declined = b""

    @property
    def by(self) -> str:
        """Return the name of the relay."""
        return self.relay.name

    @property
    def caller_tag(self) -> bytes:
        """The caller's tag."""
        return self.exchange.caller_tag

    @property
    def is_answered(self) -> bool:
        """Whether it has a callee, or is over."""
        return self.exchange.answered or self.exchange.ended

    def move(self, relay: Relay) -> None:
        """Have another relay serve it, before any slot was taken."""
        self.relay = relay
        self.exchange.take_from(relay.slot)


class Undecided:
    """What is noted at a branch of a call that may have to be relayed: that is seen by a description.

    The first one comes with a response, where the request has none (RFC 3264 §4).
    """

    __slots__ = ()


UNDECIDED: Final = Undecided()


class Direct:
    """What is noted at a branch whose media were offered unrelayed: its answer may show that it was wrong."""

    __slots__ = ()


DIRECT: Final = Direct()


class Delegated(Begun):
    """A call whose media rtpengine relays.

    Attributes:
        call_id: Its Call-ID.
        by: Which rtpengine; empty until one has answered.
        is_held: Whether that one has it, as far as is known.
        caller_tag: The caller's tag.
        callee_tag: That of whoever answered; empty until somebody has.
        natted: Whether caller and callee are behind NAT, as far as messages have shown.
        later: What is added to the versions of its descriptions; see `Orphan`.
        told: The tag of whoever's answer to the call's offer rtpengine was told last.
        answers: What rtpengine was told of each answer to it, and the description it gave, by tag.
        offered_by: The tag of whoever's offer has no answer yet; empty where none is open.
        known: Descriptions that were translated last, by what they were translated from.
        offers: The branches by which the call was offered, under their names for rtpengine.
        pending: The questions of offers that are neither accepted nor refused, by the tags of whose
            requests they belong to, and whether those are UPDATEs; each with that of its answer, if it
            was answered early.
        stable: The questions of the last offer that was accepted, and of its answer.
        declined: What was last put in place of an answer that could not pass.
    """

    __slots__ = (
        "answers",
        "by",
        "call_id",
        "callee_tag",
        "caller_tag",
        "declined",
        "is_held",
        "known",
        "later",
        "natted",
        "offered_by",
        "offers",
        "pending",
        "stable",
        "told",
    )

    def __init__(self, call_id: bytes, caller_tag: bytes) -> None:
        super().__init__()
        self.call_id, self.caller_tag = call_id, caller_tag
        self.by = ""
        self.later = 0
        self.is_held = False
        self.callee_tag = self.told = self.declined = b""
        self.answers: dict[bytes, tuple[Mapping[str, Encodable], bytes]] = {}
        self.natted = [False, False]
        self.offered_by = b""
        self.known: dict[object, bytes] = {}
        self.offers: list[bytes] = []
        self.pending: dict[tuple[bytes, bool], list[Mapping[str, Encodable]]] = {}
        self.stable: list[Mapping[str, Encodable]] = []

    @property
    def is_answered(self) -> bool:
        """Whether it has a callee."""
        return bool(self.callee_tag)

    def has_passed(self, text: bytes) -> bool:
        """Whether rtpengine gave a description: its call has come back to us, by another proxy."""
        return text in self.known.values()

    def note(
        self, asker: tuple[bytes, bool], fields: Mapping[str, Encodable], *, early: bool
    ) -> None:
        """Rtpengine was told an offer, or an answer, which holds unless what it comes with is refused.

        Args:
            asker: See `pending`.
            fields: The question.
            early: Whether it may yet be refused.
        """
        if fields["command"] == "offer":
            self.pending[asker] = [fields]
        elif asker in self.pending:
            self.pending[asker][1:] = [fields]
            if not early:
                self.agree(asker)

    def agree(self, asker: tuple[bytes, bool]) -> None:
        """An offer is accepted, if it was answered: how things stand is what both say."""
        if len(self.pending.get(asker, ())) > 1:
            self.stable = self.pending.pop(asker)

    def is_foreign(self, tag: bytes) -> bool:
        """Whether a dialog is of somebody who was called too, but did not get the call.

        Args:
            tag: The tag of whoever was called; empty where it is not known.
        """
        return bool(tag and self.callee_tag) and tag != self.callee_tag
