"""The rtpengines of one engine: their sockets, their clock, and what is told of them.

It wires `centrex.farm.rtpengines` and `centrex.proxy.delegating` to the core and to the world; which
call is relayed, and what is asked, is decided there.
"""

import os
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from centrex.base import PeerError, Unavailable
from centrex.calls import CallState
from centrex.events import Event, Field, Kind, Severity
from centrex.farm.bencode import Encodable
from centrex.farm.rtpengine_figures import call_figures
from centrex.farm.rtpengines import Reply, Rtpengine, Rtpengines, State
from centrex.proxy.ask import Consult
from centrex.proxy.delegating import Delegating

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_ARRIVAL_S: Final = 1.0
"""How long the start waits for all of them to answer, as one of them has a call that goes on."""
_BATCH: Final = 64
_ROOM: Final = 65_536
_ASKED_AT_ONCE: Final = 50
_ANSWER_S: Final = 3.0
_PATH: Final = "rtpengine"


class RtpengineMedia:
    """Media by rtpengine, for one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        settings = engine.config.media
        self.relaying = Delegating(mode=settings.mode, refuse=settings.without_relay == "refuse")
        self.rtpengines = Rtpengines(
            settings.rtpengines,
            self,
            salt=os.urandom(6).hex().encode(),
            heartbeat_s=settings.heartbeat,
            now=time.monotonic(),
        )
        self._sockets: dict[str, socket.socket] = {}
        self._sooner = anyio.Event()
        self._settled = anyio.Event()
        self._answers: dict[int, _Answer] = {}
        self._asked = 0
        self._began = False

    # from start to end

    async def start(self, tasks: TaskGroup) -> None:
        """Connect to the instances; returns once each of them answers or is gone, or not for a while.

        Raises:
            Unavailable: The name of one cannot be resolved.
        """
        if self._engine.config.media.mode == "never" or self._began:
            return
        self._began = True
        for instance in self.rtpengines:
            self._sockets[instance.name] = await _connect(instance.name)
        self._engine.core.relaying = self.relaying
        self._engine.hands.consult = self.consult
        for name, sock in self._sockets.items():
            tasks.start_soon(self._read, name, sock)
        tasks.start_soon(self._keep_time)
        with anyio.move_on_after(_ARRIVAL_S):
            await self._settled.wait()

    async def end(self) -> None:
        """Leave: calls go on talking through rtpengine."""
        for sock in self._sockets.values():
            sock.close()

    def follow(self, tasks: TaskGroup) -> None:
        """Take over settings that may change while the engine runs."""
        settings = self._engine.config.media
        self.relaying.mode = settings.mode
        self.relaying.refuse = settings.without_relay == "refuse"
        if settings.mode != "never" and not self._began:
            tasks.start_soon(self._start_late, tasks)

    async def _start_late(self, tasks: TaskGroup) -> None:
        """Start while the engine runs, which goes on if that fails."""
        try:
            await self.start(tasks)
        except Unavailable as error:
            self._began = False
            self._tell("media.unavailable", Severity.ERROR, {"why": str(error)})

    # questions and answers

    def consult(self, ask: Consult) -> None:
        """Ask what the core wants to know; it is told by `Core.consulted`."""
        now = time.monotonic()
        self.rtpengines.ask(
            ask.id, ask.call_id, ask.fields, now, at=ask.at, elsewhere=ask.elsewhere
        )
        self._send(now)
        self._sooner.set()

    def _send(self, now: float) -> None:
        sends, self.rtpengines.sends = self.rtpengines.sends, []
        for name, data in sends:
            try:
                self._sockets[name].send(data)
            except BlockingIOError:
                self._engine.statistics.drop("send-buffer-full")
            except OSError:
                # nobody listens there (an ICMP error), or no route: asked again when it is due
                self._engine.statistics.drop("send-failed")

    async def _read(self, name: str, sock: socket.socket) -> None:
        while True:
            try:
                await anyio.wait_readable(sock)
            except anyio.ClosedResourceError:
                return
            now = time.monotonic()
            for _ in range(_BATCH):
                try:
                    data = sock.recv(_ROOM)
                except BlockingIOError:
                    break
                except OSError:  # nobody listens there, or no way leads there (ICMP)
                    self.rtpengines.failed(name, now)
                    break
                self._receive(name, data, now)
            self._perform(now)

    def _receive(self, name: str, data: bytes, now: float) -> None:
        try:
            if not self.rtpengines.receive(name, data, now):
                self._engine.statistics.drop("rtpengine-stray")
        except PeerError as error:
            self._engine.statistics.drop("rtpengine-malformed")
            fields: dict[str, Field] = {"relay": name, "what": error.what}
            self._tell("relay.malformed", Severity.WARNING, fields)

    def _perform(self, now: float) -> None:
        """Send what is to be sent and hand over what was answered, until nothing is left."""
        while self.rtpengines.sends or self.rtpengines.results:
            self._send(now)
            results, self.rtpengines.results = self.rtpengines.results, []
            for number, reply in results:
                waiting = self._answers.get(number)
                if waiting is not None:
                    waiting.reply = reply
                    waiting.done.set()
                elif number > 0:
                    self._engine.hands.consulted(number, reply)

    async def _keep_time(self) -> None:
        while True:
            now = time.monotonic()
            self.rtpengines.expire(now)
            self._perform(now)
            self._sooner = anyio.Event()
            with anyio.move_on_after(max(self.rtpengines.deadline - now, 0.005)):
                await self._sooner.wait()

    # what becomes of instances

    def came(self, name: str) -> None:
        """See `centrex.farm.rtpengines.Observer`."""
        self._see_whether_settled()
        self._tell("relay.came", Severity.NOTICE, {"relay": name, "src": name, "path": _PATH})

    def left(self, name: str) -> None:
        """See `centrex.farm.rtpengines.Observer`."""
        self._see_whether_settled()
        self.relaying.left(name)
        self._tell("relay.left", Severity.WARNING, {"relay": name, "why": "it does not answer"})

    def began_anew(self, name: str) -> None:
        """See `centrex.farm.rtpengines.Observer`."""
        calls = len(self.relaying.calls_of(name))
        self.relaying.began_anew(name)
        if calls:
            self._tell("relay.began-anew", Severity.WARNING, {"relay": name, "calls": calls})

    def _see_whether_settled(self) -> None:
        if self.rtpengines.is_settled:
            self._settled.set()

    def _tell(self, name: str, severity: Severity, fields: dict[str, Field]) -> None:
        self._engine.bus.publish(Event(Kind.MEDIA, severity, name, fields))

    # for people

    def relay_of(self, call_id: bytes) -> str:
        """Return which instance relays a call; empty where none does."""
        carried = self.relaying.of(call_id)
        return carried.by if carried is not None and carried.is_held else ""

    def names(self) -> list[str]:
        """Return the names of all instances."""
        return [one.name for one in self.rtpengines]

    def drain(self, name: str, *, on: bool) -> int | None:
        """Give an instance no new calls, or some again.

        Returns:
            How many calls it carries; None if there is no such instance.
        """
        instance = self.rtpengines.drain(name, on=on)
        return None if instance is None else len(self.relaying.calls_of(name))

    def listing(self) -> list[dict[str, Any]]:
        """Return the instances as plain data, in the shape of our own relays'."""
        now = time.monotonic()
        return [self._row(one, now) for one in self.rtpengines]

    def _row(self, instance: Rtpengine, now: float) -> dict[str, Any]:
        available = instance.state is State.AVAILABLE
        figures = {
            key.decode("ascii", "backslashreplace"): value
            for key, value in instance.figures.items()
            if isinstance(value, int)
        }
        return {
            "name": instance.name,
            "state": "draining" if available and instance.draining else instance.state.value,
            "why": "" if available else "it does not answer",
            "source": instance.name.removeprefix("udp:"),
            "sessions": len(self.relaying.calls_of(instance.name)),
            "capacity": None,
            "path": _PATH,
            "path_why": "",
            "addresses": {},
            "packets_per_s": figures.get("packetrate", 0),
            "octets_per_s": figures.get("byterate", 0),
            "since_s": round(now - instance.since),
            "heard_s": round(now - instance.heard, 1),
            "figures": figures,
        }

    async def calls_of(self, name: str) -> list[dict[str, Any]] | None:
        """Return what an instance knows of the calls it carries; None if there is no such one.

        Raises:
            Unavailable: It does not answer.
        """
        if self.rtpengines.get(name) is None:
            return None
        calls, rows = self.relaying.calls_of(name), []
        for at in range(0, len(calls), _ASKED_AT_ONCE):
            rows += await self._some_calls(name, calls[at : at + _ASKED_AT_ONCE])
        return rows

    async def _some_calls(self, name: str, calls: list[bytes]) -> list[dict[str, Any]]:
        found: dict[bytes, dict[str, Any]] = {}

        async def look(call_id: bytes) -> None:
            reply = await self._question(name, call_id, {"command": "query", "call-id": call_id})
            carried, call = self.relaying.of(call_id), self._engine.core.calls.get(call_id)
            if carried is not None:
                found[call_id] = call_figures(
                    reply.fields,
                    call_id,
                    carried.caller_tag,
                    answered=call is None or call.state is CallState.UP,
                    now=time.time(),
                )

        async with anyio.create_task_group() as tasks:
            for call_id in calls:
                tasks.start_soon(look, call_id)
        return [found[call_id] for call_id in calls if call_id in found]

    async def _question(self, name: str, call_id: bytes, fields: dict[str, Encodable]) -> Reply:
        self._asked -= 1  # the core's own questions have the positive numbers
        number, answer = self._asked, _Answer()
        self._answers[number] = answer
        try:
            self.consult(Consult(number, call_id, fields, at=name, elsewhere=False))
            with anyio.move_on_after(_ANSWER_S):
                await answer.done.wait()
        finally:
            del self._answers[number]
        if isinstance(answer.reply, str):
            raise Unavailable(f"{name}: {answer.reply}")
        return answer.reply


class _Answer:
    __slots__ = ("done", "reply")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.reply: Reply | str = "it does not answer"


async def _connect(name: str) -> socket.socket:
    """Return a socket connected to a control address, `udp:host:port`.

    Raises:
        Unavailable: There is no such address, or no way there.
    """
    host, _, port = name.removeprefix("udp:").rpartition(":")
    try:
        found = await anyio.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.connect(address)
    except OSError as error:
        raise Unavailable(f"rtpengine at {name}: {error.strerror or error}") from error
    return sock
