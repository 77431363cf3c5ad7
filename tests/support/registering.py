"""Builds flows, REGISTER requests and credentials for tests of `auth` and `registrar`."""

from typing import Any

from centrex.auth.digest import MD5, Algorithm, expected_response
from centrex.base import Flow, Local, Transport
from centrex.sip.message import Message, parse


class NoLink:
    """A link that nothing is sent by."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        return len(data)


LOCAL = Local(Transport.UDP, "192.0.2.1", 5060)
TCP_LOCAL = Local(Transport.TCP, "192.0.2.1", 5060)


def flow_from(host: str, port: int = 5060, transport: Transport = Transport.UDP) -> Flow:
    """Return a flow of that remote address."""
    local = LOCAL if transport is Transport.UDP else TCP_LOCAL
    return Flow(transport, host, port, address=(host, port), link=NoLink(), local=local)


def register_request(
    *contacts: bytes, call_id: bytes = b"c1", cseq: int = 1, extra: tuple[bytes, ...] = ()
) -> Message:
    """Return a REGISTER for sip:1001@example.com with one Contact line for each value."""
    lines = [
        b"REGISTER sip:example.com SIP/2.0",
        b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1;rport",
        b"From: <sip:1001@example.com>;tag=a",
        b"To: <sip:1001@example.com>",
        b"Call-ID: " + call_id,
        b"CSeq: %d REGISTER" % cseq,
        *(b"Contact: " + contact for contact in contacts),
        *extra,
        b"Content-Length: 0",
    ]
    return parse(b"\r\n".join(lines) + b"\r\n\r\n")


def credentials(
    nonce: bytes,
    secret: bytes,
    *,
    login: bytes = b"1001",
    realm: bytes = b"example.com",
    method: bytes = b"REGISTER",
    uri: bytes = b"sip:example.com",
    algorithm: Algorithm | None = MD5,
    nc: bytes = b"00000001",
    qop: bytes = b"auth",
) -> bytes:
    """Return a Digest header value made with an HA1; without `algorithm` the parameter is left out."""
    hashing = algorithm or MD5
    cnonce = b"0a4f113b" if qop else b""
    response = expected_response(
        hashing, secret, method, uri, nonce, qop=qop, nc=nc if qop else b"", cnonce=cnonce
    )
    value = b'Digest username="%b",realm="%b",nonce="%b",uri="%b",response="%b"' % (
        login,
        realm,
        nonce,
        uri,
        response,
    )
    if algorithm is not None:
        value += b",algorithm=" + algorithm.token
    if qop:
        value += b',cnonce="%b",nc=%b,qop=%b' % (cnonce, nc, qop)
    return value
