import socket
from typing import Any, cast

import pytest

from centrex.base import Flow, Local, Transport, Unavailable
from centrex.runtime import flows as module
from centrex.runtime.flows import FlowTable, Locals, UdpPort
from centrex.runtime.streams import StreamEdge

TCP, UDP = Transport.TCP, Transport.UDP


class FakeStreams:
    """Opens connections that never stand."""

    def __init__(self) -> None:
        self.stopping = False
        self.asked: list[tuple[Any, ...]] = []

    def open(self, transport: Transport, host: str, port: int, server_name: str = "") -> Flow:
        if self.stopping:
            raise Unavailable("the server is stopping")
        self.asked.append((transport, host, port, server_name))
        return connection(host, port, transport)

    def sendto(self, data: bytes, address: Any, /) -> int:
        raise AssertionError("nothing is sent")


def connection(host: str, port: int, transport: Transport = TCP) -> Flow:
    local = Local(transport, "192.0.2.1", 5060)
    return Flow(transport, host, port, address=None, link=FakeStreams(), local=local, is_open=False)


class Bench:
    """A table with UDP ports on some addresses.

    Attributes:
        ours: The address the kernel would use; "" for no way.
        seen: Our addresses, as they became known.
    """

    def __init__(self, *hosts: str) -> None:
        self.ours, self.now = "192.0.2.1", 100.0
        self.seen: list[Local] = []
        self.locals = Locals(self._towards, self.seen.append)
        self.streams = FakeStreams()
        self.table = FlowTable(
            cast("StreamEdge", self.streams), frozenset({UDP, TCP}), (4,), lambda: self.now
        )
        for host in hosts:
            self.table.ports.append(self.port(host))

    def port(self, host: str) -> UdpPort:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((host, 0))
        return UdpPort(sock, self.locals)

    def _towards(self, remote: str) -> str:
        if not self.ours:
            raise Unavailable(f"no way to {remote}")
        return self.ours

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *_: object) -> None:
        for port in self.table.ports:
            port.sock.close()


def found(flow: Flow | None) -> Flow:
    assert flow is not None
    return flow


# Ways over UDP


def test_one_flow_for_each_address_whoever_speaks_first() -> None:
    with Bench("127.0.0.1") as bench:
        flow = found(bench.table.reach(UDP, "192.0.2.9", 5060))
        assert bench.table.find(UDP, "192.0.2.9", 5060) is flow
        assert bench.table.ports[0].flow(("192.0.2.9", 5060)) is flow
        assert flow.local.host == "127.0.0.1"


def test_no_way_where_version_or_port_cannot_be() -> None:
    with Bench("127.0.0.1") as bench:
        assert bench.table.reach(UDP, "2001:db8::1", 5060) is None
        assert bench.table.reach(UDP, "192.0.2.9", 0) is None
        assert bench.table.reach(UDP, "192.0.2.9", 65536) is None
        assert bench.table.find(UDP, "192.0.2.9", 70000) is None


def test_of_several_ports_the_nearest_network_is_taken() -> None:
    with Bench("127.0.0.1", "127.66.0.1") as bench:
        assert found(bench.table.reach(UDP, "127.66.0.9", 5060)).local.host == "127.66.0.1"
        assert found(bench.table.reach(UDP, "127.0.0.9", 5060)).local.host == "127.0.0.1"


def test_ipv6_addresses_are_the_ones_the_socket_tells() -> None:
    with Bench("::1") as bench:
        flow = found(bench.table.reach(UDP, "::1", 5060))
        assert bench.table.ports[0].flow(("::1", 5060, 0, 0)) is flow


def test_bound_to_all_addresses_the_kernel_knows_ours() -> None:
    with Bench("0.0.0.0") as bench:
        flow = found(bench.table.reach(UDP, "192.0.2.9", 5060))
        assert flow.local.host == "192.0.2.1"
        again = found(bench.table.reach(UDP, "192.0.2.10", 5060))
        assert again.local is flow.local
        assert bench.seen == [flow.local]


def test_an_address_without_a_way_to_it_ends_nothing() -> None:
    with Bench("0.0.0.0") as bench:
        bench.ours = ""
        flow = bench.table.ports[0].flow(("255.255.255.255", 5060))
        assert flow.local.host == "127.0.0.1"
        assert bench.table.reach(UDP, "198.51.100.1", 5060) is not None


def test_the_memory_of_flows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BOUND", 3)
    with Bench("127.0.0.1") as bench:
        port = bench.table.ports[0]
        for number in range(10):
            port.flow(("192.0.2.9", 5060 + number))
        assert len(port.by_address) <= 3


# An address that changes


def test_a_moved_port_takes_its_flows_along() -> None:
    with Bench("127.0.0.1") as bench:
        port = bench.table.ports[0]
        flow = port.flow(("192.0.2.9", 5060))
        forgotten = port.flow(("192.0.2.10", 5060))
        port.by_address.pop(("192.0.2.10", 5060))
        other = connection("192.0.2.9", 5060)
        fresh = bench.port("127.0.0.2").sock
        old = port.move(fresh)
        port.adopt([forgotten, other, flow], old)
        old.close()
        for one in (flow, forgotten):
            assert one.link is fresh
            assert one.local.host == "127.0.0.2"
        assert isinstance(other.link, FakeStreams)
        assert port.flow(("192.0.2.9", 5060)) is flow
        assert (port.host, port.port) == fresh.getsockname()


def test_flows_show_an_address_that_exists() -> None:
    with Bench("0.0.0.0") as bench:
        port = bench.table.ports[0]
        flow = port.flow(("192.0.2.9", 5060))
        bench.ours = "192.0.2.2"
        port.readdress({"192.0.2.200"})
        assert flow.local.host == "192.0.2.1"
        port.readdress({"192.0.2.1"})
        assert flow.local.host == "192.0.2.2"


# Ways over connections


def test_connections_are_opened_only_where_we_listen_likewise() -> None:
    with Bench("127.0.0.1") as bench:
        assert bench.table.reach(Transport.TLS, "192.0.2.9", 5061) is None
        assert bench.table.reach(TCP, "2001:db8::1", 5060) is None
        assert bench.table.reach(TCP, "192.0.2.9", 0) is None
        assert bench.table.reach(TCP, "192.0.2.9", 5060, "example.com") is not None
        assert bench.streams.asked == [(TCP, "192.0.2.9", 5060, "example.com")]
        bench.streams.stopping = True
        assert bench.table.reach(TCP, "192.0.2.9", 5060) is None


def test_a_connection_is_found_while_it_stands() -> None:
    with Bench("127.0.0.1") as bench:
        flow, newer = connection("192.0.2.9", 4000), connection("192.0.2.9", 4000)
        assert bench.table.find(TCP, "192.0.2.9", 4000) is None
        bench.table.opened(flow)
        assert bench.table.find(TCP, "192.0.2.9", 4000) is flow
        bench.table.opened(newer)
        bench.table.closed(flow)
        assert bench.table.find(TCP, "192.0.2.9", 4000) is newer
        bench.table.closed(newer)
        assert bench.table.find(TCP, "192.0.2.9", 4000) is None


def test_who_takes_no_tcp_is_remembered_for_a_while() -> None:
    with Bench("127.0.0.1") as bench:
        udp = found(bench.table.reach(UDP, "192.0.2.9", 5060))
        stream = found(bench.table.larger(udp))
        assert stream.transport is TCP
        bench.table.closed(stream)
        assert bench.table.larger(udp) is None
        bench.now += 301
        again = found(bench.table.larger(udp))
        again.open = True
        bench.table.opened(again)
        bench.table.closed(again)
        assert bench.table.larger(udp) is not None
