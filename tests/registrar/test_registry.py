import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import NEVER, Unavailable
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.registry import Bindings, Registry


def binding(expires_at: float, contact: bytes = b"sip:a@h", q: int = 1000) -> Binding:
    return Binding(
        contact,
        b"",
        q=q,
        expires_at=expires_at,
        call_id=b"c",
        cseq=1,
        flow=None,
        registered_at=0.0,
    )


def keep(registry: Registry, user: bytes, *bindings: Binding) -> None:
    """Put bindings with the changes that lead from those held to them."""
    held = registry.held(registry.canonical(user))
    changes = [Change(ChangeKind.ADDED, one, None) for one in bindings if one not in held]
    changes += [Change(ChangeKind.REMOVED, one, one) for one in held if one not in bindings]
    registry.put(user, bindings, changes)


def test_it_is_a_store() -> None:
    store: Bindings = Registry()
    assert store.lookup(b"1001", 0.0) == ()


def test_users_are_found_in_any_spelling_that_counts() -> None:
    registry, exact = Registry(), Registry(case_sensitive=True)
    one = binding(100.0)
    for store in (registry, exact):
        keep(store, b"Alice", one)
        assert store.lookup(b"Alice", 0.0) == (one,)
        assert store.lookup(b"%41lice", 0.0) == ()
    assert registry.lookup(b"ALICE", 0.0) == (one,)
    assert exact.lookup(b"ALICE", 0.0) == ()
    assert registry.names() == [b"alice"]
    assert list(exact) == [(b"Alice", (one,))]


def test_the_live_ones_are_returned_best_first() -> None:
    registry = Registry()
    first, second, third = binding(50.0, q=100), binding(100.0), binding(49.5, q=500)
    keep(registry, b"u", first, second, third)
    assert registry.lookup(b"u", 0.0) == (second, third, first)
    assert registry.lookup(b"u", 49.4) == (second, third, first)
    assert registry.lookup(b"u", 49.5) == (second, first)
    assert registry.lookup(b"u", 50.0) == (second,)
    assert registry.lookup(b"u", 100.0) == ()


def test_users_and_bindings_are_counted() -> None:
    registry = Registry()
    one, two = binding(100.0), binding(200.0, b"sip:b@h")
    keep(registry, b"u", one, two)
    keep(registry, b"v", one)
    assert (registry.users, registry.bindings) == (2, 3)
    keep(registry, b"u", two)
    assert (registry.users, registry.bindings) == (2, 2)
    assert registry.remove(b"U") == (two,)
    assert registry.remove(b"nobody") == ()
    assert (registry.users, registry.bindings) == (1, 1)
    registry.expire(101.0)
    assert (registry.users, registry.bindings) == (0, 0)


def test_nothing_changes_without_changes() -> None:
    registry = Registry()
    registry.put(b"u", (binding(1.0),), ())
    assert (registry.users, registry.pending) == (0, 0)


def test_what_expired_is_handed_out_once_with_its_user() -> None:
    registry = Registry()
    assert registry.deadline == NEVER
    one, two = binding(100.3), binding(200.0, b"sip:b@h")
    keep(registry, b"u", one, two)
    assert 100.3 < registry.deadline <= 101.3
    assert registry.expire(registry.deadline) == [(b"u", one)]
    assert registry.held(b"u") == (two,)
    assert registry.expire(300.0) == [(b"u", two)]
    assert registry.deadline == NEVER


def test_what_vanished_unswept_is_handed_out_too() -> None:
    registry = Registry()
    old, new = binding(100.2), binding(500.0, b"sip:b@h")
    keep(registry, b"u", old)
    registry.put(b"u", (new,), [Change(ChangeKind.ADDED, new, None)])
    assert registry.deadline <= 100.5
    assert registry.expire(100.5) == [(b"u", old)]
    assert registry.expire(100.5) == []
    assert registry.lookup(b"u", 100.5) == (new,)


def test_a_sweep_is_bounded_and_goes_on_soon() -> None:
    registry = Registry()
    for number in range(25):
        keep(registry, b"%d" % number, binding(10.0))
    gone, now, sweeps = [], 20.0, 0
    while registry.deadline < NEVER:
        assert registry.deadline <= now
        gone += registry.expire(now, limit=10)
        assert registry.deadline > now
        now += 0.02
        sweeps += 1
    assert len({user for user, _ in gone}) == 25
    assert sweeps == 3


def test_a_full_table_refuses_more_but_not_less() -> None:
    registry = Registry(max_bindings=2)
    one, two = binding(1.0), binding(2.0, b"sip:b@h")
    keep(registry, b"u", one, two)
    with pytest.raises(Unavailable):
        keep(registry, b"v", one)
    assert registry.lookup(b"v", 0.0) == ()
    keep(registry, b"u", binding(5.0), two)
    keep(registry, b"u", two)
    keep(registry, b"v", one)
    assert registry.bindings == 2


def test_changes_are_fed_once_per_user() -> None:
    registry = Registry()
    for _ in range(3):
        keep(registry, b"U", binding(10.0))
    keep(registry, b"v", binding(20.0))
    # Each time the one before went and the new one came.
    assert registry.pending == 6
    first = registry.take_changes()
    assert first == {user: registry.held(user) for user in (b"u", b"v")}
    assert (registry.pending, registry.take_changes()) == (0, {})
    registry.expire(11.0)
    registry.remove(b"v")
    assert registry.take_changes() == {b"u": (), b"v": ()}
    assert registry.held(b"u") == ()
    assert [len(bindings) for bindings in first.values()] == [1, 1], "it is the taker's own"


def test_what_is_left_of_a_user_is_fed() -> None:
    registry = Registry()
    one, two = binding(10.0), binding(20.0, b"sip:b@h")
    keep(registry, b"u", one, two)
    registry.take_changes()
    registry.expire(11.0)
    assert registry.take_changes() == {b"u": (two,)}


def test_nothing_is_fed_to_nobody_or_from_a_restore() -> None:
    silent, registry = Registry(feed=False), Registry()
    keep(silent, b"u", binding(10.0))
    registry.restore(b"U", (binding(10.0),))
    assert (silent.pending, registry.pending) == (0, 0)
    assert registry.users == 1


STEPS = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b", b"c"]),
        st.lists(st.sampled_from([0.5, 1.0, 3.7, 10.0, 50.0]), max_size=3),
        st.sampled_from([0.0, 0.4, 1.0, 5.0, 30.0]),
        st.booleans(),
    ),
    max_size=30,
)


@given(STEPS)
def test_look_up_and_sweep_agree_with_a_plain_table(
    steps: list[tuple[bytes, list[float], float, bool]],
) -> None:
    registry, now = Registry(), 100.0
    table: dict[bytes, list[Binding]] = {}
    owed: set[int] = set()
    swept: list[Binding] = []
    for user, lives, passed, sweep in steps:
        now += passed
        present = registry.lookup(user, now)
        assert set(present) == {one for one in table.get(user, ()) if one.expires_at > now}
        fresh = [binding(now + life, b"sip:%d@h" % i) for i, life in enumerate(lives)]
        changes = [Change(ChangeKind.REMOVED, one, one) for one in present]
        changes += [Change(ChangeKind.ADDED, one, None) for one in fresh]
        registry.put(user, fresh, changes)
        if changes:
            table[user] = fresh
        owed = owed - {id(one) for one in present} | {id(one) for one in fresh}
        if sweep:
            gone = [one for _, one in registry.expire(now, limit=2)]
            assert all(one.expires_at <= now for one in gone)
            swept += gone
    while registry.deadline < NEVER:
        now = max(now, registry.deadline)
        swept += [one for _, one in registry.expire(now)]
    assert registry.users == registry.bindings == 0
    assert sorted(map(id, swept)) == sorted(owed)


def test_buckets_do_not_grow_with_refreshes() -> None:
    registry, chance = Registry(), random.Random(7)
    for step in range(5000):
        user = b"%d" % chance.randrange(20)
        keep(registry, user, binding(step + 3600.0))
        registry.expire(float(step))
    assert len(registry._buckets) <= 20
    assert len(registry._seconds) == len(registry._buckets)
