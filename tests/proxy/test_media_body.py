"""Bodies of messages that leave: found and replaced, whatever their headers spell."""

import pytest

from centrex.proxy.media_body import split_body, with_body

HEAD = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Type: application/sdp\r\nContent-Length: 3\r\n",
        b"c: application/sdp\r\nl: 3\r\n",
        b"CONTENT-TYPE :application/sdp\r\ncontent-length:3\r\n",
        b"Content-Type:\r\n application/sdp\r\nContent-Length:\r\n 3\r\n",
        b"Content-Encoding: identity\r\nl:3\r\nc:application/sdp\r\n",
    ],
)
def test_spellings(lines: bytes) -> None:
    data = HEAD + lines + b"\r\nv=0"
    assert split_body(data) == (b"application/sdp", b"v=0")
    changed = with_body(data, b"v=0\r\nlonger")
    head, _, body = changed.partition(b"\r\n\r\n")
    assert body == b"v=0\r\nlonger"
    assert b"11" in head
    assert b"3" not in head.removeprefix(HEAD)
    assert with_body(changed, b"v=0") == data


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"Content-Length: 0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\n\r\nv=0",
        HEAD + b"X-Content-Type: application/sdp\r\n\r\nv=0",
        HEAD + b"c: application/sdp\r\ne: gzip\r\n\r\nv=0",
        HEAD + b"c: application/sdp\r\nContent-Encoding: gzip\r\n\r\nv=0",
        b"",
        b"\r\n\r\n",
    ],
)
def test_no_body_to_read(data: bytes) -> None:
    assert split_body(data) is None


def test_a_length_that_was_missing_is_added() -> None:
    changed = with_body(HEAD + b"c: application/sdp\r\n\r\nv=0", b"v=1..")
    assert changed == HEAD + b"c: application/sdp\r\nContent-Length: 5\r\n\r\nv=1.."


def test_only_the_message_s_own_length_changes() -> None:
    data = HEAD + b"X-L: l: 9\r\nl: 3\r\n\r\nl: 4"
    assert with_body(data, b"l: 5 ") == HEAD + b"X-L: l: 9\r\nl: 5\r\n\r\nl: 5 "
