"""The commands of the control socket about one call: look at it, export it, end it.

Like those of `centrex.runtime.commands`, whose table they stand in.
"""

import base64
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from centrex.base import PeerError, Refused
from centrex.events import Severity
from centrex.proxy.hang_up import hang_up
from centrex.runtime import ladder
from centrex.runtime.capture import Passed
from centrex.runtime.desk import Handler
from centrex.runtime.pcapng import pcapng
from centrex.runtime.stories import NEAREST, find_story, octets
from centrex.trace import Decision
from centrex.trace.explain import explain

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_FORMATS: Final = ("text", "pcapng")
_EXPORTED: Final = 700_000
"""Octets of a file that fit into an answer."""


class CallCommands:
    """Commands of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def handlers(self) -> Mapping[str, Handler]:
        """Return each command's handler by its name."""
        return {"call": self.call, "call.export": self.export, "calls.end": self.end}

    async def call(self, params: dict[str, Any]) -> dict[str, Any]:
        """What is kept of a call or a registration: its messages and decisions, as a ladder."""
        call_id, story, passed, lost = await self._look(params)
        told = explain(call_id, story, self._wall)
        rows, left_out = ladder.entries(passed, story, self._wall)
        listed = self._engine.core.calls.get(call_id)
        return {
            "call_id": _text(call_id),
            "headline": told.headline,
            "advice": list(told.advice),
            "state": listed.state.value if listed is not None else "over",
            "parties": ladder.parties(passed),
            "users": ladder.users(passed),
            "entries": rows,
            "lost": lost + left_out,
        }

    async def export(self, params: dict[str, Any]) -> dict[str, Any]:
        """The same as a file, for people (`text`) or for Wireshark (`pcapng`)."""
        form = params.get("format", "text")
        if form not in _FORMATS:
            raise Refused("invalid", f"format is one of {', '.join(_FORMATS)}")
        call_id, story, passed, _ = await self._look(params)
        if form == "text":
            told = explain(call_id, story, self._wall)
            rows, _ = ladder.entries(passed, story, self._wall)
            columns = ladder.parties(passed)
            data = ladder.as_text(call_id, told.headline, rows, columns).encode()
            data = data[:_EXPORTED]
        else:
            data = self._packets(passed)
        name = re.sub(r"[^A-Za-z0-9.-]+", "-", _text(call_id)).strip("-.")[:60] or "call"
        suffix = "txt" if form == "text" else form
        return {"data": base64.b64encode(data).decode(), "name": f"{name}.{suffix}"}

    def _packets(self, passed: Sequence[Passed]) -> bytes:
        """Return as many of the messages as fit, the newest."""
        size, first = 0, len(passed)
        while first and (size := size + len(passed[first - 1].data) + 200) < _EXPORTED:
            first -= 1
        skew = time.time() - time.monotonic()
        return pcapng(ladder.packets(passed[first:], lambda instant: instant + skew))

    def end(self, params: dict[str, Any]) -> dict[str, Any]:
        """End a call: BYE both ways where it is up, else CANCEL, and 487 to its caller."""
        engine = self._engine
        asked = str(params.get("id", ""))
        call = engine.core.calls.get(octets(asked))
        if call is None:
            nearest = [
                _text(one.call_id) for one in engine.core.calls if asked in _text(one.call_id)
            ]
            detail = {"nearest": nearest[:NEAREST]}
            raise Refused("not-found", "no call with that Call-ID is in progress", detail)
        try:
            hang_up(engine.core, call, time.monotonic())
        except PeerError as error:
            raise Refused("refused", f"the call cannot be ended from here: {error}") from error
        engine.hands.finish()
        engine.say("calls.ended", Severity.NOTICE, call=_text(call.call_id))
        return {"ended": True}

    async def _look(
        self, params: dict[str, Any]
    ) -> tuple[bytes, Sequence[Decision], list[Passed], int]:
        """Return a Call-ID, its decisions and messages, and how many of these are gone."""
        engine = self._engine
        engine.capture.watch(time.monotonic())
        call_id, story = find_story(engine.journal, str(params.get("id", "")))
        passed = await engine.capture.of(call_id)
        return call_id, story, passed, ladder.missing(story, passed)

    def _wall(self, instant: float) -> str:
        moment = datetime.fromtimestamp(time.time() - time.monotonic() + instant, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
