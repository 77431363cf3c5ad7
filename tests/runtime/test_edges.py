import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from centrex.base import Transport, Unavailable
from centrex.config.network import NetworkSettings
from centrex.routing.ours import Ours
from centrex.runtime.edges import Edges
from centrex.runtime.flows import FlowTable, Locals
from centrex.runtime.streams import StreamEdge
from centrex.sip.uri import SipUri, parse_uri
from tests.support.ports import free_port, loopback
from tests.support.stream_door import RecordingDoor

pytestmark = pytest.mark.wire
UDP, TCP = Transport.UDP, Transport.TCP


class Bench:
    """Edges that were bound, and nothing that runs."""

    def __init__(
        self, *hosts: str, transports: frozenset[Transport] = frozenset({UDP, TCP})
    ) -> None:
        self.ours = Ours((), ())
        self.locals = Locals(lambda _: "192.0.2.1", self.ours.add)
        self.streams = StreamEdge(RecordingDoor(), self.locals.get, max_message_bytes=8192)
        self.flows = FlowTable(self.streams, transports, (4, 6), time.monotonic)
        self.edges = Edges(transports, self.locals, self.ours, self.flows, self.streams)
        self.network = NetworkSettings(
            domain="voip.test", port=free_port("127.0.0.1" if ":" in hosts[0] else hosts[0])
        )
        self.hosts = hosts

    def bind(self) -> None:
        self.edges.bind(
            self.hosts, self.network, lambda _data, _flow: None, lambda: None, lambda: 8192
        )

    def owns(self, host: str, port: int) -> bool:
        uri = parse_uri(f"sip:{host}:{port}".encode())
        assert isinstance(uri, SipUri)
        return self.ours.owns(uri)


@contextmanager
def bound(*hosts: str) -> Iterator[Bench]:
    bench = Bench(*hosts)
    try:
        bench.bind()
        yield bench
    finally:
        bench.edges.close()
        bench.streams.close()


def test_every_address_gets_every_transport_and_is_ours() -> None:
    one, two = loopback(), loopback()
    with bound(one, two) as bench:
        port = bench.network.port
        assert bench.edges.listeners == [
            (UDP, one, port),
            (TCP, one, port),
            (UDP, two, port),
            (TCP, two, port),
        ]
        assert bench.owns(two, port)
        assert not bench.owns(two, port + 1)


def test_a_free_port_is_the_same_for_udp_and_tcp() -> None:
    bench = Bench(loopback())
    bench.network = NetworkSettings(domain="voip.test", port=0)
    try:
        bench.bind()
        (_, _, udp), (_, _, tcp) = bench.edges.listeners
        assert udp == tcp > 0
    finally:
        bench.edges.close()
        bench.streams.close()


def test_names_are_for_people() -> None:
    with bound("::1") as bench:
        port = bench.network.port
        assert bench.edges.names() == [f"udp [::1]:{port}", f"tcp [::1]:{port}"]


def test_bound_to_all_addresses_no_wildcard_is_ours() -> None:
    with bound("0.0.0.0") as bench:
        assert not bench.owns("0.0.0.0", bench.network.port)
        assert bench.owns("localhost", bench.network.port)


def test_a_move_that_fails_half_way_changes_nothing() -> None:
    old, new = loopback(), loopback()
    with bound(old) as bench, socket.socket() as other:
        port = bench.network.port
        other.bind((new, port))
        other.listen()
        before = list(bench.edges.listeners)
        with pytest.raises(Unavailable, match="in use"):
            bench.edges.move(old, new, ())
        assert bench.edges.listeners == before
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((new, port))  # given back


def test_other_addresses_stay_where_they_are() -> None:
    old, new, still = loopback(), loopback(), loopback()
    with bound(old, still) as bench:
        bench.edges.move(old, new, ())
        port = bench.network.port
        assert bench.edges.listeners == [
            (UDP, still, port),
            (TCP, still, port),
            (UDP, new, port),
            (TCP, new, port),
        ]
