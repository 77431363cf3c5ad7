"""Subscriptions on disk: they come back after a crash, and a spoilt file costs nothing but them."""

import json
from pathlib import Path
from typing import Any

import pytest

from centrex.base import Flow
from centrex.events import Event
from centrex.runtime import watch_file as module
from centrex.runtime.watch_file import WatchFile
from tests.support.proxy import Proxy
from tests.support.watcher import Watcher


class Run:
    """A proxy with its file; 1970 was 1,000,000 s before the zero of its time."""

    def __init__(self, path: Path, *, now: float = 1000.0, **proxy: Any) -> None:
        self.told: list[Event] = []
        self.proxy = Proxy(**{"users": ["wanda", "bob"], "trusted": ["192.0.2.0/24"], **proxy})
        self.proxy.now = now
        self.file = WatchFile(
            path,
            lambda: self.proxy.core.watchers,
            report=self.told.append,
            now=lambda: self.proxy.now,
            utc=lambda: self.proxy.now + 1e6,
        )

    def way(self, transport: str, host: str, port: int) -> Flow | None:
        return self.proxy.flows.get(host, port) if transport == "UDP" else None

    def moves(self, watcher: Watcher) -> Watcher:
        """Have a watcher of a former run speak to this one."""
        watcher.may_leap = True
        watcher.proxy, watcher.flow = self.proxy, self.proxy.flows.get("192.0.2.77", 5060)
        return watcher


@pytest.mark.parametrize(("target", "event"), [("bob", "reg"), ("", "reg"), ("bob", "dialog")])
async def test_watchers_are_told_on_after_a_crash(tmp_path: Path, target: str, event: str) -> None:
    before = Run(tmp_path / "subs")
    watcher = Watcher(before.proxy)
    watcher.subscribe(target, event)
    cseq, version = watcher.notifies[-1].cseq, watcher.version
    assert await before.file.flush()
    after = Run(tmp_path / "subs", now=1060.0)
    assert await after.file.load(after.way) == (1, "")
    after.moves(watcher).take(after.proxy.advance(0.2))
    assert watcher.notifies[-1].cseq > cseq
    assert watcher.version > version
    assert 'state="full"' in watcher.notifies[-1].body
    assert watcher.subscribe(target, event).status == 200, "and its dialog goes on"
    assert len(after.proxy.core.watchers) == 1
    watcher.subscribe(target, event, expires=0)
    assert await after.file.flush()
    assert json.loads((tmp_path / "subs").read_text())["subscriptions"] == []


async def test_those_of_logins_and_users_that_are_no_more_are_not(tmp_path: Path) -> None:
    before = Run(tmp_path / "subs", auth=True)
    watcher = Watcher(before.proxy)
    watcher.subscribe("bob", "reg")
    assert await before.file.flush()
    without = Run(tmp_path / "subs", auth=True, users=["wanda"])
    assert await without.file.load(without.way) == (0, "")
    twice = Run(tmp_path / "subs", auth=True)
    assert await twice.file.load(twice.way) == (1, "")
    assert await twice.file.load(twice.way) == (0, "")


async def test_an_orderly_stop_leaves_none(tmp_path: Path) -> None:
    run = Run(tmp_path / "subs")
    Watcher(run.proxy).subscribe("bob", "reg")
    await run.file.flush()
    run.proxy.core.abort(run.proxy.now)
    await run.file.flush()
    assert await Run(tmp_path / "subs").file.load(run.way) == (0, "")


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 9}', '{"version": 1, "written": "x"}',
                '{"version": 1, "written": 1, "subscriptions": [1]}', "[" * 5000],
)  # fmt: skip
async def test_a_file_that_is_spoilt(tmp_path: Path, content: str) -> None:
    (tmp_path / "subs").write_text(content)
    run = Run(tmp_path / "subs")
    count, why = await run.file.load(run.way)
    assert count == 0
    assert "subscribe anew" in why


async def test_that_it_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    run = Run(tmp_path / "gone" / "subs")
    assert await run.file.load(run.way) == (0, "")
    Watcher(run.proxy).subscribe("bob", "reg")
    assert not await run.file.flush()
    assert not await run.file.flush()
    assert [event.name for event in run.told] == ["subscriptions.failed"]
    (tmp_path / "gone").mkdir()
    assert await run.file.flush()
    assert [event.name for event in run.told] == ["subscriptions.failed", "subscriptions.written"]


async def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path) -> None:
    run = Run(tmp_path / "subs")
    assert await run.file.flush()
    assert not (tmp_path / "subs").exists()
    assert module.PAUSE_S > 0
