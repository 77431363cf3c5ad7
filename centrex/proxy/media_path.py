"""What the core asks of whoever has media relayed: our own relays, or rtpengine.

A message may have to wait for them; it then goes on by itself, through `forward.send_on` or
`upstream.pass_on`, in the order it came.
"""

from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from centrex.base import Instant
from centrex.farm.rtpengines import Reply
from centrex.proxy.carried import Carried, Delegated
from centrex.proxy.context import Branch, Context

if TYPE_CHECKING:
    from centrex.proxy.core import Core

Mode: TypeAlias = Literal["auto", "always", "never"]
"""Relay where it is needed, always, or never."""

METHODS: Final = frozenset({b"INVITE", b"ACK", b"PRACK", b"UPDATE"})
"""What may carry an offer or an answer (RFC 6337 §2.2)."""


OFFERS: Final = frozenset({b"INVITE", b"UPDATE"})
"""What offers within a dialog, and can be refused for what it offers (RFC 3311 §5.2)."""


class MediaPath(Protocol):
    """Has media relayed."""

    def of(self, call_id: bytes) -> Carried | Delegated | None:
        """Return how a call's media are relayed; None where they are not."""

    def outward(
        self, core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """Return a request as it is to leave; None where it was answered, or waits.

        Args:
            core: The core.
            branch: Where it goes; gets to know how its call is relayed, for the responses.
            token: The branch parameter of our Via in it.
            data: The request as it would leave.
            now: The time.
        """

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """Return a provisional response or a 2xx as it is to go upstream.

        None where it waits, or where its call was refused for what it offers.

        Args:
            core: The core.
            branch: Which it answers; one that `outward` knows to be relayed.
            status: Its status.
            to_tag: Its To tag.
            data: The response as it would leave.
            now: The time.
        """

    def won(self, core: "Core", branch: Branch, now: Instant) -> None:
        """One of several branches of a request was answered: the others are of no account any more."""

    def refused(self, core: "Core", ctx: Context, now: Instant) -> None:
        """A request within a dialog was refused: what it described does not hold."""

    def failed(self, core: "Core", ctx: Context, now: Instant) -> None:
        """An INVITE that begins a call got no answer but a refusal; others of its call may be left."""

    def end(
        self, core: "Core", call_id: bytes, reason: str, now: Instant, *, tag: bytes = b""
    ) -> None:
        """A call has ended: its ports are free again.

        Args:
            core: The core.
            call_id: Its Call-ID.
            reason: Why.
            now: The time.
            tag: The tag of whoever was called in the dialog that has ended; empty for all of them.
        """

    def forgotten(self, core: "Core", call_id: bytes, now: Instant) -> None:
        """Nobody has spoken of a call that is up for very long: it is relayed until nobody talks any more."""

    def hung_up(self, core: "Core", ctx: Context, now: Instant) -> None:
        """A BYE passes whose call we do not know: it began before we were started again."""

    def tell(self, now: Instant) -> None:
        """What messages brought about has been sent: tell relays of it."""

    def consulted(self, core: "Core", number: int, reply: Reply | str, now: Instant) -> None:
        """What a `Consult` asked is answered, or words tell why it is not."""
