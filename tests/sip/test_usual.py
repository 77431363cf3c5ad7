"""What matches is well-formed, and reads as the full grammar reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.nat import amend_via, behind_nat
from centrex.sip import usual
from centrex.sip.message import parse
from centrex.sip.reading import _the_long_way, top_via
from centrex.sip.response import build_response
from centrex.sip.usual import REQUEST, RESPONSE, build_reply, is_elsewhere, via_line
from centrex.sip.validate import check_response
from tests.sip.test_reading import LINES
from tests.support.proxy import FakeFlows, request, respond

FLOW = FakeFlows().get("192.0.2.7", 5060)
MORE = (
    "User-Agent: x", "Expires: 60", "Authorization: Digest a", "X-Y: z", "Contact: <sip:a@b:70000>",
    'Contact: "A" <sip:a@b.c:5070;transport=tcp>;+sip.instance="<urn:uuid:1>";reg-id=1;q=0.5',
    "Contact: <sip:a@b>;a;b", "Contact: A<sip:a@b>", "Contact: <sip:a@b>;=1", "Contact: sip:a@b",
    "Route: <sip:192.0.2.1;lr;cx=1>", "From: <sip:a@b;user=phone>;tag=1", "From: <sip:@b>;tag=1",
    "From: <sip:a@b:99999>;tag=1", "To: <sip:a@.b>", "To: <sip:a@b->", "Call-ID: a@b c",
)  # fmt: skip
VIAS = (
    "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx", "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKx",
    "Via: SIP/2.0/TCP h:70000;branch=z9hG4bKx", "Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bKx;rport",
    "Via: SIP/2.0/UDP h;rport;branch=z9hG4bKx;rport", "Via: SIP/2.0/UDP h;branch=z9hG4bK",
)  # fmt: skip


@given(
    st.lists(st.sampled_from([*LINES, *MORE]), max_size=4, unique_by=lambda line: line[:6]),
    st.sampled_from(VIAS),
    st.sampled_from(["sip:bob@example.com", "sip:example.com:5070", "sip:a;b@h;x=1", "sip:a:b@h"]),
)
def test_a_request_that_matches_reads_as_the_grammar_reads_it(
    lines: list[str], via: str, uri: str
) -> None:
    data = request("INVITE", uri, FLOW, via=via).decode().split("\r\n")
    for line in lines:
        name = line.partition(":")[0]
        at = next((i for i, one in enumerate(data) if one.startswith(name + ":")), None)
        data[at or 1 : (at or 0) + 1] = [line]
    raw = "\r\n".join(data).encode()
    found = REQUEST.match(raw)
    if found is None or b".." in raw:
        return
    if b"192.0.2.1;" not in (found[usual.ROUTE] or b"192.0.2.1;"):
        return  # the short way is for no Route but ours
    message = parse(raw)
    if int(found[usual.LENGTH]) != len(message.body):
        return
    form, branch = top_via(message)
    _the_long_way(message)
    assert found.group(7, 10, 12, 24) == (*_the_long_way(message)[::2], branch)
    assert (found[8] or b"", found[11] or b"") == _the_long_way(message)[1::2]
    assert found[usual.SENT_BY] == form.sent_by
    assert via_line(found, FLOW) == amend_via(via.encode(), form, branch, FLOW)
    assert is_elsewhere(found, FLOW) == behind_nat(form, FLOW)
    message.lines[message.at[1]] = via_line(found, FLOW)
    for status, tag, extra in ((100, b"", ()), (407, b"x", (b"A: 1", b"B: 2"))):
        assert build_reply(found, via_line(found, FLOW), status, tag, extra) == build_response(
            message, status, to_tag=tag, extra=extra
        )


@pytest.mark.parametrize("header", ["Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards"])
def test_what_stands_twice_does_not_match(header: str) -> None:
    data = request("INVITE", "sip:bob@example.com", FLOW)
    assert REQUEST.match(data)
    line = next(line for line in data.split(b"\r\n") if line.startswith(header.encode()))
    assert not REQUEST.match(data.replace(line, line + b"\r\n" + line))
    assert not REQUEST.match(data.replace(line, b"%b\r\n%b" % (line, line.upper())))


def test_a_response_shows_both_vias_in_one_line_or_two() -> None:
    invite = request("INVITE", "sip:bob@192.0.2.8", FLOW)
    ours = b"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours"
    sent = invite.replace(b"Via: ", ours + b"\r\nRecord-Route: <sip:192.0.2.1;lr>\r\nVia: ")
    theirs = invite.split(b"\r\n")[1].removeprefix(b"Via: ")
    for data in (
        respond(sent, 200, extra="Contact: <sip:x>"),
        respond(invite.replace(b"Via: ", ours + b", "), 200),
        respond(sent.replace(b"ours", b"ours;rport=5060;received=192.0.2.1"), 200),
    ):
        check_response(parse(data))
        found = RESPONSE.match(data)
        assert found
        assert (found[3] or found[6], found[5], found[12]) == (theirs, b"z9hG4bKours", b"b")
    twice = sent.replace(b"Via: ", b"Via: SIP/2.0/UDP x;branch=z9hG4bKy\r\nVia: ", 1)
    assert not RESPONSE.match(respond(twice, 200))


def test_the_groups_have_names() -> None:
    found = REQUEST.match(
        request("BYE", "sip:b@h", FLOW, to_tag="t", extra="Route: <sip:p;lr>\nUser-Agent: u")
    )
    assert found
    assert found[usual.METHOD] == b"BYE"
    assert found[usual.ROUTE] == b"<sip:p;lr>"
    assert found[usual.AGENT] == b"u"
    assert found[usual.HOPS] == b"70"
