"""The relay's ports: pairs of UDP sockets, one for RTP and the next one for RTCP, drawn at random.

It opens and closes sockets; what arrives at them is not read here.
"""

import errno
import ipaddress
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from centrex.base import Instant
from centrex.media.learning import Latch
from centrex.media.terms import Address, Slot
from centrex.rtp.quality import Quality
from centrex.rtp.report import Reported

_TRIES: Final = 64
_RECEIVE_OCTETS: Final = 262_144
"""Some 50 ms of a hundred streams' packets: what arrives while the relay does something else."""
_EXPEDITED: Final = 0xB8
"""The class of service for voice (RFC 4594 §4.1)."""


class Port:
    """One socket: where the RTP, or the RTCP, of one end arrives.

    Attributes:
        sock: The socket at which anybody's packets arrive.
        connected: The socket of the same port that is connected to the end; None while the end is not
            certain, or the kernel carries what comes from it.
        send: Sends to the end; None while it is not known where that is.
        onward: Sends on a packet from the end that lies in the buffer: its octets, and when it came.
        early: What came too early: when, its source unless that was judged, and the packet.
        address: What it is bound to.
        rtcp: Whether it is the RTCP port of its slot.
        peer: The port that faces the other end; None while the slot serves no stream.
        source: The one source whose packets are passed on without a thought, as the socket tells it;
            None while there is none.
        target: Where packets to this end go, as the socket wants it; None while that is not known.
        latch: What was learned of the end.
        quality: What its packets' numbers tell.
        reported: What the end reports of what it receives; one for both ports of a slot.
        rate: Ticks per second of its timestamps.
        packets: Packets taken in; like `octets`, `sent` and `heard` without what has passed on a lane since
            the last tally.
        octets: Octets in them.
        sent: Packets sent to the end.
        unsent: Octets among those taken in that could not be sent on.
        heard: When the end was last heard.
        drops: Packets dropped, by reason.
        carried: Whether the kernel carries what comes from the end.
        lane: The descriptor its lane is read from; -1 while it has none (see `runtime.relay.lanes`).
        followed: Up to which sequence number the figures hold what has passed there,
        passed: and how many octets of it.
        seen: How many packets had been taken in when it was last seen how many come,
        looked_at: and when that was.
        owner: The session it serves.
        pair: The pair it is one of.
    """

    __slots__ = (
        "address", "carried", "connected", "drops", "early", "followed", "heard", "lane", "latch", "looked_at",
        "octets", "onward", "owner", "packets", "pair", "passed", "peer", "quality", "rate", "reported", "rtcp", "seen",
        "send", "sent", "sock", "source", "target", "unsent",
    )  # fmt: skip

    onward: Callable[[int, Instant], None]
    pair: "Pair"

    def __init__(self, sock: socket.socket, address: Address, *, rtcp: bool) -> None:
        self.sock, self.address, self.rtcp = sock, address, rtcp
        self.connected: socket.socket | None = None
        self.send: Callable[[memoryview], int] | None = None
        self.early: deque[tuple[Instant, Any, bytearray]] = deque()
        self.peer: Port | None = None
        self.source: Any = None
        self.target: Any = None
        self.latch = Latch()
        self.quality = Quality()
        self.reported = Reported()
        self.rate = 8000
        self.packets = self.octets = self.sent = self.unsent = 0
        self.heard = 0.0
        self.drops: dict[str, int] = {}
        self.carried = False
        self.lane = self.followed = -1
        self.passed = self.seen = 0
        self.looked_at = 0.0
        self.owner: Any = None

    def drop(self, reason: str) -> None:
        """Count a packet that is not passed on."""
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def wire(self, address: Address) -> Any:
        """Return an address as this socket wants it, and as it tells it."""
        host, port = address
        return (host, port, 0, 0) if ":" in host else (host, port)


class Pair:
    """A slot with its two sockets.

    Attributes:
        slot: The slot.
        rtp: The port for RTP.
        rtcp: The port for RTCP.
        spare: Whether it serves no call, nor is lent for one.
    """

    __slots__ = ("rtcp", "rtp", "slot", "spare")

    def __init__(self, slot: Slot, rtp: Port, rtcp: Port) -> None:
        self.slot, self.rtp, self.rtcp = slot, rtp, rtcp
        rtcp.reported = rtp.reported
        self.spare = False
        rtp.pair = rtcp.pair = self

    def renewed(self) -> "Pair":
        """Return a pair on the same sockets that knows nothing of what passed there."""
        slot = self.slot
        return Pair(
            slot,
            Port(self.rtp.sock, slot.rtp, rtcp=False),
            Port(self.rtcp.sock, slot.rtcp, rtcp=True),
        )

    def close(self) -> None:
        """Close all their sockets."""
        for port in (self.rtp, self.rtcp):
            for sock in (port.sock, port.connected):
                if sock is not None:
                    sock.close()


class Opener:
    """Opens pairs of ports.

    Args:
        hosts: Each address of ours, and what the far side is told in its place.
        ports: The first and last port.
        draw: Returns a random number below its argument.
    """

    def __init__(
        self, hosts: Iterable[tuple[str, str]], ports: tuple[int, int], draw: Callable[[int], int]
    ) -> None:
        self.shown = dict(hosts)
        self._first = ports[0] + ports[0] % 2
        self.pairs = (ports[1] + 1 - self._first) // 2
        self._draw = draw

    def any(self, host: str) -> Pair | None:
        """Open a pair somewhere in the range; None where none can be had."""
        for _ in range(_TRIES):
            pair = self.at(host, self._first + 2 * self._draw(self.pairs))
            if pair is not None:
                return pair
        start = self._draw(self.pairs)
        for step in range(self.pairs):  # a range that is nearly used up
            pair = self.at(host, self._first + 2 * ((start + step) % self.pairs))
            if pair is not None:
                return pair
        return None

    def at(self, host: str, port: int) -> Pair | None:
        """Open one pair; None where one of its ports is in use.

        Raises:
            OSError: The address cannot be used, or there are too many sockets.
        """
        rtp = _bind(host, port)
        if rtp is None:
            return None
        try:
            rtcp = _bind(host, port + 1)
        except OSError:
            rtp.close()
            raise
        if rtcp is None:
            rtp.close()
            return None
        slot = Slot(host, self.shown.get(host, host), port)
        return Pair(slot, Port(rtp, slot.rtp, rtcp=False), Port(rtcp, slot.rtcp, rtcp=True))


def connected(port: Port, most: int) -> socket.socket | None:
    """Open a second socket on a port, connected to its end; None where that cannot be had.

    The kernel gives it what comes from that end, and the first socket all else. Nobody else can bind
    the port meanwhile or later, except in the instant in which this is done.

    Args:
        port: The port, whose source is certain.
        most: The largest descriptor that may be used for it.
    """
    sock = None
    try:
        port.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock = _bind(*port.address, shared=True)
        if sock is not None and sock.fileno() <= most:
            sock.connect(port.source)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            return sock
    except OSError:
        pass  # the open socket does all that this one would do, at a higher price
    finally:
        port.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    if sock is not None:
        sock.close()
    return None


def usable(hosts: Iterable[str]) -> int:
    """Return at how many addresses phones can be served: loopback ones count where there are no others."""
    own = [ipaddress.ip_address(host.partition("%")[0]).is_loopback for host in hosts]
    return own.count(False) or len(own)


def _bind(host: str, port: int, *, shared: bool = False) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_OCTETS)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _EXPEDITED)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return sock
