"""Where relays log in: a TCP port for those of other machines, a Unix socket for our own.

It opens sockets and carries lines; what they say is for `centrex.farm`.
"""

import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import ByteStream, SocketAttribute, TaskGroup, TaskStatus

from centrex.base import PeerError, Unavailable
from centrex.farm import wire
from centrex.farm.farm import Farm
from centrex.farm.proxy_side import ProxySide
from centrex.farm.relay import Relay
from centrex.runtime.lines import LineLink, LineTooLong

_CONNECTIONS: Final = 512
_STRANGERS: Final = 16
"""Connections of one source that are not logged in."""
_ASK_S: Final = 2.0
_GATHER_S: Final = 0.02
"""How long what a relay is told waits for more, since waking its process costs more than a message:
a packet's time. Those that come before are kept by the relay; what changes in a session that it
carries does not wait."""


class FarmServer:
    """Serves one farm.

    Args:
        farm: The relays.
        name: The proxy's name, the same after a restart.
        changed: Called after each line, so that what it brought about is carried out.
    """

    def __init__(self, farm: Farm, *, name: str, changed: Callable[[], None]) -> None:
        self._farm, self._name, self._changed = farm, name, changed
        self._sides: dict[LineLink, ProxySide] = {}
        self._strangers: Counter[str] = Counter()
        self._asks: dict[int, _Ask] = {}
        self._next_ask = 0
        self.failures = 0

    async def serve(
        self,
        secret: bytes,
        *,
        path: Path | None = None,
        address: tuple[str, int] | None = None,
        task_status: TaskStatus[None],
    ) -> None:
        """Serve one listener until cancelled.

        Args:
            secret: What relays that log in there must know.
            path: The Unix socket, or
            address: the TCP host and port.
            task_status: Told once it listens.

        Raises:
            Unavailable: It cannot listen there.
        """
        try:
            listener = await _listen(path, address)
        except OSError as error:
            where = str(path) if path else "{}:{}".format(*(address or ("", 0)))
            why = error.strerror or str(error)
            raise Unavailable(f"relays cannot log in at {where}: {why}") from error
        task_status.started()
        async with listener:
            await listener.serve(lambda stream: self._serve(stream, secret))

    async def _serve(self, stream: ByteStream, secret: bytes) -> None:
        source = _source(stream)
        host = source.rpartition(":")[0]
        if len(self._sides) >= _CONNECTIONS or self._strangers[host] >= _STRANGERS:
            self.failures += 1
            await stream.aclose()
            return
        self._strangers[host] += 1
        link = LineLink(stream, source, wire.LOGIN_LIMIT, gather_s=_GATHER_S)
        side = ProxySide(
            link,
            self._farm,
            name=self._name,
            secret=secret,
            nonce=secrets.token_hex(16),
            answered=self._answered,
            now=time.monotonic(),
        )
        self._sides[link] = side
        why = "the connection ended"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, link, tasks)
                tasks.start_soon(self._hurry, side, tasks)
                why = await self._read(link, side, host) or why
                link.close()
                with anyio.move_on_after(1.0):
                    await link.written.wait()
                tasks.cancel_scope.cancel()
        finally:
            del self._sides[link]
            if side.relay is None:
                self._is_no_stranger(host)
            side.closed(why, time.monotonic())
            self._changed()
            with anyio.CancelScope(shield=True):
                await stream.aclose()

    def _is_no_stranger(self, host: str) -> None:
        """A connection from there has logged in, or is gone."""
        self._strangers[host] -= 1
        self._strangers += Counter()

    async def _read(self, link: LineLink, side: ProxySide, host: str) -> str:
        """Take in lines; return why there are no more, empty for the far side's own end."""
        try:
            async for line in link.lines():
                known = side.relay is not None
                side.receive(line, time.monotonic())
                if side.relay is not None and not known:
                    link.limit = wire.LINE_LIMIT
                    self._is_no_stranger(host)
                self._changed()
                if side.refusal:
                    self.failures += 1
                    await anyio.sleep(0.5)  # whoever guesses has to wait
                    return side.refusal
        except PeerError as error:
            self.failures += 1
            return error.what
        except LineTooLong:
            self.failures += 1
            return "a line was too long"
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            return str(error) or "the connection broke"
        return ""

    async def _write(self, link: LineLink, tasks: TaskGroup) -> None:
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await link.write()
        if link.overrun:
            tasks.cancel_scope.cancel()

    async def _hurry(self, side: ProxySide, tasks: TaskGroup) -> None:
        """End a connection whose login takes too long."""
        while side.relay is None:
            if side.is_late(time.monotonic()):
                tasks.cancel_scope.cancel()
            await anyio.sleep(0.5)

    # asking a relay

    async def ask(self, relay: Relay, names: list[str]) -> list[dict[str, Any]]:
        """Return a relay's figures of some sessions.

        Raises:
            Unavailable: It is not there, or does not answer in time.
        """
        if relay.link is None:
            raise Unavailable(f"the relay {relay.name} is not there")
        rows: list[dict[str, Any]] = []
        while names:
            told = await self._ask_once(relay, names)
            rows += told.rows
            names = told.left if len(told.left) < len(names) else []
        return rows

    async def _ask_once(self, relay: Relay, names: list[str]) -> "_Ask":
        self._next_ask += 1
        ask = self._asks[self._next_ask] = _Ask()
        try:
            relay.send("sessions", ids=names, ask=self._next_ask)
            with anyio.move_on_after(_ASK_S):
                await ask.done.wait()
                return ask
        finally:
            self._asks = {key: one for key, one in self._asks.items() if one is not ask}
        raise Unavailable(f"the relay {relay.name} does not answer")

    def _answered(self, ask: int, rows: list[Any], left: list[str]) -> None:
        waiting = self._asks.get(ask)
        if waiting is not None:
            waiting.rows = [row for row in rows if isinstance(row, dict)]
            waiting.left = left
            waiting.done.set()


class _Ask:
    __slots__ = ("done", "left", "rows")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.rows: list[dict[str, Any]] = []
        self.left: list[str] = []


async def _listen(path: Path | None, address: tuple[str, int] | None) -> Any:
    if path is not None:
        return await anyio.create_unix_listener(path, mode=0o600)
    assert address is not None
    return await anyio.create_tcp_listener(local_host=address[0], local_port=address[1])


def _source(stream: Any) -> str:
    attributes: Mapping[Any, Any] = stream.extra_attributes
    if SocketAttribute.remote_address not in attributes:
        return "this machine"
    remote = stream.extra(SocketAttribute.remote_address)
    if isinstance(remote, tuple):
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return f"{remote[0]}:{remote[1]}"
    return "this machine"
