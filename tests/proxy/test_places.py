"""What is ours changes with the domain, the addresses and the registrar's name, and at once."""

from centrex.base import Local, Transport
from centrex.proxy.places import Places
from centrex.routing.ours import Ours
from centrex.sip.uri import SipUri, TelUri, parse_uri


def where(places: Places, raw: bytes) -> tuple[bool, bool]:
    uri = parse_uri(raw)
    assert isinstance(uri, SipUri)
    return places.of(raw, uri)


def test_what_is_ours_and_what_is_the_server_itself() -> None:
    ours = Ours(("example.com",), [Local(Transport.UDP, "192.0.2.1", 5060)])
    places = Places(ours, b"registrar")
    assert where(places, b"sip:bob@example.com") == (True, False)
    assert where(places, b"sip:example.com:5060") == (True, True)
    assert where(places, b"sip:Registra%72@192.0.2.1") == (True, True)
    assert where(places, b"sip:example.com:5070") == (False, False)
    assert where(places, b"sip:example.org") == (False, False)
    places.registrar_name = b"bob"
    assert where(places, b"sip:bob@example.com") == (True, True)
    ours.rename(("example.org",))
    assert where(places, b"sip:example.org") == (True, True)
    assert where(places, b"sip:bob@example.com") == (False, False)


def test_whose_number_it_is() -> None:
    places = Places(Ours(("example.com",), ()), b"registrar")
    for raw, number in (
        (b"tel:1-2;phone-context=example.com", b"12"),
        (b"tel:1;phone-context=x", b""),
    ):
        uri = parse_uri(raw)
        assert isinstance(uri, TelUri)
        assert places.number(uri) == number


def test_a_route_is_ours_where_its_uri_is() -> None:
    places = Places(Ours(("example.com",), ()), b"registrar")
    assert places.owns_route(b"<sip:example.com;lr>")
    assert not places.owns_route(b"<sip:example.org;lr>")
    assert not places.owns_route(b"<tel:1>")
    assert not places.owns_route(b"<sip:example.com")
    assert not places.owns_uri(b"sip:[")
