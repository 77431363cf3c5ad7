"""The keyed cookie of a Record-Route, as an attacker sees it."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from centrex.base import Local, Transport
from centrex.nat.route_token import Dialog, RouteTokens, flow_token, read_flow_token
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.uri import SipUri, parse_uri
from tests.support.proxy import FakeFlows

TOKENS = RouteTokens(b"k" * 32)
UDP = Local(Transport.UDP, "192.0.2.1", 5060)
TCP = Local(Transport.TCP, "2001:db8::1", 5060)
WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(
    str.encode
)
FLOWS = st.sampled_from([b"", b"u192.0.2.7-5060", b"t2001_db8__7-5061"])


def route(
    call_id: bytes, tag: bytes, caller: bytes = b"", callee: bytes = b"", local: Local = UDP
) -> bytes:
    line = TOKENS.record_route(local, call_id, tag, caller, callee)
    assert line.startswith(b"Record-Route: <" + local.uri + b";lr;cx=")
    return line.removeprefix(b"Record-Route: ")


def verify(value: bytes, call_id: bytes, from_tag: bytes, to_tag: bytes) -> set[Dialog | None]:
    """Verify both ways: as the value stands, and parsed."""
    uri = parse_uri(parse_name_addr(value).uri)
    assert isinstance(uri, SipUri)
    return {
        TOKENS.verify(value, None, call_id, from_tag, to_tag),
        TOKENS.verify(value, uri, call_id, from_tag, to_tag),
    }


@given(WORD, WORD, WORD, st.tuples(FLOWS, FLOWS), st.sampled_from([UDP, TCP]))
def test_both_ends_are_recognised(
    call_id: bytes, tag: bytes, other: bytes, ends: tuple[bytes, bytes], local: Local
) -> None:
    caller, callee = ends
    assume(tag != other)
    value = route(call_id, tag, caller, callee, local)
    assert verify(value, call_id, tag, other) == {Dialog(True, callee)}
    assert verify(value, call_id, other, tag) == {Dialog(False, caller)}


@given(WORD, WORD, WORD, WORD)
def test_no_other_dialog_is(call_id: bytes, tag: bytes, other: bytes, third: bytes) -> None:
    assume(tag not in (other, third))
    value = route(call_id, tag)
    assert verify(value, call_id + b"x", tag, other) == {None}
    assert verify(value, call_id, other, third) == {None}
    assert verify(value, call_id, tag, b"") == {None}, "outside a dialog it is worth nothing"
    assert RouteTokens(b"z" * 32).verify(value, None, call_id, tag, other) is None


def test_the_boundaries_of_what_is_signed_cannot_be_moved() -> None:
    """A line break stands between the parts, and none can stand in them."""
    value = route(b"call", b"tag")
    assert verify(value, b"cal", b"ltag", b"x") == {None}
    assert verify(value, b"callt", b"ag", b"x") == {None}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b";ca=u192.0.2.7-5060", b";ca=u192.0.2.66-5060"),
        (b";ca=u192.0.2.7-5060", b""),
        (b";ca=u192.0.2.7-5060;cb=u192.0.2.8-5060", b";ca=u192.0.2.8-5060;cb=u192.0.2.7-5060"),
        (b";cb=", b";cb=x;cb="),
        (b"cx=", b"cx="),
    ],
)
def test_what_is_changed_is_not_ours_any_more(old: bytes, new: bytes) -> None:
    value = route(b"call", b"tag", b"u192.0.2.7-5060", b"u192.0.2.8-5060")
    expected = {Dialog(True, b"u192.0.2.8-5060")} if old == new else {None}
    assert verify(value.replace(old, new), b"call", b"tag", b"x") == expected


@given(st.binary(max_size=60))
def test_any_bytes_are_verified_without_error(junk: bytes) -> None:
    assert (
        TOKENS.verify(b"<sip:192.0.2.1:5060;lr;cx=" + junk + b">", None, b"c", b"t", b"u") is None
    )


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize("host", ["192.0.2.7", "2001:db8::7", "::1"])
def test_a_flow_token_is_read_again(transport: Transport, host: str) -> None:
    token = flow_token(FakeFlows().get(host, 40001, transport))
    assert b":" not in token
    assert read_flow_token(token) == (transport, host, 40001)


@pytest.mark.parametrize(
    "token",
    [b"", b"x192.0.2.7-5060", b"u192.0.2.7", b"u-5060", b"u192.0.2.7-999999", b"ulocalhost-5060"],
)
def test_what_is_no_flow_token_is_none(token: bytes) -> None:
    assert read_flow_token(token) is None


def test_a_port_out_of_range_is_no_flow_token() -> None:
    assert read_flow_token(b"u192.0.2.7-65535") == (Transport.UDP, "192.0.2.7", 65535)
    for port in (b"65536", b"99999", b"0"):
        assert read_flow_token(b"u192.0.2.7-" + port) is None


def test_a_gateway_is_remembered_and_cannot_be_changed() -> None:
    line = TOKENS.record_route(UDP, b"c", b"a", b"", b"", gateway=b"pstn.0.3e8.198.51.100.1")
    value = line.removeprefix(b"Record-Route: ")
    assert verify(value, b"c", b"a", b"b") == {Dialog(True, b"", b"pstn.0.3e8.198.51.100.1")}
    assert verify(value, b"c", b"b", b"a") == {Dialog(False, b"", b"pstn.0.3e8.198.51.100.1")}
    forged = value.replace(b"198.51.100.1", b"203.0.113.66")
    taken_off = value.replace(b";cg=pstn.0.3e8.198.51.100.1", b"")
    put_on = route(b"c", b"a").replace(b">", b";cg=pstn.0.3e8.198.51.100.1>")
    moved = value.replace(b";cg=", b";cb=")
    for other in (forged, taken_off, put_on, moved):
        assert verify(other, b"c", b"a", b"b") == {None}, other
