"""The relay's way to one proxy: connected, logged in, and connected again for ever when it is lost.

It opens connections and carries lines; what they say is for `centrex.farm.relay_side`.
"""

import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
from anyio.abc import ByteStream, SocketAttribute, TaskGroup

from centrex.base import PeerError
from centrex.farm import wire
from centrex.farm.custody import Custody
from centrex.farm.relay_side import LinkState, Plane, RelaySide
from centrex.media.terms import Address
from centrex.runtime.lines import LineLink, LineTooLong
from centrex.runtime.relay.held import shown

_FIRST_S: Final = 0.1
"""A proxy that was started anew is found again within this time."""
_LONGEST_S: Final = 5.0
_PATIENT_S: Final = 30.0
"""How long the tries stay close together: as long as an upgrade takes."""
_REFUSED_S: Final = 5.0
_CONNECT_S: Final = 3.0


class ProxyLink:
    """Keeps the link to one proxy.

    Args:
        address: Its host, or `unix:` and a path.
        port: Its port.
        secret: What it knows too.
        name: The relay's name.
        plane: Carries the packets.
        custody: Whose sessions are whose.
        told: Returns what the relay says of itself.
        beat: Returns the figures of a heartbeat.
        report: Told in words what becomes of the link.
        again: Has the relay started anew, if the proxy is on this machine and wants it.
    """

    def __init__(
        self,
        address: str,
        port: int,
        secret: bytes,
        *,
        name: str,
        plane: Plane,
        custody: Custody,
        told: Callable[[], Mapping[str, Any]],
        beat: Callable[[], Mapping[str, Any]],
        report: Callable[[str], None],
        again: Callable[[], None],
    ) -> None:
        self._address, self._port, self._secret = address, port, secret
        self._name, self._plane, self._custody = name, plane, custody
        self._told, self._beat, self._report = told, beat, report
        self._again = again if address.startswith("unix:") else None
        self._where = address if address.startswith("unix:") else shown(Address(address, port))
        self._proxy = ""
        self.side: RelaySide | None = None
        self.lost_at = time.monotonic()
        """When it was lost, or tried first; what is up now is in `is_up`."""
        self._said = ""

    @property
    def name(self) -> str:
        """The proxy's name; where it is, as long as that is not known."""
        return self._proxy or self._where

    @property
    def is_up(self) -> bool:
        """Whether the relay is logged in there."""
        return self.side is not None and self.side.state is LinkState.UP

    async def run(self) -> None:
        """Keep the link until cancelled."""
        while True:
            self._say(await self._once())
            await anyio.sleep(self._pause())

    def _pause(self) -> float:
        if self.side is not None and self.side.state is LinkState.REFUSED:
            return _REFUSED_S
        return _FIRST_S if time.monotonic() - self.lost_at < _PATIENT_S else _LONGEST_S

    def _say(self, why: str) -> None:
        """Report what is new, and not a hundred times the same."""
        if why and why != self._said:
            self._said = why
            self._report(f"{self._where}: {why}")

    async def _once(self) -> str:
        """Connect, and talk until the connection ends; return why it did."""
        try:
            with anyio.fail_after(_CONNECT_S):
                stream = await self._connect()
        except TimeoutError:
            return "cannot be reached: no answer"
        except OSError as error:
            return f"cannot be reached: {why_unreached(error)}"
        link = LineLink(stream, self._address, wire.LINE_LIMIT)
        side = self.side = RelaySide(
            link,
            self._plane,
            self._custody,
            name=self._name,
            secret=self._secret,
            nonce=secrets.token_hex(16),
            told=self._told(),
            now=time.monotonic(),
            again=self._again,
        )
        try:
            return await self._talk(stream, link, side)
        finally:
            if side.state is LinkState.UP:
                self.lost_at = time.monotonic()
            side.closed(time.monotonic())

    async def _connect(self) -> ByteStream:
        if self._address.startswith("unix:"):
            return await anyio.connect_unix(self._address.removeprefix("unix:"))
        stream = await anyio.connect_tcp(self._address, self._port)
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    async def _talk(self, stream: ByteStream, link: LineLink, side: RelaySide) -> str:
        async with stream, anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, link, tasks)
            tasks.start_soon(self._give_signs, side, tasks)
            why = await self._read(link, side)
            link.close()
            with anyio.move_on_after(1.0):
                await link.written.wait()
            tasks.cancel_scope.cancel()
            return why
        return "the proxy is silent"

    async def _read(self, link: LineLink, side: RelaySide) -> str:
        try:
            async for line in link.lines():
                side.receive(line, time.monotonic())
                if side.state is LinkState.REFUSED:
                    return f"refused: {side.why}"
                if side.state is LinkState.UP:
                    self._proxy = side.proxy
                    self._say(f"logged in at {side.proxy}")
        except PeerError as error:
            return error.what
        except LineTooLong:
            return "a line was too long"
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            return f"the connection broke: {error}"
        return "the proxy has ended the connection"

    async def _write(self, link: LineLink, tasks: TaskGroup) -> None:
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await link.write()
        if link.overrun:
            tasks.cancel_scope.cancel()

    async def _give_signs(self, side: RelaySide, tasks: TaskGroup) -> None:
        while not side.is_dead(time.monotonic()):
            side.beat(self._beat())
            await anyio.sleep(side.heartbeat_s if side.state is LinkState.UP else 0.2)
        tasks.cancel_scope.cancel()


def why_unreached(error: OSError) -> str:
    """Return why a proxy cannot be connected to: what the system says of each of its addresses, once."""
    cause: BaseException = error.__cause__ or error
    found = cause.exceptions if isinstance(cause, BaseExceptionGroup) else (cause,)
    words = ", ".join(dict.fromkeys(_words(one) for one in found))
    if any(isinstance(one, ConnectionRefusedError) for one in found):
        return (
            f"{words} (does a server run there, with its media.secret and media.control_address?)"
        )
    return words


def _words(error: BaseException) -> str:
    """Return what the system says; asyncio has words of its own for it, which tell no reason."""
    if not isinstance(error, OSError):
        return str(error)
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
