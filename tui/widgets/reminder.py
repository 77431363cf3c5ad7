"""Changes that go unless they are kept: a reminder at the head of every screen, counting down.

It counts by the engine's own clock; it refuses to know what keeping and rolling back mean.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from textual.screen import Screen

from tui.widgets.lines import Line, Panel, wrap
from tui.widgets.topline import TopLine


def seconds_left(deadline: str, now: str, default: float) -> float:
    """Return how long it is from one moment of the engine's clock to another, at most a default."""
    try:
        until, since = (datetime.fromisoformat(text) for text in (deadline, now))
        return min(default, (until - since).total_seconds())
    except (TypeError, ValueError):
        return default


class Waiting:
    """Changes that are in force until they are kept or rolled back.

    Args:
        until: The moment of the monotonic clock at which they go.
        learned: Whether the instance told of them, and not this dashboard's own apply.
    """

    def __init__(self, until: float, *, learned: bool = False) -> None:
        self.until, self.learned = until, learned
        self.decided = False
        """Whether it was decided here, so that what the engine says of it is no news."""

    def left(self, now: float) -> int:
        """Return how many seconds they have."""
        return max(0, round(self.until - now))


class Reminder(Panel):
    """Lines below the head: what waits, how long, and the keys; or what could not be rolled back."""

    DEFAULT_CSS = """
    Reminder { height: 2; background: $warning 20%; }
    Reminder.-amiss { height: auto; max-height: 6; background: $error 20%; }
    """

    def complain(self, why: str) -> None:
        """Say why changes were not rolled back."""
        self.set_class(True, "-amiss")
        lines = wrap(why, max(20, self.app.size.width - 4))
        shown: list[Line] = [
            [(f" {'✗' if not at else ' '} {line}", "bad")] for at, line in enumerate(lines[:5])
        ]
        self.show([*shown, [("   K ", "key"), ("I have read it", "")]])

    def count(self, left: int, *, may_decide: bool = True) -> None:
        """Show how many seconds there are, and the keys where they may be used."""
        self.set_class(False, "-amiss")
        words: Line = [
            (" ↻ The changes are in force. ", "warn strong"),
            ("Do phones register, do you reach the server?", ""),
        ]
        rest = f"{left} s" if left else "a moment"
        keys: Line = [
            ("   Rolled back by itself in ", ""),
            (f"{rest:<10}", "warn strong"),
        ]
        if may_decide:
            keys = [
                *keys,
                ("K ", "key"),
                ("keep them   ", ""),
                ("R ", "key"),
                ("roll back now", ""),
            ]
        self.show([words, keys])


async def remind(
    screen: Screen[Any], left: int | None, *, may_decide: bool = True, amiss: str = ""
) -> None:
    """Have the reminder stand on a screen, or go from it where nothing waits and nothing is amiss."""
    heads = screen.query(TopLine)
    there = screen.query(Reminder)
    if left is None and not amiss:
        await there.remove()
        return
    if there:
        reminder = there.first()
    elif heads:
        reminder = Reminder()
        await screen.mount(reminder, after=heads.first())
    else:
        return
    if left is None:
        reminder.complain(amiss)
    else:
        reminder.count(left, may_decide=may_decide)


def decided(event: Mapping[str, Any]) -> str:
    """Return `kept`, `rolled back` or `amiss` where an event tells so of changes that waited."""
    names = {
        "config.confirmed": "kept",
        "config.rolled-back": "rolled back",
        "config.not-rolled-back": "amiss",
    }
    return names.get(str(event.get("name", "")), "")
