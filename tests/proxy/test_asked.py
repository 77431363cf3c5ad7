"""Our own questions: how we name ourselves in them. What becomes of them is tested where they are asked."""

import pytest

from centrex.base import Local, Transport
from centrex.proxy.asked import own_uri
from tests.support.calling import v6
from tests.support.proxy import FakeFlows, Proxy


@pytest.mark.parametrize(
    ("transport", "uri"),
    [
        (Transport.UDP, b"sip:registrar@192.0.2.1:5060"),
        (Transport.TLS, b"sip:registrar@192.0.2.1:5061;transport=tls"),
    ],
)
def test_our_own_uri_as_the_other_side_sees_it(transport: Transport, uri: bytes) -> None:
    flow = FakeFlows().get("192.0.2.7", 5060, transport)
    assert own_uri(flow, b"registrar") == uri
    assert own_uri(flow) == uri.replace(b"registrar@", b"")


def test_an_address_of_ip_version_6_stands_in_brackets() -> None:
    assert own_uri(v6(Proxy(), "2001:db8::7")) == b"sip:[2001:db8::1]:5060"
    assert Local(Transport.UDP, "2001:db8::1", 5060).sent_by == b"[2001:db8::1]:5060"
