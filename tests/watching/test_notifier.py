import pytest

from centrex.trace import Rule
from centrex.watching.notifier import LAZY_S, MOST_UNDER_WAY, PAUSE_S, Notifier
from centrex.watching.subscription import LAZILY, Subscription
from tests.watching.test_subscription import subscription


def entered(notifier: Notifier, count: int = 1, until: float = 3600.0) -> list[Subscription]:
    subs = [subscription(number) for number in range(count)]
    for sub in subs:
        notifier.add(sub)
        notifier.prolong(sub, until)
    return subs


def of_the_domain(notifier: Notifier, count: int) -> list[Subscription]:
    """Enter watchers of the whole domain, each an owner of his own."""
    subs = [subscription(10_000 + number, b"w%d" % number) for number in range(count)]
    for sub in subs:
        sub.user = b""
        notifier.add(sub)
        notifier.prolong(sub, 3600.0)
    return subs


def told(notifier: Notifier, now: float, octets: int = 0) -> list[Subscription]:
    subs = []
    for sub in notifier.turns(now):
        notifier.sent(sub, now, octets)
        subs.append(sub)
    return subs


def test_changes_are_told_once_and_one_notify_is_unanswered() -> None:
    notifier = Notifier()
    (sub,) = entered(notifier)
    for _ in range(5):
        notifier.touch(sub, 0.0)
    assert told(notifier, 0.1) == [sub]
    notifier.touch(sub, 5.0)
    assert told(notifier, 5.1) == []
    notifier.answered(sub, 5.2, more=False)
    assert told(notifier, 5.3) == [sub]


def test_there_is_a_pause_between_two() -> None:
    notifier = Notifier()
    (sub,) = entered(notifier)
    notifier.touch(sub, 0.0)
    told(notifier, 0.0)
    notifier.answered(sub, 0.01, more=False)
    notifier.touch(sub, 0.02)
    assert told(notifier, PAUSE_S - 0.1) == []
    assert told(notifier, PAUSE_S) == [sub]


def test_what_did_not_fit_follows_the_answer() -> None:
    notifier = Notifier()
    (sub,) = entered(notifier)
    notifier.touch(sub, 0.0)
    told(notifier, 0.0)
    notifier.answered(sub, 0.05, more=True)
    assert told(notifier, 0.1) == [sub]


def test_that_something_stays_can_wait_but_goes_with_what_cannot() -> None:
    notifier = Notifier()
    one, other = entered(notifier, 2)
    notifier.touch(one, 0.0, LAZILY)
    notifier.touch(other, 0.0, LAZILY)
    assert told(notifier, 1.0) == []
    notifier.touch(other, 1.0)
    assert told(notifier, 1.1) == [other]
    notifier.answered(other, 1.2, more=False)
    assert told(notifier, LAZY_S) == [one]
    assert told(notifier, LAZY_S + 1) == []


def test_a_crowd_is_served_in_turn() -> None:
    notifier = Notifier()
    subs = entered(notifier, 450)
    for sub in subs:
        notifier.touch(sub, 0.0)
    turns = [told(notifier, 0.1 * number) for number in range(1, 5)]
    assert [len(turn) for turn in turns] == [200, 200, 50, 0]
    assert [sub for turn in turns for sub in turn] == subs


def test_watchers_of_the_domain_come_after_all_others() -> None:
    notifier = Notifier()
    subs = entered(notifier, 300)
    far = of_the_domain(notifier, 300)
    for sub in [*far, *subs]:
        notifier.touch(sub, 0.0)
    assert told(notifier, 0.1) == subs[:200]
    assert told(notifier, 0.2) == subs[200:] + far[:100]
    assert notifier.waiting == 200
    assert told(notifier, 0.3) == far[100:]
    assert notifier.waiting == 0


def test_the_more_watch_the_domain_the_longer_each_waits() -> None:
    notifier = Notifier(most=5000)
    (sub, *others) = of_the_domain(notifier, 2500)
    assert notifier.domain_pause_s == 2.5
    notifier.touch(sub, 0.0)
    assert told(notifier, 0.0) == [sub]
    notifier.answered(sub, 0.01, more=False)
    notifier.touch(sub, 0.02)
    assert told(notifier, 2.4) == []
    assert told(notifier, 2.5) == [sub]
    for other in others:
        notifier.remove(other, b"timeout")
    assert notifier.of_domain == 1
    assert notifier.domain_pause_s == PAUSE_S


def test_so_many_octets_are_sent_at_once_and_so_many_are_unanswered() -> None:
    notifier = Notifier()
    subs, far = entered(notifier, 1), of_the_domain(notifier, 200)
    for sub in [*far, *subs]:
        notifier.touch(sub, 0.0)
    octets = 1_000_000
    out: list[Subscription] = []
    for tick in range(1, 30):
        now = told(notifier, tick / 10, octets)
        assert len(now) <= 5
        out += now
    assert notifier.under_way == len(out) * octets == MOST_UNDER_WAY
    assert notifier.waiting == 201 - len(out)
    notifier.touch(subs[0], 3.0)
    notifier.answered(subs[0], 3.0, more=False)
    notifier.answered(out[5], 3.0, more=False)
    assert told(notifier, 3.1, octets) == [subs[0], *far[63:64]], "others are told in any case"
    notifier.release(out[7])
    assert notifier.under_way == MOST_UNDER_WAY - octets


def test_what_ends_is_told_even_in_the_pause_but_not_before_the_answer() -> None:
    notifier = Notifier()
    (sub,) = entered(notifier)
    notifier.touch(sub, 0.0)
    told(notifier, 0.0)
    assert notifier.remove(sub, b"timeout")
    assert not notifier.remove(sub, b"timeout")
    notifier.touch(sub, 0.1)
    assert told(notifier, 0.2) == []
    notifier.answered(sub, 0.3, more=False)
    assert told(notifier, 0.4) == [sub]
    sub.over = True
    notifier.answered(sub, 0.5, more=False)
    assert not told(notifier, 5.0)
    assert notifier.pause_s is None


def test_time_ends_it_unless_it_was_prolonged() -> None:
    notifier = Notifier()
    one, other = entered(notifier, 2, until=60.0)
    notifier.prolong(other, 120.0)
    assert notifier.ended(59.0) == []
    assert notifier.ended(61.5) == [one]
    assert one.ending == b"timeout"
    notifier.prolong(other, 70.0)
    assert notifier.ended(71.5) == [other]
    assert len(notifier) == 0


def test_nothing_is_kept_of_what_has_ended() -> None:
    notifier = Notifier()
    for sub in entered(notifier, 50):
        notifier.remove(sub, b"timeout")
    assert not notifier._ends
    assert not notifier._seconds
    assert not notifier._owners
    assert notifier.pause_s is None
    assert notifier.find(b"c0", b"ours", b"theirs") is None


@pytest.mark.parametrize(
    ("most", "of_one", "rule"),
    [(2, 9, Rule.SUBSCRIPTIONS_FULL), (9, 2, Rule.TOO_MANY_SUBSCRIPTIONS), (9, 9, None)],
)
def test_there_are_bounds(most: int, of_one: int, rule: Rule | None) -> None:
    notifier = Notifier(most, of_one)
    subs = entered(notifier, 2)
    assert notifier.room_for(b"wanda") is rule
    notifier.remove(subs[0], b"timeout")
    assert notifier.room_for(b"wanda") is None
