import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from centrex import api
from centrex.base import Flow, Transport
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.runtime.commands import Commands
from centrex.runtime.control import CommandRefused
from centrex.runtime.engine import Engine
from tests.support.engine import Instance, Phone, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


def binding(engine: Engine, number: int, *, expires_in: float = 3600) -> Binding:
    flow = engine.flows.find(Transport.UDP, "127.0.0.9", 1024 + number % 50_000)
    now = time.monotonic()
    return Binding(
        b"sip:%d@127.0.0.9" % number,
        b"",
        q=500,
        expires_at=now + expires_in,
        call_id=b"c%d" % number,
        cseq=1,
        flow=flow,
        registered_at=now,
        user_agent=b"Phone/1.0",
    )


def fill(engine: Engine, users: int, each: int = 1) -> None:
    for number in range(users):
        rows = [binding(engine, number) for _ in range(each)]
        engine.registry.restore(b"%d" % number, rows)


def begin_call(engine: Engine, number: int, flow: Flow) -> None:
    call_id, now = b"call-%d@test" % number, time.monotonic()
    engine.core.calls.begin(call_id, b"sip:a@x", b"sip:b@x", b"tag", flow, now)


async def test_the_status_tells_what_the_protocol_promises(made: Instance) -> None:
    async with made.running():
        status = await made.ask("status")
    assert status["state"] == "running"
    assert status["domain"] == "voip.test"
    assert status["listeners"][0] == {"transport": "udp", "host": made.host, "port": made.port}
    assert status["registrar"]["store"] == "memory"
    assert status["auth"] == {"enabled": False, "realm": "voip.test", "logins": 0}
    assert set(status["statistics"]) == {
        "registrations",
        "calls",
        "messages",
        "challenges",
        "transactions",
        "drops",
        "media_amiss",
    }


async def test_drops_of_connections_are_in_the_statistics(made: Instance) -> None:
    async with made.running() as engine:
        engine.streams.drops["too-large"] = 3
        engine.statistics.drop("too-large")
        assert (await made.ask("statistics"))["drops"]["too-large"] == 4


async def test_registrations_are_listed_by_user_and_removed(made: Instance) -> None:
    async with made.running() as engine:
        fill(engine, 3, each=2)
        engine.registry.restore(b"old", [binding(engine, 9, expires_in=-0.5)])
        listed = await made.ask("registrations")
        assert (len(listed["registrations"]), listed["total"], listed["next"]) == (6, 7, None)
        of_one = await made.ask("registrations", aor="sip:2@voip.test")
        assert [row["aor"] for row in of_one["registrations"]] == ["sip:2@voip.test"] * 2
        assert of_one["registrations"][0]["contact"] == "sip:2@127.0.0.9"
        assert await made.ask("registrations.remove", aor="2") == {"removed": 2}
        assert (await made.ask("registrations", aor="2"))["registrations"] == []
        with pytest.raises(CommandRefused) as caught:
            await made.ask("registrations.remove", aor="2")
        assert caught.value.code == "not-found"


@pytest.mark.parametrize("domain", ["voip.test", "fd00::1"])
async def test_whoever_is_listed_is_removed_by_the_address_that_is_told(
    made: Instance, domain: str
) -> None:
    made.write(network__domain=domain)
    made.engine = made.make()
    names = [b"a@b", b"50%", b"%41", b"a", b"two words", "jürgen".encode(), b"\x1b[2j\xff"]
    async with made.running() as engine:
        for number, name in enumerate(names):
            engine.registry.restore(name, [binding(engine, number)])
        listed = (await made.ask("registrations"))["registrations"]
        for row in listed:
            (one,) = (await made.ask("registrations", aor=row["aor"]))["registrations"]
            assert one["contact"] == row["contact"]
            told = await made.ask("registrations.remove", aor=row["aor"], contact=row["contact"])
            assert told == {"removed": 1}
        assert len(listed) == len(names)
        assert not engine.registry.names()


async def test_what_is_no_address_is_refused_as_such(made: Instance) -> None:
    async with made.running():
        for command in ("registrations", "registrations.remove"):
            with pytest.raises(CommandRefused, match="sip:two words@x is no address") as caught:
                await made.ask(command, aor="sip:two words@x")
            assert caught.value.code == "invalid"


async def test_one_phone_of_a_user_is_removed_by_its_contact(made: Instance) -> None:
    async with made.running() as engine:
        fill(engine, 3, each=2)
        rows = (await made.ask("registrations", aor="2"))["registrations"]
        contact = rows[0]["contact"]
        same = sum(row["contact"] == contact for row in rows)
        with pytest.raises(CommandRefused, match="at sip:else@nowhere"):
            await made.ask("registrations.remove", aor="2", contact="sip:else@nowhere")
        answer = await made.ask("registrations.remove", aor="2", contact=contact)
        assert answer == {"removed": same}
        left = (await made.ask("registrations", aor="2"))["registrations"]
        assert [row for row in rows if row["contact"] != contact] == left


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_100_000_registrations_are_listed_while_the_server_serves(made: Instance) -> None:
    async with made.running() as engine:
        fill(engine, 100_000)
        with pytest.raises(CommandRefused, match="by offset and limit"):
            await made.ask("registrations")

        def everything() -> list[dict[str, Any]]:
            return list(api.all_rows(made.paths, "registrations"))

        longest = 0.0
        async with anyio.create_task_group() as tasks:

            async def watch() -> None:
                nonlocal longest
                while True:
                    before = time.thread_time()
                    await anyio.lowlevel.checkpoint()
                    longest = max(longest, time.thread_time() - before)

            tasks.start_soon(watch)
            rows = await anyio.to_thread.run_sync(everything)
            tasks.cancel_scope.cancel()
        assert len({row["aor"] for row in rows}) == len(rows) == 100_000
        assert longest < 0.25  # of its own time: the client, in this very process, has its turns


async def test_calls_are_listed_by_the_page(made: Instance) -> None:
    with Phone((made.host, made.port), "1001") as callee, Phone((made.host, made.port)) as caller:
        async with made.running() as engine:
            await callee.register()
            invite = caller.request("INVITE", "sip:1001@voip.test")
            await caller.ask(invite)
            (call,) = (await made.ask("calls"))["calls"]
            assert (call["state"], call["answered_at"]) == ("calling", None)
            assert call["caller"] == f"udp {caller.host}:{caller.port}"
            flow = engine.flows.ports[0].flow((caller.host, caller.port))
            for number in range(2500):
                begin_call(engine, number, flow)
            page = await made.ask("calls", offset=1000, limit=10)
            assert (len(page["calls"]), page["total"], page["next"]) == (10, 2501, 1010)
            rows = await anyio.to_thread.run_sync(
                lambda: list(api.all_rows(made.paths, "calls")), abandon_on_cancel=True
            )
            assert len({row["id"] for row in rows}) == 2501
            engine.grace_s = 0.0


async def test_a_registration_is_explained_by_a_part_of_its_call_id(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running():
            await phone.register()
            told = await made.ask("explain", call_id=f"{phone.port}-")
            assert told["call_id"] == f"{phone.port}-1"
            assert told["lines"]
            with pytest.raises(CommandRefused) as caught:
                await made.ask("explain", call_id="nothing like it")
            assert (caught.value.code, caught.value.detail["nearest"]) == (
                "not-found",
                [f"{phone.port}-1"],
            )


async def test_a_ban_is_listed_and_released_once(made: Instance) -> None:
    async with made.running() as engine:
        now = time.monotonic()
        engine.guard.restore([("203.0.113.9", "guessing", now + 60)], now)
        (ban,) = (await made.ask("bans"))["bans"]
        assert (ban["source"], ban["reason"], ban["until"][-1]) == ("203.0.113.9", "guessing", "Z")
        assert await made.ask("bans.release", source="203.0.113.9") == {"released": True}
        with pytest.raises(CommandRefused, match="not banned"):
            await made.ask("bans.release", source="203.0.113.9")


@pytest.mark.parametrize("grace", [-1, "5", True, None])
async def test_a_grace_that_is_no_time_stops_nothing(made: Instance, grace: Any) -> None:
    async with made.running() as engine:
        if grace is None:
            assert Commands(engine).stop({"grace_s": None}) == {"stopping": True}
            return
        with pytest.raises(CommandRefused, match="number of seconds"):
            await made.ask("stop", grace_s=grace)
        assert not engine.stopping.is_set()


async def test_secrets_are_not_told(tmp_path: Path) -> None:
    row = {"login": "1001", "ha1_md5": "0" * 32}
    async with instance(tmp_path, {"auth.credentials": [row]}) as made, made.running():
        shown = await made.ask("config")
        without = await made.ask("config", rows=False)
    assert shown["file"] == str(made.file)
    assert shown["values"]["auth.credentials[0].ha1_md5"] == {"value": "***", "origin": "file"}
    rows = {key for key in shown["values"] if "[" in key}
    assert rows
    assert without["values"].keys() == shown["values"].keys() - rows


async def test_a_recovery_file_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    async with instance(tmp_path) as made, made.running() as engine:
        one = binding(engine, 1)
        engine.registry.put(b"1", (one,), [Change(ChangeKind.ADDED, one, None)])
        assert await engine.recovery.flush()
        before = (await made.ask("status"))["warnings"]
        state = made.paths.state
        state.rename(tmp_path / "elsewhere")
        assert not await engine.recovery.flush()
        (told,) = set((await made.ask("status"))["warnings"]).difference(before)
        (tmp_path / "elsewhere").rename(state)
        assert await engine.recovery.flush()
        assert (await made.ask("status"))["warnings"] == before
    assert told.startswith(f"registrations are not written to {state}/")


async def test_a_log_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    async with instance(tmp_path, {"events.file": "/dev/full"}) as made, made.running() as engine:
        with anyio.fail_after(20):
            while not engine.log.complaint:  # noqa: ASYNC110 - nobody tells
                await anyio.sleep(0.05)
        told = await made.ask("status")
    assert "the log /dev/full cannot be written: No space left on device" in told["warnings"]
