"""The engine: one proxy and registrar, wired on one screen, from its configuration to its last word."""

import importlib.util
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
from anyio.abc import TaskGroup, TaskStatus

from centrex.base import ConfigError, Flow, Ids, Transport, Unavailable
from centrex.config.load import ConfigSource
from centrex.config.model import Config
from centrex.config.paths import InstancePaths
from centrex.events import Event, Kind, Severity
from centrex.events.statistics import Statistics
from centrex.guard.guard import Guard
from centrex.nat import RouteTokens
from centrex.proxy.core import Core
from centrex.registrar.registry import Registry
from centrex.routing.ours import Ours
from centrex.runtime import control, large_pages, phonebook
from centrex.runtime.bans import BanFile
from centrex.runtime.bus import Bus, LogHandler
from centrex.runtime.capture import Capture
from centrex.runtime.certificate import CertificateAge
from centrex.runtime.chores import Chores
from centrex.runtime.commands import Commands
from centrex.runtime.connection import StreamLimits
from centrex.runtime.desk import Desk
from centrex.runtime.dns import Resolver
from centrex.runtime.edges import Edges
from centrex.runtime.editing import Editing
from centrex.runtime.eventlog import EventLog
from centrex.runtime.flows import FlowTable, Locals
from centrex.runtime.garbage import Collector
from centrex.runtime.hands import Hands
from centrex.runtime.http_server import HttpServer
from centrex.runtime.keepalive import Asks, KeepAlive, Wanted
from centrex.runtime.live_commands import LiveCommands
from centrex.runtime.local_address import LocalAddresses
from centrex.runtime.lock import InstanceLock
from centrex.runtime.media import Media
from centrex.runtime.monitor import Read, interface_addresses
from centrex.runtime.notify import Notifier, tell_ready
from centrex.runtime.policy import Policy, make_policy
from centrex.runtime.precedence import LACKING, Precedence
from centrex.runtime.reading import READING
from centrex.runtime.recent import Recent
from centrex.runtime.recovery import Recovery
from centrex.runtime.reload import Fresh, Reloader, Tickets, waiting
from centrex.runtime.roaming import Roaming
from centrex.runtime.rtpengine import RtpengineMedia
from centrex.runtime.secret import load_secret
from centrex.runtime.streams import StreamEdge
from centrex.runtime.tls import TlsContexts
from centrex.runtime.watch_file import WatchFile
from centrex.trace import Journal
from centrex.transaction import Timing

_DESCRIPTORS: Final = 65_536
GRACE_S: Final = 5.0
"""How long requests under way and unsent messages may take when the engine stops."""
_FLUSH_SHARE: Final = 0.2
"""The share of that time which is kept for unsent messages."""
_FLUSH_S: Final = 0.3
"""How long those may take at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How an engine lives in its process."""

    ready: Callable[[], None] = lambda: None
    """Called once it answers."""
    signals: bool = True
    """Whether the process's signals are for it; only in the main thread."""
    console: bool = True
    """Whether standard error is its own."""
    garbage_step: int = 0
    """Young objects after which garbage is collected, whatever goes on; 0 in a process of its own."""


class Engine:
    """One instance, from `run` to its end.

    Args:
        config: Its configuration.
        source: Where that is read again on reload.
        paths: Where its files are.
        instance: Its name.
        read_addresses: Reads the addresses of this machine.
        stay: How it lives in its process.

    Attributes:
        desk: Answers who is connected; there once it serves.
    """

    def __init__(
        self,
        config: Config,
        source: ConfigSource,
        paths: InstancePaths,
        instance: str,
        *,
        read_addresses: Read = interface_addresses,
        stay: Stay | None = None,
    ) -> None:
        self.stay = stay or Stay()
        self.config, self.source, self.paths, self.instance = config, source, paths, instance
        self.started_at = time.time()
        self.started = time.monotonic()
        self.stopping = anyio.Event()
        self.grace_s = GRACE_S
        self._hurried = False
        self._patience: anyio.CancelScope | None = None
        self.origins: Mapping[str, str] = source.provenance()
        self.warnings: tuple[str, ...] = source.notes
        self.waiting: tuple[str, ...] = ()
        self.revision = 0
        network, registrar = config.network, config.registrar
        self.tickets = Tickets(config)
        self.policy = make_policy(config, self.tickets.nonces, self.tickets.window)
        self.statistics = Statistics(self.started)
        self.registry = Registry(case_sensitive=registrar.case_sensitive)
        self.journal = Journal()
        self.capture = Capture()
        self.bus = Bus(self.policy.kinds)
        self.log = EventLog(
            self.bus,
            path=config.events.file,
            form=config.events.format,
            least=Severity[config.events.level.upper()],
            console=self.stay.console,
        )
        self.recent = Recent(
            self.bus, domain=lambda: self.config.network.domain, changed=self._heed
        )
        self.ours = Ours((network.domain, *network.aliases), ())
        self.locals = Locals(LocalAddresses().towards, self.ours.add)
        self.listens = frozenset(Transport(name.upper()) for name in network.transports)
        self.tls = self._certificates()
        versions = _versions(network.address)
        self.resolver = Resolver(self.listens, families=versions)
        self.guard = Guard(**self.policy.guard, drops=self.statistics.drops)
        self.streams = StreamEdge(
            _LateDoor(self),
            self.locals.get,
            max_message_bytes=network.max_message_bytes,
            tls=self.tls,
            limits=StreamLimits(keepalive_interval_s=network.keepalive_interval),
        )
        self.flows = FlowTable(self.streams, self.listens, versions, time.monotonic)
        self.edges = Edges(self.listens, self.locals, self.ours, self.flows, self.streams)
        self.roaming = Roaming(self, paths.state / "addresses.json", read_addresses)
        self.lock = InstanceLock(paths.lock)
        self.notifier = Notifier(os.environ)
        self.precedence = Precedence()
        self.recovery = Recovery(
            paths.state / "registrations",
            self.registry,
            changes=registrar.recovery_changes,
            interval_s=registrar.recovery_interval,
            report=self.bus.publish,
        )
        self.watch_file = WatchFile(
            paths.state / "subscriptions.json",
            lambda: self.core.watchers,
            report=self.bus.publish,
        )
        self.bans = BanFile(paths.state / "bans.json", self.guard, report=self.bus.publish)
        self.reloader = Reloader(self)
        self.editing = Editing(self)
        self.certificate = CertificateAge(network.tls_certificate, self._certificate_ends)
        self._streams_ended = anyio.Event()
        self.core: Core
        self.hands: Hands
        self.media: Media | RtpengineMedia
        self.desk: Desk
        self._tasks: TaskGroup

    async def run(self, ready_fd: int | None) -> None:
        """Serve until told to stop.

        Raises:
            Unavailable: An address, a folder or the lock cannot be had.
        """
        with ExitStack() as stack:
            self._make_folders()
            stack.enter_context(self.lock)
            secret = load_secret(self.paths.state / "secret")
            self.core = self._core(self.policy, secret)
            by_rtpengine = self.config.media.backend == "rtpengine"
            self.media = RtpengineMedia(self) if by_rtpengine else Media(self, secret)
            async with anyio.create_task_group() as writing:
                writing.start_soon(self.log.run)
                try:
                    async with anyio.create_task_group() as serving:
                        with _logging_to(self.bus):
                            await self._serve(serving, ready_fd)
                finally:  # however it ended: nothing acknowledged is lost
                    self.edges.close()
                    self.streams.close()
                    with anyio.CancelScope(shield=True):
                        await self.bans.flush()
                        await self.watch_file.flush()
                        await self.recovery.close()
                self.say("server.stopped", Severity.NOTICE)
                writing.cancel_scope.cancel()

    async def _serve(self, tasks: TaskGroup, ready_fd: int | None) -> None:
        self._tasks = tasks  # what is reloaded meanwhile may begin things
        self.hands = Hands(
            self.core,
            self.bus,
            self.resolver,
            self.flows,
            tasks,
            self.recovery.notice,
            self.capture,
        )
        self.edges.bind(
            self.roaming.hosts(),
            self.config.network,
            self.hands.take,
            self.hands.finish,
            self._longest,
        )
        await self._recover()
        await tasks.start(self._run_streams)
        self.edges.start(tasks)
        self.certificate.renewed()
        asks = Asks(self.core, self.hands.finish)
        keepalive = KeepAlive(self.registry, self._keepalives, self.statistics, asks)
        tasks.start_soon(self.hands.keep_time)
        tasks.start_soon(Chores(self).each_second)
        tasks.start_soon(keepalive.run)
        tasks.start_soon(self.recovery.run)
        tasks.start_soon(self.bans.run)
        tasks.start_soon(self.watch_file.run)
        tasks.start_soon(self.notifier.watchdog)
        if self.stay.signals:
            tasks.start_soon(self._signals, tasks)
        await self._open_control(tasks)
        await self.media.start(tasks)
        await self._open_pages(tasks)
        collector = Collector(step=self.stay.garbage_step)
        tasks.start_soon(collector.run, self.statistics)
        if not self.stay.garbage_step:  # in a process of its own
            large_pages.collapse()
        self.say("server.started", Severity.NOTICE, listens=", ".join(self.edges.names()))
        for warning in self.warnings + self.policy.warnings:
            self.say("server.warning", Severity.WARNING, what=warning)
        self.notifier.ready(f"serving {self.config.network.domain}")
        if ready_fd is not None:
            tell_ready(ready_fd)
        self.stay.ready()
        await self.stopping.wait()
        await self._stop()
        tasks.cancel_scope.cancel()

    async def _run_streams(self, *, task_status: TaskStatus[None]) -> None:
        try:
            await self.streams.run(task_status=task_status)
        finally:
            self._streams_ended.set()

    async def _open_control(self, tasks: TaskGroup) -> None:
        self.desk = Desk(
            Commands(self).handlers(),
            self._command_failed,
            streams=LiveCommands(self).streams(),
            reading=READING,
            watched=self._watched,
        )
        serve, path, desk = control.serve, self.paths.control, self.desk
        await tasks.start(
            lambda *, task_status: serve(path, desk, lock=self.lock, task_status=task_status)
        )

    def _watched(self, begins: bool) -> None:
        known = self.precedence.state
        (self.precedence.take if begins else self.precedence.give_back)()
        if self.precedence.state == "refused" != known:
            self.say("server.no-precedence", Severity.NOTICE, why=LACKING)

    async def _open_pages(self, tasks: TaskGroup) -> None:
        """Serve figures and the phone book, where that is wanted; who serves none pays nothing."""
        if self.config.metrics.listen:
            from centrex.runtime import metrics  # noqa: PLC0415 - see above

            figures = metrics.pages(metrics.Figures(self, time.monotonic))
            await tasks.start(HttpServer(figures, "figures").serve, self.config.metrics.listen)
        if self.config.directory.listen:
            book = phonebook.pages(lambda: phonebook.entries(self))
            server = HttpServer(book, "the phone book", fresh_s=phonebook.FRESH_S)
            await tasks.start(server.serve, self.config.directory.listen)

    async def _stop(self) -> None:
        """Take nothing new, let what is under way end and be sent, write everything down.

        All within the grace time, whatever phones do; a second signal ends the waiting at once.
        """
        ends = time.monotonic() + self.grace_s
        self.notifier.stopping()
        self.say("server.stopping", Severity.NOTICE, grace=self.grace_s)
        self.core.drain()
        with self._patiently(self.grace_s * (1 - _FLUSH_SHARE)):
            while self.core.busy:  # noqa: ASYNC110 - the core has no events to wait for
                await anyio.sleep(0.05)
        self.core.abort(time.monotonic())
        self.hands.finish()
        await self.media.end()
        left = max(ends - time.monotonic(), _FLUSH_S)
        self.streams.stop(grace_s=left)
        with self._patiently(left):
            await self._streams_ended.wait()
        with anyio.CancelScope(shield=True):  # most of it, while one can still see us stopping
            await self.recovery.flush()

    @contextmanager
    def _patiently(self, seconds: float) -> Iterator[None]:
        """Bound what is waited for inside; not at all where somebody is in a hurry."""
        with anyio.move_on_after(0.0 if self._hurried else seconds) as self._patience:
            yield

    def hurry(self) -> None:
        """Stop, and if that is under way already, wait for nobody any longer."""
        if not self.stopping.is_set():
            self.stopping.set()
            return
        self._hurried = True
        if self._patience is not None:
            self._patience.cancel()

    def _core(self, policy: Policy, secret: bytes) -> Core:
        core = Core(
            ours=self.ours,
            flows=self.flows,
            registry=self.registry,
            registrar_name=self.config.registrar.name.lower().encode(),
            registrar_options=policy.options,
            access=policy.access,
            knows_user=self.knows_user,
            guard=self.guard,
            route_tokens=RouteTokens(secret, os.urandom(4).hex().encode()),
            ids=Ids(os.urandom),
            journal=self.journal,
            statistics=self.statistics,
            timing=Timing(),
            patience=policy.patience,
            max_message=self.config.network.max_message_bytes,
        )
        core.take_routes(policy.routes, time.monotonic())
        core.watchers.configure(self._domain, policy.directory, time.monotonic())
        return core

    @property
    def _domain(self) -> bytes:
        return self.config.network.domain.encode()

    def knows_user(self, user: bytes) -> bool:
        """Whether a user exists though nobody is registered."""
        return self.registry.canonical(user) in self.policy.users

    # set-up

    def _make_folders(self) -> None:
        for folder in (self.paths.state, self.paths.run):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o750)
            except OSError as error:
                raise Unavailable(f"cannot make {folder}: {error.strerror or error}") from error

    def _certificates(self) -> TlsContexts:
        network = self.config.network
        return TlsContexts(
            network.tls_certificate, network.tls_key, config_file=str(self.source.path)
        )

    def _longest(self) -> int:
        return self.core.max_message

    async def _recover(self) -> None:
        loaded = await self.recovery.load(self._flow_of)
        self.warnings += tuple(loaded.warnings)
        spoilt = await self.bans.load()
        if spoilt:
            self.warnings += (spoilt,)
        if loaded.bindings:
            self.say(
                "registrations.recovered",
                Severity.NOTICE,
                users=loaded.users,
                bindings=loaded.bindings,
                expired=loaded.expired,
            )
        watchers, spoilt = await self.watch_file.load(self._flow_of)
        if spoilt:
            self.warnings += (spoilt,)
        if watchers:
            self.say("subscriptions.recovered", Severity.NOTICE, subscriptions=watchers)
        self.statistics.registrations_stand(self.registry.bindings)

    def _flow_of(self, transport: str, host: str, port: int, local: str = "") -> Flow | None:
        if transport != Transport.UDP.value:
            return None
        return self.flows.find(Transport.UDP, host, port)

    # while it runs

    async def _signals(self, tasks: TaskGroup) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async for number in signals:
                if number == signal.SIGHUP:
                    tasks.start_soon(self.reloader.reload_and_tell)
                else:
                    self.hurry()

    def say(self, name: str, severity: Severity, **fields: Any) -> None:
        """Publish an event of the server itself."""
        self.bus.publish(Event(Kind.SERVER, severity, name, fields))

    def _command_failed(self, command: str, error: Exception) -> None:
        fields = {"command": command, "error": f"{type(error).__name__}: {error}"}
        self.bus.publish(Event(Kind.ERRORS, Severity.ERROR, "command.failed", fields))

    def drops(self) -> dict[str, int]:
        """Return how many messages were dropped, by reason."""
        drops = dict(self.statistics.drops)
        for reason, count in self.streams.drops.items():
            drops[reason] = drops.get(reason, 0) + count
        return drops

    def _heed(self) -> None:
        self.hands.heed()

    def _keepalives(self) -> Wanted:
        network = self.config.network
        by_options = network.keepalive_method == "options"
        return Wanted(network.keepalive_interval, by_options, network.check_interval)

    def apply(self, fresh: Fresh) -> None:
        """Take over a configuration that was read again; nothing here can fail half-way."""
        core, config, policy = self.core, fresh.config, fresh.policy
        network, registrar = config.network, config.registrar
        self.guard.reconfigure(**policy.guard)
        self.config, self.policy, self.tickets = config, policy, fresh.tickets
        self.revision += 1
        self.origins, self.waiting = fresh.origins, waiting(fresh.changes)
        core.access, core.patience = policy.access, policy.patience
        core.take_routes(policy.routes, time.monotonic())
        core.registrar_options = policy.options
        core.max_message = network.max_message_bytes
        core.places.registrar_name = registrar.name.lower().encode()
        self.ours.rename((network.domain, *network.aliases))
        core.watchers.configure(self._domain, policy.directory, time.monotonic())
        self.streams.adjust(
            keepalive_interval_s=network.keepalive_interval,
            max_message_bytes=network.max_message_bytes,
        )
        self.recovery.adjust(
            changes=registrar.recovery_changes, interval_s=registrar.recovery_interval
        )
        level = Severity[config.events.level.upper()]
        self.log.reopen(config.events.file, config.events.format, level)
        self.bus.enable(policy.kinds)
        self.hands.heed()
        self.media.follow(self._tasks)

    def _certificate_ends(self, what: str) -> None:
        self.say("tls.ending", Severity.WARNING, what=what)

    def waiting_warnings(self) -> tuple[str, ...]:
        """Return what the configuration says that only a restart brings about."""
        if not self.waiting:
            return ()
        return (f"changed, and waiting for a restart: {', '.join(self.waiting)}",)

    def all_warnings(self) -> list[str]:
        """Return everything an operator should look at."""
        gone = [
            f"the gateway {probe.name} is gone at {probe.address}: {probe.why}"
            for probe in self.core.gateways.gone
        ]
        complaining = (self.certificate, self.recovery, self.log, self.roaming)
        complaints = (one.complaint for one in complaining)
        amiss = filter(None, (self.editing.told()["not_rolled_back"], *complaints))
        return [*amiss, *self.warnings, *self.policy.warnings, *gone, *self.waiting_warnings()]


def _versions(hosts: Iterable[str]) -> tuple[Literal[4, 6], ...]:
    """Return the IP versions of some addresses, IPv4 first."""
    found = {":" in host for host in hosts}
    return (4, 6) if len(found) > 1 else (6,) if True in found else (4,)


class _LateDoor:
    """The door of connections, before the core behind it is made."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def receive(self, data: bytes, flow: Flow) -> None:
        self._engine.hands.receive(data, flow)

    def opened(self, flow: Flow) -> None:
        self._engine.hands.opened(flow)

    def failed(self, flow: Flow, why: str) -> None:
        self._engine.hands.failed(flow, why)

    def closed(self, flow: Flow) -> None:
        self._engine.hands.closed(flow)


@contextmanager
def _logging_to(bus: Bus) -> Iterator[None]:
    """Have what libraries log become events."""
    handler = LogHandler(bus.post)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


def serve(
    config: Config,
    source: ConfigSource,
    paths: InstancePaths,
    *,
    ready_fd: int | None = None,
    instance: str = "",
) -> int:
    """Run an instance until it is told to stop; return its exit code.

    Raises:
        ConfigError: A file the configuration names cannot be used.
        Unavailable: An address, a folder or the lock cannot be had.
    """

    async def main() -> None:
        await Engine(config, source, paths, instance).run(ready_fd)

    run_loop(main)
    return 0


def run_loop(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run an engine in a loop of this thread's own, until it ends.

    Raises:
        ConfigError: A file the configuration names cannot be used.
        Unavailable: An address, a folder or the lock cannot be had.
    """
    _allow_connections()
    fast = importlib.util.find_spec("uvloop") is not None
    try:
        anyio.run(main, backend_options={"use_uvloop": fast})
    except BaseExceptionGroup as group:
        expected = group.subgroup((ConfigError, Unavailable))
        if expected is None:
            raise
        raise _first(expected) from None


def _allow_connections() -> None:
    """Take as many file descriptors as the system grants: each connection needs one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        wanted = hard if hard != resource.RLIM_INFINITY else _DESCRIPTORS
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, _DESCRIPTORS), hard))


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
