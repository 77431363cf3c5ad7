"""What rtpengine is told of a description, and what is shown where it is told nothing."""

import pytest

from centrex.media.exchange import Where
from centrex.proxy.carried import Delegated
from centrex.proxy.ends import Described
from centrex.proxy.ng_question import Fields, common, key, stand_in
from centrex.sdp import parse
from tests.support.relays import offer

HERE = Where("192.0.2.7", "192.0.2.1", natted=False)
FILM = "m=video {} RTP/AVP 99"


def found(*lines: str, host: str = "192.0.2.7") -> Described:
    text = offer(host, 4000, *lines).encode()
    return Described(b"application/sdp", text, text, parse(text))


@pytest.mark.parametrize("natted", [True, False])
def test_an_end_is_trusted_unless_it_is_behind_nat(natted: bool) -> None:
    here = HERE._replace(natted=natted)
    told = common(Delegated(b"c", b"a"), b"a", found(), here, HERE)
    assert told["address-family"] == "IP4"
    assert ("received-from" in told) is natted
    assert ("trust-address" in told["flags"]) is not natted  # type: ignore[operator]


@pytest.mark.parametrize(
    ("host", "source", "lines"),
    [
        ("127.0.0.1", "8.8.8.8", []),
        ("10.0.0.5", "8.8.8.8", []),
        ("8.8.8.8", "8.8.8.8", ["a=rtcp:2223 IN IP4 127.0.0.1"]),
        ("8.8.8.8", "8.8.8.8", ["a=rtcp:2223 IN IP4 10.0.0.5"]),
        ("8.8.8.8", "8.8.8.8", ["a=rtcp:4001", "a=rtcp:2223 IN IP4 127.0.0.1"]),
        ("8.8.8.8", "8.8.8.8", ["c=IN IP4 8.8.8.8", "c=IN IP4 127.0.0.1"]),
        ("8.8.8.8", "8.8.8.8", [FILM.format(4002), "c=IN IP4 127.0.0.1"]),
        ("0.0.0.0", "8.8.8.8", ["a=rtcp:2223 IN IP4 127.0.0.1"]),
    ],
)
def test_nobody_has_rtpengine_send_to_its_own_host(
    host: str, source: str, lines: list[str]
) -> None:
    """Its control port is there, and obeys whoever sends from there."""
    here = Where(source, "192.0.2.1", natted=False)
    told = common(Delegated(b"c", b"a"), b"a", found(*lines, host=host), here, HERE)
    assert told["flags"] == ["strict-source", "SIP-source-address"]
    assert told["received-from"] == ["IP4", source]


@pytest.mark.parametrize(
    ("host", "source"), [("127.0.0.1", "127.0.0.9"), ("8.8.8.8", ""), ("0.0.0.0", "8.8.8.8")]
)
def test_others_are_believed(host: str, source: str) -> None:
    here = Where(source, "192.0.2.1", natted=False)
    told = common(
        Delegated(b"c", b"a"), b"a", found("a=rtcp:4001", "m=audio 0 TCP 8", host=host), here, HERE
    )
    assert told["flags"] == ["strict-source", "trust-address"]


def test_questions_that_are_the_same() -> None:
    one: Fields = {"command": "offer", "from-tag": b"a", "sdp": b"x", "via-branch": b"1"}
    assert key(one) == key({**one, "via-branch": b"2"})
    assert key(one) != key({**one, "sdp": b"y"})


def test_who_did_not_get_the_call_is_shown_where_the_other_one_is() -> None:
    shown = offer("198.51.100.9", 30000, FILM.format(0), "m=audio 30004 RTP/AVP 8", "a=rtcp-mux")
    theirs = found(FILM.format(4002), "m=audio 4004 RTP/AVP 8", "m=audio 4006 RTP/AVP 8")
    out = parse(stand_in(theirs, shown.encode())).media
    assert [media.port for media in out] == [30000, 0, 30004, 0]
    assert out[0].host == out[2].host == "198.51.100.9"
    assert out[2].rtcp_port == 30004


@pytest.mark.parametrize("shown", [None, b"nonsense"])
def test_or_nowhere(shown: bytes | None) -> None:
    out = parse(stand_in(found(), shown)).media
    assert [media.port for media in out] == [0]
