"""Which user of ours a URI names; calls and registrations by such URIs are in `test_locate.py`."""

import pytest

from centrex.proxy.named import user_in
from centrex.registrar.registry import MustAsk
from centrex.sip.uri import parse_uri
from tests.support.calling import Phone
from tests.support.hunting import planned
from tests.support.proxy import Proxy


@pytest.mark.parametrize(
    ("raw", "user"),
    [
        (b"sip:al%69ce@example.com", b"alice"),
        (b"sip:alice@far.example", b""),
        (b"sip:example.com", b""),
        (b"mailto:alice@example.com", b""),
        (b"tel:47-11", b"4711"),
        (b"tel:47-11;phone-context=far.example", b""),
        (b"sip:47-11@example.com;user=phone", b"4711"),
        (b"sip:1-0@example.com;user=phone", b"1-0"),
        (b"sip:2-0@example.com;user=phone", b"2-0"),
        (b"sip:3-0@example.com;user=phone", b"3-0"),
    ],
)
def test_whom_it_names(raw: bytes, user: bytes) -> None:
    """Somebody whose name it is as it is written: by a login, by a plan, by a registration."""
    proxy = Proxy(users=["1-0"])
    planned(proxy, {"name": "2-0", "destinations": ("1-0",)})
    Phone(proxy, "3-0", "192.0.2.8")
    assert user_in(proxy.core, parse_uri(raw), proxy.now) == user


def test_nobody_is_named_by_what_cannot_be_read() -> None:
    assert user_in(Proxy().core, None, 0.0) == b""


def test_where_a_registry_must_be_asked_the_name_stands_as_it_is_written() -> None:
    proxy = Proxy()
    asks = type("Away", (), {"lookup": lambda self, user, now: MustAsk(user)})
    proxy.core.registry = asks()
    assert user_in(proxy.core, parse_uri(b"sip:47-11@example.com;user=phone"), 0.0) == b"47-11"
