import errno
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from centrex.base import ConfigError, Flow, LocalError, Transport, Unavailable
from centrex.runtime import stream_socket, streams
from centrex.runtime.streams import StreamEdge, source_of
from centrex.runtime.tls import TlsContexts
from tests.support.certificates import Certificates
from tests.support.stream_door import Clock, RecordingDoor, edge_for, request, running

pytestmark = pytest.mark.wire

TCP, TLS = Transport.TCP, Transport.TLS
HOST = "127.0.0.1"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("tls"), "voip.test", HOST)


@pytest.fixture
def tls(made: Certificates) -> TlsContexts:
    return TlsContexts(made.certificate, made.key, authorities=made.authority)


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


async def exactly(stream: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.receive()
    return data


async def secure(port: int, made: Certificates, name: str = "voip.test") -> TLSStream:
    plain = await anyio.connect_tcp(HOST, port)
    return await TLSStream.wrap(
        plain, hostname=name, ssl_context=made.client_context(), standard_compatible=False
    )


async def ends(stream: ByteStream) -> bytes:
    """Return what still comes until the far side ends it."""
    rest = b""
    try:
        while True:
            rest += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return rest


# ------------------------------------------------------------------------------ others open it


async def test_messages_come_in_and_answers_go_back_on_the_same_connection(
    door: RecordingDoor,
) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, "0.0.0.0", 0)
    async with running(edge):
        async with await anyio.connect_tcp(HOST, port) as client:
            first, second = request(body=b"x" * 10), request(call_id="c2")
            await client.send(first + second[:50])
            flow, data = await door.wait("message")
            assert data == first
            assert (flow.transport, flow.host, flow.inbound, flow.open) == (TCP, HOST, True, True)
            assert (flow.local.host, flow.local.port) == (HOST, port)
            await client.send(second[50:])
            assert (await door.wait("message", 2))[1] == second
            assert flow.link.sendto(b"one", flow.address) == 3
            assert flow.link.sendto(b"two", flow.address) == 3
            assert await exactly(client, 6) == b"onetwo"
            assert edge.open(TCP, flow.host, flow.port) is flow
        await door.wait("closed")
        assert flow.link.sendto(b"late", flow.address) == 0
    assert door.kinds() == ["opened", "message", "message", "closed"]
    assert edge.counts == {"accepted": 1, "closed-by-peer": 1}
    assert edge.drops == {}
    assert edge.connections == 0


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_ipv6_is_listened_for_apart(door: RecordingDoor) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, "::", 0)
    assert edge.listen(TCP, "0.0.0.0", port) == ("0.0.0.0", port)
    async with running(edge), await anyio.connect_tcp("::1", port) as client:
        await client.send(request())
        flow, _ = await door.wait("message")
        assert (flow.host, flow.address, flow.local.host) == ("::1", ("::1", flow.port), "::1")


async def test_tls_serves_what_tcp_serves(
    door: RecordingDoor, tls: TlsContexts, made: Certificates
) -> None:
    edge = edge_for(door, tls=tls)
    _, port = edge.listen(TLS, HOST, 0)
    async with running(edge):
        client = await secure(port, made)
        await client.send(request())
        flow, _ = await door.wait("message")
        assert flow.transport is TLS
        flow.link.sendto(b"answer", flow.address)
        assert await exactly(client, 6) == b"answer"
        assert edge.open(TLS, flow.host, flow.port) is flow
        assert edge.open(TLS, flow.host, flow.port, "voip.test") is not flow
        await door.wait("failed")
        await client.aclose()
        await door.wait("closed")


async def test_new_certificates_serve_new_connections_and_old_ones_stay(
    door: RecordingDoor, tmp_path: Path
) -> None:
    before = Certificates.make(tmp_path, "voip.test")
    old_context = before.client_context()
    contexts = TlsContexts(before.certificate, before.key)
    edge = edge_for(door, tls=contexts)
    _, port = edge.listen(TLS, HOST, 0)
    async with running(edge):
        old = await TLSStream.wrap(
            await anyio.connect_tcp(HOST, port),
            hostname="voip.test",
            ssl_context=old_context,
            standard_compatible=False,
        )
        after = Certificates.make(tmp_path, "voip.test")
        assert contexts.reload_if_changed()
        new = await secure(port, after)
        for client in (old, new):
            await client.send(request())
        await door.wait("message", 2)
        await old.aclose()
        await new.aclose()


async def test_connections_are_bounded_in_all_and_per_source(door: RecordingDoor) -> None:
    edge = edge_for(door, limits={"connections": 3, "connections_per_source": 2})
    _, port = edge.listen(TCP, "0.0.0.0", 0)
    async with running(edge):
        kept = [await anyio.connect_tcp(HOST, port) for _ in range(2)]
        await door.wait("opened", 2)
        async with await anyio.connect_tcp(HOST, port) as refused:
            assert await ends(refused) == b""
        other = await anyio.connect_tcp(HOST, port, local_host="127.0.0.2")
        await door.wait("opened", 3)
        async with await anyio.connect_tcp(HOST, port, local_host="127.0.0.3") as refused:
            assert await ends(refused) == b""
        assert edge.drops == {"too-many-from-source": 1, "too-many-connections": 1}
        full = edge.open(TCP, HOST, port)
        assert await door.wait("failed") == (full, "too-many-connections")
        await kept.pop().aclose()
        await door.wait("closed")
        kept.append(await anyio.connect_tcp(HOST, port))
        await door.wait("opened", 4)
        for stream in (*kept, other):
            await stream.aclose()


async def test_handshakes_that_hang_do_not_keep_others_out(
    door: RecordingDoor, tls: TlsContexts, made: Certificates
) -> None:
    edge = edge_for(door, tls=tls, limits={"handshakes": 3})
    _, port = edge.listen(TLS, HOST, 0)
    async with running(edge):
        hanging = [await anyio.connect_tcp(HOST, port) for _ in range(6)]
        client = await secure(port, made)
        await client.send(request())
        await door.wait("message")
        assert await ends(hanging[0]) == b""
        assert edge.drops["handshake-evicted"] >= 3
        for stream in (*hanging, client):
            await stream.aclose()
    assert door.kinds().count("opened") == 1


async def test_a_handshake_must_be_one_and_end_in_time(
    door: RecordingDoor, tls: TlsContexts
) -> None:
    hasty = edge_for(door, tls=tls, limits={"handshake_timeout_s": 0.05})
    _, port = hasty.listen(TLS, HOST, 0)
    async with running(hasty), await anyio.connect_tcp(HOST, port) as slow:
        await ends(slow)
    assert hasty.drops == {"handshake-timeout": 1}
    edge = edge_for(door, tls=tls)
    _, port = edge.listen(TLS, HOST, 0)
    async with running(edge), await anyio.connect_tcp(HOST, port) as plain:
        await plain.send(request())
        await ends(plain)
    assert edge.drops == {"handshake-failed": 1}
    assert door.told == []


async def test_no_descriptors_left_is_waited_out(
    door: RecordingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, HOST, 0)
    real = socket.socket.accept
    failures = [errno.EMFILE, errno.ECONNABORTED, errno.EMFILE]

    def accept(sock: socket.socket) -> Any:
        if failures:
            raise OSError(failures.pop(), "played")
        return real(sock)

    monkeypatch.setattr(socket.socket, "accept", accept)
    monkeypatch.setattr(streams, "_BACK_OFF_S", (0.001,))
    async with running(edge), await anyio.connect_tcp(HOST, port):
        await door.wait("opened")
    assert edge.drops == {"accept-emfile": 2, "accept-econnaborted": 1}


async def test_who_left_before_being_accepted_is_forgotten(
    door: RecordingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(sock: socket.socket) -> None:
        sock.close()
        raise ConnectionAbortedError(errno.ECONNABORTED, "gone")

    edge = edge_for(door)
    _, port = edge.listen(TCP, HOST, 0)
    monkeypatch.setattr(stream_socket, "wrap", gone)
    async with running(edge):
        async with await anyio.connect_tcp(HOST, port) as client:
            await ends(client)
        assert edge.connections == 0
    assert edge.drops == {"accept-gone": 1}


async def test_one_failing_connection_leaves_the_others_alone(
    door: RecordingDoor, caplog: pytest.LogCaptureFixture
) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, HOST, 0)

    def fail(data: bytes, _flow: Flow) -> None:
        if b"bad" in data:
            raise ZeroDivisionError("played")

    door.on_message = fail
    async with running(edge), await anyio.connect_tcp(HOST, port) as good:
        with caplog.at_level(logging.CRITICAL, "centrex.runtime.streams"):
            async with await anyio.connect_tcp(HOST, port) as bad:
                await bad.send(request(call_id="bad"))
                await ends(bad)
        await door.wait("closed")
        await good.send(request())
        await door.wait("message", 2)
        assert edge.drops == {"crashed": 1}


# ---------------------------------------------------------------------------------- we open it


async def test_what_is_sent_before_the_connection_stands_goes_out_first(
    door: RecordingDoor,
) -> None:
    far_door = RecordingDoor()
    far, edge = edge_for(far_door), edge_for(door)
    _, far_port = far.listen(TCP, HOST, 0)
    _, port = edge.listen(TCP, "0.0.0.0", 0)
    async with running(far), running(edge):
        flow = edge.open(TCP, HOST, far_port)
        assert not flow.open
        assert not flow.inbound
        assert (flow.local.host, flow.local.port) == (HOST, port)
        message = request()
        assert flow.link.sendto(message, flow.address) == len(message)
        assert edge.open(TCP, HOST, far_port) is flow
        far_flow, data = await far_door.wait("message")
        assert data == message
        assert (await door.wait("opened"))[0] is flow
        assert (flow.local.host, flow.local.port) == (HOST, port)
        assert far_flow.port != port
        far_flow.link.sendto(request(call_id="back"), far_flow.address)
        await door.wait("message")
        assert edge.counts == {"connected": 1}


async def test_tls_is_opened_to_the_name_wanted(
    door: RecordingDoor, tls: TlsContexts, made: Certificates
) -> None:
    far_door = RecordingDoor()
    far = edge_for(far_door, tls=tls)
    edge = edge_for(door, tls=TlsContexts(authorities=made.authority))
    _, far_port = far.listen(TLS, HOST, 0)
    async with running(far), running(edge):
        named = edge.open(TLS, HOST, far_port, "VOIP.test")
        by_address = edge.open(TLS, HOST, far_port)
        assert named is not by_address
        for flow in (named, by_address):
            flow.link.sendto(request(), flow.address)
        await far_door.wait("message", 2)
        assert by_address.open
        assert named.local.port == 5061


@pytest.mark.parametrize(
    ("trusted", "name", "why"),
    [
        (True, "other.test", "the certificate is for voip.test, not for other.test"),
        (False, "voip.test", "cannot be trusted"),
    ],
)
async def test_a_certificate_of_somebody_else_is_not_talked_to(
    door: RecordingDoor, tls: TlsContexts, trusted: bool, name: str, why: str
) -> None:
    far_door = RecordingDoor()
    far = edge_for(far_door, tls=tls)
    edge = edge_for(door, tls=tls if trusted else TlsContexts())
    _, far_port = far.listen(TLS, HOST, 0)
    async with running(far), running(edge):
        flow = edge.open(TLS, HOST, far_port, name)
        flow.link.sendto(request(), flow.address)
        failed, words = await door.wait("failed")
        assert failed is flow
        assert why in str(words)
    assert "message" not in far_door.kinds()
    assert edge.drops == {"connect-failed": 1}


async def test_tls_cannot_be_opened_where_it_is_not_set_up(
    door: RecordingDoor,
) -> None:
    far, edge = edge_for(RecordingDoor()), edge_for(door)
    _, far_port = far.listen(TCP, HOST, 0)
    async with running(far), running(edge):
        edge.open(TLS, HOST, far_port)
        assert (await door.wait("failed"))[1] == "TLS is not set up"


async def test_a_refused_connection_fails_and_may_be_tried_again(
    door: RecordingDoor, dead_port: int
) -> None:
    edge = edge_for(door)
    async with running(edge):
        flow = edge.open(TCP, HOST, dead_port)
        assert await door.wait("failed") == (flow, "Connection refused")
        assert flow.link.sendto(b"x", flow.address) == 0
        assert edge.open(TCP, HOST, dead_port) is not flow
        await door.wait("failed", 2)
        assert edge.connections == 0


async def test_an_address_that_cannot_be_reached_fails_in_words(door: RecordingDoor) -> None:
    edge = edge_for(door)
    async with running(edge):
        edge.open(TCP, "255.255.255.255", 5060)
        assert (await door.wait("failed"))[1]


async def test_silence_instead_of_a_connection_fails_in_time(
    door: RecordingDoor, tls: TlsContexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_host: str, _port: int) -> None:
        await anyio.sleep_forever()

    with socket.create_server((HOST, 0)) as mute:
        async with running(edge_for(door, tls=tls, limits={"handshake_timeout_s": 0.03})) as edge:
            edge.open(TLS, HOST, mute.getsockname()[1])
            assert (await door.wait("failed"))[1] == "no answer within 0.03 s"
        monkeypatch.setattr(stream_socket, "connect", never)
        async with running(edge_for(door, limits={"connect_timeout_s": 0.02})) as edge:
            edge.open(TCP, HOST, mute.getsockname()[1])
            assert (await door.wait("failed", 2))[1] == "no answer within 0.02 s"


async def test_a_far_side_that_hangs_up_on_tls_is_told(
    door: RecordingDoor, tls: TlsContexts
) -> None:
    edge = edge_for(door, tls=tls)
    listener = await anyio.create_tcp_listener(local_host=HOST)

    async def hang_up(stream: ByteStream) -> None:
        await stream.receive()
        await stream.aclose()

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, hang_up)
        async with running(edge):
            edge.open(TLS, HOST, listener.extra(anyio.abc.SocketAttribute.local_port))
            assert (await door.wait("failed"))[1]
        tasks.cancel_scope.cancel()


async def test_a_queue_that_overflows_before_the_connection_stands_is_a_failure(
    door: RecordingDoor,
) -> None:
    edge = edge_for(door, limits={"queue_messages": 2})
    with socket.create_server((HOST, 0)) as far:
        async with running(edge):
            flow = edge.open(TCP, HOST, far.getsockname()[1])
            assert [flow.link.sendto(b"x", flow.address) for _ in range(4)] == [1, 1, 0, 0]
            assert await door.wait("failed") == (flow, "queue-full")
    assert edge.drops == {"queue-full": 1, "connect-failed": 1}


async def test_where_we_listen_is_what_we_show(door: RecordingDoor) -> None:
    edge = edge_for(door)
    _, special = edge.listen(TCP, "127.0.0.5", 0)
    with socket.create_server((HOST, 0)) as far:
        async with running(edge):
            flow = edge.open(TCP, HOST, far.getsockname()[1])
            await door.wait("opened")
            assert (flow.local.host, flow.local.port) == ("127.0.0.5", special)


def test_what_cannot_be_opened_here_is_an_error(door: RecordingDoor) -> None:
    edge = edge_for(door)
    with pytest.raises(LocalError, match="cannot open TCP"):
        edge.open(TCP, HOST, 5060)
    edge.stop()
    with pytest.raises(Unavailable, match="stopping"):
        edge.open(TCP, HOST, 5060)


# -------------------------------------------------------------------------- begin and end of all


def test_an_address_that_cannot_be_had_is_told_in_words(door: RecordingDoor) -> None:
    edge: StreamEdge = edge_for(door)
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on tcp {HOST}:{port}: Address alr"):
            edge.listen(TCP, HOST, port)
    with pytest.raises(Unavailable, match=r"cannot listen on tcp 192\.0\.2\.99:0"):
        edge.listen(TCP, "192.0.2.99", 0)
    with pytest.raises(ConfigError, match="TLS needs a certificate"):
        edge.listen(TLS, HOST, 0)


async def test_several_may_share_a_port(door: RecordingDoor) -> None:
    one, two = edge_for(door), edge_for(door)
    _, port = one.listen(TCP, HOST, 0, reuse_port=True)
    assert two.listen(TCP, HOST, port, reuse_port=True) == (HOST, port)
    async with running(one), running(two):
        pass


async def test_stopping_sends_what_is_queued_and_closes_everything(
    door: RecordingDoor, tls: TlsContexts, made: Certificates
) -> None:
    edge = edge_for(door, tls=tls)
    _, port = edge.listen(TCP, HOST, 0)
    _, tls_port = edge.listen(TLS, HOST, 0)
    async with running(edge):
        client = await anyio.connect_tcp(HOST, port)
        tls_client = await secure(tls_port, made)
        await client.send(request())
        await tls_client.send(request())
        for n in (1, 2):
            flow, _ = await door.wait("message", n)
            flow.link.sendto(b"x" * 100_000, flow.address)
        edge.stop(1.0)
        assert len(await ends(client)) == 100_000
        assert len(await ends(tls_client)) == 100_000
        await door.wait("closed", 2)
    assert edge.counts == {"accepted": 2, "stopped": 2}
    assert edge.drops == {}
    await client.aclose()
    await tls_client.aclose()
    with pytest.raises(OSError, match=r"attempts failed|refused"):
        await anyio.connect_tcp(HOST, port)


async def test_stopping_waits_for_nobody_who_does_not_read(door: RecordingDoor) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, HOST, 0)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                await tasks.start(edge.run)
                deaf.connect((HOST, port))
                flow, _ = await door.wait("opened")
                flow.link.sendto(b"x" * 500_000, flow.address)
                edge.stop(0.05)
    assert door.kinds() == ["opened", "closed"]


async def test_cancelling_leaves_nothing_behind(door: RecordingDoor, tls: TlsContexts) -> None:
    edge = edge_for(door, tls=tls)
    _, port = edge.listen(TCP, HOST, 0)
    _, tls_port = edge.listen(TLS, HOST, 0)
    with socket.create_server((HOST, 0)) as mute:
        async with (
            await anyio.connect_tcp(HOST, port),
            await anyio.connect_tcp(HOST, tls_port),
            anyio.create_task_group() as tasks,
        ):
            await tasks.start(edge.run)
            await door.wait("opened")
            edge.open(TLS, HOST, mute.getsockname()[1])
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    assert edge.connections == 0
    assert sorted(door.kinds()) == ["closed", "failed", "opened"]


async def test_our_keepalives_are_sent_on_connections_we_opened(door: RecordingDoor) -> None:
    clock, far_door = Clock(), RecordingDoor()
    far = edge_for(far_door)
    edge = edge_for(door, clock=clock, limits={"keepalive_interval_s": 25.0})
    _, far_port = far.listen(TCP, HOST, 0)
    async with running(far), running(edge):
        edge.open(TCP, HOST, far_port)
        await door.wait("opened")
        far_flow, _ = await far_door.wait("opened")
        clock.ahead = 26.0
        while not far_flow.link.keepalives:  # type: ignore[attr-defined]  # a Connection
            await anyio.lowlevel.checkpoint()
        assert far_door.kinds() == ["opened"]


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
    ],
)
def test_a_source_is_an_address_or_a_prefix(host: str, source: str) -> None:
    assert source_of(host) == source


# Listening sockets that come and go while it runs
