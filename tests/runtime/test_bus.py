import logging
import threading
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from centrex.events import Event, Kind, Severity
from centrex.runtime.bus import Bus, LogHandler, Lost, utc_now

START = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Clock:
    def __init__(self) -> None:
        self.ticks = 0

    def __call__(self) -> datetime:
        self.ticks += 1
        return START + timedelta(seconds=self.ticks)


def call(name: str = "call.answered", kind: Kind = Kind.CALLS) -> Event:
    return Event(kind, Severity.INFO, name, {})


def test_events_are_stamped_and_handed_over_in_order() -> None:
    bus = Bus(wall=Clock())
    subscription = bus.subscribe()
    first, second = call(), call("call.ended")
    bus.publish(first)
    bus.publish(second)
    assert subscription.drain() == [
        (START + timedelta(seconds=1), first),
        (START + timedelta(seconds=2), second),
    ]
    assert subscription.drain() == []


def test_a_slow_reader_loses_the_oldest_and_is_told() -> None:
    bus = Bus()
    subscription = bus.subscribe(limit=3)
    events = [call(str(number)) for number in range(10)]
    for event in events:
        bus.publish(event)
    assert len(subscription) == 3
    items = subscription.drain()
    assert items[0] == Lost(7)
    assert [item[1] for item in items[1:] if not isinstance(item, Lost)] == events[7:]
    bus.publish(events[0])
    assert not any(isinstance(item, Lost) for item in subscription.drain())


def test_wanted_is_what_is_switched_on_and_heard() -> None:
    bus = Bus(enabled={Kind.CALLS, Kind.GUARD})
    assert bus.wanted == {Kind.ERRORS}
    with bus.subscribe({Kind.CALLS, Kind.MEDIA}):
        assert bus.wanted == {Kind.CALLS, Kind.ERRORS}
        bus.enable({Kind.MEDIA})
        assert bus.wanted == {Kind.MEDIA, Kind.ERRORS}
        assert bus.wants(Kind.MEDIA)
        assert not bus.wants(Kind.CALLS)
        with bus.subscribe():
            assert bus.wanted == {Kind.MEDIA, Kind.ERRORS, Kind.SERVER}
    assert bus.wanted == {Kind.ERRORS}


def test_kinds_switched_off_are_not_handed_over_but_errors_are() -> None:
    bus = Bus(enabled=())
    subscription = bus.subscribe()
    bus.publish(call())
    bus.publish(Event(Kind.CALLS, Severity.ERROR, "call.broken", {}))
    bus.publish(call("error", Kind.ERRORS))
    bus.publish(call("server.started", Kind.SERVER))
    names = [item[1].name for item in subscription.drain() if not isinstance(item, Lost)]
    assert names == ["call.broken", "error", "server.started"]


def test_a_subscription_hears_only_its_kinds_and_nothing_once_closed() -> None:
    bus = Bus()
    subscription = bus.subscribe({Kind.GUARD})
    bus.publish(call())
    assert subscription.drain() == []
    subscription.close()
    subscription.close()
    bus.publish(call("guard.banned", Kind.GUARD))
    assert subscription.drain() == []


async def test_a_reader_waits_until_there_is_something() -> None:
    bus = Bus()
    subscription = bus.subscribe(limit=3)
    seen: list[int] = []

    async def read() -> None:
        seen.append(len(await subscription.receive()))
        await subscription.wait(100)  # more than it holds: as many as it holds
        seen.append(len(subscription))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert seen == []
        bus.publish(call())
        await anyio.wait_all_tasks_blocked()
        assert seen == [1]
        for _ in range(2):
            bus.publish(call())
        await anyio.wait_all_tasks_blocked()
        assert seen == [1]
        bus.publish(call())
    assert seen == [1, 3]


def in_thread(bus: Bus, events: list[Event]) -> None:
    def post() -> None:
        for event in events:
            bus.post(event)

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()


def test_events_of_other_threads_come_with_the_next_or_by_collection() -> None:
    bus = Bus()
    subscription = bus.subscribe()
    foreign, own = call("foreign"), call("own")
    in_thread(bus, [foreign])
    assert subscription.drain() == []
    bus.post(own)
    assert [i[1] for i in subscription.drain() if not isinstance(i, Lost)] == [foreign, own]
    in_thread(bus, [foreign])
    bus.collect()
    assert [i[1] for i in subscription.drain() if not isinstance(i, Lost)] == [foreign]


def test_events_of_other_threads_are_bounded() -> None:
    bus = Bus()
    in_thread(bus, [call()] * 1_500)
    assert bus.lost_foreign == 500


# Library logs


def record(level: int, message: str, *args: object, **more: object) -> logging.LogRecord:
    parts = {"name": "some.library", "levelno": level, "msg": message, "args": args}
    return logging.makeLogRecord(parts | more)


def test_log_records_become_events() -> None:
    bus = Bus()
    subscription = bus.subscribe()
    handler = LogHandler(bus.post)
    assert handler.level == logging.WARNING
    error = OSError("gone")
    handler.handle(record(logging.WARNING, "slow: %d s", 3))
    handler.handle(record(logging.CRITICAL, "failed", exc_info=(OSError, error, None)))
    handler.handle(record(logging.INFO, "odd %d", "text"))
    handler.handle(record(logging.DEBUG, "small"))
    events = [item[1] for item in subscription.drain() if not isinstance(item, Lost)]
    assert [(event.kind, event.severity, event.name) for event in events] == [
        (Kind.SERVER, Severity.WARNING, "library.message"),
        (Kind.ERRORS, Severity.ERROR, "library.message"),
        (Kind.SERVER, Severity.INFO, "library.message"),
        (Kind.SERVER, Severity.DEBUG, "library.message"),
    ]
    assert events[0].fields == {"logger": "some.library", "message": "slow: 3 s"}
    assert events[1].fields["error"] == "OSError: gone"
    assert events[2].fields["message"] == "odd %d"


def test_the_time_of_day_is_aware_and_utc() -> None:
    assert utc_now().tzinfo is UTC


def test_one_kind_is_listened_to_closely_and_the_others_are_not() -> None:
    bus = Bus()
    with bus.subscribe(least=Severity.INFO, closely=[Kind.CALLS]) as subscription:
        assert bus.details == {Kind.CALLS}
        for kind in (Kind.CALLS, Kind.REGISTRATIONS):
            for severity in (Severity.DEBUG, Severity.INFO):
                bus.publish(Event(kind, severity, severity.name, {}))
        heard = [(item[1].kind, item[1].name) for item in subscription.drain()]  # type: ignore[index]
    assert heard == [
        (Kind.CALLS, "DEBUG"), (Kind.CALLS, "INFO"), (Kind.REGISTRATIONS, "INFO")
    ]  # fmt: skip
    assert not bus.details


def test_one_event_is_listened_to_by_name_and_its_kind_is_not() -> None:
    bus = Bus()
    with bus.subscribe(least=Severity.INFO, by_name=["registration.refused"]) as subscription:
        assert bus.details == {Kind.REGISTRATIONS}
        for name in ("registration.refused", "registration.refreshed"):
            bus.publish(Event(Kind.REGISTRATIONS, Severity.DEBUG, name, {}))
        heard = [item[1].name for item in subscription.drain()]  # type: ignore[index]
    assert heard == ["registration.refused"]
    assert not bus.details
