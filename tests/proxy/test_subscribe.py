"""Whom a subscription counts against; all else of SUBSCRIBE is in `tests/scenarios/test_watchers.py`."""

from typing import Any

import pytest

from centrex.auth import Login
from centrex.watching.notifier import Notifier
from tests.support.calling import answer_challenge
from tests.support.proxy import DOMAIN, Proxy, login
from tests.support.watcher import Watcher

BOB = f"sip:bob@{DOMAIN}"


def group(*users: bytes) -> Login:
    """Return a login that several share."""
    own = login("office")
    return Login(own.name, own.md5, own.sha256, users=users)


def watch(proxy: Proxy, name: str, user: str = "office") -> int:
    """Return the status that somebody gets who watches Bob."""
    watchers = len(proxy.core.watchers)
    one = Watcher(proxy, name, call_id=f"w{watchers}{name}")
    answer = one.subscribe("bob")
    if answer.status == 407:
        line = answer_challenge(answer.raw, "SUBSCRIBE", BOB, user)
        answer = one.subscribe("bob", extra=line)
    return answer.status


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": True, "logins": [group(b"*")]},
        {"auth": True, "logins": [group(b"wanda", b"winnie")]},
        {"auth": True, "logins": [group()], "match_user": False},
        {"auth": True, "trusted": ["192.0.2.77"]},
    ],
)
def test_each_of_those_who_share_a_login_or_a_proxy_counts_by_himself(
    settings: dict[str, Any],
) -> None:
    proxy = Proxy(users=["bob"], **settings)
    proxy.core.watchers.notifier = Notifier(most_of_one=2)
    told = [watch(proxy, name) for name in ("wanda", "wanda", "winnie", "wanda", "winnie")]
    assert told == [200, 200, 200, 403, 200]


def test_strangers_behind_one_address_count_together() -> None:
    proxy = Proxy(users=["bob"])
    proxy.core.watchers.notifier = Notifier(most_of_one=2)
    assert [watch(proxy, name) for name in ("wanda", "winnie", "walt")] == [200, 200, 403]
    own = Proxy(users=["bob", "wanda"], auth=True)
    own.core.watchers.notifier = Notifier(most_of_one=2)
    assert [watch(own, "wanda", "wanda") for _ in range(3)] == [200, 200, 403]
