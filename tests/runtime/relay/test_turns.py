"""The thread of the packets: short turns on the processor, and the first ones, where the kernel grants them."""

import os
import platform
import threading
from collections.abc import Callable

import pytest

from centrex.runtime.precedence import NICE
from centrex.runtime.relay import turns
from tests.support.planes import World

_KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
granted = pytest.mark.skipif(_KERNEL < (6, 12), reason="kernels before 6.12 take no notice")


def length_ns() -> int:
    """Return how long the calling thread's turns are."""
    return int(turns._ATTRIBUTES.unpack(turns._get())[turns._RUNTIME])


def in_a_thread(work: Callable[[], None]) -> None:
    """Do something in a thread of its own, whose turns are nobody else's."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by whoever waits
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


@granted
def test_the_turns_of_a_thread_become_short() -> None:
    def work() -> None:
        turns.shorten()
        assert length_ns() == turns.SHORTEST_NS

    in_a_thread(work)
    in_a_thread(_differs)


def _differs() -> None:
    assert length_ns() != turns.SHORTEST_NS, "it is one thread's own"


def test_what_else_was_set_stays() -> None:
    def work() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 7)
        turns.shorten()
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 7
        assert os.sched_getscheduler(threading.get_native_id()) == os.SCHED_OTHER

    in_a_thread(work)


def test_a_thread_of_real_time_is_left_alone() -> None:
    def work() -> None:
        try:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        except PermissionError:
            pytest.skip("needs the right to real time")
        turns.shorten()
        assert os.sched_getscheduler(0) == os.SCHED_RR

    in_a_thread(work)


def test_a_machine_whose_calls_are_not_known_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_SET", {})
    turns.shorten()
    with pytest.raises(OSError, match="not known"):
        length_ns()


@granted
def test_packets_pass_in_a_thread_with_short_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []
    real = turns.shorten

    def shorten() -> None:
        real()
        seen.append(length_ns())

    monkeypatch.setattr(turns, "shorten", shorten)
    world = World()
    world.call().talk()
    world.close()
    assert seen == [turns.SHORTEST_NS]


def may_go_first() -> bool:
    """Whether this process has the right to a nice value below 0: not each root has."""
    found: list[bool] = []

    def ask() -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, NICE)
        except PermissionError:
            found.append(False)
        else:
            found.append(True)

    in_a_thread(ask)
    return found[0]


@pytest.mark.skipif(not may_go_first(), reason="takes the right to a nice value below 0")
def test_the_thread_of_the_packets_goes_first() -> None:
    world = World()
    world.call().talk()
    threads = {thread.name: thread.native_id for thread in threading.enumerate()}
    nice = os.getpriority(os.PRIO_PROCESS, threads["media"] or 0)
    world.close()
    assert nice == NICE
    assert os.getpriority(os.PRIO_PROCESS, 0) != NICE, "it is that thread's alone"


def test_without_the_right_packets_pass_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    world = World()
    plane = world.plane()
    world.call(plane).talk()
    assert plane.fault is None
    world.close()
