"""What a session description says of its media lines (RFC 8866)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sdp import parse
from tests.support.descriptions import BROWSER, HEAD, YEALINK


def test_a_usual_one() -> None:
    (media,) = parse(YEALINK.encode()).media
    assert (media.kind, media.port, media.host) == (b"audio", 11780, "192.0.2.7")
    assert (media.payload, media.clock_rate) == (9, 8000)
    assert media.formats == (b"9", b"8", b"0", b"101")
    assert (media.sends, media.receives, media.relayable) == (True, True, True)
    assert (media.rtcp_port, media.rtcp_host, media.rtcp_mux) == (None, None, False)


def test_a_browser_s() -> None:
    (media,) = parse(BROWSER.encode()).media
    assert (media.host, media.port, media.rtcp_port) == ("203.0.113.9", 51472, 51473)
    assert (media.rtcp_host, media.rtcp_mux, media.clock_rate) == ("203.0.113.9", True, 48000)
    assert len(media.ice) == 3
    assert media.relayable


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
        ("m=message 4000 TCP/MSRP *", False),
        ("m=application 4000 TCP/BFCP *", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 233.252.0.1/127", False),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP6 ff15::1/3", False),
    ],
)
def test_what_a_relay_can_carry(line: str, relayable: bool) -> None:
    (media,) = parse(f"{HEAD}c=IN IP4 192.0.2.7\r\n{line}\r\n".encode()).media
    assert media.relayable is relayable


def test_each_line_has_its_own_or_the_session_s_address() -> None:
    text = f"{HEAD}c=IN IP4 192.0.2.7\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 99\r\nc=IN IP6 2001:DB8:0::1\r\n"
    audio, video = parse(text.encode()).media
    assert (audio.host, video.host) == ("192.0.2.7", "2001:db8::1")
    assert video.clock_rate == 90000


def test_no_address_is_nothing_to_relay() -> None:
    (media,) = parse(f"{HEAD}m=audio 4000 RTP/AVP 0\r\n".encode()).media
    assert not media.relayable


def test_names_and_bare_line_feeds() -> None:
    (media,) = parse(b"v=0\nc=IN IP4 Phone.Example.COM\nm=audio 4000 RTP/AVP 0\n").media
    assert media.host == "phone.example.com"
    assert media.relayable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        HEAD + "m=audio 65536 RTP/AVP 0",
        HEAD + "m=audio x RTP/AVP 0",
        HEAD + "m=audio",
        HEAD + "c=IN IP4 1.2.3.4.5",
        HEAD + "c=IN IP4 2001:db8::1",
        HEAD + "c=IN IP6 192.0.2.1",
        HEAD + "c=ATM NSAP 47",
        HEAD + "c=IN IP4 \u00e9",
        HEAD + "m=audio 1 RTP/AVP 0\r\na=rtcp:0",
        HEAD + "m=audio 1 RTP/AVP 0\r\na=rtcp:70000 IN IP4 192.0.2.1",
        HEAD + "m=audio 1 RTP/AVP 0\r\n" * 33,
        HEAD + "a=x\r\n" * 1000,
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        parse(text.encode())


@given(st.binary(max_size=300))
def test_any_octets(data: bytes) -> None:
    for text in (data, b"v=0\r\n" + data):
        try:
            parse(text)
        except PeerError:
            continue
