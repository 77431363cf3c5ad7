import socket
import ssl

import anyio
import pytest
from anyio.abc import SocketAttribute

from centrex.base import Transport, Unavailable
from centrex.runtime import stream_socket
from centrex.runtime.stream_socket import Listener, connect, in_words, release

pytestmark = pytest.mark.wire

HOST = "127.0.0.1"


def test_a_listener_knows_where_it_listens() -> None:
    listener = Listener(Transport.TCP, HOST, 0, reuse_port=False)
    with listener.sock:
        assert listener.host == HOST
        assert listener.port == listener.sock.getsockname()[1]
        with pytest.raises(Unavailable, match=f"cannot listen on tls {HOST}:{listener.port}"):
            Listener(Transport.TLS, HOST, listener.port, reuse_port=False)


def test_a_port_out_of_range_is_told_in_words() -> None:
    with pytest.raises(Unavailable, match=f"cannot listen on tcp {HOST}:70000"):
        Listener(Transport.TCP, HOST, 70_000, reuse_port=False)


async def test_a_connection_sends_small_messages_at_once() -> None:
    with socket.create_server((HOST, 0)) as server:
        stream = await connect(HOST, server.getsockname()[1])
        ours = stream.extra(SocketAttribute.raw_socket)
        assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await release(stream, polite=True)
        theirs, _ = server.accept()
        with theirs:
            assert theirs.recv(1) == b""


async def test_a_cancelled_connection_leaves_no_socket() -> None:
    with socket.create_server((HOST, 0)) as server, anyio.CancelScope() as scope:
        scope.cancel()
        await release(await connect(HOST, server.getsockname()[1]), polite=False)


async def test_a_socket_whose_far_side_has_gone_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(ConnectionAbortedError, match="has gone"):
        await stream_socket.wrap(sock)


def test_an_option_the_system_does_not_know_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT", raising=False)
    with socket.socket() as sock:
        stream_socket.set_options(sock)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_failures_have_words() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    assert in_words(error) == "TLS: wrong version number"
    assert in_words(ConnectionRefusedError(111, "Connection refused")) == "Connection refused"
    assert in_words(OverflowError()) == "OverflowError"
