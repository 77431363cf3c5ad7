"""Drives the dashboard in tests, and reads what it shows as lines of text."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from centrex import api
from tests.support.pretend import Pretend
from tui.app import Dashboard

SMALL, LARGE = (80, 24), (200, 60)
SNAPSHOTS = Path(__file__).parents[1] / "tui" / "snapshots"
UPDATE = os.environ.get("UPDATE_SNAPSHOTS", "") == "1"


def lines(app: Dashboard) -> list[str]:
    """What the screen shows, line by line, without blanks at the end."""
    strips = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in strips]


def text(app: Dashboard) -> str:
    """What the screen shows."""
    return "\n".join(lines(app)) + "\n"


class Operator:
    """Somebody at the keys.

    Args:
        app: The dashboard.
        pilot: Its pilot.
    """

    def __init__(self, app: Dashboard, pilot: Pilot[Any]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        """Press keys; a word of several letters that is no key is typed."""
        for key in keys:
            known = len(key) == 1 or key in _NAMED or "+" in key
            await self.pilot.press(*([key] if known else list(key)))
        await self.pilot.pause()

    async def sees(self, *words: str, patience_s: float = 20.0) -> str:
        """Wait until all words are on the screen; return what it shows."""

        def all_there() -> bool:
            shown = text(self.app)
            return all(word in shown for word in words)

        await self.until(all_there, f"{words} on\n{text(self.app)}", patience_s)
        return text(self.app)

    async def sees_no_more(self, word: str, patience_s: float = 20.0) -> None:
        """Wait until a word has left the screen."""
        await self.until(lambda: word not in text(self.app), f"no {word}", patience_s)

    async def until(
        self, true: Callable[[], bool], what: str = "it", patience_s: float = 20.0
    ) -> None:
        """Wait until something is so."""
        turns = int(patience_s / 0.05)
        for _ in range(turns):
            await self.pilot.pause(0.05)
            if true():
                return
        raise AssertionError(f"waited {patience_s} s for {what}; the screen:\n{text(self.app)}")

    async def matches(self, name: str) -> None:
        """Wait until the screen is as a file in tests/tui/snapshots has it; UPDATE_SNAPSHOTS=1 writes it."""
        file = SNAPSHOTS / f"{name}.txt"
        if UPDATE or not file.exists():
            await self.pilot.pause(1.0)
            file.write_text(text(self.app), encoding="utf-8")
            assert UPDATE, f"wrote {file.name}; look at it"
        wanted = file.read_text(encoding="utf-8")
        with contextlib.suppress(AssertionError):  # what differs says more
            await self.until(lambda: text(self.app) == wanted)
        assert text(self.app) == wanted


_NAMED = {
    "enter", "escape", "tab", "space", "slash", "colon", "question_mark", "down", "up", "left",
    "right", "end", "home", "pagedown", "pageup", "delete", "backspace", "right_square_bracket",
    "left_square_bracket",
}  # fmt: skip


@asynccontextmanager
async def dashboard(
    instance: Pretend | None = None,
    *,
    size: tuple[int, int] = SMALL,
    read_only: bool = False,
    opener: Callable[[], Any] | None = None,
    begun: str = "Settings",
    **wishes: Any,
) -> AsyncIterator[Operator]:
    """A dashboard on a pretended instance, or on what an opener gives."""

    async def pretended() -> api.Instance:
        assert instance is not None
        if instance.gone:
            raise api.Unavailable(instance.gone)
        instance.closed = False
        return instance

    app = Dashboard(opener or pretended, read_only=read_only, **wishes)
    async with app.run_test(size=size, notifications=True) as pilot:
        operator = Operator(app, pilot)
        if instance is not None and not instance.gone and not wishes:
            await operator.until(lambda: bool(app.snapshot and app.status), "a snapshot")
        await operator.sees(begun)
        yield operator
