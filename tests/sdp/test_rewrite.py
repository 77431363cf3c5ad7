"""Descriptions with a relay's addresses: what changes, and that nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sdp import Place, parse, rewrite
from tests.support.descriptions import BROWSER, HEAD, YEALINK

HERE = Place("198.51.100.1", 30000, 30001)
SIX = Place("2001:db8::5", 30002, 30003)
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"
VIDEO = "m=video 5000/2 RTP/AVP 99\r\n"
SESSION = "c=IN IP4 192.0.2.7\r\n"


def rewritten(text: str, *places: Place | None) -> str:
    return rewrite(parse(text.encode()), places).decode()


def test_a_usual_one_changes_in_two_places() -> None:
    expected = YEALINK.replace("c=IN IP4 192.0.2.7", "c=IN IP4 198.51.100.1").replace(
        "11780", "30000"
    )
    assert rewritten(YEALINK, HERE) == expected


def test_nothing_relayed_nothing_changed() -> None:
    assert rewritten(YEALINK, None) == YEALINK
    assert rewritten(BROWSER, None) == BROWSER


def test_candidates_would_lead_past_the_relay() -> None:
    out = rewritten(BROWSER, Place("198.51.100.1", 30000, 30000))
    assert "candidate" not in out
    assert "ice-" not in out
    assert "c=IN IP4 198.51.100.1\r\n" in out
    assert "a=rtcp:30000 IN IP4 198.51.100.1\r\n" in out
    assert "a=rtcp-mux\r\n" in out
    assert "m=audio 30000 UDP/TLS/RTP/SAVPF 109 0\r\n" in out
    assert out.startswith("v=0\r\no=mozilla 1 0 IN IP4 0.0.0.0\r\n")


@pytest.mark.parametrize(
    ("text", "places", "expected"),
    [
        (  # both rely on the session's address, and both get the same
            SESSION + AUDIO + VIDEO,
            (HERE, Place("198.51.100.1", 30004, 30005)),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\nm=video 30004/2 RTP/AVP 99\r\n",
        ),
        (  # one is not relayed: the session's address stays, the other gets its own
            SESSION + AUDIO + VIDEO,
            (HERE, None),
            SESSION + "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1\r\n" + VIDEO,
        ),
        (  # they go to different addresses
            SESSION + AUDIO + VIDEO,
            (HERE, SIX),
            SESSION
            + "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1\r\n"
            + "m=video 30002/2 RTP/AVP 99\r\nc=IN IP6 2001:db8::5\r\n",
        ),
        (  # its own address is enough
            SESSION + AUDIO + "c=IN IP4 192.0.2.9\r\n",
            (SIX,),
            SESSION + "m=audio 30002 RTP/AVP 0\r\nc=IN IP6 2001:db8::5\r\n",
        ),
        (  # hold as RFC 2543 had it stays hold
            "c=IN IP4 0.0.0.0\r\n" + AUDIO,
            (HERE,),
            "c=IN IP4 0.0.0.0\r\nm=audio 30000 RTP/AVP 0\r\n",
        ),
        ("c=IN IP4 0.0.0.0\r\n" + AUDIO, (SIX,), "c=IN IP6 ::\r\nm=audio 30002 RTP/AVP 0\r\n"),
        (  # RTCP where nobody would look for it
            SESSION + AUDIO + "a=ptime:20\r\n",
            (Place("198.51.100.1", 30000, 30009),),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=ptime:20\r\na=rtcp:30009\r\n",
        ),
        (
            SESSION + AUDIO + "a=rtcp:4444\r\n",
            (HERE,),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp:30001\r\n",
        ),
    ],
)
def test_addresses(text: str, places: tuple[Place | None, ...], expected: str) -> None:
    assert rewritten(HEAD + text, *places) == HEAD + expected


def test_octets_that_are_no_text_survive() -> None:
    body = b"v=0\ns=\xff\xfe\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\na=\x80:\x00"
    assert rewrite(parse(body), (HERE,)) == body.replace(b"192.0.2.7", b"198.51.100.1").replace(
        b"4000", b"30000"
    )


EXTRA = st.sampled_from(
    ["a=ptime:20", "i=\u00fc", "b=AS:64", "a=fmtp:0 x", "k=clear:x", "a=crypto:1"]
)
MEDIA = st.tuples(
    st.sampled_from(["audio", "video", "image"]),
    st.integers(1, 65534),
    st.sampled_from(["", "c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::9"]),
    st.lists(EXTRA, max_size=3),
)
PLACES = st.none() | st.builds(
    lambda host, port: Place(host, 2 * port, 2 * port + 1),
    st.sampled_from(["198.51.100.1", "198.51.100.2", "2001:db8::5"]),
    st.integers(512, 32000),
)


@given(st.lists(st.tuples(MEDIA, PLACES), min_size=1, max_size=4), st.lists(EXTRA, max_size=2))
def test_whatever_is_relayed_says_so_and_the_rest_stays(
    lines: list[tuple[tuple[str, int, str, list[str]], Place | None]], session: list[str]
) -> None:
    text = HEAD + SESSION + "".join(f"{line}\r\n" for line in session)
    for (kind, port, own, extra), _ in lines:
        text += f"m={kind} {port} RTP/AVP 0\r\n"
        text += "".join(f"{line}\r\n" for line in (own, *extra) if line)
    before = parse(text.encode())
    places = [place for _, place in lines]
    out = rewrite(before, places)
    after = parse(out)
    for old, new, place in zip(before.media, after.media, places, strict=True):
        expected = (old.host, old.port) if place is None else (place.host, place.rtp_port)
        assert (new.host, new.port) == expected
    kept = [line for line in text.split("\r\n") if line[:2] not in ("m=", "c=")]
    assert kept == [line for line in out.decode().split("\r\n") if line[:2] not in ("m=", "c=")]
    assert rewrite(after, places) == out
