"""Which methods need credentials."""

import pytest

from centrex.base.networks import Networks
from centrex.proxy.access import Access
from tests.support.proxy import Proxy


def access(*methods: str) -> Access:
    return Access(
        enabled=True,
        methods=methods,
        gate=Proxy().gate,
        trusted=Networks(),
        match_user=True,
        case_sensitive=False,
    )


@pytest.mark.parametrize("method", [b"REGISTER", b"INVITE", b"BYE", b"OPTIONS", b"X"])
def test_a_star_is_every_method(method: bytes) -> None:
    assert access("*").covers(method)


def test_ack_and_cancel_never() -> None:
    for method in (b"ACK", b"CANCEL"):
        assert not access("*").covers(method)
        assert not access("ACK", "CANCEL").covers(method)


def test_some_methods_in_any_case() -> None:
    some = access("Register", "invite")
    assert some.covers(b"REGISTER")
    assert some.covers(b"INVITE")
    assert not some.covers(b"MESSAGE")
