import math
from itertools import pairwise
from typing import Any

import pytest

from centrex.base import Flow, Local, Transport
from centrex.events.statistics import Statistics
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.registry import Registry
from centrex.runtime.keepalive import PING, Asks, KeepAlive, Wanted
from tests.support.proxy import Proxy, respond

LOCAL = Local(Transport.UDP, "192.0.2.1", 5060)


class Wire:
    """Takes keep-alives, and notes when each address got one.

    Attributes:
        now: The time that `KeepAlive` is told.
    """

    def __init__(self, interval: float = 25) -> None:
        self.now = 0.0
        self.interval = interval
        self.broken = False
        self.heard: dict[Any, list[float]] = {}
        self.by_options, self.check_interval = False, 0.0
        proxy = Proxy()
        proxy.core.registry = self.registry = Registry()
        self.core, self.statistics = proxy.core, Statistics(0.0)
        self.asked: dict[Any, list[float]] = {}
        """When each address was sent an OPTIONS, repetitions included."""
        self.answering: set[int] | None = None
        """Which of them answer; None for all."""
        asks = Asks(self.core, self._finish)
        self.keepalive = KeepAlive(self.registry, self._wanted, self.statistics, asks)

    def sendto(self, data: bytes, address: Any, /) -> int:
        if self.broken:
            raise OSError("no way")
        assert data == PING
        self.heard.setdefault(address, []).append(self.now)
        return len(data)

    def _wanted(self) -> Wanted:
        return Wanted(self.interval, self.by_options, self.check_interval)

    def _finish(self) -> None:
        while self.core.sends:
            sends = list(self.core.sends)
            self.core.sends.clear()
            for flow, data in sends:
                assert data.startswith(b"OPTIONS sip:x SIP/2.0\r\n")
                self.asked.setdefault(flow.address, []).append(self.now)
                if self.answering is None or flow.address in self.answering:
                    self.core.receive(respond(data, 200), flow, self.now)

    def flow(self, number: int, transport: Transport = Transport.UDP) -> Flow:
        host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        return Flow(transport, host, 5060, address=number, link=self, local=LOCAL)

    def register(self, user: int | str, flow: Flow | None, *, natted: bool = True) -> None:
        binding = Binding(
            b"sip:x",
            b"",
            q=1000,
            expires_at=1e9,
            call_id=b"c",
            cseq=1,
            flow=flow,
            registered_at=self.now,
            natted=natted,
        )
        change = Change(ChangeKind.ADDED, binding, None)
        self.registry.put(str(user).encode(), [binding], [change])

    def run(self, seconds: float, tick: float = 1.0) -> None:
        for _ in range(round(seconds / tick)):
            self.now += tick
            self.keepalive.tick(self.now)
            self.core.expire(self.now)
            self._finish()


@pytest.mark.parametrize("users", [1, 2, 3, 10, 30, 1000])
@pytest.mark.parametrize("interval", [5, 25, 60])
def test_nobody_hears_nothing_for_longer_than_the_interval(users: int, interval: int) -> None:
    wire = Wire(interval)
    for number in range(users):
        wire.register(number, wire.flow(number))
    wire.run(interval * 8)
    assert len(wire.heard) == users
    for times in wire.heard.values():
        gaps = [later - earlier for earlier, later in pairwise([0.0, *times, wire.now])]
        assert max(gaps) <= interval + 1
        # nor is anybody pestered: once an interval or a little oftener
        assert len(times) <= 12


def test_the_sends_are_spread_over_the_time() -> None:
    wire = Wire(25)
    for number in range(5000):
        wire.register(number, wire.flow(number))
    wire.run(100, tick=0.1)
    moments: dict[float, int] = {}
    for times in wire.heard.values():
        for moment in times:
            moments[moment] = moments.get(moment, 0) + 1
    assert max(moments.values()) <= 2 * 5000 / 11.5 * 0.1


def test_who_registers_while_a_round_is_on_is_not_forgotten() -> None:
    wire = Wire(25)
    for number in range(200):
        wire.register(number, wire.flow(number))
        wire.run(1)
    wire.run(30)
    for number, times in wire.heard.items():
        gaps = [later - earlier for earlier, later in pairwise([float(number), *times])]
        assert max(gaps) <= 26


def test_users_behind_one_path_share_its_keepalive() -> None:
    wire = Wire(25)
    flow = wire.flow(1)
    for number in range(50):
        wire.register(number, flow)
    wire.run(250)
    assert len(wire.heard[1]) <= 20  # and not 50 in each round


def test_only_paths_that_need_it_are_kept_open() -> None:
    wire = Wire(25)
    wire.register("public", wire.flow(1), natted=False)
    wire.register("stream", wire.flow(2, Transport.TCP))
    wire.register("gone", None)
    wire.run(100)
    assert wire.heard == {}


def test_the_interval_may_change_and_end() -> None:
    wire = Wire(0)
    wire.register(1, wire.flow(1))
    wire.run(100)
    assert wire.heard == {}
    wire.interval = 10
    wire.run(100)
    assert 9 <= len(wire.heard[1]) <= 13
    wire.interval = 0
    wire.heard.clear()
    wire.run(100)
    assert wire.heard == {}


def test_a_send_that_fails_is_counted_and_no_more() -> None:
    wire = Wire(10)
    wire.register(1, wire.flow(1))
    wire.broken = True
    wire.run(30)
    assert wire.statistics.drops["keepalive-failed"] >= 2
    wire.broken = False
    wire.run(30)
    assert wire.keepalive.sent == len(wire.heard[1]) >= 2


def test_what_is_remembered_of_paths_is_forgotten_with_them() -> None:
    wire = Wire(10)
    for number in range(100):
        wire.register(number, wire.flow(number))
    wire.run(20)
    for number in range(100):
        wire.registry.remove(str(number).encode())
    wire.run(40)
    assert not wire.keepalive._pinged
    assert math.isfinite(wire.keepalive._began)


# questions


@pytest.mark.parametrize("interval", [10, 25, 60])
def test_phones_behind_nat_are_asked_instead(interval: int) -> None:
    wire = Wire(interval)
    wire.by_options = True
    for number in range(100):
        wire.register(number, wire.flow(number))
    wire.register("public", wire.flow(100), natted=False)
    wire.run(interval * 6)
    assert not wire.heard
    assert set(wire.asked) == set(range(100))
    for times in wire.asked.values():
        gaps = [later - earlier for earlier, later in pairwise([0.0, *times, wire.now])]
        assert max(gaps) <= interval + 1
        assert len(times) <= 9


def test_all_phones_are_asked_where_that_is_wanted() -> None:
    wire = Wire(25)
    wire.check_interval = 60
    for number in range(100):
        wire.register(number, wire.flow(number), natted=number % 2 == 0)
    wire.run(360)
    assert set(wire.asked) == set(range(100))
    assert all(5 <= len(times) <= 9 for times in wire.asked.values())
    assert set(wire.heard) == set(range(0, 100, 2)), "between them, NATs are kept open"


def test_ten_thousand_questions_are_spread_over_the_time() -> None:
    wire = Wire(0)
    wire.check_interval = 60
    for number in range(10_000):
        wire.register(number, wire.flow(number), natted=False)
    wire.run(130, tick=0.1)
    moments: dict[float, int] = {}
    for times in wire.asked.values():
        for moment in times:
            moments[moment] = moments.get(moment, 0) + 1
    assert len(wire.asked) == 10_000
    assert max(moments.values()) <= 2 * 10_000 / 29 * 0.1


def test_one_that_does_not_answer_is_asked_less_often_and_its_nat_kept_open() -> None:
    wire = Wire(25)
    wire.by_options = True
    wire.answering = {1}
    for number in (1, 2):
        wire.register(number, wire.flow(number))
    wire.run(80)
    assert [contact.address for contact in wire.core.contacts.marked.values()] == [
        ("10.0.0.2", 5060)
    ]
    wire.asked.clear()
    wire.heard.clear()
    wire.run(600)
    assert 20 <= len(wire.asked[1]) <= 50
    assert 4 * 11 <= len(wire.asked[2]) <= 6 * 11, "eleven times each (timer E), every 120 s"
    gaps = [b - a for a, b in pairwise(sorted(wire.asked[2] + wire.heard[2]))]
    assert max(gaps) <= 26
    wire.answering = None
    wire.run(130)
    assert not wire.core.contacts.marked


def test_questions_end_with_the_setting() -> None:
    wire = Wire(0)
    wire.check_interval = 10
    wire.register(1, wire.flow(1), natted=False)
    wire.run(30)
    assert wire.core.contacts.asks
    wire.check_interval = 0
    wire.asked.clear()
    wire.run(100)
    assert not wire.asked
    assert not wire.core.contacts.asks
