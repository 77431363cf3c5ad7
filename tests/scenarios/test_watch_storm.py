"""After a power cut: everybody registers anew, everybody is watched, and nothing grows."""

import pytest

from tests.bench.watch_storm import STORM_S, storm

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
