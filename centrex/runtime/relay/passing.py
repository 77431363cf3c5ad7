"""How a packet passes: read from its port, judged where its source is not certain, sent on, counted.

An end that is certain gets a socket of its own, connected to it: the kernel then looks the way up once
and not for each packet, and hands nobody else's packets to it. Those go on arriving at the open
socket of the same port, to be judged. Between two such ends there is a lane (see `runtime.relay.lanes`).
Whoever calls holds the plane's lock, except for `pass_on`.
"""

import os
import resource
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, TypeAlias

from centrex.base import Instant
from centrex.media.learning import Verdict
from centrex.media.terms import Address
from centrex.rtp import packet
from centrex.rtp.report import read_reports
from centrex.runtime.relay.carrier import Carrier, both
from centrex.runtime.relay.lanes import Lanes
from centrex.runtime.relay.ports import Port, connected

_DRAIN: Final = 64
"""Packets that may wait at one socket when its stream moves to another one, or into the kernel."""
_WAITED: Final = 1024
"""Packets dropped that have waited at a socket while it was not read: as many as find room there."""
_LONGEST: Final = 65_536
_EARLY: Final = 10
"""Packets kept for each port until it is known where they go: 200 ms of speech."""
_EARLY_S: Final = 0.2
_EARLY_OCTETS: Final = 2048
_FRESH_S: Final = 2.0
"""An end that was not heard for so long gets no socket of its own."""
_CONNECTED_SHARE: Final = 0.75
"""Of all descriptors; the rest is kept for calls to come."""
_MOST_CALLS: Final = 16
"""Calls of this relay that a packet may pass one after the other."""

Take: TypeAlias = Callable[[Instant], None]
"""Reads one packet of one socket, and does with it what is to be done."""


class Passing:
    """The sockets of all ports, and what becomes of their packets.

    Args:
        epoll: Waits for packets.
        shown: Returns each address of ours, and what the far side is told in its place.
        lock: The plane's lock.

    Attributes:
        takes: What is called when a descriptor without a lane has something to read.
        lanes: Where packets pass from one certain end to another one.
        carrier: Takes what is certain into the kernel; to be set before the first packet.
    """

    def __init__(
        self,
        epoll: select.epoll,
        shown: Callable[[], Mapping[str, str]],
        lock: AbstractContextManager[bool],
    ) -> None:
        self._epoll, self._shown, self._lock = epoll, shown, lock
        self._ports: dict[tuple[str, int], Port] = {}
        self.carrier: Carrier
        self.takes: dict[int, Take] = {}
        self.waiting: set[Port] = set()
        """Ports that serve nobody yet, and hold packets that came early."""
        self._buffer = bytearray(_LONGEST)
        self._view = memoryview(self._buffer)
        # what takes a lane lies beside: somebody else may use the other buffer meanwhile, under the lock
        self._passer = bytearray(_LONGEST)
        self._passer_view, self._passers = memoryview(self._passer), [self._passer]
        self.lanes = Lanes()
        self._most = int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * _CONNECTED_SHARE)

    def enter(self, port: Port) -> None:
        """Begin to read a port."""
        port.onward = self._control(port) if port.rtcp else self._media(port)
        self._ports[port.address] = port
        self.listen(port.sock.fileno(), self._open(port, port.sock))

    def leave(self, port: Port) -> None:
        """Read a port no longer."""
        self._part(port)
        del self._ports[port.address]
        self._deafen(port.sock)

    def renew(self, old: Port, new: Port) -> None:
        """Read the same socket for another port."""
        self._part(old)
        new.onward = self._control(new) if new.rtcp else self._media(new)
        self._ports[new.address] = new
        self.takes[new.sock.fileno()] = self._open(new, new.sock)

    def _part(self, port: Port) -> None:
        """A port serves its call no longer."""
        self._loosen(port)
        self.waiting.discard(port)
        if port.peer is not None:
            self.lanes.close(port.peer)
            port.peer.peer = None
            port.peer = None

    def listen(self, number: int, take: Take) -> None:
        """Call something whenever a descriptor has something to read."""
        self.lanes.cover(number)
        self.takes[number] = take
        self._epoll.register(number, select.EPOLLIN)

    def mute(self, port: Port, on: bool) -> None:
        """Read a port no longer, or again; what has waited meanwhile is dropped."""
        for sock in (port.sock, port.connected):
            if sock is None:
                continue
            with suppress(OSError):
                for _ in range(0 if on else _WAITED):
                    sock.recv(1)
                    port.drop("flood")
            self._epoll.modify(sock.fileno(), 0 if on else select.EPOLLIN)

    def _deafen(self, sock: socket.socket) -> None:
        """Read a socket no longer that is about to be closed."""
        del self.takes[sock.fileno()]  # closing it takes it out of the epoll

    # reading

    def pass_on(self, ready: Iterable[tuple[int, int]], now: Instant) -> None:
        """Deal with one packet of each descriptor that has something to read; to be called without the lock."""
        lanes, lock, takes, readv, write = self.lanes, self._lock, self.takes, os.readv, os.write
        outs, following, octets, heard = lanes.out, lanes.next, lanes.octets, lanes.heard
        data, view, buffers = self._passer, self._passer_view, self._passers
        for number, _ in ready:
            out = outs[number]
            if out < 0:
                with lock:
                    take = takes.get(number)
                    if take is not None:
                        take(now)
                continue
            try:
                length = readv(number, buffers)
            except OSError as error:
                self._unread(number, error)
                continue
            sequence = data[2] << 8 | data[3]
            if sequence != following[number] or not sequence & 62:
                self._look_at(number, length, now)
                continue
            octets[number] += length
            heard[number] = now
            following[number] = sequence + 1
            try:
                write(out, view[:length])
            except OSError:
                octets[number] -= length
                following[number] = sequence
                self._look_at(number, length, now, refused=True)

    def _unread(self, number: int, error: OSError) -> None:
        """Nothing was there to be read, but what the network says of a packet sent before."""
        if not isinstance(error, BlockingIOError):
            with self._lock:
                self.lanes.ports[number].drop("unreachable")

    def _look_at(self, number: int, length: int, now: Instant, *, refused: bool = False) -> None:
        """Send on a packet on a lane that is not the next one, is to be timed, or was not taken."""
        with self._lock:
            port = self.lanes.ports[number]
            self.lanes.tally(port)
            if refused and port.peer is not None:
                port.peer.drop("unreachable")  # what the network says of a packet sent before
            self._buffer[:length] = self._passer_view[:length]
            port.onward(length, now)
            if port.lane == number:
                self.lanes.follow(port)

    def _open(self, port: Port, sock: socket.socket) -> Take:
        """Return what reads a socket at which anybody's packets arrive."""
        receive, view, judge = sock.recvfrom_into, self._view, self._judge

        def take(now: Instant) -> None:
            try:
                length, source = receive(view)
            except BlockingIOError:
                return
            except OSError:
                port.drop("unreachable")  # what the network says of a packet sent before
                return
            if source == port.source:
                port.onward(length, now)
            else:
                judge(port, length, source, now)

        return take

    def _sure(self, port: Port, sock: socket.socket) -> Take:
        """Return what reads a socket at which one end's packets arrive, and no other's."""
        receive, view, onward = sock.recv_into, self._view, port.onward

        def take(now: Instant) -> None:
            try:
                length = receive(view)
            except BlockingIOError:
                return
            except OSError:
                port.drop("unreachable")
                return
            onward(length, now)

        return take

    def _media(self, port: Port) -> Callable[[int, Instant], None]:
        """Return what sends on a packet of RTP that lies in the buffer, and then looks at it."""
        view, took = self._view, self._took

        def onward(length: int, now: Instant) -> None:
            peer = port.peer
            if peer is None or peer.send is None:
                self._keep(port, length, None, now)
                return
            try:
                peer.send(view[:length])
                peer.sent += 1
            except OSError:
                self._undelivered(port, peer, length)
            took(port, peer, length, now)

        return onward

    def _took(self, port: Port, peer: Port, length: int, now: Instant) -> None:
        """Count a packet of RTP that lies in the buffer, and see what its numbers tell."""
        buffer, quality = self._buffer, port.quality
        port.packets += 1
        port.octets += length
        port.heard = now
        sequence = buffer[2] << 8 | buffer[3]
        if sequence != quality.next:
            if packet.is_rtcp(buffer):
                self._read_reports(port, peer, length, now)
            elif port.carried:
                quality.beside()
            elif length >= 12 and buffer[0] >> 6 == 2:
                quality.out_of_order(sequence, int.from_bytes(buffer[8:12], "big"))
        else:
            quality.next = (sequence + 1) & 0xFFFF
            if not sequence & 62:
                stamp = int.from_bytes(buffer[4:8], "big")
                if sequence & 1:
                    quality.compare(stamp, now)
                else:
                    quality.sample(stamp, now, port.rate)

    def _control(self, port: Port) -> Callable[[int, Instant], None]:
        """Return what sends on a packet of RTCP that lies in the buffer."""
        view = self._view

        def onward(length: int, now: Instant) -> None:
            port.packets += 1
            port.octets += length
            port.heard = now
            peer = port.peer
            if peer is None or peer.send is None:
                port.drop("no-target")
                port.unsent += length
                return
            try:
                peer.send(view[:length])
                peer.sent += 1
            except OSError:
                self._undelivered(port, peer, length)
            self._read_reports(port, peer, length, now)

        return onward

    def _read_reports(self, port: Port, peer: Port, length: int, now: Instant) -> None:
        """Take in what an end reports, and when a report of it goes to the other one."""
        told = read_reports(self._view, length)
        if told is not None:
            peer.reported.passes_to(told.stamp, now)
            for block in told.blocks[:1]:
                port.reported.take_in(block, port.rate, now)

    def _undelivered(self, port: Port, peer: Port, length: int) -> None:
        """Send again what was not sent because the network complained of a packet before it."""
        try:
            if peer.connected is None or peer.send is None:
                raise ConnectionRefusedError
            peer.drop("unreachable")
            peer.send(self._view[:length])
        except OSError:
            port.drop("circle" if peer.target is None else "not-sent")
            port.unsent += length
        else:
            peer.sent += 1

    def _judge(self, port: Port, length: int, source: Any, now: Instant) -> None:
        """Decide about a packet whose source is not known, or not certain yet."""
        if length < 1:
            port.drop("empty")
            return
        if port.owner is None:
            self._unserved(port, length, source, now)
            return
        if not (port.latch.expects or port.rtcp):
            self._keep(port, length, source, now)
            return
        stream = packet.ssrc(self._buffer) if packet.is_packet(self._buffer, length) else 0
        host = source[0].partition("%")[0]
        self.lanes.tally(port)
        port.latch.heard = port.heard  # what is certain passes without the latch
        verdict = port.latch.consider(host, source[1], stream, now)
        if verdict in (Verdict.STRANGER, Verdict.RIVAL):
            port.drop(verdict.value)
        elif verdict is not Verdict.UNSURE:
            self._accept(port, length, source, verdict, now)
        elif len(port.early) < _EARLY:  # it must not push out what is certainly of the end
            self._keep(port, length, source, now)
        else:
            self._forgo(port, source)

    def _accept(self, port: Port, length: int, source: Any, verdict: Verdict, now: Instant) -> None:
        """Send on a packet of an end, and do what follows from what was learned by it."""
        if verdict is Verdict.LEARNED:
            self.carrier.take_back(both(port))
            self.aim(port)
            if port.early:
                data = self._buffer[:length]
                self.release(port, now)  # what it has sent while it was not believed
                self._buffer[:length] = data
        elif verdict is Verdict.LOCKED:
            port.source = source
        port.onward(length, now)
        if verdict is Verdict.LEARNED and port.peer is not None:
            self.release(port.peer, now)
        elif verdict is Verdict.LOCKED:
            self.carrier.hand_over(port, now)
            if not self.carrier.has_kernel and port.connected is None:
                self.settle(port, now)

    def _unserved(self, port: Port, length: int, source: Any, now: Instant) -> None:
        """Deal with a packet at a port without a call: one that is over, or was answered just now."""
        if port.pair.spare:
            port.drop("no-session")
        else:
            self._keep(port, length, source, now)
            self.waiting.add(port)

    # packets that come before it is known where they go, or from whom they are

    def _keep(self, port: Port, length: int, source: Any, at: Instant) -> None:
        """Keep a packet for a moment; the source is None where it was judged already."""
        if length > _EARLY_OCTETS:
            self._forgo(port, source)
            return
        if len(port.early) >= _EARLY:
            self._forgo(port, port.early.popleft()[1])
        port.early.append((at, source, self._buffer[:length]))

    def _forgo(self, port: Port, source: Any) -> None:
        if port.owner is None:
            port.drop("no-session")
            return
        if source is None:
            port.drop("no-target")
        else:
            port.drop((Verdict.UNSURE if port.latch.expects else Verdict.STRANGER).value)

    def release(self, port: Port, now: Instant) -> None:
        """Deal with what was kept, in its order, since more is known now."""
        self.expire(port, now)
        kept, port.early = port.early, deque()
        for at, source, data in kept:
            self._buffer[: len(data)] = data
            if source is None or source == port.source:
                port.onward(len(data), at)
            else:
                self._judge(port, len(data), source, at)

    def expire(self, port: Port, now: Instant) -> None:
        """Give up what was kept for too long."""
        while port.early and now - port.early[0][0] > _EARLY_S:
            self._forgo(port, port.early.popleft()[1])

    def expire_waiting(self, now: Instant) -> None:
        """Give up what was kept for too long at ports that serve nobody."""
        if self.waiting:
            for port in self.waiting:
                self.expire(port, now)
            self.waiting = {port for port in self.waiting if port.early and port.owner is None}

    # where packets go

    def aim(self, port: Port) -> None:
        """Have packets to an end go where it is now believed to be; nowhere, if they came back to us."""
        if not port.latch.locked:
            port.source = None
        target = None
        circles = False
        for address in port.latch.targets[:1]:
            if (":" in address.host) == (":" in port.address.host):
                circles = self._circles(port, address)
                target = None if circles else port.wire(address)
        if port.connected is not None and port.source is not None and target == port.target:
            return
        self._loosen(port)
        port.target = target
        port.send = None if target is None else _sender(port.sock, target)
        if circles:
            port.send = _not_at_all

    def _circles(self, port: Port, address: Address) -> bool:
        """Whether what a port sends to an address would be sent on, by ports of ours, until it is back there.

        One call may well lead to another one of this relay; but what descriptions say that name its ports
        crosswise would keep it busy with one packet for ever.
        """
        for _ in range(_MOST_CALLS):
            reached = self._own(address)
            if reached is None or reached.peer is None:
                return False
            if reached.peer is port:
                return True
            if reached.peer.target is None:
                return False
            address = Address(*reached.peer.target[:2])
        return True

    def _own(self, address: Address) -> Port | None:
        """Return the port of ours at an address, or at the one that is told in its place."""
        found = self._ports.get(address)
        if found is None:
            for host, shown in self._shown().items():
                if shown == address.host and found is None:
                    found = self._ports.get((host, address.port))
        return found

    def settle(self, port: Port, now: Instant) -> None:
        """Give an end that is certain a socket of its own; to be called about every second.

        One that has it may get a lane: that is for the thread of the packets alone.
        """
        sock = port.connected
        if sock is not None:
            if port.lane < 0:
                # what reached it between its being bound and its being connected was judged long ago
                self.takes[sock.fileno()] = self._sure(port, sock)
                self.lanes.open(port)
            return
        certain = port.source is not None and port.source == port.target
        if port.carried or not certain or now - port.heard > _FRESH_S:
            return
        sock = connected(port, self._most)
        if sock is not None:
            self.drain(port, now)  # before what arrives at the new one
            port.connected, port.send = sock, sock.send
            self.listen(sock.fileno(), self._open(port, sock))

    def drain(self, port: Port, now: Instant) -> None:
        """Send on what waits, so that nothing which takes another way overtakes it."""
        self.lanes.close(port)
        for sock in (port.sock, port.connected):
            with suppress(OSError):
                for _ in range(_DRAIN if sock is not None else 0):
                    assert sock is not None
                    length, source = sock.recvfrom_into(self._view)
                    if source == port.source:
                        port.onward(length, now)
                    else:
                        port.drop(Verdict.RIVAL.value)

    def _loosen(self, port: Port) -> None:
        """Close the socket that is connected to an end: it is no longer certain that it is there."""
        sock, port.connected = port.connected, None
        if sock is None:
            return
        self.lanes.close(port)
        if port.peer is not None:
            self.lanes.close(port.peer)  # it leads to the same socket
        self._deafen(sock)
        with suppress(OSError):
            for _ in range(_DRAIN):
                sock.recv(1)
                port.drop(Verdict.RIVAL.value)
        self.lanes.sink(sock)


def _not_at_all(data: memoryview) -> int:
    """Send nothing: it would come back."""
    raise ConnectionRefusedError


def _sender(sock: socket.socket, target: Any) -> Callable[[memoryview], int]:
    """Return what sends from an open socket."""
    sendto = sock.sendto
    return lambda data: sendto(data, target)
