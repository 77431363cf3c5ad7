"""RFC 3263 §4 as far as it needs no DNS."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.routing import next_hop as module
from centrex.routing.next_hop import Hop, next_hop
from centrex.routing.rfc3263 import Destination

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:a@192.0.2.7", (UDP, "192.0.2.7", 5060)),
        ("sip:a@192.0.2.7:5080", (UDP, "192.0.2.7", 5080)),
        ("sip:192.0.2.7;transport=tcp", (TCP, "192.0.2.7", 5060)),
        ("sip:192.0.2.7;transport=TLS", (TLS, "192.0.2.7", 5061)),
        ("sips:192.0.2.7", (TLS, "192.0.2.7", 5061)),
        ("sips:192.0.2.7:5080;transport=tcp", (TLS, "192.0.2.7", 5080)),
        ("sips:192.0.2.7;transport=udp", None),
        ("sip:192.0.2.7;transport=sctp", None),
        ("sip:192.0.2.7;transport=ws", None),
        ("sip:[2001:db8::7]:5070", (UDP, "2001:db8::7", 5070)),
        ("sip:a@far.example;maddr=192.0.2.9", (UDP, "192.0.2.9", 5060)),
        ("sip:a@192.0.2.7;maddr=[2001:db8::9]", (UDP, "2001:db8::9", 5060)),
        ("tel:+4930", None),
        ("mailto:a@b", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_what_can_be_told_at_once(uri: str, hop: Hop | None) -> None:
    assert next_hop(uri.encode()) == hop
    assert next_hop(uri.encode()) == hop, "remembered"


def test_a_name_is_a_question() -> None:
    assert next_hop(b"sip:a@far.example") == Destination(host="far.example")
    assert next_hop(b"sips:a@far.example:5080") == Destination(
        host="far.example", port=5080, transport=TLS, secure=True
    )
    assert next_hop(b"sip:far.example;transport=tcp") == Destination(
        host="far.example", transport=TCP
    )


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMO_BOUND", 4)
    module._memo.clear()
    for number in range(50):
        next_hop(b"sip:192.0.2.7:%d" % (number + 1))
        assert len(module._memo) <= 4


@given(st.binary(max_size=40))
def test_any_bytes_lead_somewhere_or_nowhere(uri: bytes) -> None:
    next_hop(uri)
    next_hop(b"sip:" + uri)
    next_hop(b"sip:a@192.0.2.1;maddr=" + uri)
