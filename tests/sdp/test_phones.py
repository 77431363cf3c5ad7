"""Descriptions in the form of real phones: line by line what a relay changes, and that nothing else does."""

from typing import Final

import pytest

from centrex.sdp import Place, parse, rewrite
from tests.support.descriptions import BARESIP, CISCO, GRANDSTREAM, LINPHONE, WEBRTC, YEALINK

HERE: Final = Place("198.51.100.1", 30000, 30001)
NEXT: Final = Place("198.51.100.1", 30002, 30003)
BOTH: Final = Place("198.51.100.1", 30000, 30000)
SIX: Final = Place("2001:db8:5::1", 30000, 30001)

Change = tuple[int, str, str | None]
"""A line's number from 0, how it begins, and what it becomes: None where it goes."""


def expected(body: bytes, changes: tuple[Change, ...]) -> bytes:
    lines: list[str | None] = [*body.decode().split("\r\n")]
    for number, begins, becomes in changes:
        line = lines[number]
        assert line is not None
        assert line.startswith(begins)
        lines[number] = becomes
    return "\r\n".join(line for line in lines if line is not None).encode()


@pytest.mark.parametrize(
    ("body", "places", "changes"),
    [
        pytest.param(
            YEALINK.encode(),
            (HERE,),
            (
                (3, "c=IN IP4 192.0.2.7", "c=IN IP4 198.51.100.1"),
                (5, "m=audio 11780", "m=audio 30000 RTP/AVP 9 8 0 101"),
            ),
            id="yealink",
        ),
        pytest.param(
            GRANDSTREAM,
            (HERE,),
            (
                (3, "c=", "c=IN IP4 198.51.100.1"),
                (5, "m=audio 5004", "m=audio 30000 RTP/AVP 0 8 4 18 2 97 9 101"),
                (7, "a=rtcp:5005", "a=rtcp:30001 IN IP4 198.51.100.1"),
            ),
            id="grandstream",
        ),
        pytest.param(
            GRANDSTREAM,
            (SIX,),
            (
                (3, "c=", "c=IN IP6 2001:db8:5::1"),
                (5, "m=audio 5004", "m=audio 30000 RTP/AVP 0 8 4 18 2 97 9 101"),
                (7, "a=rtcp:5005", "a=rtcp:30001 IN IP6 2001:db8:5::1"),
            ),
            id="grandstream to IPv6",
        ),
        pytest.param(
            CISCO,
            (HERE, None),
            (
                (5, "m=audio 17408", "m=audio 30000 RTP/AVP 18 0 101"),
                (6, "c=", "c=IN IP4 198.51.100.1"),
            ),
            id="cisco, its fax declined",
        ),
        pytest.param(
            LINPHONE,
            (HERE, NEXT),
            (
                (3, "c=", "c=IN IP4 198.51.100.1"),
                (5, "a=ice-pwd", None),
                (6, "a=ice-ufrag", None),
                (9, "m=audio 7078", "m=audio 30000 RTP/AVPF 96 97 98 0 8 101 99"),
                (16, "a=candidate", None),
                (17, "a=candidate", None),
                (18, "a=candidate", None),
                (21, "m=video 9078", "m=video 30002 RTP/AVPF 96"),
                (23, "a=candidate", None),
            ),
            id="linphone",
        ),
        pytest.param(
            LINPHONE,
            (HERE, None),
            (
                (
                    9,
                    "m=audio 7078",
                    "m=audio 30000 RTP/AVPF 96 97 98 0 8 101 99\r\nc=IN IP4 198.51.100.1",
                ),
                (16, "a=candidate", None),
                (17, "a=candidate", None),
                (18, "a=candidate", None),
            ),
            id="linphone, its audio only",
        ),
        pytest.param(
            BARESIP,
            (HERE,),
            (
                (3, "c=", "c=IN IP4 198.51.100.1"),
                (6, "m=audio 19002", "m=audio 30000 RTP/SAVP 96 0 8 101"),
                (15, "a=rtcp:19003", "a=rtcp:30001"),
            ),
            id="baresip to IPv4",
        ),
        pytest.param(
            WEBRTC,
            (BOTH,),
            (
                (5, "a=ice-lite", None),
                (7, "m=audio 58779", "m=audio 30000 UDP/TLS/RTP/SAVPF 111 63 9 0 8 126"),
                (8, "c=", "c=IN IP4 198.51.100.1"),
                (9, "a=rtcp:9 ", "a=rtcp:30000 IN IP4 198.51.100.1"),
                (10, "a=candidate", None),
                (11, "a=candidate", None),
                (12, "a=ice-ufrag", None),
                (13, "a=ice-pwd", None),
                (14, "a=ice-options", None),
                (15, "a=end-of-candidates", None),
            ),
            id="browser",
        ),
    ],
)
def test_what_changes(
    body: bytes, places: tuple[Place | None, ...], changes: tuple[Change, ...]
) -> None:
    out = rewrite(parse(body), places)
    assert out == expected(body, changes)
    assert rewrite(parse(out), places) == out
    # the same with bare line feeds (RFC 8866 §5)
    bare = body.replace(b"\r\n", b"\n")
    assert rewrite(parse(bare), places) == out.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("body", [YEALINK.encode(), GRANDSTREAM, CISCO, LINPHONE, BARESIP, WEBRTC])
def test_nothing_changes_where_nothing_is_relayed(body: bytes) -> None:
    description = parse(body)
    assert rewrite(description, [None] * len(description.media)) == body


def test_what_is_read() -> None:
    (grandstream,) = parse(GRANDSTREAM).media
    assert (grandstream.rtcp_port, grandstream.rtcp_host) == (5005, "192.168.5.31")
    audio, fax = parse(CISCO).media
    assert (audio.payload, audio.clock_rate, audio.receives) == (18, 8000, True)
    assert (fax.kind, fax.port, fax.formats, fax.receives) == (b"image", 0, (b"t38",), False)
    voice, video = parse(LINPHONE).media
    assert (voice.payload, voice.clock_rate, video.clock_rate) == (96, 48000, 90000)
    (baresip,) = parse(BARESIP).media
    assert (baresip.host, baresip.rtcp_port, baresip.rtcp_host) == ("2001:db8:40::17", 19003, None)
    (browser,) = parse(WEBRTC).media
    assert (browser.rtcp_mux, browser.rtcp_port, browser.rtcp_host) == (True, 9, "0.0.0.0")
    assert (browser.host, browser.payload, browser.clock_rate) == ("203.0.113.141", 111, 48000)
    assert all(not one.why_not for one in (grandstream, audio, voice, video, baresip, browser))
