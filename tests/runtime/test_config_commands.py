from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from centrex.runtime.control import CommandRefused
from tests.support.engine import Instance, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(
        tmp_path, {"auth.credentials": [{"login": "a", "ha1_md5": "b" * 32}]}
    ) as one:
        yield one


async def test_the_dialogs_are_described_over_the_control_socket(made: Instance) -> None:
    async with made.running():
        tables = (await made.ask("config.describe"))["tables"]
    assert tables[1]["title"] == "Network Configuration"
    assert tables[1]["help"].startswith("Network Configuration")


async def test_a_preview_writes_nothing_and_shows_no_secret(made: Instance) -> None:
    before = made.file.read_text()
    async with made.running() as engine:
        opened = await made.ask("config.open")
        again = await made.ask("config.open", unless=opened["seen"])
        assert again["same"] is True
        assert "values" not in again
        assert "values" in await made.ask("config.open", unless="another")
        changes = [{"op": "password", "login": "a", "password": "clear"}]
        told = await made.ask("config.preview", fingerprint=opened["fingerprint"], changes=changes)
        assert engine.policy.logins == 1
        await made.ask("reload")
        assert "values" in await made.ask("config.open", unless=opened["seen"]), (
            "in force may differ"
        )
    assert {one["key"] for one in told["effects"]} == {
        "auth.credentials[a].ha1_md5",
        "auth.credentials[a].ha1_sha256",
    }
    assert "*** (changed)" in told["diff"]
    for secret in ("clear", "b" * 32):
        assert secret not in str(told)
        assert secret not in str(opened)
    assert made.file.read_text() == before


@pytest.mark.parametrize(
    "params",
    [
        {"changes": []},
        {"fingerprint": "", "changes": []},
        {"fingerprint": "x", "changes": [], "confirm_s": -1},
        {"fingerprint": "x", "changes": [], "confirm_s": True},
        {"fingerprint": "x", "changes": [], "confirm_s": 1e9},
        {"fingerprint": "x", "changes": [], "confirm_s": "5"},
    ],
)
async def test_what_is_no_such_command_is_refused(made: Instance, params: dict[str, Any]) -> None:
    async with made.running():
        with pytest.raises(CommandRefused) as caught:
            await made.ask("config.apply", **params)
    assert caught.value.code == "invalid"


async def test_changes_of_no_sound_form_are_problems(made: Instance) -> None:
    async with made.running():
        fingerprint = (await made.ask("config.open"))["fingerprint"]
        with pytest.raises(CommandRefused) as caught:
            await made.ask("config.apply", fingerprint=fingerprint, changes=[{"op": "sat"}])
    assert caught.value.code == "invalid"
    assert caught.value.detail["problems"][0]["nearest"] == "set"
