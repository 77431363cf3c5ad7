"""A media relay, wired on one screen: its plane, its data path, its links, from start to last word."""

import importlib.metadata
import importlib.util
import itertools
import os
import resource
import signal
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from centrex.base import LocalError, Unavailable
from centrex.config.relay import RelayConfig, fingerprint
from centrex.farm.custody import Custody
from centrex.farm.relay_side import RelaySide
from centrex.runtime.garbage import Collector
from centrex.runtime.lock import InstanceLock
from centrex.runtime.monitor import interface_addresses
from centrex.runtime.notify import Notifier, tell_ready
from centrex.runtime.relay.addresses import EVERY_S, AddressKeeper, all_addresses
from centrex.runtime.relay.link import ProxyLink
from centrex.runtime.relay.offload import Offload, open_offload
from centrex.runtime.relay.plane import Plane

_DESCRIPTORS: Final = 200_000
_SWITCH_S: Final = 0.0001
"""How long the thread of the packets may keep the one of the links waiting."""
_MESSAGES_A_CALL: Final = 20
_SETTLED_S: Final = 1.0
"""How long no ports are lent after the start, if not all proxies have told yet what they hold."""
_CROWDED: Final = 0.9
"""The share of its capacity from which on its proxies are told each second how full it is."""
ORPHAN_S: Final = 60.0
"""How long a relay that belongs to an engine waits for it without a call."""


class RelayProcess:
    """One relay.

    Args:
        config: Its configuration.
        lock: The lock it holds; None for none.
        orphan_s: After how long without a proxy and without a call it ends by itself; 0 for never.
    """

    def __init__(
        self, config: RelayConfig, *, lock: Path | None = None, orphan_s: float = 0.0
    ) -> None:
        self._config, self._lock, self._orphan_s = config, lock, orphan_s
        self._custody = Custody(
            proxies=len(config.proxies), settled_at=time.monotonic() + _SETTLED_S
        )
        self._end = anyio.Event()
        self._boot = os.urandom(8).hex()
        self._again = False
        self._links: list[ProxyLink] = []
        self._before: tuple[float, Mapping[str, Any]] = (0.0, {})
        self._rates: dict[str, int] = {"packets_per_s": 0, "octets_per_s": 0}
        self._plane: Plane
        self._offload: Offload

    async def run(self, ready_fd: int | None) -> bool:
        """Relay until told to end; whether it is to be started anew in place.

        Raises:
            Unavailable: An address or the lock cannot be had.
        """
        config = self._config
        with ExitStack() as stack:
            if self._lock is not None:
                stack.enter_context(InstanceLock(self._lock))
            hosts = [(host, config.advertise or host) for host in self._hosts()]
            self._offload = open_offload(config, self._machine_name())
            self._plane = Plane(
                hosts=hosts,
                ports=config.port_range,
                kernel=self._offload.kernel,
                silence_s=config.silence_timeout,
            )
            _check(self._plane, hosts)
            self._plane.start()
            try:
                await self._serve(ready_fd)
            finally:
                self._plane.close(keep=self._again)
        return self._again

    def _machine_name(self) -> str:
        """Return a name no other relay of this machine has: engines' own ones share theirs."""
        if self._lock is None:
            return self._config.name
        return f"{self._config.name}-{zlib.crc32(os.fsencode(self._lock.absolute())):08x}"

    def _hosts(self) -> Sequence[str]:
        if self._config.address:
            return self._config.address
        return all_addresses(interface_addresses)

    def _sides(self) -> list[RelaySide]:
        return [link.side for link in self._links if link.side is not None]

    async def _serve(self, ready_fd: int | None) -> None:
        notifier = Notifier(os.environ)
        async with anyio.create_task_group() as tasks:
            for proxy in self._config.proxies:
                link = ProxyLink(
                    proxy.address,
                    proxy.port,
                    proxy.secret.get_secret_value().encode(),
                    name=self._config.name,
                    plane=self._plane,
                    custody=self._custody,
                    told=self._told,
                    beat=self._beat,
                    report=_say,
                    again=self._anew,
                )
                self._links.append(link)
                tasks.start_soon(link.run)
            tasks.start_soon(self._tell_notices)
            tasks.start_soon(self._each_second, tasks)
            tasks.start_soon(notifier.watchdog)
            tasks.start_soon(self._settle)
            tasks.start_soon(self._end_with, tasks)
            with anyio.open_signal_receiver(
                signal.SIGTERM, signal.SIGINT, signal.SIGHUP
            ) as signals:
                notifier.ready(f"relaying by {self._offload.name}")
                if ready_fd is not None:
                    tell_ready(ready_fd)
                async for number in signals:
                    self._again = number == signal.SIGHUP
                    break
            tasks.cancel_scope.cancel()

    async def _tell_notices(self) -> None:
        """Hand what the plane noticed to the proxy whose session it is."""
        plane = self._plane
        while True:
            await anyio.wait_readable(plane.news)
            os.eventfd_read(plane.news)
            if plane.fault is not None:  # whoever watches starts another relay
                raise LocalError("the thread of the packets has failed") from plane.fault
            while plane.notices:
                name, kind, words, figures = plane.notices.popleft()
                for side in self._sides():
                    side.notice(name, kind, words, figures)
                if kind == "ended":
                    self._custody.forget(name)

    async def _each_second(self, tasks: TaskGroup) -> None:
        """Do what is to be done now and then: seldom, since packets wait while this thread works.

        Garbage is looked for when few calls begin, since that takes long. A relay that belongs to an
        engine ends when that stays away and nobody talks any more.
        """
        collector = Collector()
        keeper = AddressKeeper(
            self._plane,
            interface_addresses,
            advertise=self._config.advertise,
            told=self._sides,
            report=_say,
        )
        for second in itertools.count(1):
            await anyio.sleep(1.0)
            if not self._config.address and second % EVERY_S == 0:
                keeper.look()
            self._plane.free(self._custody.overdue(time.monotonic()))
            if len(self._custody) > _CROWDED * self._config.max_sessions:
                beat = self._beat()
                for side in self._sides():
                    side.beat(beat)
            collector.each_second(self._plane.total * _MESSAGES_A_CALL)
            if self._orphan_s and not len(self._custody) and self._is_alone():
                tasks.cancel_scope.cancel()

    async def _settle(self) -> None:
        """Lend ports in the end, whatever a proxy that is not there may hold."""
        await anyio.sleep(_SETTLED_S)
        self._custody.settle()

    def _anew(self) -> None:
        """Be started anew, since the configuration has changed."""
        self._again = True
        self._end.set()

    async def _end_with(self, tasks: TaskGroup) -> None:
        await self._end.wait()
        tasks.cancel_scope.cancel()

    def _is_alone(self) -> bool:
        now = time.monotonic()
        return all(not one.is_up and now - one.lost_at > self._orphan_s for one in self._links)

    def _told(self) -> Mapping[str, Any]:
        return {
            "capacity": self._config.max_sessions,
            "path": self._offload.name,
            "path_why": self._offload.why,
            "version": _version(),
            "boot": self._boot,
            "config": fingerprint(self._config),
        }

    def _beat(self) -> Mapping[str, Any]:
        """Return the figures of a heartbeat; rates are over the time since the one before."""
        figures, now = self._plane.figures(), time.monotonic()
        then, before = self._before
        if now - then >= 0.9:
            passed = max(now - then, 0.001)
            for name in ("packets", "octets"):
                grown = figures[name] - before.get(name, figures[name])
                self._rates[f"{name}_per_s"] = max(int(grown / passed), 0)
            self._before = (now, figures)
        dropped = sum(figures["drops"].values())
        cpu_ms = int(time.process_time() * 1000)
        return {**figures, **self._rates, "dropped": dropped, "cpu_ms": cpu_ms}


def _check(plane: Plane, hosts: Sequence[tuple[str, str]]) -> None:
    """See that ports can be opened at every address."""
    for host, _ in hosts:
        plane.free(plane.lease(host, 1))


def _version() -> str:
    try:
        return importlib.metadata.version("centrex")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")


def serve(
    config: RelayConfig,
    *,
    lock: Path | None = None,
    ready_fd: int | None = None,
    orphan_s: float = 0.0,
) -> int:
    """Run a relay until it is told to end; return its exit code.

    Raises:
        Unavailable: An address or the lock cannot be had.
    """
    sys.setswitchinterval(_SWITCH_S)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    async def main() -> bool:
        return await RelayProcess(config, lock=lock, orphan_s=orphan_s).run(ready_fd)

    fast = importlib.util.find_spec("uvloop") is not None
    try:
        again = anyio.run(main, backend_options={"use_uvloop": fast})
    except BaseExceptionGroup as group:
        expected = group.subgroup(Unavailable)
        if expected is None:
            raise
        raise Unavailable(str(expected.exceptions[0])) from None
    if again:
        os.execv(sys.executable, sys.orig_argv)
    return 0
