"""The session description among the parts of a body (RFC 2046 §5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sdp import find, replace

SDP = b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n"
MIXED = b"multipart/mixed;boundary=x"


def part(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((b"--x", *lines, b"", body))


def joined(*parts: bytes) -> bytes:
    return b"\r\n".join((*parts, b"--x--", b"behind"))


@pytest.mark.parametrize(
    "kind", [b"application/sdp", b"Application/SDP", b"application/sdp ; charset=utf-8"]
)
def test_alone(kind: bytes) -> None:
    assert find(kind, SDP) == (0, len(SDP))
    assert replace(kind, SDP, b"v=1") == b"v=1"


@pytest.mark.parametrize(
    "kind",
    [
        MIXED,
        b'Multipart/Related; type="a"; Boundary = "x"',
        b"multipart/alternative;charset=y;boundary=x;z=1",
    ],
)
def test_among_others(kind: bytes) -> None:
    body = joined(
        part(b"hello", b"Content-Type: text/plain"),
        part(SDP, b"content-disposition: session", b"content-TYPE : application/sdp"),
        part(b"<x/>", b"Content-Type: application/pidf+xml"),
    )
    span = find(kind, body)
    assert span is not None
    assert body[slice(*span)] == SDP
    assert replace(kind, body, b"v=0\r\n") == body.replace(SDP, b"v=0\r\n")


def test_a_part_s_own_length_is_kept_right() -> None:
    body = joined(
        part(SDP, b"Content-Type: application/sdp", b"Content-Length: %d" % len(SDP)),
        part(b"12345", b"Content-Length: 5"),
    )
    out = replace(MIXED, body, b"v=0\r\nlonger than before, by far, to be sure\r\n" * 4)
    assert b"Content-Length: 180\r\n" in out
    assert b"Content-Length: 5\r\n" in out


def test_one_within_another() -> None:
    inner = b"--y\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--y--"
    body = joined(
        part(inner, b"Content-Type: multipart/alternative;boundary=y", b"Content-Length: 1")
    )
    span = find(MIXED, body)
    assert span is not None
    assert body[slice(*span)] == SDP
    out = replace(MIXED, body, b"v=0")
    grown = len(inner) - len(SDP) + 3
    assert b"Content-Length: %d\r\n" % grown in out
    assert b"\r\n\r\nv=0\r\n--y--" in out


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (b"text/plain", SDP),
        (b"multipart/mixed", joined(part(SDP, b"Content-Type: application/sdp"))),
        (MIXED, SDP),
        (MIXED, joined(part(SDP))),
        (MIXED, joined(part(SDP, b"Content-Type: text/plain"))),
        (MIXED, b"--x\r\nContent-Type: application/sdp\r\n\r\nnever ended"),
        (b"", b""),
    ],
)
def test_none_there(kind: bytes, body: bytes) -> None:
    assert find(kind, body) is None
    assert replace(kind, body, b"v=1") == body


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_any_octets(kind: bytes, body: bytes) -> None:
    for told in (kind, b"multipart/mixed;boundary=" + kind[:5]):
        span = find(told, body)
        assert span is None or 0 <= span[0] <= span[1] <= len(body)
