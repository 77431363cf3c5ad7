"""UDP, TCP and TLS on IPv4 and IPv6 at the same time: calls across them, and what each is owed."""

import base64
import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.ports import free_port, loopback
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import Message
from tests.support.wire import (
    Six,
    connect,
    control,
    drops,
    ended_by_callee,
    hang_up,
    has_ipv6,
    meanwhile,
    ping,
)
from tests.support.wireshark import dissected, first_lines

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]

KINDS = ("udp4", "tcp4", "tls4", "udp6", "tcp6", "tls6")
PAIRS = [
    ("udp4", "tcp4"),
    ("tcp4", "tls4"),
    ("tls4", "udp6"),
    ("udp6", "tcp6"),
    ("tcp6", "tls6"),
    ("tls6", "udp4"),
]
LONGEST = 8192


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    folder, host = tmp_path_factory.mktemp("server"), loopback()
    both = Certificates.make(folder / "both", host, "::1", "centrex.test")
    with CentrexServer(
        folder,
        users=[*KINDS, "gone", "again", "caller"],
        transports=("udp", "tcp", "tls"),
        address=host,
        overrides={
            "network.address": [host, "::1"],
            "network.tls_certificate": str(both.certificate),
            "network.tls_key": str(both.key),
            "network.guard.exempt": ["127.0.0.0/8", "::1"],
        },
    ) as running:
        running.certificates = both
        yield running


@pytest.fixture(scope="module")
def phones(server: CentrexServer) -> Iterator[dict[str, SipClient]]:
    with contextlib.ExitStack() as stack:
        made: dict[str, SipClient] = {}
        for kind in KINDS:
            made[kind] = stack.enter_context(
                SipClient(kind, server, transport=kind[:3])
                if kind.endswith("4")
                else Six(kind, server, transport=kind[:3])
            )
            assert made[kind].register().status == 200
        yield made


def test_all_six_doors_are_open(server: CentrexServer) -> None:
    listeners = control(server, "status")["listeners"]
    assert {(one["transport"], one["host"], one["port"]) for one in listeners} == {
        (transport, host, server.port_of(transport))
        for transport in ("udp", "tcp", "tls")
        for host in (server.host, "::1")
    }


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_call_between_transports_and_families(
    phones: dict[str, SipClient], one: str, other: str
) -> None:
    """Set up, re-INVITE and hang-up, from either side, over the recorded route."""
    for caller, callee in ((phones[one], phones[other]), (phones[other], phones[one])):
        call, incoming = connect(caller, callee)
        routes = incoming.invite.all("record-route")
        assert len(routes) == 2  # each side is told the address it can reach (RFC 5658)
        assert all(";lr" in route for route in routes)
        assert len(call.routes) == 2

        call.reinvite_sent("v=0\r\n")
        again = callee.expect("INVITE", call_id=call.call_id)
        callee.respond(again, 200, headers=[("Contact", f"<{callee.contact}>")], body="v=0\r\n")
        call.answered()
        callee.expect("ACK", call_id=call.call_id)
        if caller is phones[one]:
            hang_up(call, incoming)
        else:
            ended_by_callee(call, incoming)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_call_is_ended_from_here_whatever_its_ways(
    server: CentrexServer, phones: dict[str, SipClient], one: str, other: str
) -> None:
    call, _ = connect(phones[one], phones[other])
    assert control(server, "calls.end", id=call.call_id) == {"ended": True}
    for kind in (one, other):
        bye = phones[kind].expect("BYE", call_id=call.call_id)
        assert bye.uri == phones[kind].contact
        phones[kind].respond(bye, 200)


def test_a_call_by_tls_can_be_looked_at_and_exported(
    server: CentrexServer, phones: dict[str, SipClient]
) -> None:
    call, incoming = connect(phones["tls4"], phones["udp6"])
    hang_up(call, incoming)
    told = control(server, "call", id=call.call_id)
    messages = [one for one in told["entries"] if one["kind"] == "message"]
    caller, callee = f"tls {phones['tls4'].sent_by}", f"udp {phones['udp6'].sent_by}"
    assert told["parties"] == [caller, "centrex", callee]
    assert (messages[0]["from"], messages[0]["transport"]) == (caller, "tls")
    assert messages[0]["raw"].startswith(f"INVITE {server.uri('udp6')} SIP/2.0\r\n")
    file = control(server, "call.export", id=call.call_id, format="pcapng")
    assert file["name"].endswith(".pcapng")
    frames = base64.b64decode(file["data"])
    assert frames.count(b"TLS, decrypted") == sum(one["transport"] == "tls" for one in messages)


@pytest.mark.slow
@pytest.mark.peer("tshark")
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_wireshark_sees_what_passed(
    server: CentrexServer, phones: dict[str, SipClient], tmp_path: Path, one: str, other: str
) -> None:
    call, incoming = connect(phones[one], phones[other])
    hang_up(call, incoming)
    told = control(server, "call", id=call.call_id)
    messages = [row for row in told["entries"] if row["kind"] == "message"]
    file = tmp_path / "call.pcapng"
    exported = control(server, "call.export", id=call.call_id, format="pcapng")
    file.write_bytes(base64.b64decode(exported["data"]))
    assert first_lines(file) == [row["raw"].partition("\r\n")[0] for row in messages]
    seen = dissected(file)
    for kind in (one, other):
        end = phones[kind].sent_by.replace("[", "").replace("]", "")
        assert [end in (row.source, row.target) for row in seen].count(True) >= 4, kind
        wanted = "udp" if kind.startswith("udp") else "tcp"
        assert all(wanted in row.protocols for row in seen if end in (row.source, row.target))


def test_a_cancel_crosses_over(phones: dict[str, SipClient]) -> None:
    call = phones["tls4"].invite("udp6")
    incoming = phones["udp6"].incoming()
    incoming.respond(180)
    call.expect(180)
    with meanwhile(incoming.cancelled):
        assert call.cancel().status == 200
    call.expect(487)


def test_the_response_leaves_by_the_connection_of_its_request(server: CentrexServer) -> None:
    """Even where Via names another port, which nobody could reach (RFC 3261 §18.2.2)."""
    with SipClient("caller", server, transport="tcp") as client:
        data = client.request("OPTIONS", f"sip:{server.domain}")
        elsewhere = data.replace(client.sent_by.encode(), b"192.0.2.1:9", 1)
        answer = client.transact(elsewhere)
        assert answer.status == 200
        assert f"received={client.link.local[0]}" in answer.get("via")
        assert f"rport={client.link.local[1]}" in answer.get("via")


def test_a_phone_whose_connection_is_gone(server: CentrexServer) -> None:
    with SipClient("caller", server) as caller:
        gone = SipClient("gone", server, transport="tcp")
        assert gone.register().status == 200
        abort(gone)
        call = caller.invite("gone")
        failure = call.expect(480)
        assert "Warning" in failure.raw.decode()
        with SipClient("gone", server, transport="tcp") as back:
            assert back.register().status == 200
            hang_up(*connect(caller, back))


def test_a_caller_who_vanishes_while_it_rings(server: CentrexServer) -> None:
    with SipClient("again", server) as callee:
        assert callee.register().status == 200
        caller = SipClient("caller", server, transport="tcp")
        caller.invite("again")
        incoming = callee.incoming()
        incoming.respond(180)
        abort(caller)
        incoming.answer()
        assert ping(callee).status == 200
        assert callee.register(expires=0).status == 200


def abort(client: SipClient) -> None:
    """Reset a connection, as a phone that lost its power and came back would."""
    sock = getattr(client.link, "_socket")  # noqa: B009 - the protocol has no such name
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.link.close()


# streams


@pytest.fixture
def stream(server: CentrexServer) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), 20) as made:
        yield made


def options(server: CentrexServer, number: int, *, more: str = "", body: str = "") -> bytes:
    return (
        f"OPTIONS sip:{server.domain} SIP/2.0\r\n"
        f"Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKraw{number}-{id(more)}\r\n"
        f"From: <sip:a@{server.domain}>;tag=1\r\nTo: <sip:{server.domain}>\r\n{more}"
        f"Call-ID: raw-{number}\r\nCSeq: {number} OPTIONS\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def read(stream: socket.socket, ending: bytes, times: int = 1) -> bytes:
    """Read until something has come that many times; what came when the far side ends."""
    came = b""
    while came.count(ending) < times:
        more = stream.recv(65536)
        if not more:
            break
        came += more
    return came


def test_a_message_in_single_octets(server: CentrexServer, stream: socket.socket) -> None:
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in options(server, 1):
        stream.send(bytes((octet,)))
    assert read(stream, b"\r\n\r\n").startswith(b"SIP/2.0 200 ")


def test_messages_in_one_piece_are_answered_in_order(
    server: CentrexServer, stream: socket.socket
) -> None:
    pieces = [options(server, n, body="x" * n) for n in range(2, 12)]
    together = b"\r\n".join(pieces)
    stream.sendall(together[:700])
    stream.sendall(together[700:])
    answers = read(stream, b"\r\n\r\n", 10)
    assert answers.count(b"SIP/2.0 200 ") == 10
    assert [answers.find(b"CSeq: %d OPTIONS" % n) for n in range(2, 12)] == sorted(
        answers.find(b"CSeq: %d OPTIONS" % n) for n in range(2, 12)
    )


def test_a_double_crlf_is_answered_by_one(server: CentrexServer, stream: socket.socket) -> None:
    for _ in range(3):
        stream.sendall(b"\r\n\r\n")
        assert stream.recv(16) == b"\r\n"
    stream.sendall(options(server, 3))
    assert read(stream, b"\r\n\r\n").startswith(b"SIP/2.0 200 ")


def test_a_keepalive_on_udp_is_swallowed(server: CentrexServer) -> None:
    before = control(server, "statistics")["messages"]
    with SipClient("caller", server) as client:
        for data in (b"\r\n\r\n", b"\r\n", b"\0", b"\0\0\0\0", b"   "):
            client.send(data)
        client.send(client.request("OPTIONS", f"sip:{server.domain}"))  # once: each is counted
        assert client.expect(200).method == "OPTIONS"
        assert client.inbox == []
    after = control(server, "statistics")["messages"]
    assert after["in"] - before["in"] == after["out"] - before["out"] == 1


def test_what_is_no_sip_ends_the_connection(server: CentrexServer, stream: socket.socket) -> None:
    stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        assert b"HTTP" not in read(stream, b"nothing")
    with SipClient("caller", server, transport="tcp") as client:
        assert ping(client).status == 200


# size


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_too_long_a_request_is_answered_513(server: CentrexServer, transport: str) -> None:
    with SipClient("caller", server, transport=transport) as client:
        data = client.request("MESSAGE", server.uri("udp4"), body="x" * LONGEST)
        answer = client.transact(data)
        assert answer.status == 513
        assert Message(data).branch == answer.branch


def outside(server: CentrexServer, client: SipClient, host: str, port: int) -> bytes:
    """A request of 2,000 octets to somebody outside, with credentials of today."""
    uri = f"sip:x@{host}:{port}"
    challenge = client.transact(client.request("MESSAGE", uri))
    answer = client.credentials.answer(challenge, "MESSAGE", uri)
    assert answer is not None
    return client.request("MESSAGE", uri, cseq=2, headers=[answer], body="x" * 2000)


def test_a_large_request_goes_by_tcp_where_the_far_side_listens(server: CentrexServer) -> None:
    host = loopback()
    with SipClient("caller", server) as client, socket.create_server((host, 0)) as far:
        far.settimeout(20)
        client.send(outside(server, client, host, far.getsockname()[1]))
        connection, _ = far.accept()
        with connection:
            came = Message(read(connection, b"x" * 2000))
            assert came.get("via").startswith("SIP/2.0/TCP ")
            connection.sendall(ok_to(came))
            assert client.expect(200).method == "MESSAGE"


def test_a_large_request_goes_by_udp_where_nobody_takes_tcp(server: CentrexServer) -> None:
    host = loopback()
    port = free_port(host)
    with (
        SipClient("caller", server) as client,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((host, port))
        far.settimeout(20)
        client.send(outside(server, client, host, port))
        data, source = far.recvfrom(65535)
        came = Message(data)
        assert came.get("via").startswith("SIP/2.0/UDP ")
        far.sendto(ok_to(came), source)
        assert client.expect(200).method == "MESSAGE"


def ok_to(request: Message) -> bytes:
    copied = "".join(
        f"{name}: {value}\r\n"
        for name, value in request.headers
        if name in ("via", "from", "to", "call-id", "cseq")
    )
    return f"SIP/2.0 200 OK\r\n{copied}Content-Length: 0\r\n\r\n".encode()


# bounds


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_message_that_never_ends_is_given_up(server: CentrexServer) -> None:
    with (
        socket.create_connection((server.host, server.port), 20) as dripping,
        SipClient("caller", server, transport="tcp") as client,
    ):
        dripping.settimeout(1)
        with pytest.raises(OSError, match=r"reset|Broken pipe|closed"):  # noqa: PT012
            for octet in options(server, 1) * 2:
                dripping.sendall(bytes((octet,)))
                with contextlib.suppress(TimeoutError):
                    if not dripping.recv(4096):
                        raise ConnectionResetError("closed")
        assert ping(client).status == 200
    assert drops(server, "slow-message") >= 1


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_one_source_gets_so_many_connections_and_no_more(server: CentrexServer) -> None:
    greedy = loopback()
    with contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(
                socket.create_connection((server.host, server.port), 20, source_address=(greedy, 0))
            )
            for _ in range(1030)
        ]
        held[-1].settimeout(20)
        with contextlib.suppress(ConnectionError):
            assert held[-1].recv(16) == b""
        held[0].sendall(b"\r\n\r\n")
        assert held[0].recv(16) == b"\r\n"
        with SipClient("caller", server, transport="tcp") as other:
            assert ping(other).status == 200
        assert drops(server, "too-many-from-source") == 6
