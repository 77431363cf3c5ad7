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
        b'multipart/mixed;start="<a;boundary=z>";boundary=x',
        b'multipart/mixed;\r\n boundary="\\x"',
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


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_one_within_another_within_another_is_too_deep(end: bytes) -> None:
    body, kind = SDP, b"application/sdp"
    for depth, boundary in enumerate((b"z", b"y", b"x")):
        head = end.join((b"--" + boundary, b"Content-Type: " + kind, b"", b""))
        body = head + body + end + b"--" + boundary + b"--" + end
        kind = b"multipart/mixed;boundary=" + boundary
        found = find(kind, body)
        assert (found is not None) is (depth < 2)
        assert found is None or body[slice(*found)] == SDP


def test_the_one_that_is_for_the_session() -> None:
    early, other = SDP.replace(b"4000", b"1"), SDP.replace(b"4000", b"2")
    body = joined(
        part(early, b"Content-Type: application/sdp", b"Content-Disposition: early-session"),
        part(b"dj0w", b"Content-Type: application/sdp", b"Content-Transfer-Encoding: base64"),
        part(b"\x1f", b"Content-Encoding: gzip", b"Content-Type: application/sdp"),
        part(
            SDP,
            b"Content-Type: application/sdp",
            b"Content-Transfer-Encoding: Binary",
            b"Content-Disposition: session;handling=required",
        ),
        part(other, b"Content-Type: application/sdp"),
    )
    span = find(MIXED, body)
    assert span is not None
    assert body[slice(*span)] == SDP


@pytest.mark.parametrize("first", [b"", b"preamble\r\n", b"--xy\r\n", b"\r\n"])
def test_what_stands_before_the_first_part(first: bytes) -> None:
    body = first + joined(part(SDP, b"Content-Type: application/sdp;\r\n charset=x"))
    span = find(MIXED, body)
    assert span is not None
    assert body[slice(*span)] == SDP
    assert replace(MIXED, body, b"v=0") == body.replace(SDP, b"v=0")


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
        (b"multipart/signed;boundary=x", joined(part(SDP, b"Content-Type: application/sdp"))),
        (MIXED + b"x" * 1000, joined(part(SDP, b"Content-Type: application/sdp"))),
        (b"multipart/mixed;boundary=" + b"x" * 71, b"--" + b"x" * 71 + b"\r\n"),
        (MIXED, joined(*[part(b"a", b"B: c")] * 32, part(SDP, b"Content-Type: application/sdp"))),
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


@given(st.lists(st.sampled_from([b"a", b"--", b"x", b" ", b"--x", b"--y--"]), max_size=8))
def test_what_was_put_in_is_found_again(around: list[bytes]) -> None:
    kind = b"application/sdp"
    body = joined(
        part(b"".join((b"a", *around)), b"Content-Type: text/plain"),
        part(SDP, b"Content-Length: 30", b"Content-Type: " + kind),
    )
    new = SDP * 3
    out = replace(MIXED, body, new)
    span = find(MIXED, out)
    assert span is not None
    assert out[slice(*span)] == new
    assert b"Content-Length: %d\r\n" % len(new) in out
    assert replace(MIXED, out, new) == out
