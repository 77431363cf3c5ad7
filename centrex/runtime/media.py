"""An engine's relays: where they log in, the one of its own, and what is told of them all.

It wires `centrex.farm` to the core and to the world; which call is relayed, and by whom, is decided
there.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.abc import TaskGroup, TaskStatus

from centrex.base import Unavailable
from centrex.config.relay import fingerprint, load_relay
from centrex.events import Event, Field, Kind, Severity
from centrex.farm.farm import Farm
from centrex.farm.relay import Relay, RelayState, Unsaid
from centrex.media.exchange import Family
from centrex.media.settings import Settings
from centrex.media.terms import Session, Slot
from centrex.proxy.carried import Relay as CoreRelay
from centrex.proxy.relaying import Relaying
from centrex.runtime.embedded import EmbeddedRelay, why_anew, write_config
from centrex.runtime.farm_server import FarmServer
from centrex.runtime.refusals import Refusals
from centrex.runtime.version import version
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

OWN: Final = "local"
"""The name of the relay that belongs to the engine."""
_ARRIVAL_S: Final = 3.0
"""How long the start waits for it."""
_ASKED_AT_ONCE: Final = 100


class Media:
    """The relays of one engine.

    Args:
        engine: Whose.
        secret: The instance's own secret.
    """

    def __init__(self, engine: "Engine", secret: bytes) -> None:
        self._engine = engine
        settings = engine.config.media
        identity = hmac.new(secret, b"relay link: name", hashlib.sha256).hexdigest()[:16]
        self._own_secret = hmac.new(secret, b"relay link: secret", hashlib.sha256).digest()
        self.farm = Farm(self, heartbeat_s=settings.heartbeat, boot=os.urandom(8).hex())
        self.server = FarmServer(
            self.farm, name=f"{engine.instance}-{identity}"[:64], changed=self._changed
        )
        self.relaying = Relaying(
            _CoreFarm(self.farm),
            mode=settings.mode,
            refuse=settings.without_relay == "refuse",
        )
        self._refusals = Refusals()
        self._embedded: EmbeddedRelay | None = None
        self._own_config = ""
        self._began = False
        self._arrived = anyio.Event()

    # from start to end

    async def start(self, tasks: TaskGroup) -> None:
        """Let relays log in, and start the engine's own; returns once that is there.

        Raises:
            Unavailable: Relays cannot log in where they are to.
        """
        settings = self._engine.config.media
        if settings.mode == "never" or self._began:
            return
        self._began = True
        self._engine.core.relaying = self.relaying
        if settings.secret.get_secret_value():
            await tasks.start(self._serve_others, settings)
        tasks.start_soon(self._tick)
        if settings.embedded:
            path = self._engine.paths.run / "relay.sock"
            self._embedded = self._own_relay(settings, path)
            await tasks.start(self._serve_own, path)
            tasks.start_soon(self._embedded.run)
            with anyio.move_on_after(_ARRIVAL_S):
                await self._arrived.wait()
                while self.farm.open(time.monotonic()) is None:  # noqa: ASYNC110 - ports are leased
                    await anyio.sleep(0.005)

    async def _serve_own(self, path: Path, *, task_status: TaskStatus[None]) -> None:
        secret = self._own_secret.hex().encode()
        await self.server.serve(secret, path=path, task_status=task_status)

    async def _serve_others(self, settings: Settings, *, task_status: TaskStatus[None]) -> None:
        address = (settings.control_address, settings.control_port)
        secret = settings.secret.get_secret_value().encode()
        await self.server.serve(secret, address=address, task_status=task_status)

    def _own_relay(self, settings: Settings, path: Path) -> EmbeddedRelay:
        run = self._engine.paths.run
        config: dict[str, Any] = {
            "name": OWN,
            "address": self._hosts(),
            "port_range": list(settings.port_range),
            "proxies": [{"address": f"unix:{path}", "secret": self._own_secret.hex()}],
        }
        write_config(run / "relay.toml", config)
        self._own_config = fingerprint(load_relay(run / "relay.toml"))
        return EmbeddedRelay(run / "relay.toml", run / "relay.lock", self._engine.bus.publish)

    def _hosts(self) -> list[str]:
        """Return the addresses for media: those of the signalling, all where that has all."""
        hosts = [host for _, host, _ in self._engine.edges.listeners]
        if any(host in ("0.0.0.0", "::") for host in hosts):
            return []
        return list(dict.fromkeys(hosts))

    async def end(self) -> None:
        """End the engine's own relay; one that carries calls goes on with them, for the next engine."""
        if self._embedded is None:
            return
        own = self.farm.get(OWN)
        if own is not None and own.sessions and own.link is not None:
            self._tell("relay.stays", Severity.NOTICE, relay=OWN, calls=len(own.sessions))
            self._embedded.leave()
        else:
            await self._embedded.end()

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
            self._tell("media.unavailable", Severity.ERROR, why=str(error))

    async def _tick(self) -> None:
        while True:
            await anyio.sleep(1.0)
            self.farm.tick(time.monotonic())
            self.relaying.sweep(self._engine.core, time.monotonic())
            self._changed()

    def _changed(self) -> None:
        self.relaying.go_on(self._engine.core, time.monotonic())
        self._engine.hands.finish()

    # what the farm reports

    def relay_came(self, relay: Relay) -> None:
        """See `centrex.farm.farm.Observer`."""
        told = relay.told
        self._refusals.forget(relay.name, told["source"])
        self._tell(
            "relay.came",
            Severity.NOTICE,
            relay=relay.name,
            src=told["source"],
            path=told["path"],
            why=told["path_why"],
        )
        if relay.name == OWN:
            self._arrived.set()

    def relay_settled(self, relay: Relay) -> None:
        """See `centrex.farm.farm.Observer`."""
        if relay.name != OWN or not self._own_config:
            return
        why = why_anew(relay.told, self._own_config, version())
        if why:  # it outlived a former engine; asked once, whatever it does
            self._own_config = ""
            self._tell("relay.renewed", Severity.NOTICE, relay=OWN, why=why)
            relay.send("again")

    def relay_left(self, relay: Relay, why: str) -> None:
        """See `centrex.farm.farm.Observer`."""
        if not self._engine.stopping.is_set():
            self._tell("relay.left", Severity.WARNING, relay=relay.name, why=why)

    def relay_silent(self, relay: Relay, silent: bool) -> None:
        """See `centrex.farm.farm.Observer`."""
        name, severity = (
            ("silent", Severity.WARNING) if silent else ("heard-again", Severity.NOTICE)
        )
        self._tell(f"relay.{name}", severity, relay=relay.name)

    def relay_refused(self, name: str, source: str, why: str) -> None:
        """See `centrex.farm.farm.Observer`."""
        times = self._refusals.tell(name, source, why, time.monotonic())
        if times:
            self._tell(
                "relay.refused", Severity.WARNING, relay=name, src=source, why=why, times=times
            )

    def session_ended(self, relay: Relay, name: str, why: str, figures: dict[str, Any]) -> None:
        """See `centrex.farm.farm.Observer`."""
        call_id = str(figures.get("call_id", "")).encode("latin-1", "replace")
        if self.relaying.lost(call_id, name):
            story = self._engine.journal.open(call_id)
            story.append((time.monotonic(), Rule.MEDIA_LOST, relay.name, why))
        self._tell("media.ended", Severity.NOTICE, call_id, relay=relay.name, why=why)

    def notice(self, relay: Relay, session: Session, kind: str, words: str) -> None:
        """See `centrex.farm.farm.Observer`."""
        call_id = session.call_id.encode("latin-1", "replace")
        story = self._engine.journal.open(call_id)
        story.append((time.monotonic(), Rule.MEDIA_NOTICE, words, kind))
        worrying = kind in ("one-way", "deadlock", "displaced", "flood")
        severity = Severity.WARNING if worrying else Severity.INFO
        self._tell(f"media.{kind}", severity, call_id, relay=relay.name, what=words)
        if worrying:
            self._engine.statistics.media_amiss(f"media-{kind}")

    def adopt(self, relay: Relay, session: Session) -> bool:
        """See `centrex.farm.farm.Observer`."""
        return self.relaying.adopt(relay, session)

    def _tell(self, name: str, severity: Severity, call_id: bytes = b"", **fields: Field) -> None:
        self._engine.bus.publish(Event(Kind.MEDIA, severity, name, fields, call_id))

    # for people

    def relay_of(self, call_id: bytes) -> str:
        """Return which relay carries a call; empty where none does."""
        carried = self.relaying.of(call_id)
        return carried.by if carried is not None else ""

    def names(self) -> list[str]:
        """Return the names of all relays."""
        return [one.name for one in self.farm]

    def drain(self, name: str, *, on: bool) -> int | None:
        """Give a relay no new calls, or some again.

        Returns:
            How many calls it carries; None if there is no such relay.
        """
        relay = self.farm.drain(name, on=on)
        return None if relay is None else relay.count

    def listing(self) -> list[dict[str, Any]]:
        """Return the relays as plain data."""
        now = time.monotonic()
        return [_row(relay, now) for relay in self.farm]

    async def calls_of(self, name: str) -> list[dict[str, Any]] | None:
        """Return what a relay knows of the calls it carries; None if there is no such relay.

        Raises:
            Unavailable: It is not there, or does not answer.
        """
        relay = self.farm.get(name)
        if relay is None:
            return None
        names = list(relay.sessions)
        rows: list[dict[str, Any]] = []
        for at in range(0, len(names), _ASKED_AT_ONCE):
            rows += await self.server.ask(relay, names[at : at + _ASKED_AT_ONCE])
        return rows


class _CoreFarm:
    """The farm as the core sees it: relays are whatever the farm gave out."""

    __slots__ = ("_farm",)

    def __init__(self, farm: Farm) -> None:
        self._farm = farm

    def open(
        self, now: float, families: Sequence[Family] = (), tried: Collection[str] = ()
    ) -> Relay | None:
        return self._farm.open(now, families, tried)

    def lacks(self, families: Sequence[Family]) -> Family | None:
        return self._farm.lacks(families)

    @property
    def expects_ports(self) -> bool:
        return self._farm.expects_ports

    def put(self, relay: CoreRelay, session: Session, now: float) -> None:
        assert isinstance(relay, Relay)
        self._farm.put(relay, session, now)

    def end(self, relay: CoreRelay, name: str, reason: str, now: float) -> None:
        assert isinstance(relay, Relay)
        self._farm.end(relay, name, reason, now)

    def expect(self, relay: CoreRelay, name: str, unsaid: Unsaid) -> None:
        assert isinstance(relay, Relay)
        self._farm.expect(relay, name, unsaid)

    def forgo(self, relay: CoreRelay, name: str) -> None:
        assert isinstance(relay, Relay)
        self._farm.forgo(relay, name)

    def give_back(self, relay: CoreRelay, slots: Iterable[Slot]) -> None:
        assert isinstance(relay, Relay)
        self._farm.give_back(relay, slots)


def _row(relay: Relay, now: float) -> dict[str, Any]:
    told: Mapping[str, Any] = relay.told
    beat: Mapping[str, Any] = relay.beat
    available = relay.state is RelayState.AVAILABLE
    state = "draining" if available and relay.draining else relay.state.value
    return {
        "name": relay.name,
        "state": state,
        "why": relay.why or relay.shortage or told.get("path_why", ""),
        "source": told.get("source", ""),
        "sessions": relay.count,
        "others": relay.foreign,
        "capacity": relay.capacity if "capacity" in told else None,
        "path": told.get("path", ""),
        "path_why": told.get("path_why", ""),
        "version": told.get("version", ""),
        "addresses": dict(told.get("hosts", {})),
        "packets_per_s": beat.get("packets_per_s", 0),
        "octets_per_s": beat.get("octets_per_s", 0),
        "since_s": round(now - relay.since),
        "heard_s": round(now - relay.heard, 1),
        "figures": dict(beat),
    }
