import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from centrex.base import Transport
from centrex.runtime.monitor import Held
from tests.support.engine import Instance, Machine, Phone, instance
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire

LATER = 1e9
"""When these tests look: so late that the engine's own clock, which looks each second, does nothing."""


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


async def stream_request(one: Instance, phone: Phone, host: str = "") -> bytes:
    """Ask OPTIONS over TCP; return the answer."""
    async with await anyio.connect_tcp(host or one.host, one.port) as stream:
        await stream.send(phone.request("OPTIONS").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
        with anyio.fail_after(20):
            return await stream.receive()


@asynccontextmanager
async def roaming(folder: Path, **settings: Any) -> AsyncIterator[tuple[Instance, Machine, str]]:
    """An instance that watches its address, and another address of the same interface."""
    machine, new = Machine(), loopback()
    wanted = {"network.monitor_address": True, "network.monitor_interval": 5}
    async with instance(folder, {**wanted, **settings}, machine) as one:
        machine.held = [Held("eth0", 4, 0, one.host), Held("lo", 4, 254, "127.0.0.1")]
        yield one, machine, new


async def test_a_changed_address_is_followed_by_listeners_and_phones(tmp_path: Path) -> None:
    async with roaming(tmp_path) as (one, machine, new), one.running() as engine:
        with Phone((one.host, one.port)) as phone:
            await phone.register()
            engine.roaming.look(LATER)  # the first look only learns who holds what
            machine.held[0] = Held("eth0", 4, 0, new)
            engine.roaming.look(LATER + 4)
            assert engine.edges.listeners[0][1] == one.host
            engine.roaming.look(LATER + 5)
            listeners = [(Transport.UDP, new, one.port), (Transport.TCP, new, one.port)]
            assert engine.edges.listeners == listeners
            (binding,) = engine.registry.held(b"1001")
            assert binding.flow is not None
            assert (binding.flow.local.host, binding.flow.link) == (new, engine.flows.ports[0].sock)
            phone.server = (new, one.port)
            assert (await phone.ask(phone.request("OPTIONS"))).startswith(b"SIP/2.0 200")
            assert (await stream_request(one, phone, new)).startswith(b"SIP/2.0 200")
            with pytest.raises(OSError, match=r"."):
                await anyio.connect_tcp(one.host, one.port)
            with Phone((new, one.port), "1002") as caller:
                caller.send(caller.request("INVITE", "sip:1001@voip.test"))
                invite = await phone.receive()
            assert invite.startswith(b"INVITE")
            assert f"Via: SIP/2.0/UDP {new}:{one.port};".encode() in invite
            engine.grace_s = 0.0
    assert f"network.address-changed old={one.host} new={new}" in one.log


async def test_connections_of_an_address_that_went_are_closed(tmp_path: Path) -> None:
    async with (
        roaming(tmp_path) as (one, machine, new),
        one.running() as engine,
        await anyio.connect_tcp(one.host, one.port) as stream,
    ):
        await stream.send(b"\r\n\r\n")
        await stream.receive()
        engine.roaming.look(LATER)
        machine.held = [Held("eth0", 4, 0, new)]
        engine.roaming.look(LATER + 10)
        with anyio.fail_after(20), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_an_address_that_cannot_be_had_is_tried_again(tmp_path: Path) -> None:
    async with roaming(tmp_path) as (one, machine, new), one.running() as engine:
        engine.roaming.look(LATER)
        machine.held = [Held("eth0", 4, 0, new)]
        with socket.socket() as other:
            other.bind((new, one.port))
            other.listen()
            engine.roaming.look(LATER + 10)
            assert engine.edges.listeners[0][1] == one.host
        engine.roaming.look(LATER + 20)
        assert {host for _, host, _ in engine.edges.listeners} == {new}
        with Phone((new, one.port)) as phone:
            assert (await phone.register()).startswith(b"SIP/2.0 200")
    assert one.log.count("network.address-lost") == 1


async def test_after_a_restart_the_interface_is_found_again(tmp_path: Path) -> None:
    async with roaming(tmp_path) as (one, machine, new):
        async with one.running() as engine:
            engine.roaming.look(LATER)
        machine.held = [Held("eth0", 4, 0, new)]
        one.engine = one.make()
        async with one.running() as engine:
            assert engine.edges.names()[0] == f"udp {new}:{one.port}"


async def test_switched_off_nothing_is_followed(tmp_path: Path) -> None:
    off = {"network.monitor_address": False}
    async with roaming(tmp_path, **off) as (one, machine, new), one.running() as engine:
        engine.roaming.look(LATER)
        machine.held = [Held("eth0", 4, 0, new)]
        engine.roaming.look(LATER + 10)
        assert engine.edges.listeners[0][1] == one.host


async def test_bound_to_all_addresses_flows_show_one_that_exists(tmp_path: Path) -> None:
    port = free_port("0.0.0.0")
    settings = {
        "network.address": "0.0.0.0",
        "network.port": port,
        "network.transports": ["udp"],
    }
    async with roaming(tmp_path, **settings) as (one, machine, new), one.running() as engine:
        engine.roaming.look(LATER)
        flow = engine.flows.find(Transport.UDP, "127.0.0.1", 9)
        assert flow is not None
        flow.local = engine.locals.get(Transport.UDP, one.host, port)
        machine.held = [Held("eth0", 4, 0, new)]
        engine.roaming.look(LATER + 10)
        assert flow.local.host == "127.0.0.1"


async def test_an_address_that_is_gone_is_told_while_nothing_takes_its_place(
    tmp_path: Path,
) -> None:
    async with roaming(tmp_path) as (one, machine, new), one.running() as engine:
        engine.roaming.look(LATER)
        before = engine.all_warnings()
        mine = machine.held
        machine.held = mine[1:]
        for number in range(1, 3):
            engine.roaming.look(LATER + 10 * number)
        (told,) = set(engine.all_warnings()).difference(before)
        assert told == f"{one.host} is gone from eth0: nobody reaches the server there"
        machine.held = mine
        engine.roaming.look(LATER + 30)
        assert engine.all_warnings() == before
        machine.held = mine[1:]
        engine.roaming.look(LATER + 40)
        machine.held = [Held("eth0", 4, 0, new)]
        engine.roaming.look(LATER + 50)
        assert engine.all_warnings() == before
        machine.held = []
        engine.roaming.look(LATER + 60)
        assert engine.all_warnings() != before
        one.write(network__monitor_address=False)
        await one.ask("reload")
        engine.roaming.look(LATER + 70)
        assert engine.all_warnings() == before
    assert one.log.count(f"network.address-gone address={one.host} interface=eth0") == 2
    assert one.log.count("network.address-back") == 1


async def test_why_an_address_is_not_followed_is_a_warning(tmp_path: Path) -> None:
    async with roaming(tmp_path) as (one, machine, new), one.running() as engine:
        engine.roaming.look(LATER)
        before = engine.all_warnings()
        machine.held = [Held("eth0", 4, 0, new)]
        with socket.socket() as other:
            other.bind((new, one.port))
            other.listen()
            engine.roaming.look(LATER + 10)
        (told,) = set(engine.all_warnings()).difference(before)
        assert told.startswith("the machine's address is not followed: ")
        engine.roaming.look(LATER + 20)
        assert engine.all_warnings() == before
