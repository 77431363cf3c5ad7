"""Learning where an end is: rules that keep strangers out, whatever they send."""

from hypothesis import given
from hypothesis import strategies as st

from centrex.media.learning import (
    CLAIM_S,
    CONFIRM_S,
    LOCK_PACKETS,
    MOVED_S,
    POOL_S,
    REPLACED_S,
    YIELD_S,
    Latch,
    Verdict,
)
from centrex.media.terms import Address

SIGNALLED = Address("198.51.100.7", 4000)
PRIVATE = Address("192.168.1.10", 4000)
PUBLIC = "8.8.4.4"
STRANGER = "9.9.9.9"
LONG_S = CONFIRM_S + 0.001
"""Long enough for another port to be believed."""


def latch(wanted: Address | None = SIGNALLED, source: str = "", *, natted: bool = False) -> Latch:
    made = Latch()
    assert made.expect(wanted, source or SIGNALLED.host, natted=natted)
    return made


def locked(made: Latch, host: str, port: int, *, stream: int = 7, now: float = 1.0) -> Latch:
    verdicts = [made.consider(host, port, stream, now) for _ in range(LOCK_PACKETS)]
    assert verdicts[0] is Verdict.LEARNED
    assert verdicts[-1] is Verdict.LOCKED
    return made


def rewritten(made: Latch, port: int, *, stream: int = 7, now: float = 1.0) -> Latch:
    """Another port of the signalled host goes on for long enough, and then holds."""
    assert made.consider(SIGNALLED.host, port, stream, now) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, port, stream, now + LONG_S) is Verdict.LEARNED
    for _ in range(LOCK_PACKETS):
        assert made.consider(SIGNALLED.host, port, stream, now + 1) is Verdict.ACCEPTED
    assert made.consider(SIGNALLED.host, port, stream, now + 2 * LONG_S + YIELD_S) is Verdict.LOCKED
    return made


def test_nothing_is_expected_before_signalling_has_said_anything() -> None:
    made = Latch()
    assert not made.expects
    made.expect(None, PUBLIC, natted=False)
    assert not made.expects, "whoever is not behind NAT sends from where it receives"
    made.expect(None, PUBLIC, natted=True)
    assert made.expects
    assert latch().expects


def test_media_go_to_the_signalled_address_until_it_is_learned() -> None:
    made = latch()
    assert made.targets == (SIGNALLED,)
    assert made.consider(*SIGNALLED, 7, 1.0) is Verdict.LEARNED
    assert made.targets == (SIGNALLED,)
    assert not made.locked


def test_another_port_of_the_same_host_is_learned_when_it_goes_on() -> None:
    """A NAT rewrote the port; until that is certain, media go where they were wanted."""
    made = latch()
    for passed in (0.0, CONFIRM_S / 2, CONFIRM_S * 0.99):
        assert made.consider(SIGNALLED.host, 9999, 7, 1.0 + passed) is Verdict.UNSURE
        assert made.source is None
        assert made.targets == (SIGNALLED,)
    assert made.consider(SIGNALLED.host, 9999, 7, 1.0 + LONG_S) is Verdict.LEARNED
    assert made.targets == (Address(SIGNALLED.host, 9999),)
    made = rewritten(latch(), 9999)
    assert made.targets == (Address(SIGNALLED.host, 9999),)
    assert made.consider(*SIGNALLED, 2, 10.0) is Verdict.LEARNED, "silent for longer than that"


def test_a_neighbour_who_sends_first_gets_nothing() -> None:
    """However many he sends: the end is heard where it said, and has its place at once."""
    made = latch()
    for number in range(50):
        assert made.consider(SIGNALLED.host, 9999, 1, 1.0 + number / 1000) is Verdict.UNSURE
    assert made.consider(*SIGNALLED, 2, 1.1) is Verdict.LEARNED
    assert made.consider(SIGNALLED.host, 9999, 1, 1.2) is Verdict.RIVAL
    assert made.targets == (SIGNALLED,)


def test_what_a_neighbour_sent_before_the_call_counts_for_nothing() -> None:
    made = Latch()
    made.expect(SIGNALLED, SIGNALLED.host, natted=False, now=5.0)
    assert made.consider(SIGNALLED.host, 9999, 1, 4.8) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 1, 5.0) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 1, 5.0 + LONG_S) is Verdict.LEARNED


def test_another_port_is_confirmed_by_one_stream_only() -> None:
    made = latch()
    assert made.consider(SIGNALLED.host, 9999, 1, 1.0) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 2, 1.1) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 2, 1.0 + LONG_S) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 0, 1.1 + LONG_S) is Verdict.LEARNED, "RTCP among it"


def test_many_neighbours_do_not_keep_each_other_out() -> None:
    made = latch()
    verdicts = [
        made.consider(SIGNALLED.host, 9000 + number % 3, 1, 1.0 + number / 100)
        for number in range(30)
    ]
    assert Verdict.LEARNED in verdicts
    made = latch()
    assert made.consider(SIGNALLED.host, 9000, 1, 1.0) is Verdict.UNSURE, "one that was late"
    assert made.consider(SIGNALLED.host, 9999, 7, 1.1) is Verdict.UNSURE
    rewritten(made, 9999, now=1.0 + 2 * CONFIRM_S)


def test_reports_of_another_port_are_believed_when_they_come_again() -> None:
    """RTCP comes every five seconds."""
    made = latch()
    assert made.consider(SIGNALLED.host, 9999, 0, 1.0) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 0, 6.5) is Verdict.LEARNED


def test_the_signalled_address_wins_until_another_one_holds() -> None:
    made = latch()
    assert made.consider(SIGNALLED.host, 9999, 1, 1.0) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 9999, 1, 1.2) is Verdict.LEARNED
    for _ in range(2 * LOCK_PACKETS):
        assert made.consider(SIGNALLED.host, 9999, 1, 2.0) is Verdict.ACCEPTED
    assert made.consider(*SIGNALLED, 0, 2.1) is Verdict.RIVAL, (
        "it keeps a NAT open, and is no stream"
    )
    assert made.consider(*SIGNALLED, 2, 2.1) is Verdict.LEARNED
    assert made.consider(SIGNALLED.host, 9999, 1, 2.2) is Verdict.RIVAL
    made = rewritten(latch(), 9999)
    assert made.consider(*SIGNALLED, 2, 3.2) is Verdict.RIVAL


def test_a_stranger_is_one_however_early_he_sends() -> None:
    made = latch()
    assert made.consider(STRANGER, SIGNALLED.port, 7, 0.0) is Verdict.STRANGER
    assert made.source is None
    assert made.targets == (SIGNALLED,)


def test_behind_nat_the_signalling_s_address_is_plausible() -> None:
    made = latch(PRIVATE, PUBLIC, natted=True)
    assert made.targets == (Address(PUBLIC, PRIVATE.port),), "nothing goes to a private address"
    assert made.consider(STRANGER, 4000, 7, 0.5) is Verdict.STRANGER
    locked(made, PUBLIC, 61234)
    assert made.targets == (Address(PUBLIC, 61234),)


def test_a_carrier_s_pool_is_plausible_once_the_signalling_s_address_was_silent() -> None:
    made = latch(PRIVATE, PUBLIC, natted=True)
    assert made.consider("8.8.4.200", 5000, 7, 1.0) is Verdict.UNSURE
    assert made.targets == (Address(PUBLIC, PRIVATE.port),)
    assert made.consider("8.8.4.200", 5000, 7, 1.0 + LONG_S) is Verdict.UNSURE
    assert made.consider("8.8.4.200", 5000, 7, 1.001 + POOL_S) is Verdict.LEARNED
    assert made.consider("8.8.5.4", 5000, 8, 1.6) is Verdict.STRANGER


def test_a_neighbour_of_the_pool_who_sends_first_gets_nothing() -> None:
    made = latch(PRIVATE, PUBLIC, natted=True)
    for number in range(45):
        assert made.consider("8.8.4.200", 5000, 7, 1.0 + number / 100) is Verdict.UNSURE
    locked(made, PUBLIC, 5000, stream=8, now=1.45)
    assert made.consider("8.8.4.200", 5000, 7, 2.0) is Verdict.RIVAL


def test_who_took_the_place_of_a_phone_that_was_silent_loses_it_to_the_phone() -> None:
    """What fits better what signalling said has the place, if it goes on; a stray packet has not."""
    for made, worse, better in (
        (latch(PRIVATE, PUBLIC, natted=True), Address("8.8.4.200", 5000), Address(PUBLIC, 61234)),
        (latch(), Address(SIGNALLED.host, 9999), SIGNALLED),
    ):
        assert made.consider(*worse, 7, 1.0) is Verdict.UNSURE
        times = [1.6 + number / 10 for number in range(30)]
        assert [made.consider(*worse, 7, now) for now in times][-1] is Verdict.ACCEPTED
        assert made.locked
        assert made.consider(*better, 8, 5.0) is Verdict.RIVAL
        assert made.consider(*worse, 7, 5.1) is Verdict.ACCEPTED
        assert made.consider(*better, 0, 6.1) is Verdict.RIVAL, "no stream"
        assert made.consider(*better, 8, 5.1 + CLAIM_S) is Verdict.LEARNED
        assert made.consider(*worse, 7, 6.3) is Verdict.RIVAL
        assert made.relearned == 1


def test_a_private_network_is_no_pool() -> None:
    made = latch(Address("172.16.0.9", 4000), "192.168.7.1", natted=True)
    assert made.consider("192.168.7.2", 4000, 7, 1.0) is Verdict.STRANGER


def test_both_candidates_where_either_may_be_right() -> None:
    made = latch(Address("8.8.8.8", 4000), PUBLIC, natted=True)
    assert made.targets == (Address("8.8.8.8", 4000), Address(PUBLIC, 4000))


def test_the_same_stream_from_another_port_after_a_short_silence() -> None:
    """The mapping of a NAT was made anew during the call."""
    made = locked(latch(PRIVATE, PUBLIC, natted=True), PUBLIC, 1111)
    assert made.consider(PUBLIC, 2222, 7, 1.0 + MOVED_S / 2) is Verdict.RIVAL
    assert made.consider(PUBLIC, 2222, 8, 1.0 + MOVED_S) is Verdict.RIVAL, "another stream"
    assert made.consider(PUBLIC, 2222, 7, 1.0 + MOVED_S) is Verdict.LEARNED
    assert made.relearned == 1
    assert not made.locked


def test_another_stream_after_a_long_silence() -> None:
    made = locked(latch(), *SIGNALLED)
    assert made.consider(SIGNALLED.host, 2222, 99, 0.9 + REPLACED_S) is Verdict.RIVAL
    assert made.consider(SIGNALLED.host, 2222, 99, 1.0 + REPLACED_S) is Verdict.UNSURE
    assert made.consider(*SIGNALLED, 7, 1.1 + REPLACED_S) is Verdict.ACCEPTED, "it was a pause"
    assert made.consider(SIGNALLED.host, 2222, 99, 1.1 + 2 * REPLACED_S) is Verdict.UNSURE
    assert made.consider(SIGNALLED.host, 2222, 99, 1.3 + 2 * REPLACED_S) is Verdict.LEARNED
    assert made.consider(STRANGER, 2222, 99, 1000.0) is Verdict.STRANGER


def test_signalling_opens_it_again_only_with_news() -> None:
    made = rewritten(latch(), 9999)
    assert not made.expect(SIGNALLED, SIGNALLED.host, natted=False)
    assert made.locked
    other = Address("198.51.100.8", 6000)
    assert made.expect(other, SIGNALLED.host, natted=False, now=20.0)
    assert made.source is None
    assert made.targets == (other,)
    assert made.consider(SIGNALLED.host, 8888, 7, 20.1) is Verdict.STRANGER


def test_an_end_that_moves_is_heard_where_it_was_until_it_is_heard_where_it_is() -> None:
    """Its packets are on the way while the answer is; they do not hold the place it left."""
    for other in (Address(SIGNALLED.host, 6000), Address("198.51.100.8", 6000)):
        made = locked(latch(), *SIGNALLED)
        made.expect(other, SIGNALLED.host, natted=False, now=20.0)
        for number in range(3 * LOCK_PACKETS):
            assert made.consider(*SIGNALLED, 7, 20.0 + number * 0.1) is Verdict.ACCEPTED
        assert made.targets == (other,)
        assert made.settled
        assert made.consider(*other, 8, 21.6) is Verdict.LEARNED
        assert made.consider(*SIGNALLED, 7, 21.7) is not Verdict.ACCEPTED
        assert made.targets == (other,)


def test_an_end_that_does_not_leave_where_it_was_is_judged_anew() -> None:
    made = locked(latch(), *SIGNALLED)
    made.expect(Address(SIGNALLED.host, 6000), SIGNALLED.host, natted=False, now=20.0)
    assert made.consider(*SIGNALLED, 7, 20.0 + YIELD_S) is Verdict.UNSURE
    assert made.consider(*SIGNALLED, 7, 20.0 + YIELD_S + LONG_S) is Verdict.LEARNED


def test_an_end_behind_nat_that_moves_is_found_at_once() -> None:
    made = locked(latch(PRIVATE, PUBLIC, natted=True), PUBLIC, 1111)
    made.expect(PRIVATE._replace(port=6000), PUBLIC, natted=True, now=20.0)
    for number in range(3 * LOCK_PACKETS):
        assert made.consider(PUBLIC, 1111, 7, 20.0 + number * 0.1) is Verdict.ACCEPTED
    assert made.targets == (Address(PUBLIC, 1111),), "nothing better is known"
    assert made.consider(STRANGER, 2222, 8, 21.5) is Verdict.STRANGER
    assert made.consider(PUBLIC, 2222, 8, 21.6) is Verdict.LEARNED
    assert made.consider(PUBLIC, 1111, 7, 21.7) is Verdict.RIVAL, "it was still on its way"
    made = locked(latch(PRIVATE, PUBLIC, natted=True), PUBLIC, 1111)
    made.expect(PRIVATE._replace(port=6000), PUBLIC, natted=True, now=20.0)
    verdicts = [made.consider(PUBLIC, 1111, 7, 20.0 + number * 0.5) for number in range(10)]
    assert verdicts[-1] is Verdict.ACCEPTED
    assert Verdict.LOCKED in verdicts, "it did not move"


def test_hold_says_nothing_of_where_an_end_is() -> None:
    """By 0.0.0.0, as RFC 2543 had it: music comes from where speech came from."""
    made = locked(latch(), *SIGNALLED)
    assert not made.expect(None, SIGNALLED.host, natted=False)
    assert made.locked
    assert made.consider(*SIGNALLED, 7, 2.0) is Verdict.ACCEPTED
    assert not made.expect(SIGNALLED, SIGNALLED.host, natted=False)
    assert made.expect(None, "", natted=False), "somebody else is called"
    assert made.source is None


def test_what_is_heard_where_it_was_signalled_need_not_be_learned_again() -> None:
    made = locked(latch(), *SIGNALLED)
    assert made.expect(SIGNALLED, "203.0.113.1", natted=False)
    assert made.locked


def test_five_packets_of_one_stream_lock() -> None:
    made = latch()
    for number in range(4 * LOCK_PACKETS):
        assert made.consider(*SIGNALLED, number % 2, 1.0) is not Verdict.LOCKED
    assert not made.locked


def test_an_adopted_source_holds() -> None:
    made = latch()
    made.adopt(Address(SIGNALLED.host, 7777), 5.0)
    assert made.locked
    assert made.settled
    assert made.consider(*SIGNALLED, 7, 5.1) is Verdict.RIVAL


def test_nothing_signalled_nothing_learned() -> None:
    made = Latch()
    assert made.targets == ()
    assert not made.settled
    assert made.consider(*SIGNALLED, 7, 1.0) is Verdict.STRANGER


HOSTS = st.sampled_from(
    [SIGNALLED.host, PRIVATE.host, PUBLIC, "8.8.4.9", STRANGER, "2001:db8::1", "10.0.0.1"]
)
PACKETS = st.tuples(HOSTS, st.sampled_from([4000, 5000, 6000]), st.integers(0, 3), st.floats(0, 2))


@given(st.booleans(), st.lists(PACKETS, max_size=60))
def test_no_packet_makes_a_stranger_the_target(natted: bool, packets: list[tuple]) -> None:  # type: ignore[type-arg]
    made = latch(PRIVATE if natted else SIGNALLED, PUBLIC, natted=natted)
    plausible = {PRIVATE.host, PUBLIC, "8.8.4.9"} if natted else {SIGNALLED.host}
    now = 0.0
    for host, port, stream, passed in packets:
        now += passed
        was, held, heard = made.source, made.locked, made.heard
        verdict = made.consider(host, port, stream, now)
        if host not in plausible:
            assert verdict is Verdict.STRANGER
        assert all(target.host in plausible for target in made.targets)
        if held and made.source != was:
            assert now - heard >= MOVED_S
