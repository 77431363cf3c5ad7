"""A subscription comes back from its row as it was, with numbers above any that were used."""

from typing import Any

import pytest

from centrex.base import Flow
from centrex.watching.image import revive, row
from centrex.watching.subscription import Subscription
from tests.support.proxy import FakeFlows
from tests.watching.test_subscription import subscription

FLOWS = FakeFlows()


def way(transport: str, host: str, port: int) -> Flow | None:
    return FLOWS.get(host, port) if transport == "UDP" else None


def made() -> Subscription:
    sub = subscription()
    sub.flow = FLOWS.get("2001:db8::7", 5070)
    sub.routes = b"Route: <sip:192.0.2.9;lr>\r\n"
    sub.remote_cseq, sub.cseq, sub.version = 4, 70, 69
    return sub


def written(**changes: Any) -> list[Any]:
    out = row(made(), 5000.0)
    for index, value in changes.items():
        out[int(index[1:])] = value
    return out


def test_it_comes_back() -> None:
    before = made()
    after = revive(row(before, 5000.0), 30.0, 900.0, 5100.0, way)
    assert after is not None
    for name in ("package", "user", "event", "target", "watcher", "owner", "login", "trusted",
                 "call_id", "own_tag", "their_tag", "addresses", "contact", "routes", "flow",
                 "remote_cseq"):  # fmt: skip
        assert getattr(after, name) == getattr(before, name), name
    assert after.expires_at == pytest.approx(before.expires_at - 100)
    assert after.full
    assert after.cseq >= before.cseq + 30 * 10, "ten NOTIFYs a second may have been sent since"
    assert after.version >= before.version + 30 * 10
    assert revive(row(before, 5000.0), -30.0, 900.0, 5100.0, way) is not None, "clocks are set back"


def test_one_that_is_over_or_cannot_be_reached() -> None:
    assert revive(written(), 30.0, 1000.0, 5100.0, way) is None
    assert revive(written(_15="TCP 192.0.2.7"), 30.0, 900.0, 5000.0, way) is None


@pytest.mark.parametrize(
    "wrong", [[], [1] * 21, written()[:-1], written(_0="presence"), written(_16="5060"),
              written(_1="\u20ac")],
)  # fmt: skip
def test_what_is_no_row(wrong: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"row|encode"):
        revive(wrong, 0.0, 0.0, 0.0, way)
