from typing import Any

import pytest

from centrex.events import Kind
from centrex.guard import guard as module
from centrex.guard.guard import BANNED, LIMITED, Guard

PHONE = "192.0.2.7"


def guard(**settings: Any) -> Guard:
    defaults: dict[str, Any] = {
        "enabled": True,
        "requests_per_second": 10,
        "burst": 20,
        "ban_seconds": 600,
        "auth_failures_per_minute": 3,
        "exempt": (),
    }
    return Guard(**defaults | settings)


def names(one: Guard) -> list[str]:
    events = one.take()
    assert all(event.kind is Kind.GUARD for event in events)
    return [event.name for event in events]


def fail(one: Guard, host: str, times: int, now: float, *, proven: bool = True) -> None:
    for _ in range(times):
        one.auth_failed(host, now, proven=proven)


# The rate


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    one = guard()
    assert sum(one.admit(PHONE, 5.0) for _ in range(100)) == 20
    assert sum(one.admit(PHONE, 6.0) for _ in range(100)) == 10
    assert one.drops == {LIMITED: 170, BANNED: 0}


def test_a_source_below_its_rate_never_loses_anything() -> None:
    one = guard()
    assert all(one.admit(PHONE, tick * 0.1) for tick in range(5_000))


def test_being_limited_is_said_once_a_minute() -> None:
    one = guard(burst=1)
    for tick in range(1_200):
        one.admit(PHONE, 100 + tick / 10 - tick % 2 * 0.1)
    events = one.take()
    assert [event.name for event in events] == ["guard.limited"] * 2
    assert events[0].fields["src"] == PHONE
    assert one.take() == ()


def test_no_flood_bans() -> None:
    one = guard()
    for _ in range(10_000):
        one.admit(PHONE, 1.0)
    assert one.bans(1.0) == ()
    assert one.admit(PHONE, 3.0)


def test_sources_do_not_hurt_each_other() -> None:
    one = guard(burst=1)
    assert one.admit("192.0.2.1", 1.0)
    assert not one.admit("192.0.2.1", 1.0)
    assert one.admit("192.0.2.2", 1.0)


def test_addresses_of_one_ipv6_network_share_their_rate() -> None:
    one = guard()
    assert sum(one.admit(f"2001:db8:1:2::{number:x}", 1.0) for number in range(1, 100)) == 20
    assert one.admit("2001:db8:1:3::1", 1.0)


def test_an_ipv6_network_keeps_its_bucket_as_its_addresses_age() -> None:
    one = guard(burst=2)
    for minute in range(1, 8):
        now = minute * 61.0
        one.expire(now)
        one.admit("2001:db8::1", now)
        one.admit("2001:db8::2", now)
        assert not one.admit(f"2001:db8::ff{minute}", now)


def test_exempt_and_disabled_are_never_limited() -> None:
    one = guard(burst=1, exempt=("192.0.2.0/24", "2001:db8::/32"))
    for host in (PHONE, "2001:db8::1", "::ffff:192.0.2.9"):
        assert all(one.admit(host, 1.0) for _ in range(100))
    off = guard(burst=1, enabled=False)
    assert all(off.admit(PHONE, 1.0) for _ in range(100))


def test_a_bad_exempt_network_is_refused_and_changes_nothing() -> None:
    one = guard(burst=1)
    one.admit(PHONE, 1.0)
    with pytest.raises(ValueError, match="nonsense"):
        one.reconfigure(
            enabled=False,
            requests_per_second=1,
            burst=100,
            ban_seconds=1,
            auth_failures_per_minute=1,
            exempt=("nonsense",),
        )
    assert not one.admit(PHONE, 1.0)


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GENERATION", 100)
    one = guard()
    for number in range(5_000):
        one.admit(f"10.0.{number >> 8}.{number & 255}", 1.0)
        one.admit(f"2001:db8:{number:x}::1", 1.0)
    assert one.counters()["sources"] <= 2 * 102


def test_a_flood_of_strangers_does_not_refill_a_busy_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GENERATION", 100)
    one = guard(burst=5)
    admitted = 0
    for number in range(2_000):
        one.admit(f"10.0.{number >> 8}.{number & 255}", 1.0)
        admitted += one.admit(PHONE, 1.0)
    assert admitted == 5


def test_idle_sources_are_forgotten() -> None:
    one = guard()
    one.admit(PHONE, 1.0)
    for second in range(1, 200):
        one.expire(float(second))
    assert one.counters()["sources"] == 0


def test_drops_may_be_counted_elsewhere() -> None:
    drops = {"too-large": 1}
    one = guard(burst=1, drops=drops)
    one.admit(PHONE, 1.0)
    one.admit(PHONE, 1.0)
    assert drops == {"too-large": 1, LIMITED: 1, BANNED: 0}


# Bans


def test_proven_failures_ban_for_a_while() -> None:
    one = guard()
    one.admit(PHONE, 10.0)
    fail(one, PHONE, 3, 10.0)
    assert one.admit(PHONE, 10.0)
    fail(one, PHONE, 1, 11.0)
    assert not one.admit(PHONE, 12.0)
    assert one.drops[BANNED] == 1
    (ban,) = one.bans(12.0)
    assert (ban.source, ban.until, ban.seconds_left) == (PHONE, 611.0, 599.0)
    assert "3 wrong passwords" in ban.reason
    assert not one.admit(PHONE, 610.9)
    assert one.bans(611.0) == ()
    one.expire(611.0)
    assert one.admit(PHONE, 611.0)
    assert names(one) == ["guard.banned", "guard.released"]


def test_a_ban_ends_by_itself_also_between_two_sweeps() -> None:
    one = guard(burst=1)
    fail(one, PHONE, 4, 10.0)
    assert not one.admit(PHONE, 11.0)
    assert one.admit(PHONE, 610.0)
    assert not one.admit(PHONE, 610.0)
    assert names(one) == ["guard.banned", "guard.released", "guard.limited"]


def test_unproven_failures_never_ban() -> None:
    one = guard()
    fail(one, PHONE, 1_000, 10.0, proven=False)
    assert one.bans(10.0) == ()
    assert one.admit(PHONE, 10.0)
    assert one.failures_unproven == 1_000


def test_failures_spread_over_more_than_a_minute_never_ban() -> None:
    one = guard()
    for number in range(100):
        one.auth_failed(PHONE, number * 20.1, proven=True)
        one.expire(number * 20.1)
    assert one.bans(2_010.0) == ()


def test_a_registered_source_is_never_banned_whole() -> None:
    one = guard()
    one.protect(PHONE, 3_600.0)
    assert one.is_protected(PHONE, 100.0)
    fail(one, PHONE, 50, 100.0)
    assert one.bans(100.0) == ()
    assert names(one) == ["guard.ban-withheld"]
    fail(one, PHONE, 50, 161.0)
    assert names(one) == ["guard.ban-withheld"]
    assert sum(one.admit(PHONE, 170.0) for _ in range(100)) == 20
    assert not one.is_protected(PHONE, 3_600.0)
    fail(one, PHONE, 4, 3_600.0)
    assert len(one.bans(3_600.0)) == 1


def test_protection_is_not_shortened() -> None:
    one = guard()
    one.protect(PHONE, 100.0)
    one.protect(PHONE, 50.0)
    assert one.is_protected(PHONE, 99.0)


def test_protection_lifts_a_ban() -> None:
    one = guard()
    fail(one, PHONE, 4, 1.0)
    one.protect(PHONE, 100.0)
    assert one.admit(PHONE, 2.0)
    assert names(one) == ["guard.banned", "guard.released"]


def test_an_exempt_source_is_never_banned() -> None:
    one = guard(exempt=("2001:db8::5/128", "192.0.2.0/24"))
    fail(one, PHONE, 50, 1.0)
    fail(one, "2001:db8::5", 50, 1.0)
    assert one.bans(1.0) == ()


def test_an_ipv6_ban_meets_the_whole_network() -> None:
    one = guard()
    one.admit("2001:db8::99", 1.0)
    fail(one, "2001:db8::1", 4, 1.0)
    assert [ban.source for ban in one.bans(1.0)] == ["2001:db8:0:0::/64"]
    for host in ("2001:db8::1", "2001:db8::2", "2001:db8::99"):
        assert not one.admit(host, 2.0)
    assert one.admit("2001:db8:0:1::1", 2.0)


@pytest.mark.parametrize("name", ["2001:db8::77", "2001:db8::/64", "2001:db8:0:0::/64"])
def test_a_ban_is_released_by_hand(name: str) -> None:
    one = guard()
    fail(one, "2001:db8::1", 4, 1.0)
    assert not one.release("192.0.2.1")
    assert one.release(name)
    assert not one.release(name)
    assert one.admit("2001:db8::1", 2.0)


def test_bans_outlive_a_change_of_settings_unless_exempt() -> None:
    one = guard()
    for host in (PHONE, "198.51.100.1"):
        fail(one, host, 4, 1.0)
    settings: dict[str, Any] = {
        "requests_per_second": 5,
        "burst": 6,
        "ban_seconds": 60,
        "auth_failures_per_minute": 3,
    }
    one.reconfigure(enabled=True, exempt=("192.0.2.0/24",), **settings)
    assert one.admit(PHONE, 2.0)
    assert not one.admit("198.51.100.1", 2.0)
    one.reconfigure(enabled=False, **settings)
    assert one.admit("198.51.100.1", 2.0)
    one.reconfigure(enabled=True, **settings)
    assert not one.admit("198.51.100.1", 2.0)
    assert one.admit("198.51.100.1", 601.0)


def test_a_ban_survives_the_forgetting_of_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_GENERATION", 10)
    one = guard()
    fail(one, PHONE, 4, 1.0)
    for number in range(100):
        one.admit(f"10.0.0.{number}", 2.0)
    assert not one.admit(PHONE, 3.0)


def test_bans_and_failures_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BANS", 10)
    monkeypatch.setattr(module, "_FAILING", 10)
    monkeypatch.setattr(module, "_PROTECTED", 10)
    one = guard(auth_failures_per_minute=1)
    for number in range(50):
        fail(one, f"10.0.0.{number}", 1, 1.0)
        fail(one, f"10.1.0.{number}", 2, 1.0 + number)
        one.protect(f"10.2.0.{number}", 100.0)
    counters = one.counters()
    assert counters["bans"] == 10
    assert counters["protected"] == 10
    assert counters["bans-total"] == 50
    assert [ban.source for ban in one.bans(50.0)] == [
        f"10.1.0.{number}" for number in range(40, 50)
    ]


def test_tables_are_swept_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWEEP", 10)
    one = guard()
    for number in range(25):
        one.protect(f"10.0.0.{number}", 100.0)
    one.protect("10.1.1.1", 300.0)
    for _ in range(4):
        one.expire(200.0)
    assert one.counters()["protected"] == 1
    assert one.is_protected("10.1.1.1", 200.0)


def test_events_nobody_takes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PENDING", 5)
    one = guard(burst=1)
    for number in range(20):
        one.admit(f"10.0.0.{number}", 1.0)
        one.admit(f"10.0.0.{number}", 1.0)
    assert len(one.take()) == 5
    assert one.unsaid == 15


# Bans of an earlier run


def test_earlier_bans_stand_again_and_no_longer_than_new_ones_would() -> None:
    one = guard(ban_seconds=600)
    one.admit(PHONE, 5.0)
    rows = [(PHONE, "guessing", 50.0), ("2001:db8:1:2::/64", "guessing", 1e9)]
    assert one.restore(rows, 10.0) == 2
    assert not one.admit(PHONE, 10.0)
    assert not one.admit("2001:db8:1:2::7", 10.0)
    assert [(ban.source, ban.until) for ban in one.bans(10.0)] == [
        (PHONE, 50.0),
        ("2001:db8:1:2::/64", 610.0),
    ]
    one.expire(51.0)
    assert one.admit(PHONE, 51.0)


@pytest.mark.parametrize(
    "row",
    [
        (PHONE, "over", 10.0),
        (PHONE, "no time", float("nan")),
        ("198.51.100.7", "exempt", 50.0),
        ("somebody", "no address", 50.0),
        ("", "no address", 50.0),
    ],
)
def test_what_is_over_exempt_or_no_address_is_left_out(row: tuple[str, str, float]) -> None:
    one = guard(exempt=["198.51.100.0/24"])
    assert one.restore([row], 10.0) == 0
    assert one.bans(10.0) == ()


def test_earlier_bans_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BANS", 3)
    one = guard()
    assert one.restore([(f"192.0.2.{n}", "x" * 1000, 50.0) for n in range(9)], 10.0) == 3
    assert len(one.bans(10.0)[0].reason) == 200


def test_every_change_of_bans_is_counted() -> None:
    one = guard()
    fail(one, PHONE, 4, 10.0)
    assert one.ban_changes == 1
    one.release(PHONE)
    assert one.ban_changes == 2
    one.restore([(PHONE, "again", 50.0)], 10.0)
    one.expire(60.0)
    assert one.ban_changes == 4
