"""A target is what it was made of."""

import pytest

from centrex.routing.target import Target, request_uri
from tests.support.proxy import FakeFlows


def test_a_target() -> None:
    plain = Target(b"sip:bob@192.0.2.8")
    assert (plain.flow, plain.path, plain.ring_s) == (None, (), 0.0)
    assert repr(plain) == "Target(b'sip:bob@192.0.2.8')"
    flow = FakeFlows().get("192.0.2.8", 5060)
    assert Target(b"sip:x", flow, (b"<sip:p;lr>",), 15.0).ring_s == 15.0


@pytest.mark.parametrize(
    ("raw", "left"),
    [
        (b"sip:x@192.0.2.9:5098;transport=tcp", b"sip:x@192.0.2.9:5098;transport=tcp"),
        (b"sip:x@192.0.2.9;method=INVITE?Subject=a&Priority=b", b"sip:x@192.0.2.9"),
        (b"sip:x@192.0.2.9;ob;Method=INVITE;lr", b"sip:x@192.0.2.9;ob;lr"),
        (b"sip:a?b;method=c@192.0.2.9;user=phone", b"sip:a?b;method=c@192.0.2.9;user=phone"),
        (b"sip:a?b@192.0.2.9?c=d", b"sip:a?b@192.0.2.9"),
        (b"sip:192.0.2.9?to=a%40b", b"sip:192.0.2.9"),
        (b"tel:1?2", b"tel:1?2"),
        (b"sip:[?", b"sip:[?"),
    ],
)
def test_what_may_stand_in_a_request_line(raw: bytes, left: bytes) -> None:
    """RFC 3261 §19.1.1, table 1: neither headers nor a method."""
    assert request_uri(raw) == left
