import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.contact import (
    STAR,
    Contact,
    parse_contact,
    parse_contacts,
    parse_q,
    write_q,
)
from tests.support.sipgrammar import name_addrs


def contacts(*values: bytes) -> tuple[Contact, ...]:
    found = parse_contacts(list(values))
    assert isinstance(found, tuple)
    return found


def test_a_plain_contact_has_the_defaults() -> None:
    (contact,) = contacts(b"<sip:a@192.0.2.1>")
    assert (contact.uri, contact.params) == (b"sip:a@192.0.2.1", b"")
    assert (contact.q, contact.expires, contact.instance, contact.reg_id) == (1000, None, b"", 0)


def test_unknown_parameters_are_kept_byte_for_byte() -> None:
    (contact,) = contacts(
        b'"A" <sip:a@b;ob;pn-prid=x%3Ay> ; Expires = 300 ;+sip.instance="<urn:uuid:0>" ;q=0.5'
        b';reg-id=2; X = "q;,\\"" ;y'
    )
    assert contact.uri == b"sip:a@b;ob;pn-prid=x%3Ay"
    assert contact.params == b';+sip.instance="<urn:uuid:0>";reg-id=2; X = "q;,\\"";y'
    assert (contact.q, contact.expires) == (500, 300)
    assert (contact.instance, contact.reg_id) == (b"<urn:uuid:0>", 2)


def test_several_on_one_line_and_on_several() -> None:
    found = contacts(b"<sip:a@b>;q=0.1, sip:c@d;q=1.0", b"<sip:e@f>")
    assert [(contact.uri, contact.q) for contact in found] == [
        (b"sip:a@b", 100),
        (b"sip:c@d", 1000),
        (b"sip:e@f", 1000),
    ]
    assert contacts() == ()


@pytest.mark.parametrize("expires", [b"=soon", b"=-1", b"=280297596632815", b"", b'="60"'])
def test_malformed_expires_are_as_if_absent(expires: bytes) -> None:
    assert contacts(b"<sip:a@b>;expires" + expires)[0].expires is None


def test_a_star_stands_alone() -> None:
    assert parse_contacts([b"*"]) is STAR
    for values in ([b"*", b"*"], [b"*, <sip:a@b>"], [b"<sip:a@b>", b"*"]):
        with pytest.raises(PeerError):
            parse_contacts(values)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"sip:a@b?Route=x",
        b"<sip:a b@c>",
        b"<sip:a@b>;;",
        b"<sip:a@b%>",
        b"<nothing>",
        b"<sip:a@b>;q=2",
        b"<sip:a@b>;reg-id=x",
        b"<sip:a@b>,",
        b'"a <sip:a@b>',
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_contacts([value])


@pytest.mark.parametrize(
    ("text", "q"),
    [(b"0", 0), (b"0.", 0), (b"1", 1000), (b"1.000", 1000), (b"0.7", 700), (b".25", 250),
     (b"0.3339", 333), (b"0.001", 1)],
)  # fmt: skip
def test_q(text: bytes, q: int) -> None:
    assert parse_q(text) == q


@pytest.mark.parametrize("text", [b"", b".", b"1.1", b"2", b"-0.5", b"0,5", b"00.5", b"x"])
def test_malformed_q(text: bytes) -> None:
    with pytest.raises(PeerError):
        parse_q(text)


@given(st.integers(0, 1000))
def test_q_is_read_as_it_was_written(q: int) -> None:
    assert parse_q(write_q(q)) == q


@given(name_addrs() | st.binary(max_size=60))
def test_anything_is_a_contact_or_a_peer_error(value: bytes) -> None:
    try:
        contact = parse_contact(value)
    except PeerError:
        return
    assert contact.uri in value
    assert 0 <= contact.q <= 1000
