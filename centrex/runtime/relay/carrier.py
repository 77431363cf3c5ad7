"""What of a relay's streams the kernel carries: handed over once both ends are certain, taken back at once.

It keeps what the kernel counts in the figures of each port. Which ends are certain, learning says.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from centrex.base import Instant, Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Carried, Entry, KernelPath, Key
from centrex.runtime.relay.ports import Port

_READ_S: Final = 0.98
_SOON_S: Final = 0.1
"""How soon it is read where it is unsure that what it carries is not dropped."""
_READ_PER_S: Final = 5000
"""Figures read from the kernel in a second; where there are more, they are read less often."""
_CLAIM_S: Final = 30.0
"""How long what a former process left in the kernel waits for its session."""
_NOTHING: Final = Carried(0, 0)


class Carrier:
    """Hands streams to a data path in the kernel; does nothing where there is none.

    Args:
        kernel: The data path.
        drain: Sends on what waits at a port.
        now: The time.

    Attributes:
        failures: How often the kernel refused.
    """

    def __init__(
        self, kernel: KernelPath | None, drain: Callable[[Port, Instant], None], now: Instant
    ) -> None:
        self._kernel, self._drain = kernel, drain
        left = kernel.entries() if kernel is not None else ()
        self._unclaimed: dict[Address, Entry] = {entry.arrives: entry for entry in left}
        self._claim_until = now + _CLAIM_S
        self._seen: dict[Port, Carried] = {}
        self._read_at: Instant = 0.0
        self.failures = 0

    @property
    def has_kernel(self) -> bool:
        """Whether there is anything in the kernel that could carry a stream."""
        return self._kernel is not None

    @property
    def is_unsure(self) -> bool:
        """Whether the kernel may yet turn out to carry nothing: it is to be read at each opportunity."""
        return self._kernel is not None and self._kernel.unsure

    def claim(self, port: Port, now: Instant) -> None:
        """Take up what a former process had learned, where the kernel still carries it."""
        entry = self._unclaimed.pop(port.address, None)
        if entry is None:
            return
        port.latch.adopt(entry.source, now)
        port.source = port.wire(entry.source)
        port.carried = True  # it begins without a next packet, as after `resume`

    def hand_over(self, port: Port, now: Instant) -> None:
        """Have the kernel carry what comes from an end, and what goes to it, where that is certain."""
        if self._kernel is None:
            return
        for one in both(port):
            entry = None if one.carried else _entry(one)
            if entry is None:
                continue
            self._drain(one, now)  # so that nothing the kernel carries overtakes it
            try:
                self._kernel.install([entry])
            except Unavailable:
                self.failures += 1  # this direction stays ours
            else:
                one.carried = True
                one.quality.resume()
                if self.is_unsure:
                    self._read_at = min(self._read_at, now + _SOON_S)

    def take_back(self, ports: Iterable[Port]) -> None:
        """Have the kernel carry no longer what comes from some ends."""
        keys = {_key(port): port for port in ports if port.carried}
        if not keys or self._kernel is None:
            return
        try:
            last = self._kernel.remove(list(keys))
        except Unavailable:
            self.failures += 1
            last = {}
        for key, port in keys.items():
            port.carried = False
            port.quality.resume()
            if key in last:
                self._note(port, last[key], None)
            self._seen.pop(port, None)

    def read(self, ports: Iterable[Port], now: Instant) -> None:
        """Take over what the kernel has counted, if it is time; let go of what nobody claims."""
        if self._kernel is None or now < self._read_at:
            return
        try:
            carried = self._kernel.carried()
        except Unavailable:
            self.failures += 1
            self._read_at = now + _READ_S
            return
        again_s = max(_READ_S, len(carried) / _READ_PER_S)
        self._read_at = now + (_SOON_S if self.is_unsure else again_s)
        for port in ports:
            if not port.carried:
                continue
            told = carried.get(_key(port))
            if told is None:  # it has given it up, and counted until then what it told before
                self.failures += 1
                port.carried = False
                port.quality.resume()
                self._seen.pop(port, None)
            else:
                self._note(port, told, now)
        if self._unclaimed and now >= self._claim_until:
            with suppress(Unavailable):  # a kernel that is gone has nothing left either
                self._kernel.remove([entry.key for entry in self._unclaimed.values()])
            self._unclaimed.clear()

    def close(self, *, keep: bool) -> None:
        """Let go of the kernel's part, or leave it to the next process."""
        if self._kernel is not None:
            self._kernel.close(keep=keep)

    def _note(self, port: Port, told: Carried, now: Instant | None) -> None:
        """Add to a port's figures what the kernel has carried since they were last looked at."""
        before = self._seen.pop(port, _NOTHING)
        packets = told.packets - before.packets
        port.packets += packets
        port.octets += told.octets - before.octets
        if told.lost is not None:
            port.quality.carried(told.lost - (before.lost or 0), told.jitter_s)
        elif packets:
            port.quality.whole = False
        if port.peer is not None:
            port.peer.sent += packets
        if now is not None:
            self._seen[port] = told
            if packets:
                port.heard = port.latch.heard = now


def both(port: Port) -> tuple[Port, ...]:
    """Return a port and the one that faces the other end."""
    return (port,) if port.peer is None else (port, port.peer)


def _key(port: Port) -> Key:
    host, number = port.source[:2]
    return Address(host, number), port.address


def _entry(port: Port) -> Entry | None:
    """Return what the kernel would need to carry what comes from an end; None while it is unsure.

    RTCP is few packets, and what they report is of interest: it passes here.
    """
    peer = port.peer
    latch = port.latch
    if port.rtcp or peer is None or not latch.locked or latch.source is None or peer.target is None:
        return None
    if not peer.latch.settled or (":" in port.address.host) != (":" in peer.address.host):
        return None
    return Entry(latch.source, port.address, peer.address, Address(*peer.target[:2]), port.rate)
