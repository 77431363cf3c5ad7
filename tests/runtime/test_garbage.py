import gc
import weakref
from collections.abc import Iterator

import anyio
import pytest

from centrex.events.statistics import Statistics
from centrex.runtime import garbage as module
from centrex.runtime.garbage import ALONE, Collector, uncollected

BUSY = 1000


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave the collector as the tests that follow expect it."""
    was, thresholds = gc.isenabled(), gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    (gc.enable if was else gc.disable)()


class Cycle:
    """Something that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


def forgotten() -> weakref.ref[Cycle]:
    return weakref.ref(Cycle())


class Engine:
    """What a collector sees of one: the messages of each second."""

    def __init__(self, too_many: int = ALONE, step: int = 0) -> None:
        self.trimmed = 0
        self.collector = Collector(self.trim, too_many=too_many, step=step)
        self.messages = 0

    def trim(self, kept: int) -> None:
        self.trimmed += 1

    def seconds(self, count: int, messages: int = 0) -> None:
        for _ in range(count):
            self.messages += messages
            self.collector.each_second(self.messages)


def test_memory_is_given_back_once_a_busy_time_is_over() -> None:
    engine = Engine()
    engine.seconds(100)
    assert engine.trimmed == 0
    engine.seconds(5, BUSY)
    engine.seconds(2)
    engine.seconds(1, BUSY)
    engine.seconds(2)
    assert engine.trimmed == 0
    engine.seconds(1)
    assert engine.trimmed == 1
    engine.seconds(100)
    assert engine.trimmed == 1


def test_the_c_librarys_own_is_used_where_there_is_one() -> None:
    module._trimmer()(0)


def test_it_is_switched_off_and_what_is_there_is_left_out() -> None:
    Engine()
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_the_young_are_looked_at_when_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOME", 0)
    engine = Engine()
    cycle = forgotten()
    engine.seconds(9)
    assert cycle() is not None
    engine.seconds(1)
    assert cycle() is None


def test_a_few_young_are_not_worth_it() -> None:
    engine = Engine()
    cycle = forgotten()
    engine.seconds(20)
    assert cycle() is not None


def test_nobody_is_held_up_while_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SOME", 0)
    engine = Engine()
    cycle = forgotten()
    engine.seconds(599, BUSY)
    assert cycle() is not None
    # One that came while messages kept coming is seen to when they stop.
    engine.seconds(1)
    assert cycle() is None


def test_too_many_young_are_looked_at_whatever_goes_on() -> None:
    engine = Engine(too_many=500)
    kept = [[number] for number in range(100)]
    cycle = forgotten()
    engine.seconds(1, BUSY)
    assert cycle() is not None
    kept += [[number] for number in range(500)]
    engine.seconds(1, BUSY)
    assert cycle() is None
    assert len(kept) == 600


def test_where_others_share_the_process_the_young_are_looked_at_in_small_steps() -> None:
    steps: list[int] = []
    gc.enable()
    Engine(step=500)
    gc.callbacks.append(
        lambda phase, told: steps.append(told["generation"]) if phase == "start" else None
    )
    try:
        cycle = forgotten()
        kept = [[number] for number in range(20_000)]
    finally:
        gc.callbacks.pop()
    assert cycle() is None
    assert len(kept) == 20_000
    assert len(steps) >= 20
    assert set(steps) == {0}, "nothing older is walked over in the middle of a call"


def test_what_outlived_those_steps_is_looked_at_when_it_is_quiet() -> None:
    gc.enable()
    engine = Engine(step=500)
    cycle = forgotten()
    reference = cycle()
    kept = [[number] for number in range(20_000)]
    del reference
    engine.seconds(10, BUSY)
    assert cycle() is not None
    engine.seconds(10)
    assert cycle() is None
    assert len(kept) == 20_000


def old() -> weakref.ref[Cycle]:
    cycle = forgotten()
    gc.freeze()
    gc.unfreeze()  # now it is of the oldest generation
    return cycle


def test_the_old_are_looked_at_once_in_ten_minutes() -> None:
    engine = Engine()
    for _ in range(2):
        cycle = old()
        engine.seconds(599)
        assert cycle() is not None
        engine.seconds(1)
        assert cycle() is None


def test_that_waits_until_it_is_quiet() -> None:
    engine = Engine()
    cycle = old()
    engine.seconds(601, BUSY)
    assert cycle() is not None
    engine.seconds(1)
    assert cycle() is None


async def test_it_looks_once_a_second_and_leaves_the_process_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.enable()
    seen: list[int] = []
    slept: list[float] = []
    monkeypatch.setattr(Collector, "each_second", lambda self, messages: seen.append(messages))
    sleep = anyio.sleep

    async def quick(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(anyio, "sleep", quick)
    statistics = Statistics(0.0)
    statistics.messages_in = 7
    async with anyio.create_task_group() as group:
        group.start_soon(Collector().run, statistics)
        while len(seen) < 3:
            assert not gc.isenabled() or not seen
            await sleep(0)
        group.cancel_scope.cancel()
    assert seen[:3] == [7, 7, 7]
    assert set(slept) == {1.0}
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize("on", [True, False])
def test_while_a_table_grows_nobody_walks_over_it(on: bool) -> None:
    (gc.enable if on else gc.disable)()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() is on


def test_the_collector_is_back_when_the_table_could_not_be_made() -> None:
    gc.enable()
    with pytest.raises(ZeroDivisionError), uncollected():
        raise ZeroDivisionError
    assert gc.isenabled()
