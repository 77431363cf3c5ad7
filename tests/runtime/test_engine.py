import json
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from centrex.base import Transport, Unavailable
from tests.support.certificates import Certificates
from tests.support.engine import Instance, Machine, Phone, instance
from tests.support.ports import free_port

pytestmark = pytest.mark.wire


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


@asynccontextmanager
async def until(said: Callable[[], bool]) -> AsyncIterator[None]:
    """Run the block, then wait for something to become true."""
    yield
    with anyio.fail_after(20):
        while not said():
            await anyio.lowlevel.checkpoint()


# Start and stop


async def test_a_phone_registers_is_listed_and_survives_a_restart(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running():
            assert (await phone.register()).startswith(b"SIP/2.0 200")
            listed = await made.ask("registrations")
            assert [row["source"] for row in listed["registrations"]] == [
                f"{phone.host}:{phone.port}"
            ]
        made.engine = made.make()
        async with made.running():
            assert (await made.ask("registrations", aor="1001"))["total"] == 1
    assert "registrations.recovered" in made.log
    assert "server.stopped" in made.log


async def test_nothing_of_it_stays_in_the_process(made: Instance) -> None:
    before = [*logging.getLogger().handlers], signal.getsignal(signal.SIGTERM)
    async with made.running():
        assert len(logging.getLogger().handlers) > len(before[0])
    assert ([*logging.getLogger().handlers], signal.getsignal(signal.SIGTERM)) == before
    assert not made.paths.control.exists()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((made.host, made.port))


async def test_an_address_that_is_taken_is_told_and_everything_is_given_back(
    made: Instance,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind((made.host, made.port))
        other.listen()
        with pytest.raises(ExceptionGroup) as caught:
            await made.engine.run(None)
        assert caught.group_contains(Unavailable, match=f"tcp {made.host}:{made.port}", depth=2)
    made.engine = made.make()
    async with made.running():
        assert made.engine.lock.held


async def test_what_is_queued_for_a_connection_is_sent_before_the_end(made: Instance) -> None:
    async with made.running() as engine, await anyio.connect_tcp(made.host, made.port) as stream:
        await stream.send(b"\r\n\r\n")
        assert await stream.receive() == b"\r\n"
        (flow,) = [one.flow for one in engine.streams._connections]
        for number in range(500):
            flow.link.sendto(b"%06d" % number + b"x" * 994, flow.address)
        engine.stopping.set()
        received = b""
        with anyio.fail_after(20):
            try:
                while True:
                    received += await stream.receive()
            except anyio.EndOfStream:
                pass
        assert len(received) == 500_000


async def test_a_far_side_that_reads_nothing_does_not_prolong_the_end(made: Instance) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with made.running() as engine:
            engine.grace_s = 0.5
            await anyio.to_thread.run_sync(deaf.connect, (made.host, made.port))
            async with until(lambda: any(x.flow.open for x in engine.streams._connections)):
                pass
            (flow,) = [one.flow for one in engine.streams._connections]
            for _ in range(500):
                flow.link.sendto(b"x" * 1000, flow.address)
            began = time.monotonic()
        assert time.monotonic() - began < 4.0, "the usual grace is five seconds"


async def test_a_call_that_rings_is_ended_within_the_grace_time(made: Instance) -> None:
    with Phone((made.host, made.port), "1001") as callee, Phone((made.host, made.port)) as caller:
        async with made.running() as engine:
            await callee.register()
            engine.grace_s = 0.4
            assert (await caller.ask(caller.request("INVITE", "sip:1001@voip.test")))[
                8:11
            ] == b"100"
            assert (await callee.receive()).startswith(b"INVITE")
            began = time.monotonic()
            engine.stopping.set()
            assert (await caller.receive())[8:11] == b"503"
            assert time.monotonic() - began > 0.2
        assert time.monotonic() - began < 4.0, "the usual grace is five seconds"


async def test_the_second_signal_waits_for_nobody(made: Instance) -> None:
    with Phone((made.host, made.port), "1001") as callee, Phone((made.host, made.port)) as caller:
        async with made.running() as engine:
            await callee.register()
            engine.grace_s = 60.0
            await caller.ask(caller.request("INVITE", "sip:1001@voip.test"))
            os.kill(os.getpid(), signal.SIGTERM)
            with anyio.fail_after(20):
                await engine.stopping.wait()
            assert (await made.ask("status"))["state"] == "stopping"
            began = time.monotonic()
            os.kill(os.getpid(), signal.SIGTERM)
        assert time.monotonic() - began < 20, "it waits for a minute otherwise"


async def test_stop_without_grace_is_such_a_second_signal(made: Instance) -> None:
    with Phone((made.host, made.port), "1001") as callee, Phone((made.host, made.port)) as caller:
        async with made.running() as engine:
            await callee.register()
            engine.grace_s = 60.0
            await caller.ask(caller.request("INVITE", "sip:1001@voip.test"))
            assert await made.ask("stop") == {"stopping": True}
            assert await made.ask("stop", grace_s=0) == {"stopping": True}
            began = time.monotonic()
        assert time.monotonic() - began < 20, "it waits for a minute otherwise"


async def test_a_failure_inside_still_writes_the_registrations(made: Instance) -> None:

    async def suffer(phone: Phone) -> None:
        async with made.running() as engine:
            await phone.register()
            engine.hands.core = None  # type: ignore[assignment]  # a bug, as it were
            phone.send(phone.request("OPTIONS"))
            await anyio.sleep_forever()

    with Phone((made.host, made.port)) as phone, pytest.raises(ExceptionGroup):
        await suffer(phone)
    assert b"1001" in (made.paths.state / "registrations").read_bytes()


# Addresses


def test_only_ip_versions_that_are_bound_are_looked_up(tmp_path: Path) -> None:
    one = Instance(tmp_path, {}, Machine())
    try:
        assert one.engine.resolver._families == (4,)
        assert one.engine.flows.reach(Transport.TCP, "2001:db8::1", 5060) is None
        one.write(network__address=["::1"])
        assert one.make().resolver._families == (6,)
        one.write(network__address=["::", "0.0.0.0"])
        assert one.make().resolver._families == (4, 6)
    finally:
        one.close()


# Bans


async def test_bans_outlive_the_process(tmp_path: Path) -> None:
    guard = {"network.guard.auth_failures_per_minute": 1}
    async with instance(tmp_path, guard) as one:
        async with one.running() as engine:
            for _ in range(2):
                engine.guard.auth_failed("203.0.113.9", time.monotonic(), proven=True)
        assert json.loads((one.paths.state / "bans.json").read_bytes())["bans"]
        one.engine = one.make()
        async with one.running():
            (ban,) = (await one.ask("bans"))["bans"]
            assert (ban["source"], 590 < ban["seconds_left"] <= 600) == ("203.0.113.9", True)
            await one.ask("bans.release", source="203.0.113.9")
        assert json.loads((one.paths.state / "bans.json").read_bytes())["bans"] == []


async def test_a_spoilt_file_of_bans_is_a_warning(made: Instance) -> None:
    made.paths.state.mkdir()
    (made.paths.state / "bans.json").write_text("{}")
    async with made.running():
        (warning,) = (await made.ask("status"))["warnings"]
    assert "bans.json cannot be used" in warning


# Certificates


async def test_tls_is_served_and_a_renewed_certificate_taken_over(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path / "tls", "127.0.0.1")
    port = free_port()
    settings = {
        "network.transports": ["tls"],
        "network.tls_port": port,
        "network.address": "127.0.0.1",
        "network.tls_certificate": str(certificates.certificate),
        "network.tls_key": str(certificates.key),
    }
    async with instance(tmp_path, settings) as one, one.running() as engine:
        async with await anyio.connect_tcp(
            "127.0.0.1",
            port,
            tls=True,
            ssl_context=certificates.client_context(),
            tls_standard_compatible=False,
        ) as stream:
            await stream.send(b"\r\n\r\n")
            assert await stream.receive() == b"\r\n"
        before = engine.tls.server
        Certificates.make(tmp_path / "tls", "127.0.0.1")
        assert (await one.ask("reload"))["renewed"] is True
        assert engine.tls.server is not before
        assert (await one.ask("reload"))["renewed"] is False
    assert "tls.renewed" in one.log
