import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from centrex.base import Unavailable
from centrex.config import pending
from centrex.config.load import ConfigSource
from centrex.runtime.control import CommandRefused
from centrex.runtime.editing import before_start
from centrex.runtime.lock import InstanceLock
from tests.support.engine import Instance, instance

pytestmark = pytest.mark.wire

NONCE = {"op": "set", "key": "auth.nonce_life", "value": 60}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


async def seen(made: Instance) -> str:
    return str((await made.ask("config.open"))["fingerprint"])


async def apply(made: Instance, *changes: dict[str, Any], confirm_s: float = 0) -> dict[str, Any]:
    return await made.ask(
        "config.apply", fingerprint=await seen(made), changes=list(changes), confirm_s=confirm_s
    )


async def test_a_change_is_written_and_obeyed(made: Instance) -> None:
    async with made.running() as engine:
        answer = await apply(made, NONCE, {"op": "set", "key": "network.workers", "value": 1})
        assert engine.config.auth.nonce_life == 60
        assert "nonce_life = 60" in made.file.read_text()
        assert [one["key"] for one in answer["changed"]] == ["auth.nonce_life"]
        assert answer["confirm_by"] == ""
        assert answer["fingerprint"] == await seen(made)
    assert "config.applied" in made.log


async def test_what_waits_for_a_restart_is_told(made: Instance) -> None:
    async with made.running() as engine:
        answer = await apply(made, {"op": "set", "key": "basic.state_dir", "value": "elsewhere"})
        assert answer["waiting"] == ["basic.state_dir"]
        assert (await made.ask("config.open"))["waiting"] == ["basic.state_dir"]
        assert engine.config.basic.state_dir == ""


async def test_what_is_wrong_changes_nothing(made: Instance) -> None:
    before = made.file.read_text()
    async with made.running() as engine:
        with pytest.raises(CommandRefused) as caught:
            await apply(made, NONCE, {"op": "set", "key": "registrar.min_expires", "value": 9999})
        assert caught.value.code == "invalid"
        assert [one["key"] for one in caught.value.detail["problems"]] == [
            "registrar.default_expires"
        ]
        assert engine.config.auth.nonce_life == 300
    assert made.file.read_text() == before


async def test_what_only_the_engine_finds_wrong_is_taken_back(
    made: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made.file.read_text()
    async with made.running() as engine:

        async def fail() -> dict[str, Any]:
            raise Unavailable("a name cannot be resolved")

        monkeypatch.setattr(engine.reloader, "reload", fail)
        with pytest.raises(CommandRefused, match="cannot be resolved"):
            await apply(made, NONCE, confirm_s=60)
    assert made.file.read_text() == before
    assert pending.find(made.file) is None


async def test_a_file_edited_by_hand_meanwhile_is_a_conflict(made: Instance) -> None:
    async with made.running():
        fingerprint = await seen(made)
        made.write(basic__description="by hand")
        for command in ("config.preview", "config.apply"):
            with pytest.raises(CommandRefused) as caught:
                await made.ask(command, fingerprint=fingerprint, changes=[NONCE])
            assert caught.value.code == "conflict"
            assert caught.value.detail["fingerprint"] == await seen(made)
            assert caught.value.detail["changed_at"]
        made.file.write_text("[")
        with pytest.raises(CommandRefused) as caught:
            await made.ask("config.open")
        assert caught.value.code == "invalid"


async def test_a_change_is_confirmed(made: Instance) -> None:
    async with made.running() as engine:
        answer = await apply(made, NONCE, confirm_s=60)
        assert answer["confirm_by"].endswith("Z")
        assert (await made.ask("config.open"))["confirm_by"] == answer["confirm_by"]
        status = await made.ask("status")
        assert status["confirm_by"] == answer["confirm_by"]
        assert 0 < status["confirm_left_s"] <= 60
        assert await made.ask("config.confirm") == {"confirmed": True}
        await engine.editing.look(time.monotonic() + 65)
        assert engine.config.auth.nonce_life == 60
        status = await made.ask("status")
        assert (status["confirm_by"], status["confirm_left_s"]) == ("", 0.0)
        with pytest.raises(CommandRefused, match="no change waits"):
            await made.ask("config.confirm")
        with pytest.raises(CommandRefused, match="no change waits"):
            await made.ask("config.rollback")
    assert pending.find(made.file) is None


async def test_a_change_that_nobody_confirms_is_rolled_back_by_itself(made: Instance) -> None:
    before = made.file.read_text()
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=0.2)
        assert engine.config.auth.nonce_life == 60
        with anyio.fail_after(20):
            while engine.config.auth.nonce_life != 300:  # noqa: ASYNC110 - the engine's own clock
                await anyio.sleep(0.02)
            while "config.rolled-back" not in made.log:  # noqa: ASYNC110 - written by another task
                await anyio.sleep(0.02)
        assert (await made.ask("config.open"))["confirm_by"] == ""
    assert made.file.read_text() == before
    assert "nonce_life = 60" in pending.discarded_of(made.file).read_text()


async def test_a_change_is_rolled_back_on_demand_and_no_other_comes_between(
    made: Instance,
) -> None:
    before = made.file.read_text()
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=60)
        with pytest.raises(CommandRefused) as caught:
            await apply(made, {"op": "set", "key": "auth.nonce_life", "value": 90})
        assert caught.value.code == "refused"
        answer = await made.ask("config.rollback")
        assert answer["rolled_back"]
        assert [one["key"] for one in answer["changed"]] == ["auth.nonce_life"]
        assert answer["fingerprint"] == await seen(made)
        assert engine.config.auth.nonce_life == 300
    assert made.file.read_text() == before


async def test_a_rollback_that_fails_is_told_and_the_record_stays(
    made: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=60)

        def fail(path: Path, *, asked: bool) -> pending.Outcome:
            raise PermissionError(13, "Permission denied", str(path))

        with monkeypatch.context() as patch:
            patch.setattr(pending, "roll_back", fail)
            with pytest.raises(CommandRefused, match=r"NOT rolled back: .*Permission denied"):
                await made.ask("config.rollback")
        assert pending.find(made.file) is not None
        assert engine.config.auth.nonce_life == 300, "a file that is amiss locks nobody out"
        assert "Permission denied" in (await made.ask("status"))["not_rolled_back"]
    assert "config.not-rolled-back" in made.log
    assert "config.rolled-back" not in made.log


async def test_a_rollback_keeps_what_somebody_else_edited_meanwhile(made: Instance) -> None:
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=60)
        made.file.write_text(f"{made.file.read_text()}\n[timeouts]\nfinal_answer = 45 # mine\n")
        answer = await made.ask("config.rollback")
        assert answer["rolled_back"]
        assert "on request" in answer["why"]
        assert engine.config.auth.nonce_life == 300
        assert engine.config.timeouts.final_answer == 45
        assert (await made.ask("status"))["not_rolled_back"] == ""
    assert "final_answer = 45 # mine" in made.file.read_text()
    assert "nonce_life = 60" not in made.file.read_text()


@pytest.mark.parametrize("how", ["on request", "by the time"])
async def test_a_rollback_that_cannot_be_is_never_told_as_one(made: Instance, how: str) -> None:
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=60)
        edited = made.file.read_text().replace("nonce_life = 60", "nonce_life = 90")
        made.file.write_text(edited)
        if how == "on request":
            answer = await made.ask("config.rollback")
            assert answer["rolled_back"] is False
            assert "auth.nonce_life" in answer["why"]
        else:
            await engine.editing.look(time.monotonic() + 61)
        assert engine.config.auth.nonce_life == 300, "the change itself is out of force"
        status = await made.ask("status")
        assert "NOT rolled back" in status["not_rolled_back"]
        assert status["not_rolled_back"] in status["warnings"]
        assert made.file.read_text() == edited
        await made.ask("reload")
        assert engine.config.auth.nonce_life == 90
        assert (await made.ask("status"))["not_rolled_back"] == ""
    assert "config.not-rolled-back" in made.log
    assert "config.rolled-back" not in made.log


async def test_an_edit_that_does_not_load_keeps_no_change_in_force(made: Instance) -> None:
    async with made.running() as engine:
        await apply(made, NONCE, confirm_s=60)
        made.file.write_text(f"{made.file.read_text()}\n[timeouts]\nfinal_answer = -1\n")
        with pytest.raises(CommandRefused, match=r"NOT rolled back.*final_answer"):
            await made.ask("config.rollback")
        assert engine.config.auth.nonce_life == 300
        assert "nonce_life = 60" not in made.file.read_text()


async def test_an_engine_that_ended_rolls_back_at_its_next_start(made: Instance) -> None:
    before = made.file.read_text()
    async with made.running():
        await apply(made, NONCE, confirm_s=60)
        source = ConfigSource(path=made.file)
        assert before_start(source, made.paths.lock) == "", "it still runs, and waits itself"
        assert "nonce_life = 60" in made.file.read_text()
    assert "nonce_life = 60" in made.file.read_text()
    note = before_start(source, made.paths.lock)
    assert "was not confirmed" in note
    assert made.file.read_text() == before
    made.engine = made.make()
    assert made.engine.config.auth.nonce_life == 300


async def test_what_an_engine_before_left_is_rolled_back_soon(made: Instance) -> None:
    before = made.file.read_text()
    async with made.running():
        await apply(made, NONCE, confirm_s=60)
    made.engine = made.make()
    async with made.running() as engine:
        assert engine.config.auth.nonce_life == 60
        await engine.editing.look(time.monotonic())
        with anyio.fail_after(20):  # the engine's own look may be under way, and do it
            while engine.config.auth.nonce_life != 300:  # noqa: ASYNC110 - a thread's work
                await anyio.sleep(0.02)
        await apply(made, NONCE, confirm_s=60)
        await engine.editing.look(time.monotonic())
        assert engine.config.auth.nonce_life == 60
        await made.ask("config.rollback")
    assert made.file.read_text() == before


def test_where_nothing_ever_ran_it_is_rolled_back_too(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("a = 1\n")
    change = pending.Unconfirmed(former="b = 1\n", made="a = 1\n", confirm_by="then")
    pending.begin(file, change)
    assert before_start(ConfigSource(path=file), tmp_path / "none" / "lock")
    assert file.read_text() == "b = 1\n"


def test_a_start_that_cannot_roll_back_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "x.toml"
    file.write_text("a = 1\n")
    pending.begin(file, pending.Unconfirmed(former="b", made="c", confirm_by="then"))
    file.unlink()
    with pytest.raises(Unavailable, match="cannot be rolled back"):
        before_start(ConfigSource(path=file), tmp_path / "lock")
    with InstanceLock(tmp_path / "lock"):
        assert before_start(ConfigSource(path=file), tmp_path / "lock") == ""


async def test_a_review_tells_what_else_comes_in_force_and_what_is_new_in_warnings(
    made: Instance,
) -> None:
    async with made.running() as engine:
        made.write(timeouts__final_answer=7, registrar__max_contacts=3)
        told = await made.ask("config.open")
        assert told["in_force"] == {"timeouts.final_answer": 120, "registrar.max_contacts": 10}
        changes = [
            {"op": "set", "key": "timeouts.final_answer", "value": 30},
            {
                "op": "add",
                "list": "routing.plans",
                "value": {"name": "9", "destinations": ["nobody"]},
            },
        ]
        told = await made.ask("config.preview", fingerprint=await seen(made), changes=changes)
        effects = {one["key"]: one for one in told["effects"]}
        effect = effects["timeouts.final_answer"]
        assert (effect["old"], effect["new"], effect["in_force"]) == (7, 30, 120)
        (also,) = told["also"]
        assert (also["key"], also["old"], also["new"]) == ("registrar.max_contacts", 10, 3)
        fresh = [one["message"] for one in told["warnings"] if one["fresh"]]
        assert fresh == ["there is no user nobody"]
        changes = [{"op": "set", "key": "timeouts.final_answer", "value": 120}]
        told = await made.ask("config.preview", fingerprint=await seen(made), changes=changes)
        assert told["effects"][0]["words"] == "is in force already"
        assert engine.config.registrar.max_contacts == 10


async def test_what_waits_for_a_restart_is_no_news_in_a_review(made: Instance) -> None:
    async with made.running():
        await apply(made, {"op": "set", "key": "basic.state_dir", "value": "elsewhere"})
        told = await made.ask("config.preview", fingerprint=await seen(made), changes=[NONCE])
        assert told["also"] == []
        assert (await made.ask("config.open"))["in_force"] == {"basic.state_dir": ""}


async def test_who_reads_the_file_again_after_a_restart_is_told_what_is_in_force_now(
    made: Instance,
) -> None:
    async with made.running():
        made.write(registrar__case_sensitive=True)
        told = await made.ask("config.open")
        assert list(told["in_force"]) == ["registrar.case_sensitive"]
        assert (await made.ask("config.open", unless=told["seen"]))["same"]
    made.engine = made.make()
    async with made.running():
        again = await made.ask("config.open", unless=told["seen"])
        assert "same" not in again
        assert again["in_force"] == {}
