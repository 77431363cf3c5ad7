"""What a data path in the kernel offers: it carries streams whose ends are known, and counts them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from centrex.media.terms import Address


class Entry(NamedTuple):
    """One direction of one RTP or RTCP stream.

    Packets from `source` that arrive at `arrives` leave from `leaves` to `target`. Both ends are
    of one address family.
    """

    source: Address
    arrives: Address
    leaves: Address
    target: Address
    clock_rate: int = 0
    """Ticks per second of its RTP timestamps; 0 where it is RTCP, or jitter is of no interest."""

    @property
    def key(self) -> "Key":
        """What the kernel recognises its packets by."""
        return self.source, self.arrives


Key: TypeAlias = tuple[Address, Address]
"""Source, and our address where its packets arrive."""


class Carried(NamedTuple):
    """What the kernel has counted of an entry since it was installed."""

    packets: int
    octets: int
    lost: int | None = None
    """By sequence numbers, in packets; as RFC 3550 §A.3. None where it does not look at them."""
    jitter_s: float = 0.0
    """Interarrival jitter, as RFC 3550 §A.8; 0 where it is not known."""


class KernelPath(Protocol):
    """A data path in the kernel. Called from one thread.

    A packet that no entry matches goes on to our socket, as if the path were not there.
    """

    @property
    def name(self) -> str:
        """`ebpf` or `nftables`."""

    @property
    def caveat(self) -> str:
        """What it lacks as the host is set, up to all packets from outside; empty where nothing."""

    @property
    def unsure(self) -> bool:
        """Whether it may yet turn out that the host drops what it carries: to be looked at soon."""

    def install(self, entries: Sequence[Entry]) -> None:
        """Carry these from now on; an entry with the same key is replaced, its counters kept.

        Raises:
            Unavailable: The kernel refused; none of them is carried.
        """

    def remove(self, keys: Sequence[Key]) -> Mapping[Key, Carried]:
        """Stop carrying these at once; return their last figures. Unknown ones are left out."""

    def carried(self) -> Mapping[Key, Carried]:
        """Return the figures of all entries."""

    def entries(self) -> Sequence[Entry]:
        """Return all entries: after opening, those that a former process of this relay left."""

    def close(self, *, keep: bool) -> None:
        """Let go of it: removed from the kernel, or kept for the next process of this relay."""
