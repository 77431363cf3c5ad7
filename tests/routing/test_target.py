"""A target is what it was made of."""

from centrex.routing.target import Target
from tests.support.proxy import FakeFlows


def test_a_target() -> None:
    plain = Target(b"sip:bob@192.0.2.8")
    assert (plain.flow, plain.path, plain.ring_s) == (None, (), 0.0)
    assert repr(plain) == "Target(b'sip:bob@192.0.2.8')"
    flow = FakeFlows().get("192.0.2.8", 5060)
    assert Target(b"sip:x", flow, (b"<sip:p;lr>",), 15.0).ring_s == 15.0
