"""What a session description says of its media lines (RFC 8866)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sdp import Place, parse, rewrite
from tests.support.descriptions import (
    BARESIP,
    BROWSER,
    CISCO,
    GRANDSTREAM,
    HEAD,
    LINPHONE,
    WEBRTC,
    YEALINK,
)


def test_a_usual_one() -> None:
    (media,) = parse(YEALINK.encode()).media
    assert (media.kind, media.port, media.host) == (b"audio", 11780, "192.0.2.7")
    assert (media.payload, media.clock_rate) == (9, 8000)
    assert media.formats == (b"9", b"8", b"0", b"101")
    assert (media.sends, media.receives, media.why_not) == (True, True, "")
    assert (media.rtcp_port, media.rtcp_host, media.rtcp_mux) == (None, None, False)


def test_a_browser_s() -> None:
    (media,) = parse(BROWSER.encode()).media
    assert (media.host, media.port, media.rtcp_port) == ("203.0.113.9", 51472, 51473)
    assert (media.rtcp_host, media.rtcp_mux, media.clock_rate) == ("203.0.113.9", True, 48000)
    assert len(media.ice) == 3
    assert not media.why_not


@pytest.mark.parametrize(
    ("session", "line", "expected"),
    [
        ("", "", (True, True)),
        ("a=sendonly\r\n", "", (True, False)),
        ("a=inactive\r\n", "a=sendrecv\r\n", (True, True)),
        ("", "a=recvonly\r\n", (False, True)),
        ("", "a=inactive\r\n", (False, False)),
        ("", "c=IN IP4 0.0.0.0\r\n", (True, False)),
        ("", "c=IN IP4 0.0.0.0\r\na=sendonly\r\n", (True, False)),
    ],
)
def test_hold(session: str, line: str, expected: tuple[bool, bool]) -> None:
    """RFC 3264 §8.4, and the older way of RFC 2543."""
    text = f"{HEAD}c=IN IP4 192.0.2.7\r\n{session}m=audio 4000 RTP/AVP 0\r\n{line}"
    (media,) = parse(text.encode()).media
    assert (media.sends, media.receives) == expected


@pytest.mark.parametrize(
    ("line", "relayable"),
    [
        ("m=audio 4000 RTP/AVP 0", True),
        ("m=image 4000 udptl t38", True),
        ("m=video 4000/2 RTP/SAVPF 99", True),
        ("m=audio 4000 rtp/avp 0", True),
        ("m=image 4000 UDP/TLS/UDPTL t38", True),
        ("m=application 4000 UDP/DTLS/SCTP webrtc-datachannel", True),
        ("m=audio 4000 TCP/RTP/AVP 0", False),
        ("m=audio 4000 RTP/UNHEARD 0", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1/24", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2", False),
        ("m=message 4000 TCP/MSRP *", False),
        ("m=application 4000 TCP/BFCP *", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 233.252.0.1/127", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 ff15::1/3", False),
    ],
)
def test_what_a_relay_can_carry(line: str, relayable: bool) -> None:
    (media,) = parse(f"{HEAD}c=IN IP4 192.0.2.7\r\n{line}\r\n".encode()).media
    assert (not media.why_not) is relayable


def test_each_line_has_its_own_or_the_session_s_address() -> None:
    text = f"{HEAD}c=IN IP4 192.0.2.7\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 99\r\nc=IN IP6 2001:DB8:0::1\r\n"
    audio, video = parse(text.encode()).media
    assert (audio.host, video.host) == ("192.0.2.7", "2001:db8::1")
    assert video.clock_rate == 90000


def test_no_address_is_nothing_to_relay() -> None:
    (media,) = parse(f"{HEAD}m=audio 4000 RTP/AVP 0\r\n".encode()).media
    assert media.why_not


def test_names_and_bare_line_feeds() -> None:
    (media,) = parse(b"v=0\nc=IN IP4 Phone.Example.COM\nm=audio 4000 RTP/AVP 0\n").media
    assert media.host == "phone.example.com"
    assert not media.why_not


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        HEAD + "m=audio 10000000000 RTP/AVP 0",
        HEAD + "m=audio x RTP/AVP 0",
        HEAD + "m=audio",
        HEAD + "c=IN IP4 1.2.3.4.5",
        HEAD + "c=IN IP4 2001:db8::1",
        HEAD + "c=IN IP6 192.0.2.1",
        HEAD + "c=ATM NSAP 47",
        HEAD + "c=IN IP4 \u00e9",
        HEAD + "c=IN IP4 999.1.1.1",
        HEAD + "c=IN IP4 -.example",
        HEAD + "c=IN IP6 fe80::1%eth0",
        HEAD + "c=IN IP4 192.0.2.1\r\n" * 2,
        HEAD + "s=one\rc=IN IP4 192.0.2.1\r\n",
        HEAD + "a=x\r",
        HEAD + "m=audio 1 \u00e9 0",
        HEAD + "m=audio 1 RTP/AVP 0\r\na=rtcp:70000 IN IP4 192.0.2.1",
        HEAD + "m=audio 1 RTP/AVP 0\r\n" * 33,
        HEAD + "a=x\r\n" * 1000,
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        parse(text.encode())


@pytest.mark.parametrize("body", [YEALINK.encode(), GRANDSTREAM, CISCO, LINPHONE, BARESIP, WEBRTC])
def test_line_ends_make_no_difference(body: bytes) -> None:
    def told(text: bytes) -> list[tuple[object, ...]]:
        return [
            (one.kind, one.port, one.proto, one.formats, one.host, one.rtcp_port, one.rtcp_host,
             one.rtcp_mux, one.sends, one.receives, one.payload, one.clock_rate, one.why_not)
            for one in parse(text).media
        ]  # fmt: skip

    bare = body.replace(b"\r\n", b"\n")
    mixed = b"\n".join(
        line + (b"\r" if index % 2 else b"") for index, line in enumerate(bare.split(b"\n"))
    ).removesuffix(b"\r")
    assert told(body) == told(bare) == told(mixed)


def test_a_line_that_is_declined_receives_nothing() -> None:
    text = f"{HEAD}c=IN IP4 192.0.2.7\r\nm=audio 0 RTP/AVP 0\r\na=sendrecv\r\n"
    (media,) = parse(text.encode()).media
    assert (media.port, media.receives) == (0, False)


@pytest.mark.parametrize(
    ("line", "payload", "clock"),
    [
        ("m=audio 4000 RTP/AVP 9", 9, 8000),
        ("m=audio 4000 RTP/AVP 11 0", 11, 44100),
        ("m=video 4000 RTP/AVP 34", 34, 90000),
        (
            "m=audio 4000 RTP/AVP 96 0\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:96 opus/48000/2",
            96,
            48000,
        ),
        ("m=audio 4000 RTP/AVP 96 97\r\na=rtpmap:97 a/1\r\na=rtpmap:96  b/16000 ", 96, 16000),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 b/0", 96, 8000),
        ("m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 b/99999999", 96, 8000),
        ("m=audio 4000 RTP/AVP 128", 0, 8000),
        ("m=application 4000 udp 5", 0, 8000),
        ("m=image 4000 udptl t38", 0, 8000),
        ("m=audio 4000 RTP/AVP", 0, 8000),
    ],
)
def test_its_first_format_and_the_clock_of_that(line: str, payload: int, clock: int) -> None:
    (media,) = parse(f"{HEAD}c=IN IP4 192.0.2.7\r\n{line}\r\n".encode()).media
    assert (media.payload, media.clock_rate) == (payload, clock)


def test_the_session_s_word_holds_for_each_line() -> None:
    text = f"{HEAD}a=rtcp-mux\r\na=recvonly\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 99\r\n"
    media = parse(text.encode()).media
    assert [(one.rtcp_mux, one.sends, one.receives) for one in media] == [(True, False, True)] * 2


def test_as_much_as_anybody_needs() -> None:
    text = HEAD + "c=IN IP4 192.0.2.7\r\n" + "m=audio 1 RTP/AVP 0\r\n" * 32
    text += "a=x\r\n" * (1000 - text.count("\n"))
    assert len(parse(text.encode()).media) == 32


LINES = st.sampled_from(
    [b"m=audio 1 RTP/AVP 0", b"c=IN IP4 192.0.2.1", b"a=rtcp:9", b"a=rtpmap:0 x/8000", b"a=", b"c=",
     b"m=", b"m=a 0 b", b"a=rtcp:9 IN IP6 ::", b"i=x", b"", b"a=candidate:1", b"a=inactive"]
)  # fmt: skip


@given(st.lists(LINES | st.binary(max_size=12)), st.sampled_from([b"\r\n", b"\n"]))
def test_any_lines(lines: list[bytes], end: bytes) -> None:
    body = end.join([b"v=0", *lines])
    try:
        description = parse(body)
    except PeerError:
        return
    assert rewrite(description, [None] * len(description.media)) == body
    places = [Place("198.51.100.1", 30000, 30009)] * len(description.media)
    out = rewrite(description, places)
    assert rewrite(parse(out), places) == out


@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    for text in (data, b"v=0\r\n" + data):
        try:
            parse(text)
        except PeerError:
            continue


@pytest.mark.parametrize("host", ["in ip4 192.0.2.9", "IN IP4 phone.example.com."])
def test_spellings_that_are_seen(host: str) -> None:
    (media,) = parse(f"{HEAD}c={host}\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp:0\r\n".encode()).media
    assert media.host in ("192.0.2.9", "phone.example.com")
    assert media.rtcp_port is None
