from pathlib import Path

import pytest

from centrex.runtime.commands import Commands
from centrex.runtime.reading import READING
from tests.support.engine import instance

pytestmark = pytest.mark.wire

CHANGING = {
    "bans.release",
    "calls.end",
    "config.apply",
    "config.confirm",
    "config.rollback",
    "registrations.remove",
    "relays.drain",
    "reload",
    "stop",
}


async def test_each_command_either_reads_or_changes(tmp_path: Path) -> None:
    async with instance(tmp_path) as made, made.running() as engine:
        known = set(Commands(engine).handlers())
    assert known >= READING
    assert known >= CHANGING
    assert not READING & CHANGING
