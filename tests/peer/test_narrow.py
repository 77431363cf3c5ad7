"""Video over a way that takes no packets of the usual length: all of it arrives, whoever carries it."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.rtp.packet import primer
from centrex.runtime.relay.ebpf.path import open_ebpf
from centrex.runtime.relay.kernel import KernelPath
from centrex.runtime.relay.nftables import open_nftables
from centrex.runtime.relay.plane import Plane
from tests.support.relay_lab import CALLEE, CALLER, Lab, lab, narrowed
from tests.support.rtp_ends import until

pytestmark = pytest.mark.peer
PORTS = (30000, 30999)
LONG = 1400


@pytest.fixture
def rooms() -> Iterator[Lab]:
    try:
        with lab() as built:
            yield built
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(f"no network namespaces here: {error}")


def kernel_of(how: str) -> KernelPath | None:
    try:
        if how == "ebpf":
            return open_ebpf("narrow", limit=100)
        return open_nftables("narrow", ports=PORTS, limit=100) if how == "nftables" else None
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("how", ["ebpf", "nftables", "userspace"])
def test_what_is_long_arrives_among_what_is_short(rooms: Lab, how: str) -> None:
    with narrowed(rooms, "link"), rooms.relay.inside():
        hosts = [(host, host) for host in ("10.1.0.1", "10.2.0.1")]
        plane = Plane(hosts=hosts, ports=PORTS, kernel=kernel_of(how), silence_s=60.0)
        plane.start()
    caller, callee = rooms.left.udp(*CALLER), rooms.right.udp(*CALLEE)
    with closing(caller), closing(callee):
        try:
            with rooms.relay.inside():
                slots: tuple[Slot, Slot] = (
                    plane.lease("10.1.0.1", 1)[0],
                    plane.lease("10.2.0.1", 1)[0],
                )
                ends = tuple(
                    End(rtp=Address(*one), source=one.host, clock_rate=90_000)
                    for one in (CALLER, CALLEE)
                )
                stream = Stream(slots, (ends[0], ends[1]))
                plane.put(Session("film", "call", 1, True, (stream,)))
            for number in range(60):
                data = primer(96, number, 3000 * number, 7) + bytes(LONG * (number % 2))
                caller.sendto(data, slots[0].rtp)
                assert callee.recv(4096) == data, number
                callee.sendto(primer(96, number, 3000 * number, 8), slots[1].rtp)
                caller.recv(4096)

            def told() -> dict[str, object]:
                (row,) = plane.sessions(["film"])
                end: dict[str, object] = row["streams"][0][0]
                return end

            until(lambda: told()["packets"] == 60)
            assert told()["kernel"] is (how != "userspace")
            lost = None if how == "nftables" else 0  # it looks at no numbers
            assert (told()["lost"], told()["drops"]) == (lost, {})
        finally:
            with rooms.relay.inside():
                plane.close(keep=False)
