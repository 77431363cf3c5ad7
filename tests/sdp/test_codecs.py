import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sdp.codecs import codecs, describes_media

HEAD = (
    b"SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("m=audio 4000 RTP/AVP 0 8", ("PCMU",)),
        ("m=audio 4000 RTP/AVP 18 0\na=rtpmap:18 G729/8000", ("G729",)),
        ("m=audio 4000 RTP/AVP 96 0\na=rtpmap:96 opus/48000/2\na=fmtp:96 x=1", ("opus",)),
        ("m=audio 4000 RTP/SAVPF 9", ("G722",)),
        # the digits of a keypad are no codec, though they may stand first
        ("m=audio 4000 RTP/AVP 101 8\na=rtpmap:101 telephone-event/8000", ("PCMA",)),
        ("m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000", ("telephone-event",)),
        # of nobody's making, but told as it is
        ("m=audio 4000 RTP/AVP 97", ("97",)),
        # each line has its own numbers
        ("m=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000\nm=video 4002 RTP/AVP 96\n"
         "a=rtpmap:96 H264/90000", ("opus", "H264")),
        ("m=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 31", ("PCMU",)),
        ("m=image 4000 udptl t38", ("t38",)),
        ("m=audio 0 RTP/AVP 0", ()),
        ("m=audio 4000 RTP/AVP", ()),
        ("m=audio", ()),
        ("", ()),
    ],
)  # fmt: skip
def test_the_first_codec_of_each_line_is_told(lines: str, told: tuple[str, ...]) -> None:
    message = HEAD + lines.replace("\n", "\r\n").encode() + b"\r\n"
    assert codecs(message) == told
    assert codecs(message.replace(b"\r\n", b"\n")) == told


def test_a_message_without_a_description_has_none() -> None:
    assert codecs(b"SIP/2.0 200 OK\r\nSubject: m=audio 4000 RTP/AVP 0\r\n\r\n") == ()
    assert not describes_media(b"INVITE sip:x SIP/2.0\r\n\r\n")
    assert describes_media(HEAD + b"m=audio 4000 RTP/AVP 0\r\n")


def test_there_is_an_end_to_it() -> None:
    many = HEAD + b"m=audio 4000 RTP/AVP 0\r\n" * 1000
    assert len(codecs(many)) == 4


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_as_something_or_nothing(data: bytes) -> None:
    for one in codecs(HEAD + b"m=audio 4000 RTP/AVP " + data):
        assert one.isascii()
        assert one.isprintable()
        assert len(one) <= 64
