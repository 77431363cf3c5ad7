import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.via import Via, parse_full, parse_via
from tests.support.sipgrammar import via_values


def parts(via: Via) -> tuple[object, ...]:
    return (*(getattr(via, name) for name in Via.__slots__ if name != "_tail"), via.params)


def test_the_common_form() -> None:
    via = parse_via(b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport")
    assert (via.transport, via.host, via.port) == (b"UDP", b"192.0.2.1", 5060)
    assert via.sent_by == b"192.0.2.1:5060"
    assert (via.branch, via.rport) == (b"z9hG4bK776asdhds", b"")
    assert (via.received, via.maddr, via.ttl) == (b"", b"", None)
    assert via.params == ((b"branch", b"z9hG4bK776asdhds"), (b"rport", None))


def test_everything_at_once() -> None:
    via = parse_via(
        b"sip / 2.0 /tls  Host.Example.COM : 05061 ;RPort = 1024; received=[2001:DB8::9]"
        b';MAddr=m.org ;ttl=16;branch = z9hG4bK1;x="a;b,c\\"";y'
    )
    assert (via.transport, via.sent_by) == (b"TLS", b"host.example.com:5061")
    assert (via.host, via.port, via.rport) == (b"host.example.com", 5061, b"1024")
    assert (via.received, via.maddr, via.ttl) == (b"2001:db8::9", b"m.org", 16)
    assert via.branch == b"z9hG4bK1"
    assert via.params[-2:] == ((b"x", b'"a;b,c\\""'), (b"y", None))


@pytest.mark.parametrize(
    ("value", "sent_by", "host", "port"),
    [
        (b"SIP/2.0/UDP a.example.com", b"a.example.com", b"a.example.com", 0),
        (b"SIP/2.0/UDP [2001:DB8::9:1]", b"[2001:db8::9:1]", b"2001:db8::9:1", 0),
        (b"SIP/2.0/UDP [2001:db8:0::9:1]:6050", b"[2001:db8::9:1]:6050", b"2001:db8::9:1", 6050),
    ],
)
def test_sent_by(value: bytes, sent_by: bytes, host: bytes, port: int) -> None:
    for via in (parse_via(value), parse_via(value + b";branch=z9hG4bKx;rport")):
        assert (via.sent_by, via.host, via.port) == (sent_by, host, port)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"SIP/2.0/UDP",
        b"SIP/2.0 UDP h",
        b"SIP/2.0/UDP ;branch=x",
        b"SIP/2.0/UDP 192.0.2.15;;",
        b"SIP/2.0/UDP h;branch=",
        b"SIP/2.0/UDP h;branch",
        b'SIP/2.0/UDP h;branch="x"',
        b"SIP/2.0/UDP h;branch=a;branch=b",
        b"SIP/2.0/UDP h;rport;branch=a;rport",
        b"SIP/2.0/UDP h;rport=x",
        b"SIP/2.0/UDP h;rport=65536",
        b"SIP/2.0/UDP h;received=elsewhere.org",
        b"SIP/2.0/UDP h;received=999.0.0.1",
        b"SIP/2.0/UDP h;received=1::2::3",
        b"SIP/2.0/UDP h;ttl=256",
        b"SIP/2.0/UDP h;maddr",
        b'SIP/2.0/UDP h;x="open',
        b"SIP/2.0/UDP h:0",
        b"SIP/2.0/UDP h:70000;branch=a",
        b"SIP/2.0/UDP 2001:db8::1",
        b"SIP/2.0/UDP a..b;branch=x",
        b"SIP/2.0/UDP h, SIP/2.0/UDP i",
        b"SIP/2.0/UDP h;branch=x\n",
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_via(value)


def test_the_memo_is_bounded_and_gives_the_same_value() -> None:
    value = b"SIP/2.0/UDP h;branch=z9hG4bKmemo"
    first = parse_via(value)
    assert parse_via(value) is first
    for number in range(1500):
        parse_via(b"SIP/2.0/UDP h;branch=z9hG4bK%d" % number)
    assert parts(parse_via(value)) == parts(first)
    assert parse_via(value + b"x" * 300).branch.endswith(b"x" * 300)


@given(via_values())
def test_the_fast_way_gives_the_same(value: bytes) -> None:
    try:
        expected = parts(parse_full(value))
    except PeerError:
        with pytest.raises(PeerError):
            parse_via(value)
    else:
        assert parts(parse_via(value)) == expected


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: b"SIP/2.0/UDP h" + tail))
def test_anything_is_a_via_or_a_peer_error(value: bytes) -> None:
    try:
        via = parse_via(value)
    except PeerError:
        return
    assert parts(via) == parts(parse_full(value))
