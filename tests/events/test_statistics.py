from centrex.events.statistics import Statistics


def test_a_snapshot_has_the_shape_of_the_control_protocol() -> None:
    stats = Statistics(0.0)
    stats.messages_in += 3
    stats.messages_out += 2
    stats.challenges_sent += 1
    stats.transactions_client += 4
    stats.drop("guard-limited")
    stats.drop("guard-limited")
    stats.media_amiss("media-one-way")
    assert stats.snapshot(0.0) == {
        "registrations": {
            "now": 0, "peak": 0, "total": 0, "per_second": 0.0, "per_minute": 0, "refused": 0,
        },
        "calls": {
            "now": 0, "peak": 0, "total": 0, "failed": 0, "per_second": 0.0, "per_minute": 0,
        },
        "messages": {"in": 3, "out": 2},
        "challenges": {"sent": 1, "refused": 0},
        "transactions": {"server": 0, "client": 4},
        "drops": {"guard-limited": 2},
        "media_amiss": {"media-one-way": 1},
    }  # fmt: skip


def test_a_snapshot_stays_as_it_was() -> None:
    stats = Statistics(0.0)
    before = stats.snapshot(0.0)
    stats.drop("too-large")
    assert before["drops"] == {}


def test_calls_have_a_peak_and_failures() -> None:
    stats = Statistics(0.0)
    for _ in range(3):
        stats.call_began()
    stats.call_ended()
    stats.call_ended(failed=True)
    stats.call_began()
    calls = stats.snapshot(1.0)["calls"]
    assert (calls["now"], calls["peak"], calls["total"], calls["failed"]) == (2, 3, 4, 1)


def test_peaks_follow_counters_that_are_set_by_hand() -> None:
    stats = Statistics(0.0)
    stats.registrations_now = 7
    stats.sample(1.0)
    stats.registrations_stand(2)
    registrations = stats.snapshot(2.0)["registrations"]
    assert (registrations["now"], registrations["peak"]) == (2, 7)


def test_rates_are_taken_over_the_last_second_and_the_last_minute() -> None:
    stats = Statistics(0.0)
    for second in range(1, 181):
        stats.calls_total += 10 if second <= 150 else 2
        stats.registrations_total += 1
        stats.sample(float(second))
    snapshot = stats.snapshot(180.0)
    assert snapshot["calls"]["per_second"] == 2.0
    assert snapshot["calls"]["per_minute"] == 30 * 10 + 30 * 2
    assert snapshot["registrations"]["per_second"] == 1.0
    assert snapshot["registrations"]["per_minute"] == 60


def test_rates_in_the_first_second_are_not_blown_up() -> None:
    stats = Statistics(0.0)
    stats.calls_total += 5
    snapshot = stats.snapshot(0.01)
    assert snapshot["calls"]["per_second"] == 5.0
    assert snapshot["calls"]["per_minute"] == 5


def test_samples_are_bounded_however_often_they_are_taken() -> None:
    stats = Statistics(0.0)
    for moment in range(10_000):
        stats.calls_total += 1
        stats.sample(moment / 100)
    calls = stats.snapshot(100.0)["calls"]
    assert 0 < calls["per_minute"] <= 6_100
