"""After a power cut: everybody registers anew, everybody is watched, and nothing grows."""

import pytest

from centrex.base import Transport
from tests.bench.watch_storm import STORM_S, Storm, everybody, storm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


def test_each_watcher_is_told_at_once_and_once() -> None:
    told = storm(500, 500, 0)
    assert told["notifies"] == 500
    assert told["told_last_s"] <= 0.3


def test_watchers_of_the_domain_are_told_together() -> None:
    watchers = 10
    told = storm(1000, 0, watchers)
    assert told["notifies"] <= watchers * (STORM_S + 2)
    assert told["told_last_s"] <= 1.3


def test_memory_is_flat() -> None:
    alone = storm(500, 0, 0, traced=True)
    watched = storm(500, 500, 5, traced=True)
    assert watched["subscriptions"] == 505
    grown = watched["peak_mb"] - watched["before_mb"] - (alone["peak_mb"] - alone["before_mb"])
    assert grown * 1e6 / 505 < 4096, watched
    assert watched["after_mb"] - watched["before_mb"] < 1.0, watched


@pytest.mark.parametrize(("each", "users"), [(Transport.TCP, 300), (Transport.UDP, 60)])
def test_everybody_watches_the_whole_domain(each: Transport, users: int) -> None:
    told = everybody(users, each, 60.0)
    assert told["served"] == told["subscriptions"] == users
    assert told["behind"] == 0
    assert told["last_s"] <= 10
    assert told["all_notifies"] <= users * (STORM_S + 2) * (1 if each is Transport.TCP else 4)


def test_when_they_cannot_be_told_in_time_it_is_said_and_others_are_told_first() -> None:
    """Of 2,500 by UDP each learns of three users at once: that takes a while."""
    made = Storm(2500, 0, 0, each=Transport.UDP)
    core, proxy = made.proxy.core, made.proxy
    core.events.clear()
    told: list[str] = []
    collect = made.collect

    def noting() -> None:
        told.extend(one.name for one in core.events if one.name.startswith("subscriptions."))
        collect()

    made.collect = noting  # type: ignore[method-assign]  # to hear the events before they are cleared
    made.late = {b"u7": proxy.now}
    made.subscribe(1, "sip:u7@example.com", "reg")
    made.run(1.5, ())
    made.waits.clear()
    made.late[b"u7"] = proxy.now
    made.feed(made.register(7, 2), made.flow(7))
    made.run(2.0, ())
    assert min(made.waits) <= 0.3, "who watches one user is before those who watch all"
    assert core.watchers.notifier.waiting > 1000
    made.run(40.0, ())
    assert core.watchers.behind_s(proxy.now) > 30
    assert [core.watchers._is_behind, core.watchers.notifier.domain_pause_s] == [True, 2.5]
    for sub in list(core.watchers.notifier)[100:]:
        core.watchers._lose(sub, "gone", proxy.now)
    made.run(120.0, ())
    assert not made.behind()
    assert told == ["subscriptions.caught-up"], "that they are behind was told before"
    assert core.watchers.notifier.under_way == 0
