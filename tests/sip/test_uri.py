import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.uri import (
    OtherUri,
    SipUri,
    TelUri,
    address_of_record,
    parse_full,
    parse_uri,
    readable_address,
    unescape_user,
    uri_equal,
)
from tests.support.sipgrammar import sip_uris


def sip(raw: bytes) -> SipUri:
    uri = parse_uri(raw)
    assert isinstance(uri, SipUri)
    return uri


def parts(uri: object) -> tuple[object, ...]:
    assert isinstance(uri, SipUri)
    return tuple(getattr(uri, name) for name in SipUri.__slots__)


def test_all_parts_of_a_sip_uri() -> None:
    uri = sip(b"SIPS:Alice:secret@[2001:DB8:0::1]:5061;Transport=tcp;lr?subject=hi&to=")
    assert uri.secure
    assert uri.scheme == b"sips"
    assert (uri.user, uri.password) == (b"Alice", b"secret")
    assert (uri.host, uri.port) == (b"2001:db8::1", 5061)
    assert uri.params == ((b"transport", b"tcp"), (b"lr", None))
    assert uri.param(b"transport") == b"tcp"
    assert uri.param(b"lr") == b""
    assert uri.param(b"maddr") is None
    assert uri.headers == b"subject=hi&to="


def test_the_least_sip_uri() -> None:
    uri = sip(b"sip:Example.COM")
    assert parts(uri) == parts(SipUri(False, b"", None, b"example.com", 0, (), b""))
    assert uri.scheme == b"sip"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"sip:",
        b"sip:@host",
        b"sip:a@",
        b"sip:a@b@c",
        b"sip:user@host:",
        b"sip:user@host:0",
        b"sip:user@host:65536",
        b"sip:user@host:123456",
        b"sip:user@host;",
        b"sip:user@host;;lr",
        b"sip:user@host;=x",
        b"sip:user@host?",
        b"sip:user@host?=x",
        b"sip:us er@host",
        b"sip:user@host;a b",
        b"sip:user@host\r\n",
        b"sip:user@host\n",
        b"sip:us%4ger@host",
        b"sip:us%@host",
        b"sip:user@host;x=%zz",
        b"sip:user@-.-..x",
        b"sip:user@ho<st",
        b"<sip:user@host>",
        b"sip:2001:db8::10",
        b"sip:[2001:db8::10",
        b"sip:[2001:db8::g]",
        b"sip:[1::2::3]",
        b"sip:[fe80::1%25eth0]",
        b"sip:[]",
        b"alan@jasomi.com",
        b"1234",
        b"*",
        b"1x:y",
        b"http:",
        b"http://a b",
        b'http://a"b',
        b"tel:",
        b"tel:hello!",
        b"tel:+1;",
    ],
)
def test_malformed(raw: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        parse_uri(raw)
    assert caught.value.status == 400


def test_what_phones_put_into_users_is_taken() -> None:
    assert sip(b"sip:*21#@example.com").user == b"*21#"
    assert sip("sip:Jürgen@example.com".encode()).user == "Jürgen".encode()


def test_tel() -> None:
    uri = parse_uri(b"TEL:+1-(201)-555.0123;phone-context=example.com")
    assert isinstance(uri, TelUri)
    assert (uri.scheme, uri.number) == (b"tel", b"+12015550123")
    assert uri.params == ((b"phone-context", b"example.com"),)


@pytest.mark.parametrize(
    ("raw", "scheme"),
    [
        (b"nobodyKnowsThisScheme:totallyopaquecontent", b"nobodyknowsthisscheme"),
        (b"soap.beep://192.0.2.103:3002", b"soap.beep"),
        (b"urn:service:sos", b"urn"),
        (b"http://www.example.com/a?b=c%20d", b"http"),
    ],
)
def test_other_schemes_are_kept(raw: bytes, scheme: bytes) -> None:
    uri = parse_uri(raw)
    assert isinstance(uri, OtherUri)
    assert (uri.scheme, uri.text) == (scheme, raw)


def test_the_memo_is_bounded_and_gives_the_same_value() -> None:
    first = parse_uri(b"sip:memo@example.com")
    assert parse_uri(b"sip:memo@example.com") is first
    for number in range(5000):
        parse_uri(b"sip:memo%d@example.com" % number)
    again = sip(b"sip:memo@example.com")
    assert parts(again) == parts(first)


def test_address_of_record() -> None:
    for raw, key in (
        (b"sips:%41lice:pw@EXAMPLE.com:5061;user=phone?a=b", b"sip:Alice@example.com"),
        (b"sip:a%40b@example.com", b"sip:a@b@example.com"),
        (b"sip:example.com;lr", b"sip:example.com"),
        (b"sip:bob@[2001:DB8::1]:5060", b"sip:bob@[2001:db8::1]"),
    ):
        assert address_of_record(sip(raw)) == key


@pytest.mark.parametrize(
    ("user", "written"),
    [
        (b"1001", "1001"),
        (b"*21#", "*21#"),
        ("jürgen".encode(), "jürgen"),
        (b"a@b c%41", "a%40b%20c%2541"),
        (b"\x1b[2J\xff", "%1B%5B2J%FF"),
        ("\u202e1".encode(), "%E2%80%AE1"),
    ],
)
def test_an_address_for_people_escapes_what_could_not_be_read_again(
    user: bytes, written: str
) -> None:
    assert readable_address(user, "example.com") == f"sip:{written}@example.com"
    assert readable_address(user, "fd00::1") == f"sip:{written}@[fd00::1]"


@given(st.binary(min_size=0, max_size=20))
def test_it_is_read_again_as_what_it_was(user: bytes) -> None:
    assert unescape_user(sip(readable_address(user, "example.com").encode()).user) == user


def test_unescape_user() -> None:
    assert unescape_user(b"plain") == b"plain"
    assert unescape_user(b"%2541%00") == b"%41\x00"


EQUAL = [
    (b"sip:%61lice@atlanta.com;transport=TCP", b"sip:alice@AtlanTa.CoM;Transport=tcp"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com;newparam=5"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com;security=on"),
    (b"sip:carol@chicago.com;newparam=5", b"sip:carol@chicago.com;security=on"),
    (
        b"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        b"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        b"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        b"sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    (b"sip:a%3bb@x.org", b"sip:a%3Bb@x.org"),
    (b"sip:a:p%41@x.org", b"sip:a:pA@x.org"),
    (b"sip:a@[2001:db8::1]", b"sip:a@[2001:DB8:0:0::1]"),
    (b"tel:+1-201", b"TEL:+1.20.1"),
    (b"tel:11;phone-context=A.org", b"tel:11;phone-context=a.org"),
    (b"HTTP://x.org/y", b"http://x.org/y"),
]
DIFFERENT = [
    (b"SIP:ALICE@AtLanTa.CoM;Transport=udp", b"sip:alice@AtLanTa.CoM;Transport=UDP"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:5060"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com;transport=udp"),
    (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:6000;transport=tcp"),
    (b"sip:carol@chicago.com", b"sip:carol@chicago.com?Subject=next%20meeting"),
    (b"sip:bob@phone21.boxesbybob.com", b"sip:bob@192.0.2.4"),
    (b"sip:carol@chicago.com;security=on", b"sip:carol@chicago.com;security=off"),
    (b"sip:a@x.org", b"sips:a@x.org"),
    (b"sip:a@x.org", b"sip:a:@x.org"),
    (b"sip:a@x.org;user=ip", b"sip:a@x.org"),
    (b"sip:a@x.org;ttl=1", b"sip:a@x.org"),
    (b"sip:a@x.org;maddr=x.org", b"sip:a@x.org"),
    (b"sip:a@x.org;method=INVITE", b"sip:a@x.org"),
    (b"sip:a%3Bb@x.org", b"sip:a;b@x.org"),
    (b"tel:+1201", b"tel:1201"),
    (b"tel:+1201", b"sip:+1201@x.org"),
    (b"http://x.org/Y", b"http://x.org/y"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a: bytes, b: bytes) -> None:
    assert uri_equal(parse_uri(a), parse_uri(b))
    assert uri_equal(parse_uri(b), parse_uri(a))


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: bytes, b: bytes) -> None:
    assert not uri_equal(parse_uri(a), parse_uri(b))
    assert not uri_equal(parse_uri(b), parse_uri(a))


@given(sip_uris(), sip_uris())
def test_equality_is_symmetric_and_reflexive(a: bytes, b: bytes) -> None:
    left, right = parse_full(a), parse_full(b)
    assert uri_equal(left, right) == uri_equal(right, left)
    assert uri_equal(left, parse_full(a))


@given(sip_uris())
def test_the_fast_way_gives_the_same(raw: bytes) -> None:
    assert parts(parse_uri(raw)) == parts(parse_full(raw))


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"sip:a@b" + tail))
def test_anything_is_a_uri_or_a_peer_error(raw: bytes) -> None:
    try:
        uri = parse_uri(raw)
    except PeerError:
        return
    assert uri_equal(uri, parse_uri(raw))
    if isinstance(uri, SipUri):
        assert parts(uri) == parts(parse_full(raw))
        assert address_of_record(uri)
