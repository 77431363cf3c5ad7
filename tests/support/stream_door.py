"""A door for the stream edge that writes down what it is told, and a running edge around it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from centrex.base import Flow, Local
from centrex.runtime.connection import StreamLimits
from centrex.runtime.streams import StreamEdge


def request(method: str = "OPTIONS", *, body: bytes = b"", call_id: str = "c1") -> bytes:
    """Return a whole request as it stands on a stream."""
    head = (
        f"{method} sip:voip.test SIP/2.0\r\n"
        "Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKa\r\n"
        "From: <sip:a@voip.test>;tag=1\r\n"
        "To: <sip:b@voip.test>\r\n"
        f"Call-ID: {call_id}\r\n"
        f"CSeq: 1 {method}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class RecordingDoor:
    """What happened, in order.

    Attributes:
        told: (what, flow, data or reason) of each call.
        on_message: Does something with a message; raises to play a core that fails.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, Flow, bytes | str]] = []
        self.on_message: Callable[[bytes, Flow], None] = lambda _data, _flow: None
        self._news = anyio.Event()

    def receive(self, data: bytes, flow: Flow) -> None:
        self._tell("message", flow, data)
        self.on_message(data, flow)

    def opened(self, flow: Flow) -> None:
        assert flow.open
        self._tell("opened", flow, "")

    def failed(self, flow: Flow, why: str) -> None:
        assert not flow.open
        self._tell("failed", flow, why)

    def closed(self, flow: Flow) -> None:
        assert not flow.open
        self._tell("closed", flow, "")

    async def wait(self, what: str, number: int = 1) -> tuple[Flow, bytes | str]:
        """Return the flow and detail of the n-th such call, as soon as it has been made."""
        while True:
            found = [(flow, detail) for kind, flow, detail in self.told if kind == what]
            if len(found) >= number:
                return found[number - 1]
            self._news = anyio.Event()
            await self._news.wait()

    def kinds(self) -> list[str]:
        """Return what happened, without the details."""
        return [kind for kind, _, _ in self.told]

    def _tell(self, what: str, flow: Flow, detail: bytes | str) -> None:
        self.told.append((what, flow, detail))
        self._news.set()


class Clock:
    """Monotonic time that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@asynccontextmanager
async def running(edge: StreamEdge) -> AsyncIterator[StreamEdge]:
    """Run an edge while inside; stop it in good order after."""
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            await tasks.start(edge.run)
            yield edge
            edge.stop(1.0)


def edge_for(door: RecordingDoor, **more: Any) -> StreamEdge:
    """Return an edge whose deadlines are looked at often."""
    limits = more.pop("limits", {})
    return StreamEdge(
        door,
        Local,
        max_message_bytes=more.pop("max_message_bytes", 2000),
        limits=StreamLimits(**{"sweep_interval_s": 0.005, **limits}),
        **more,
    )
