"""The words in which a proxy tells a relay what to carry. Plain values; nothing here decides.

A *session* is the media of one call on one relay. Each media line of it is a *stream* with two
*ends*, caller and callee in that order, and two *slots*: the relay's ports that face each of them.
What arrives on the slot facing the caller leaves from the slot facing the callee, and the reverse.
"""

from typing import NamedTuple


class Address(NamedTuple):
    """A numeric address without brackets, and a port."""

    host: str
    port: int


class Slot(NamedTuple):
    """Two neighbouring ports of a relay: an even one for RTP, the next one for RTCP (RFC 3550 §11)."""

    host: str
    """The address it is bound to."""
    shown: str
    """The address the far side is told; another one where the relay itself stands behind NAT."""
    port: int
    """The port for RTP."""

    @property
    def rtp(self) -> Address:
        """Where RTP arrives, as the relay sees it."""
        return Address(self.host, self.port)

    @property
    def rtcp(self) -> Address:
        """Where RTCP arrives, as the relay sees it."""
        return Address(self.host, self.port + 1)


class End(NamedTuple):
    """What signalling says of one end of a stream.

    Attributes:
        rtp: Where it wants RTP; None while that is not known, or where the line is declined.
        rtcp: Where it wants RTCP; the same as `rtp` where both are one (RFC 5761); None as above.
        source: The address its signalling comes from; empty where that says nothing of its media.
        natted: Whether it is behind NAT, so that its packets may come from elsewhere than `rtp`.
        sends: Whether it may send (RFC 3264 §5.1).
        receives: Whether it wants to receive.
        payload: The payload type it named first, for packets that open a NAT.
        clock_rate: Ticks per second of that payload's RTP timestamps.
        is_rtp: Whether it is RTP; else nothing is known of what its datagrams hold.
    """

    rtp: Address | None = None
    rtcp: Address | None = None
    source: str = ""
    natted: bool = False
    sends: bool = True
    receives: bool = True
    payload: int = 0
    clock_rate: int = 8000
    is_rtp: bool = True


class Stream(NamedTuple):
    """One media line: the slots facing caller and callee, and what is known of those two."""

    slots: tuple[Slot, Slot]
    ends: tuple[End, End]


class Session(NamedTuple):
    """The media of one call.

    Attributes:
        id: Its name, unique among all proxies.
        call_id: The Call-ID, for people.
        revision: Grows with every change; an older one is ignored.
        answered: Whether the call is up; before, nobody is missed who sends nothing.
        streams: One for each media line that is relayed, in order; None for a line that is not.
        memo: What the proxy wants back after it was started again.
    """

    id: str
    call_id: str
    revision: int
    answered: bool = False
    streams: tuple[Stream | None, ...] = ()
    memo: str = ""

    @property
    def size(self) -> int:
        """How many streams it has."""
        return sum(stream is not None for stream in self.streams)
