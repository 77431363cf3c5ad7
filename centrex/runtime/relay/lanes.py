"""The short way of what is certain: read at one descriptor, written to another one, one number compared.

Most packets of a relay are the next ones of a stream whose both ends are certain and have sockets of
their own. What such a packet needs stands in four tables, by the number of the descriptor it is read
from: to look at more costs more than the work itself, as all of it has left the caches since the packet
before. What they count is added to the figures of the ports when somebody wants to know.

A packet on a lane takes no lock. So the tables are written only by the thread of the packets, but for
what opens and closes a lane; and a socket that a lane leads to, or from, keeps its number until that
thread has come between two packets (`bury`): or else a packet could be sent to a stranger who has the
number now. Whoever calls holds the plane's lock.
"""

import os
import socket
from array import array

from centrex.runtime.relay.ports import Port


class Lanes:
    """The lanes of a relay.

    Attributes:
        out: The descriptor that is written to; -1 where there is no lane.
        next: The sequence number that continues the stream; -1 for none, 65,536 after the last one.
        octets: Octets that have ever passed.
        heard: When the last packet came.
        ports: The port whose end is read, for each descriptor with a lane, or with one until just now.
    """

    __slots__ = ("_graves", "_nowhere", "heard", "next", "octets", "out", "ports")

    def __init__(self) -> None:
        self.out = array("i")
        self.next = array("i")
        self.octets = array("q")
        self.heard = array("d")
        self.ports: dict[int, Port] = {}
        self._nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._graves: list[socket.socket] = []

    def cover(self, number: int) -> None:
        """Have a place for a descriptor."""
        missing = number + 1 - len(self.out)
        if missing > 0:
            self.out.extend([-1] * missing)
            self.next.extend([-1] * missing)
            self.octets.extend([0] * missing)
            self.heard.extend([0.0] * missing)

    def open(self, port: Port) -> None:
        """Let what comes from an end pass to the other one, if nothing else is to be done with it."""
        peer = port.peer
        if port.rtcp or port.carried or peer is None or port.connected is None:
            return
        out = peer.connected
        if out is None or peer.send is None or peer.source != peer.target:
            return
        number = port.lane = port.connected.fileno()
        self.ports[number] = port
        port.passed, self.heard[number] = self.octets[number], port.heard
        self.follow(port)
        self.out[number] = out.fileno()

    def close(self, port: Port) -> None:
        """Let nothing pass any more from an end: packets at its socket are looked at, as others are."""
        if port.lane >= 0:
            self.tally(port)
            self.out[port.lane] = self.next[port.lane] = -1
            port.lane = -1

    def tally(self, port: Port) -> None:
        """Bring the figures of an end, and what was sent to the other one, up to date."""
        lane = port.lane
        if lane < 0 or port.peer is None:
            return
        following = self.next[lane]
        if following == port.followed:
            return
        octets = self.octets[lane]
        port.packets += following - port.followed
        port.peer.sent += following - port.followed
        port.octets += octets - port.passed
        port.heard = self.heard[lane]
        port.quality.next = following & 0xFFFF
        port.followed, port.passed = following, octets

    def follow(self, port: Port) -> None:
        """Have the next packet compared with what is expected of the stream now."""
        self.next[port.lane] = port.followed = port.quality.next

    def sink(self, sock: socket.socket) -> None:
        """Close a socket; its number leads nowhere from now on, and stays taken until `bury`."""
        os.dup2(self._nowhere, sock.fileno(), inheritable=False)
        self._graves.append(sock)

    def bury(self) -> None:
        """Give the numbers of closed sockets free: no packet is on its way to one of them now."""
        for sock in self._graves:
            self.ports.pop(sock.fileno(), None)
            sock.close()
        self._graves.clear()

    def end(self) -> None:
        """Close what is open here; no packet passes any more."""
        self.bury()
        os.close(self._nowhere)
