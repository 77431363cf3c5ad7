"""Keys in the order they come: what a key opens is there before the next one is looked at.

A slow line, or somebody who pastes, sends several keys at once. Left alone they would all go to what
had the keys when the first of them came, and a name typed after "add" would be taken for commands.
"""

import asyncio
import time
from collections import deque
from typing import Any, Final

from textual import events
from textual.app import App
from textual.screen import Screen
from textual.worker import Worker

from tui.widgets.field import Field

PATIENCE_S: Final = 1.0
"""How long one key keeps the next ones waiting at most."""
_AT_ONCE: Final = 30
"""Looks without a pause; most keys are done with before that."""
_PAUSE_S: Final = 0.003
_LOOKS: Final = 100
"""How often is looked at least, however long a look takes: to make a screen may take as long."""
_QUIET_LOOKS: Final = 3
"""How often in a row nothing must be seen to be under way: what is being dealt with right now is not."""


def _after_redraw(screen: Screen[Any]) -> bool:
    """Return whether something is to be done once a screen is drawn anew.

    Textual tells that nowhere; without what it has inside a key would only not wait for it, and a test
    says so.
    """
    return bool(getattr(screen, "_callbacks", ()))


class Keys:
    """Holds keys, clicks and pastes back until the key before them is done with.

    Args:
        app: Whose.
    """

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._held: deque[events.Event] = deque()
        self._let_through: deque[events.Event] = deque()
        self._came = asyncio.Event()
        self._under_way = False
        self._opening: list[Worker[None]] = []

    def holds(self, event: events.Event) -> bool:
        """Return whether an event has to wait; it comes again when it is its turn."""
        if self._let_through and event is self._let_through[0]:
            self._let_through.popleft()
            return False
        idle = not self._under_way and not self._held
        if isinstance(event, events.MouseMove) or (isinstance(event, events.MouseEvent) and idle):
            return False
        self._held.append(event)
        self._came.set()
        return True

    def wait_for(self, work: Worker[None]) -> None:
        """Hold keys until some work is done, that shows what they may be meant for."""
        self._opening.append(work)

    async def run(self) -> None:
        """Let one after the other through, as long as the application runs."""
        while True:
            await self._came.wait()
            self._came.clear()
            self._under_way = True
            await self._until_done()
            while self._held:
                event = self._held.popleft()
                leads_nowhere = self._is_typed_text(event)
                if self._app.post_message(event):
                    self._let_through.append(event)
                if not (leads_nowhere and self._held):
                    await self._until_done()
            self._under_way = False

    def _is_typed_text(self, event: events.Event) -> bool:
        """Return whether an event is text for the field that has the keys, and will have them after it."""
        text = isinstance(event, events.Paste) or (
            isinstance(event, events.Key) and event.is_printable
        )
        return text and isinstance(self._app.focused, Field)

    async def _until_done(self) -> None:
        """Wait until nothing is on its way any more that a key may have set off."""
        late, looks, quiet = time.monotonic() + PATIENCE_S, 0, 0
        while quiet < _QUIET_LOOKS and (looks < _LOOKS or time.monotonic() < late):
            await asyncio.sleep(0 if looks < _AT_ONCE else _PAUSE_S)
            looks += 1
            quiet = quiet + 1 if self._is_done() else 0
        self._opening.clear()

    def _is_done(self) -> bool:
        """Return whether no part of the screens has anything to do, nor what opens one.

        A screen that is being made has the message that brings it into sight before it.
        """
        if not all(work.is_finished or work.is_cancelled for work in self._opening):
            return False
        app = self._app
        stack = app.screen_stack
        if stack and _after_redraw(stack[-1]):
            return False
        parts = [app, *(node for screen in stack for node in screen.walk_children(with_self=True))]
        return not any(part.message_queue_size for part in parts)
