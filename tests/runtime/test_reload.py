import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from centrex.events import Event, Kind
from centrex.runtime.control import CommandRefused
from centrex.runtime.media import Media
from tests.support.engine import Instance, instance

pytestmark = pytest.mark.wire


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


async def test_what_waits_for_a_restart_stays_as_it_runs(made: Instance) -> None:
    async with made.running() as engine:
        port = made.port
        made.write(
            network__domain="other.test",
            network__port=1,
            registrar__case_sensitive=True,
            registrar__max_contacts=3,
            network__aliases=["also.test"],
        )
        result = await made.ask("reload")
        effects = {one["key"]: one["effect"] for one in result["changed"]}
        assert effects == {
            "network.domain": "restart",
            "network.port": "restart",
            "registrar.case_sensitive": "restart",
            "registrar.max_contacts": "live",
            "network.aliases": "live",
        }
        assert set(result["waiting"]) == {k for k, effect in effects.items() if effect == "restart"}
        assert (engine.config.network.domain, engine.config.network.port) == ("voip.test", port)
        assert engine.policy.options.max_contacts == 3
        assert not engine.policy.access.case_sensitive
        assert engine.policy.access.gate.realm == b"voip.test"
        assert engine.ours.is_domain(b"also.test")
        assert engine.ours.is_domain(b"voip.test")
        assert not engine.ours.is_domain(b"other.test")
        shown = await made.ask("config")
        assert shown["values"]["network.domain"] == {"value": "voip.test", "origin": "file"}
        assert shown["values"]["registrar.max_contacts"] == {"value": 3, "origin": "file"}
        assert shown["values"]["registrar.case_sensitive"] == {"value": False, "origin": "default"}
        assert shown["waiting"] == result["waiting"]
        status = await made.ask("status")
        assert any("waiting for a restart: network.domain" in one for one in status["warnings"])
        assert status["auth"]["realm"] == "voip.test"
        again = await made.ask("reload")
        assert again["waiting"] == result["waiting"]
        made.write(network__domain="voip.test", network__port=port, registrar__case_sensitive=False)
        assert (await made.ask("reload"))["waiting"] == []
        assert (await made.ask("status"))["warnings"] == []


async def test_what_a_later_version_heeds_waits_for_no_restart(made: Instance) -> None:
    async with made.running() as engine:
        made.write(wan__enabled=True)
        result = await made.ask("reload")
        assert result["waiting"] == []
        (change,) = result["changed"]
        assert "takes effect with a later version" in change["calls"]
        assert (await made.ask("status"))["warnings"] == []
        assert engine.config.wan.enabled


async def test_a_bad_file_changes_nothing(made: Instance) -> None:
    async with made.running() as engine:
        config, policy, tickets = engine.config, engine.policy, engine.tickets
        made.write(network__wokers=3, registrar__max_contacts=0)
        with pytest.raises(CommandRefused) as caught:
            await made.ask("reload")
        keys = {one["key"] for one in caught.value.detail["problems"]}
        assert keys == {"network.wokers", "registrar.max_contacts"}
        with engine.bus.subscribe([Kind.SERVER]) as news:
            os.kill(os.getpid(), signal.SIGHUP)
            with anyio.fail_after(20):
                ((_, event),) = await news.receive()  # type: ignore[misc]  # none is lost
        assert isinstance(event, Event)
        assert event.name == "server.reload-failed"
        assert (engine.config, engine.policy, engine.tickets) == (config, policy, tickets)


async def test_sighup_reloads(made: Instance) -> None:
    async with made.running() as engine:
        made.write(registrar__max_contacts=7)
        with engine.bus.subscribe([Kind.SERVER]) as news:
            os.kill(os.getpid(), signal.SIGHUP)
            with anyio.fail_after(20):
                ((_, event),) = await news.receive()  # type: ignore[misc]  # none is lost
        assert isinstance(event, Event)
        assert (event.name, event.fields) == ("server.reloaded", {"changed": 1})
        assert engine.policy.options.max_contacts == 7


async def test_who_reloads_while_it_starts_is_obeyed_as_later(
    made: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, go_on = anyio.Event(), anyio.Event()

    async def start(media: Media, tasks: object) -> None:
        waits.set()
        await go_on.wait()

    monkeypatch.setattr(Media, "start", start)
    engine = made.engine
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(engine.run, None)
            await waits.wait()
            made.write(registrar__max_contacts=7)
            (change,) = (await made.ask("reload"))["changed"]
            assert (change["key"], engine.policy.options.max_contacts) == (
                "registrar.max_contacts",
                7,
            )
            made.write(registrar__max_contacts=8)
            with engine.bus.subscribe([Kind.SERVER]) as news:
                os.kill(os.getpid(), signal.SIGHUP)
                await news.receive()
            assert engine.policy.options.max_contacts == 8
            go_on.set()
            engine.stopping.set()


async def test_nonces_survive_a_reload_unless_realm_or_life_change(made: Instance) -> None:
    async with made.running() as engine:
        tickets = engine.tickets
        await made.ask("reload")
        assert engine.tickets is tickets
        made.write(auth__realm="another")
        await made.ask("reload")
        assert engine.tickets is not tickets
        assert engine.policy.access.gate.realm == b"another"
        made.write(auth__nonce_life=77)
        await made.ask("reload")
        assert engine.tickets.nonces.life_s == 77


async def test_keepalive_interval_and_longest_message_reach_the_streams(made: Instance) -> None:
    async with made.running() as engine, await anyio.connect_tcp(made.host, made.port) as stream:
        await stream.send(b"\r\n\r\n")
        await stream.receive()
        made.write(network__keepalive_interval=7, network__max_message_bytes=2000)
        await made.ask("reload")
        (connection,) = engine.streams._connections
        assert connection._limits.keepalive_interval_s == 7
        assert engine.streams._limits.keepalive_interval_s == 7
        assert engine.streams._max_message_bytes == 2000
        assert engine.core.max_message == 2000


async def test_logins_of_the_credentials_file_that_changed_are_told(
    tmp_path: Path,
) -> None:
    file = tmp_path / "logins"
    file.write_text(f"a:voip.test:{'0' * 32}\nb:voip.test:{'0' * 32}\n")
    settings = {"auth.enabled": True, "auth.credentials_file": str(file)}
    row = {"login": "own", "ha1_md5": "0" * 32}
    async with (
        instance(tmp_path, {**settings, "auth.credentials": [row]}) as made,
        made.running(),
    ):
        assert (await made.ask("reload"))["changed"] == []
        file.write_text(f"b:voip.test:{'0' * 32}\nown:voip.test:{'1' * 32}\n")
        (told,) = (await made.ask("reload"))["changed"]
        assert (told["key"], told["old"], told["new"]) == (
            "auth.credentials_file", "2 logins", "1 login",
        )  # fmt: skip
        assert told["calls"].startswith("gone: a; phones it has registered")
        assert told["calls"].endswith("`centrex registrations remove sip:a@voip.test` ends them")
        assert (await made.ask("reload"))["changed"] == []
