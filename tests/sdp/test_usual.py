"""The short way through a usual description gives what the long way gives, and nothing else takes it."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sdp import Description, Media, Place, parse, rewrite, usual
from centrex.sdp.description import parse_lines
from tests.support.descriptions import BROWSER, GRANDSTREAM, YEALINK

LINES = [
    "v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", "i=a title", "b=AS:84", "t=0 0", "k=clear:x", "",
    "c=IN IP4 192.0.2.7", "c=IN IP4 0.0.0.0", "c=IN IP4 224.0.0.7", "c=IN IP4 999.1.1.1",
    "c=in IP4 192.0.2.7", "c=IN IP6 2001:db8::1", "c=IN IP4 192.0.2.7/127", "c=x", "cx",
    "m=audio 4000 RTP/AVP 0 8 101", "m=audio 4000 RTP/AVP 96", "m=audio 0 RTP/AVP 0",
    "m=audio 70000 RTP/AVP 0", "m=audio 4000/2 RTP/AVP 0", "m=audio 4000 RTP/SAVP 9",
    "m=audio 4000 rtp/avp 0", "m=video 5000 RTP/AVP 34", "m=audio 04000 RTP/AVP 300", "m=audio",
    "a=rtpmap:0 PCMU/8000", "a=rtpmap:96 opus/48000/2", "a=rtpmap:96 what", "a=rtpmap:96 x/0",
    "a=rtpmap:9 G722/8000", "a=fmtp:96 x=1", "a=ptime:20", "a=sendrecv", "a=sendonly",
    "a=inactive ", "a=recvonly:x", "a=rtcp:4001", "a=rtcp-mux", "a=rtcp-fb:96 nack",
    "a=rtcp-mux-only", "a=candidate:1 1 UDP 1 192.0.2.7 4000 typ host", "a=ice-ufrag:x",
    "a=sendonly\t", "a=rtcp :4001", "a=icecream", "m", "a", "am=audio 1 RTP/AVP 0",
]  # fmt: skip
PLACES = [
    Place("198.51.100.1", 30000, 30001),
    Place("198.51.100.1", 30000, 30000),
    Place("198.51.100.1", 30000, 30007),
    Place("2001:db8::5", 30002, 30003),
    None,
]
_BESIDE = {"first", "end", "connection", "rtcp_lines", "ice"}


def said(media: Media) -> dict[str, object]:
    """What is told of a media line, but for where it stands."""
    return {name: getattr(media, name) for name in Media.__slots__ if name not in _BESIDE}


def compared(text: bytes) -> Description | None:
    """Read it in both ways, and see that they agree; None where both refuse it."""
    try:
        long = parse_lines(text)
    except PeerError:
        with pytest.raises(PeerError):
            parse(text)
        return None
    short = parse(text)
    assert [said(one) for one in short.media] == [said(one) for one in long.media]
    assert (short.lines, short.cr, short.host, short.ice) == (
        long.lines, long.cr, long.host, long.ice
    )  # fmt: skip
    for place in PLACES:
        places = [place] * len(long.media)
        assert rewrite(short, places) == rewrite(long, places)
    return short


@given(
    st.sampled_from([["o=- 1 1 IN IP4 192.0.2.7"], ["o=\r"], []]),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.lists(st.sampled_from(LINES), max_size=6),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]),
    st.sampled_from(["", "", "\r\n", "a=ptime:20"]),
)
def test_both_ways_say_the_same(
    origin: list[str],
    before: list[str],
    between: list[str],
    behind: list[str],
    ends: str,
    rest: str,
) -> None:
    lines = [
        "v=0",
        *origin,
        *before,
        "c=IN IP4 192.0.2.7",
        *between,
        "m=audio 4000 RTP/AVP 96 0",
        *behind,
    ]
    compared("".join(line + ends for line in lines).encode() + rest.encode())


@given(st.integers(0, len(YEALINK) - 1), st.binary(max_size=3), st.integers(0, 3))
@example(0, b"", 0)
def test_both_ways_say_the_same_of_what_is_spoiled(at: int, put: bytes, less: int) -> None:
    text = YEALINK.encode()
    compared(text[:at] + put + text[at + less :])


def test_what_is_usual() -> None:
    assert usual.read(YEALINK.encode()) is not None
    assert usual.read(BROWSER.encode()) is None
    assert usual.read(GRANDSTREAM) is None, "it says where RTCP goes"


def test_a_long_one_takes_the_long_way_and_none_takes_long() -> None:
    many = YEALINK + "a=x\r\n" * 2000
    assert usual.read(many.encode()) is None
    assert compared(many[: 5 * 150].rpartition("\r\n")[0].encode() + b"\r\n") is not None
