"""Ticks that a descriptor tells of."""

import ctypes
import os
import select
import time
from collections.abc import Iterator

import pytest

from centrex.runtime.relay import ticks
from centrex.runtime.relay.ticks import Ticks


@pytest.fixture
def clock() -> Iterator[Ticks]:
    made = Ticks()
    yield made
    made.close()


def wait(clock: Ticks, seconds: float) -> bool:
    return bool(select.select([clock.number], [], [], seconds)[0])


def test_it_ticks_again_and_again(clock: Ticks) -> None:
    began = time.monotonic()
    clock.every(0.02)
    for _ in range(3):
        assert wait(clock, 5)
        assert clock.take() >= 1
    assert time.monotonic() - began >= 0.05


def test_it_does_not_tick_before_it_is_told_to(clock: Ticks) -> None:
    assert not wait(clock, 0.05)
    assert clock.take() == 0


def test_ticks_that_nobody_took_are_counted(clock: Ticks) -> None:
    clock.every(0.01)
    time.sleep(0.1)
    assert clock.take() >= 8
    assert clock.take() <= 1


def test_another_pace_begins_at_once(clock: Ticks) -> None:
    clock.every(3600)
    clock.every(0.01)
    assert wait(clock, 5)


def test_to_be_told_the_same_again_changes_nothing(clock: Ticks) -> None:
    clock.every(0.2)
    deadline = time.monotonic() + 5
    while not wait(clock, 0):
        clock.every(0.2)  # or else it would begin anew each time, and never tick
        assert time.monotonic() < deadline


def test_no_descriptor_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def timerfd_create(self, *_: int) -> int:
            ctypes.set_errno(24)
            return -1

    monkeypatch.setattr(ticks, "_libc", Full())
    with pytest.raises(OSError, match="Too many open files"):
        Ticks()


def test_no_pace_is_an_error(clock: Ticks) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        clock.every(-1)


def test_its_descriptor_is_closed_with_it() -> None:
    made = Ticks()
    made.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(made.number, 8)
