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
    engine.seconds(39)
    engine.seconds(1, BUSY)
    engine.seconds(39)
    assert engine.trimmed == 0, "its transactions are there still"
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


class Looks:
    """Counts how many objects are looked at: those that are not set aside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most = 0
        collect = gc.collect

        def counted(generation: int = 2) -> int:
            self.most = max(self.most, len(gc.get_objects(generation=0)))
            return collect(generation)

        monkeypatch.setattr(gc, "collect", counted)


def test_the_few_young_of_a_quiet_time_are_looked_at() -> None:
    engine = Engine()
    cycle = forgotten()
    engine.seconds(9)
    assert cycle() is not None
    engine.seconds(1)
    assert cycle() is None


def test_nobody_is_held_up_during_a_busy_time_nor_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine()
    looks = Looks(monkeypatch)
    kept: list[list[int]] = []
    for _ in range(30):
        kept += [[number] for number in range(5_000)]
        engine.seconds(1, BUSY)
    engine.seconds(599)
    assert len(kept) == 150_000
    assert looks.most < 10_000, (
        "what a burst has left is not walked over when the next call may come"
    )


def test_what_was_set_aside_is_looked_at_after_a_long_quiet() -> None:
    engine = Engine()
    cycle = forgotten()
    kept = [[number] for number in range(20_000)]
    engine.seconds(10, BUSY)
    engine.seconds(599)
    assert cycle() is not None
    engine.seconds(1)
    assert cycle() is None
    assert len(kept) == 20_000
    assert gc.get_freeze_count() > 20_000, "it is not looked at again"


def test_far_too_much_that_was_set_aside_is_looked_at_whatever_goes_on() -> None:
    engine = Engine(too_many=50_000)
    cycle = forgotten()
    kept = [[number] for number in range(20_000)]
    engine.seconds(3_600, BUSY)
    assert cycle() is not None
    kept += [[number] for number in range(50_000)]
    engine.seconds(3_599, BUSY)
    assert cycle() is not None
    engine.seconds(1, BUSY)
    assert cycle() is None
    assert len(kept) == 70_000


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


def test_what_outlived_those_steps_is_looked_at_once_that_is_over() -> None:
    gc.enable()
    engine = Engine(step=500)
    cycle = forgotten()
    reference = cycle()
    kept = [[number] for number in range(20_000)]
    del reference
    engine.seconds(10, BUSY)
    engine.seconds(40)
    assert cycle() is not None
    engine.seconds(10)
    assert cycle() is None
    assert len(kept) == 20_000


def old() -> weakref.ref[Cycle]:
    cycle = forgotten()
    gc.freeze()
    gc.unfreeze()  # now it is of the oldest generation
    return cycle


@pytest.mark.parametrize("step", [0, 500])
def test_the_old_are_looked_at_after_ten_quiet_minutes(step: int) -> None:
    engine = Engine(step=step)
    engine.seconds(1, BUSY)
    for _ in range(2):
        cycle = old()
        engine.seconds(599)
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
