"""Matching: RFC 3261 §17.2.3, with and without the magic cookie."""

import pytest

from centrex.base import PeerError
from centrex.sip.message import parse
from centrex.sip.reading import top_via
from centrex.transaction.key import ServerKey, server_key
from tests.support.proxy import FakeFlows, request

FLOW = FakeFlows().get("192.0.2.7", 5060)
VIA = "Via: SIP/2.0/UDP 192.0.2.7:5060;branch="
OLD = "Via: SIP/2.0/UDP 192.0.2.7:5060"


def key(data: bytes, method: bytes = b"") -> ServerKey:
    message = parse(data)
    via, branch = top_via(message)
    return server_key(message, via, branch, method or message.method)


def ask(method: str = "INVITE", via: str = OLD, **more: object) -> bytes:
    return request(method, "sip:bob@example.com", FLOW, via=via, **more)  # type: ignore[arg-type]


def test_branch_sent_by_and_method_make_the_key() -> None:
    one = key(ask(via=VIA + "z9hG4bK1"))
    assert one == key(ask(via=VIA + "z9hG4bK1", call_id="other", cseq=7, from_tag="x"))
    assert one != key(ask(via=VIA + "z9hG4bK2"))
    assert one != key(ask("OPTIONS", via=VIA + "z9hG4bK1"))
    assert one != key(ask(via=VIA.replace("192.0.2.7", "192.0.2.8") + "z9hG4bK1"))
    assert one != key(ask(via=VIA.replace("5060", "5062") + "z9hG4bK1"))


def test_an_ack_and_a_cancel_find_their_invite() -> None:
    one = key(ask(via=VIA + "z9hG4bK1"))
    assert key(ask("ACK", via=VIA + "z9hG4bK1"), b"INVITE") == one
    assert key(ask("CANCEL", via=VIA + "z9hG4bK1"), b"INVITE") == one


@pytest.mark.parametrize("via", [OLD, VIA + "1", VIA + "z9hg4bk-wrong-case"])
def test_without_the_cookie_all_that_names_a_request_counts(via: str) -> None:
    one = key(ask(via=via))
    assert one == key(ask(via=via))
    assert one == key(ask("ACK", via=via, to_tag="b"), b"INVITE")
    assert one != key(ask(via=via, cseq=2))
    assert one != key(ask(via=via, call_id="other"))
    assert one != key(ask(via=via, from_tag="x"))
    assert one != key(ask(via=via.replace("5060", "5062")))


def test_the_cookie_alone_is_no_branch() -> None:
    """`z9hG4bK` with nothing after it is the same for all who send it: RFC 2543 rules apply."""
    one = ask(via=VIA + "z9hG4bK", call_id="one")
    two = ask(via=VIA + "z9hG4bK", call_id="two")
    assert key(one) != key(two)


def test_what_names_no_request_has_no_key() -> None:
    broken = ask().replace(b"CSeq: 1 INVITE", b"CSeq: x INVITE")
    with pytest.raises(PeerError):
        key(broken)
