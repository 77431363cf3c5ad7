"""Descriptions with a relay's addresses: what changes, and that nothing else does."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sdp import DECLINED, Media, Place, parse, rewrite, with_later_version
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


@pytest.mark.parametrize("place", [HERE, DECLINED, None])
@pytest.mark.parametrize("text", [YEALINK, BROWSER])
def test_a_later_version_changes_nothing_else(text: str, place: Place | None) -> None:
    before = rewritten(text, place)
    user, number, version, rest = before.partition("o=")[2].split(" ", 3)
    after = rewrite(parse(text.encode()), [place], 3).decode()
    raised = f"o={user} {number} {int(version) + 3} {rest}"
    assert after == before.partition("o=")[0] + raised


@pytest.mark.parametrize(
    ("told", "later"),
    [
        (b"v=0\r\no=- 1 7 IN IP4 a\r\ns=o=- 1 1\r\n", b"v=0\r\no=- 1 9 IN IP4 a\r\ns=o=- 1 1\r\n"),
        (b"v=0\no=- 1 7", b"v=0\no=- 1 9"),
        (b"v=0\r\n", b"v=0\r\n"),
        (b"", b""),
    ],
)
def test_a_later_version_alone(told: bytes, later: bytes) -> None:
    assert with_later_version(told, 2) == later


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 21])
def test_what_is_no_version_stays(version: str) -> None:
    text = YEALINK.replace("o=", f"o=- 1 {version} ", 1)
    assert rewrite(parse(text.encode()), [None], 1).decode() == text


@pytest.mark.parametrize("usual", [True, False])
def test_a_declined_line_loses_its_port_and_nothing_else(usual: bool) -> None:
    text = (
        HEAD
        + "c=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
        + ("" if usual else "m=video 4002 RTP/AVP 99\r\n")
    )
    if usual:
        assert rewritten(text, DECLINED) == text.replace("4000", "0")
        return
    out = rewritten(text, Place("203.0.113.5", 30000, 30001), DECLINED)
    audio, film = parse(out.encode()).media
    assert (audio.host, audio.port, film.port) == ("203.0.113.5", 30000, 0)
    assert out.count("c=") == 1, "the address is that of the lines that are left"


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
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\nm=video 30004 RTP/AVP 99\r\n",
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
            + "m=video 30002 RTP/AVP 99\r\nc=IN IP6 2001:db8::5\r\n",
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
        (  # none that is relayed relies on it
            SESSION + AUDIO + "c=IN IP4 192.0.2.9\r\n" + VIDEO + "c=IN IP4 192.0.2.9\r\n",
            (HERE, None),
            SESSION
            + "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1\r\n"
            + VIDEO
            + "c=IN IP4 192.0.2.9\r\n",
        ),
        (  # a declined line relies on no address, and stays
            SESSION + AUDIO + "m=video 0 RTP/AVP 99\r\na=candidate:1\r\n",
            (HERE, HERE),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\n"
            "m=video 0 RTP/AVP 99\r\na=candidate:1\r\n",
        ),
        (SESSION + "m=audio 0 RTP/AVP 0\r\n", (HERE,), SESSION + "m=audio 0 RTP/AVP 0\r\n"),
        (  # one on hold as RFC 2543 had it, the other not
            SESSION + AUDIO + "c=IN IP4 0.0.0.0\r\n" + VIDEO,
            (HERE, HERE),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n"
            "m=video 30000 RTP/AVP 99\r\n",
        ),
        (  # no address at all, and both lines to be added; a title comes first
            AUDIO + "i=x\r\nb=AS:64\r\n" + VIDEO,
            (Place("198.51.100.1", 30000, 30009), Place("198.51.100.1", 30002, 30008)),
            "m=audio 30000 RTP/AVP 0\r\ni=x\r\nc=IN IP4 198.51.100.1\r\nb=AS:64\r\na=rtcp:30009\r\n"
            "m=video 30002 RTP/AVP 99\r\nc=IN IP4 198.51.100.1\r\na=rtcp:30008\r\n",
        ),
        (  # what is said twice is said once
            SESSION + AUDIO + "a=rtcp:1 IN IP4 192.0.2.8\r\na=rtcp:2\r\n",
            (HERE,),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp:30001 IN IP4 198.51.100.1\r\n",
        ),
        (  # no RTP, no RTCP
            SESSION + "m=image 4000 udptl t38\r\n",
            (Place("198.51.100.1", 30000, 30009),),
            "c=IN IP4 198.51.100.1\r\nm=image 30000 udptl t38\r\n",
        ),
        (  # together on one port, which the other side knows (RFC 5761)
            SESSION + AUDIO + "a=rtcp-mux\r\n",
            (Place("198.51.100.1", 30000, 30000),),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp-mux\r\n",
        ),
        (
            SESSION + AUDIO,
            (Place("198.51.100.1", 30000, 30000),),
            "c=IN IP4 198.51.100.1\r\nm=audio 30000 RTP/AVP 0\r\na=rtcp:30000\r\n",
        ),
    ],
)
def test_addresses(text: str, places: tuple[Place | None, ...], expected: str) -> None:
    assert rewritten(HEAD + text, *places) == HEAD + expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AUDIO + "a=ptime:20", "M+C\r\na=ptime:20\r\na=rtcp:30009"),
        ("m=audio 4000 RTP/AVP 0", "M+C\r\na=rtcp:30009"),
        (AUDIO + "a=ptime:20\r\n\r\n", "M+C\r\na=ptime:20\r\na=rtcp:30009\r\n\r\n"),
        (AUDIO + "a=ice-pwd:x", "M+C\r\na=rtcp:30009"),
        (AUDIO + "a=rtcp:1\r\na=ice-pwd:x", "M+C\r\na=rtcp:30009\r\n"),
        (AUDIO + "a=rtcp:1\r\na=rtcp:2", "M+C\r\na=rtcp:30009\r\n"),
        (AUDIO + "a=rtcp:1", "M+C\r\na=rtcp:30009"),
    ],
)
def test_a_last_line_without_an_end(text: str, expected: str) -> None:
    """As in a part of a multipart body, whose last line end belongs to the boundary (RFC 2046)."""
    out = rewritten(HEAD + text, Place("198.51.100.1", 30000, 30009))
    added = "m=audio 30000 RTP/AVP 0\r\nc=IN IP4 198.51.100.1"
    assert out == HEAD + expected.replace("M+C", added)


def test_each_line_keeps_its_end() -> None:
    body = b"v=0\r\ns=-\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\r\na=rtcp:1\na=x\r\n"
    assert rewrite(parse(body), (HERE,)) == (
        b"v=0\r\ns=-\nc=IN IP4 198.51.100.1\nm=audio 30000 RTP/AVP 0\r\na=rtcp:30001\na=x\r\n"
    )


ICE = "a=ice-lite\r\na=ice-options:x\r\na=ice-ufrag:a\r\na=ice-pwd:b\r\n"


@pytest.mark.parametrize(
    ("lines", "places", "gone"),
    [
        (AUDIO, (HERE,), True),
        (AUDIO + VIDEO, (HERE, SIX), True),
        (AUDIO + VIDEO, (HERE, None), False),
        (AUDIO + "m=video 0 RTP/AVP 99\r\n", (HERE, None), True),
        ("m=video 0 RTP/AVP 99\r\n", (HERE,), False),
        ("", (), False),
    ],
)
def test_ice_of_the_session_goes_with_the_last_line_that_needs_it(
    lines: str, places: tuple[Place | None, ...], gone: bool
) -> None:
    out = rewritten(HEAD + SESSION + ICE + lines, *places)
    assert (ICE not in out) is gone
    assert ("a=ice" not in out) is gone


def test_keys_stay() -> None:
    kept = "a=crypto:1 x inline:y\r\na=fingerprint:sha-256 AA\r\na=setup:actpass\r\na=tls-id:z\r\n"
    assert kept in rewritten(HEAD + SESSION + kept + AUDIO + "a=remote-candidates:1 x 1\r\n", HERE)
    assert rewritten(HEAD + SESSION + AUDIO + "a=ice-mismatch\r\n" + kept, HERE).endswith(
        "RTP/AVP 0\r\n" + kept
    )


def test_a_place_for_each_line() -> None:
    with pytest.raises(ValueError, match="argument"):
        rewrite(parse(YEALINK.encode()), ())


def test_octets_that_are_no_text_survive() -> None:
    body = b"v=0\ns=\xff\xfe\nc=IN IP4 192.0.2.7\nm=audio 4000 RTP/AVP 0\na=\x80:\x00"
    assert rewrite(parse(body), (HERE,)) == body.replace(b"192.0.2.7", b"198.51.100.1").replace(
        b"4000", b"30000"
    )


EXTRA = st.sampled_from(
    ["a=ptime:20", "i=\u00fc", "b=AS:64", "a=fmtp:0 x", "k=clear:x", "a=crypto:1", "a=rtcp-mux", ""]
)
OWN = ["", "c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::9", "c=IN IP4 0.0.0.0", "c=IN IP4 a.example"]
RTCP = ["", "a=rtcp:7", "a=rtcp:7 IN IP4 192.0.2.8"]
HOSTS = ["198.51.100.1", "198.51.100.2", "2001:db8:5::1"]
PLACES = st.none() | st.builds(
    lambda host, port, away: Place(host, 2 * port, 2 * port + away),
    st.sampled_from(HOSTS),
    st.integers(512, 32000),
    st.sampled_from([0, 1, 1, 5]),
)


class Line(NamedTuple):
    """A media line to be drawn at random."""

    kind: str
    port: int
    own: str
    rtcp: str
    extra: list[str]
    place: Place | None

    def text(self) -> list[str]:
        """Return its lines."""
        more = [line for line in (self.own, *self.extra, self.rtcp) if line]
        return [f"m={self.kind} {self.port} RTP/AVP 0", *more]


MEDIA = st.builds(
    Line,
    st.sampled_from(["audio", "video", "image"]),
    st.integers(0, 3) | st.integers(1, 65534),
    st.sampled_from(OWN),
    st.sampled_from(RTCP),
    st.lists(EXTRA, max_size=3),
    PLACES,
)
CHANGED = ("m=", "c=", "a=rtcp:")


@given(
    st.lists(MEDIA, min_size=1, max_size=4),
    st.sampled_from(OWN),
    st.lists(EXTRA, max_size=2),
    st.sampled_from(["\r\n", "\n"]),
    st.booleans(),
)
def test_whatever_is_relayed_says_so_and_the_rest_stays(
    media: list[Line], own: str, session: list[str], newline: str, ended: bool
) -> None:
    text = ["v=0", "o=- 1 1 IN IP4 192.0.2.7", "s=-", *([own] if own else []), *session]
    text += [line for one in media for line in one.text()]
    body = newline.join([*text, *([""] if ended else [])])
    before = parse(body.encode())
    places = [one.place for one in media]
    out = rewrite(before, places)
    after = parse(out)
    for old, new, place in zip(before.media, after.media, places, strict=True):
        if place is None or not old.port:
            assert (new.port, new.rtcp_port) == (old.port, old.rtcp_port)
            assert new.host == old.host or not old.port
        else:
            _check(old, new, place)
    kept = [line for line in body.split(newline) if not line.startswith(CHANGED)]
    assert [line for line in out.decode().split(newline) if not line.startswith(CHANGED)] == kept
    assert rewrite(after, places) == out


def _check(old: Media, new: Media, place: Place) -> None:
    nowhere = "::" if ":" in place.host else "0.0.0.0"
    assert (new.host, new.port) == (nowhere if old.is_held else place.host, place.rtp_port)
    assert (new.sends, new.receives, new.formats) == (old.sends, old.receives, old.formats)
    assert (new.rtcp_host is None) == (old.rtcp_host is None)
    assert new.rtcp_host in (None, place.host)
    if new.rtcp_port is not None:
        assert new.rtcp_port == place.rtcp_port
    else:
        guess = place.rtp_port if new.rtcp_mux else place.rtp_port + 1
        assert place.rtcp_port in (guess, place.rtp_port + 1)
