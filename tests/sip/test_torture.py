"""The torture messages of RFC 4475 and RFC 5118 against the grammar; none left out."""

import pytest

from centrex.base import PeerError
from centrex.sip.contact import parse_contacts
from centrex.sip.framing import Framer, Kind
from centrex.sip.message import Message, can_be_answered, parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CONTACT, CONTENT_LENGTH, FROM, REASON, TO, VIA
from centrex.sip.tokens import split_values
from centrex.sip.uri import SipUri, address_of_record, parse_uri
from centrex.sip.validate import check_request, check_response
from centrex.sip.via import parse_via
from tests.support.torture import ALL, DATA, RFC4475, RFC5118, Torture, Verdict


def judge(data: bytes) -> Message:
    message = parse(data)
    if message.status:
        check_response(message)
    else:
        check_request(message)
    return message


def message_of(name: str) -> Message:
    return judge(next(case for case in ALL if case.name == name).data)


def test_every_message_of_both_rfcs_is_here() -> None:
    assert (len(RFC4475), len(RFC5118)) == (49, 12)
    for rfc, cases in ((4475, RFC4475), (5118, RFC5118)):
        files = sorted(path.stem for path in (DATA / f"rfc{rfc}").glob("*.dat"))
        assert files == sorted(case.name for case in cases)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_verdict(case: Torture) -> None:
    if case.verdict is Verdict.REQUEST:
        assert judge(case.data).status == 0
    elif case.verdict is Verdict.RESPONSE:
        assert judge(case.data).status > 0
    else:
        with pytest.raises(PeerError) as caught:
            judge(case.data)
        if case.verdict is Verdict.REFUSED:
            assert caught.value.status == case.status


@pytest.mark.parametrize(
    "case", [case for case in ALL if case.verdict is Verdict.REFUSED], ids=lambda case: case.name
)
def test_a_refused_request_can_be_answered(case: Torture) -> None:
    assert can_be_answered(parse(case.data)) == (case.name != "insuf")


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_what_is_accepted_leaves_as_it_came(case: Torture) -> None:
    if case.verdict in (Verdict.REQUEST, Verdict.RESPONSE) and case.name != "dblreq":
        assert judge(case.data).to_bytes() == case.data


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_on_a_stream(case: Torture) -> None:
    framer = Framer(65536)
    frames = framer.feed(case.data)
    if case.name in ("ncl", "mcl01", "inv2543"):
        assert [frame.kind for frame in frames] == [Kind.REFUSED]
        assert framer.fault is not None
    elif case.name in ("clerr", "baddn"):
        assert frames == []
        assert framer.pending
    elif case.name == "dblreq":
        assert [frame.data[:6] for frame in frames[:2]] == [b"REGIST", b"INVITE"]
        assert frames[2].kind is Kind.REFUSED  # its second body is longer than it says
    else:
        assert [frame.kind for frame in frames] == [Kind.MESSAGE]
        assert frames[0].data == case.data


def test_wsinv_is_read_through_its_folds() -> None:
    message = message_of("wsinv")
    assert parse_name_addr(message.value(TO)).tag == b"1918181833n"
    sender = parse_name_addr(message.value(FROM))
    assert (sender.display, sender.tag) == (b'J Rosenberg \\"', b"98asjd8")
    vias = [parse_via(one) for value in message.values(VIA) for one in split_values(value)]
    assert [(via.transport, via.sent_by, via.branch) for via in vias] == [
        (b"UDP", b"192.0.2.2", b"390skdjuw"),
        (b"TCP", b"spindle.example.com", b"z9hG4bK9ikj8"),
        (b"UDP", b"192.168.255.111", b"z9hG4bK30239"),
    ]
    contacts = parse_contacts(message.values(CONTACT))
    assert isinstance(contacts, tuple)
    assert contacts[0].q == 330


def test_intmeth_keeps_its_odd_characters() -> None:
    message = message_of("intmeth")
    assert message.method == b"!interesting-Method0123456789_*+`.%indeed'~"
    uri = parse_uri(message.uri)
    assert isinstance(uri, SipUri)
    assert uri.user == b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert uri.password == b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert parse_name_addr(message.value(TO)).display == b"BEL:\x07 NUL:\x00 DEL:\x7f"
    assert parse_name_addr(message.value(FROM)).tag == b"_token~1'+`*%!-."


def test_esc01_escapes_are_resolved_once() -> None:
    message = message_of("esc01")
    uri = parse_uri(parse_name_addr(message.value(TO)).uri)
    assert isinstance(uri, SipUri)
    assert address_of_record(uri) == b"sip:user@example.com"
    contact = parse_uri(parse_name_addr(message.value(CONTACT)).uri)
    assert isinstance(contact, SipUri)
    assert contact.param(b"lr") == b""
    assert contact.param(b"name") == b"value%41"


def test_escnull_has_a_user_with_a_nul_and_two_contacts() -> None:
    message = message_of("escnull")
    uri = parse_uri(parse_name_addr(message.value(TO)).uri)
    assert isinstance(uri, SipUri)
    assert address_of_record(uri) == b"sip:null-\x00-null@example.com"
    contacts = parse_contacts(message.values(CONTACT))
    assert isinstance(contacts, tuple)
    assert [contact.uri for contact in contacts] == [
        b"sip:%00@host5.example.com",
        b"sip:%00%00@host5.example.com",
    ]


def test_esc02_has_two_contacts() -> None:
    assert len(message_of("esc02").values(CONTACT)) == 2


def test_dblreq_is_cut_to_its_content_length() -> None:
    assert message_of("dblreq").body == b""


def test_semiuri_has_the_semicolon_in_its_user() -> None:
    uri = parse_uri(message_of("semiuri").uri)
    assert isinstance(uri, SipUri)
    assert uri.user == b"user;par=u%40example.net"


def test_mpart01_keeps_its_binary_body() -> None:
    message = message_of("mpart01")
    assert len(message.body) == int(message.value(CONTENT_LENGTH))
    assert b"\x00" in message.body


def test_responses_have_their_status_and_method() -> None:
    for name, status in (("unreason", 200), ("noreason", 100)):
        message = message_of(name)
        assert (message.status, message.method, message.at[REASON]) == (status, b"INVITE", 0)


def test_cparam_tells_header_and_uri_parameters_apart() -> None:
    for name, params, uri in (
        ("cparam01", b";unknownparam", b"sip:+19725552222@gw1.example.net"),
        ("cparam02", b"", b"sip:+19725552222@gw1.example.net;unknownparam"),
        ("regescrt", b"", b"sip:user@example.com?Route=%3Csip:sip.example.com%3E"),
    ):
        contacts = parse_contacts(message_of(name).values(CONTACT))
        assert isinstance(contacts, tuple)
        assert (contacts[0].uri, contacts[0].params) == (uri, params)


def test_received_is_read_with_and_without_brackets() -> None:
    for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
        assert parse_via(message_of(name).value(VIA)).received == b"2001:db8::9:255"


def test_ports_and_addresses_of_ipv6_are_told_apart() -> None:
    for name, host, port in (
        ("port-ambiguous", b"2001:db8::10:5070", 0),
        ("port-unambiguous", b"2001:db8::10", 5070),
        ("ipv6-bug-abnf-3-colons", b"2001:db8::c000:201", 0),
        ("ipv6-correct-abnf-2-colons", b"2001:db8::c000:201", 0),
    ):
        uri = parse_uri(message_of(name).uri)
        assert isinstance(uri, SipUri)
        assert (uri.host, uri.port) == (host, port)


def test_ipv4_mapped_addresses_stay_readable() -> None:
    via = parse_via(message_of("ipv4-mapped-ipv6").value(VIA))
    assert via.sent_by == b"[::ffff:192.0.2.10]:19823"
