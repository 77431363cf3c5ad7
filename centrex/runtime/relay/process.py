"""A media relay, wired on one screen: its plane, its data path, its links, from start to last word."""

import importlib.util
import itertools
import os
import resource
import signal
import sys
import time
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import TaskGroup

from centrex.base import LocalError, Unavailable
from centrex.config.relay import fingerprint, load_relay, relay_warnings
from centrex.farm.custody import Custody
from centrex.farm.ledger import Ledger
from centrex.farm.relay_side import RelaySide
from centrex.runtime.garbage import Collector
from centrex.runtime.lock import InstanceLock
from centrex.runtime.monitor import interface_addresses
from centrex.runtime.notify import Notifier, tell_ready
from centrex.runtime.relay.addresses import EVERY_S, AddressKeeper, all_addresses, most_calls
from centrex.runtime.relay.anew import again, make_folder, objections
from centrex.runtime.relay.beats import Beats
from centrex.runtime.relay.ledger_file import FLUSH_S, LedgerFile
from centrex.runtime.relay.link import ProxyLink
from centrex.runtime.relay.offload import Offload, open_offload
from centrex.runtime.relay.plane import Plane
from centrex.runtime.relay.spoken import say
from centrex.runtime.relay.wan import WanAddress
from centrex.runtime.version import version

_DESCRIPTORS: Final = 200_000
_SWITCH_S: Final = 0.0001
"""How long the thread of the packets may keep the one of the links waiting."""
_MESSAGES_A_CALL: Final = 20
_SETTLED_S: Final = 1.0
"""How long no ports are lent after the start, if not all proxies have told yet what they hold."""
_CROWDED: Final = 0.9
"""The share of its capacity from which on its proxies are told each second how full it is."""
_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_LAST_S: Final = 0.02
"""How long it is listened for a signal to end before a relay begins anew."""
ORPHAN_S: Final = 60.0
"""How long a relay that belongs to an engine waits for it without a call."""


class RelayProcess:
    """One relay.

    Args:
        file: Its configuration.
        lock: The lock it holds; None for none.
        orphan_s: After how long without a proxy and without a call it ends by itself; 0 for never.
    """

    def __init__(self, file: Path, *, lock: Path | None = None, orphan_s: float = 0.0) -> None:
        self._file, self._config = file, load_relay(file)
        self._lock, self._orphan_s = lock, orphan_s
        self._custody = Custody(
            proxies=len(self._config.proxies), settled_at=time.monotonic() + _SETTLED_S
        )
        self._end = anyio.Event()
        self._boot = os.urandom(8).hex()
        self._again = False
        self._possible = 0
        self._links: list[ProxyLink] = []
        self._ledger: LedgerFile | None = None
        self._held = lock or self._config.lock
        if self._held is not None:
            self._custody.ledger = Ledger()
            self._ledger = LedgerFile(self._held.with_suffix(".calls"), self._custody.ledger, say)
        self._wan = WanAddress(self._config.wan, say) if self._config.is_auto else None
        self._plane: Plane
        self._keeper: AddressKeeper
        self._beats: Beats
        self._offload: Offload

    async def run(self, ready_fd: int | None) -> bool:
        """Relay until told to end; whether it is to be started anew in place.

        Raises:
            Unavailable: An address or the lock cannot be had.
        """
        config = self._config
        for problem in relay_warnings(self._file, config):
            say(f"warning: {problem}")
        with ExitStack() as stack:
            if self._held is not None:
                if self._lock is None:
                    make_folder(self._held.parent)
                stack.enter_context(InstanceLock(self._held))
            hosts = [(host, told) for host in self._hosts() if (told := self._shown(host))]
            self._offload = open_offload(config, self._machine_name())
            self._plane = Plane(
                hosts=hosts,
                ports=config.port_range,
                kernel=self._offload.kernel,
                silence_s=config.silence_timeout,
            )
            self._keeper = AddressKeeper(
                self._plane, self._hosts, shown=self._shown, told=self._sides, report=say
            )
            self._custody.capacity = self._capacity()
            self._beats = Beats(self._figures, self._custody.counts, self._links)
            _check(self._plane, hosts)
            self._plane.start()
            self._go_on()
            try:
                await self._serve(ready_fd)
            finally:
                self._plane.close(keep=self._again)
                if self._ledger is not None:
                    self._ledger.close(keep=self._again)
        return self._again

    def _go_on(self) -> None:
        """Take up the sessions of a relay that was killed; its proxy says which of them are over."""
        if self._ledger is None:
            return
        for one in self._ledger.left():
            with suppress(Unavailable):  # its ports are somebody else's by now
                self._plane.put(one.session)
                self._custody.restore(one)
        self._ledger.begin()

    def _machine_name(self) -> str:
        """Return a name no other relay of this machine has: engines' own ones share theirs."""
        if self._lock is None:
            return self._config.name
        return f"{self._config.name}-{zlib.crc32(os.fsencode(self._lock.absolute())):08x}"

    def _hosts(self) -> Sequence[str]:
        if self._config.address:
            return self._config.address
        return all_addresses(interface_addresses)

    def _shown(self, host: str) -> str:
        """Return what phones are told in place of an address; empty as long as that is not found."""
        return self._config.shown(host, self._wan.address if self._wan is not None else "")

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
                    beat=self._beats.beat,
                    report=say,
                    again=self._anew,
                )
                self._links.append(link)
                tasks.start_soon(link.run)
            tasks.start_soon(self._tell_notices)
            tasks.start_soon(self._each_second, tasks)
            tasks.start_soon(notifier.watchdog)
            tasks.start_soon(self._settle)
            if self._wan is not None:
                tasks.start_soon(self._follow, self._wan)
            if self._ledger is not None:
                tasks.start_soon(self._write_down, self._ledger)
            tasks.start_soon(self._end_with, tasks)
            try:
                await self._obey(notifier, ready_fd)
            finally:
                if self._again:  # until the next process hears it, another one would be the end
                    signal.signal(signal.SIGHUP, signal.SIG_IGN)
            tasks.cancel_scope.cancel()

    async def _obey(self, notifier: Notifier, ready_fd: int | None) -> None:
        """Say that it relays, and do what signals say until one says to end."""
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            notifier.ready(f"relaying by {self._offload.name}")
            if ready_fd is not None:
                tell_ready(ready_fd)
            async for number in signals:
                if number != signal.SIGHUP:
                    return
                notifier.reloading()
                if self._may_begin_anew():
                    self._again = not await _is_to_end(signals)
                    return
                notifier.ready(f"relaying by {self._offload.name}, as before")

    def _may_begin_anew(self) -> bool:
        """Whether the next process of this relay could start; says why not.

        If it could, a signal to end waits from here on until that process listens.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        found = objections(
            lambda: load_relay(self._file), self._config, self._offload, self._machine_name()
        )
        for one in found:
            say(one)
        if found:
            say("not started anew: it goes on as before")
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        return not found

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
        for second in itertools.count(1):
            await anyio.sleep(1.0)
            if not self._config.address and second % EVERY_S == 0:
                self._keeper.look()
            self._plane.free(self._custody.overdue(time.monotonic()))
            capacity = self._custody.capacity = self._capacity()
            if len(self._custody) > _CROWDED * capacity:
                beat = self._beats.beat()
                for side in self._sides():
                    side.beat(beat)
            if self._lock is None and (words := self._beats.summary()):
                say(words)  # what belongs to an engine is told by that
            collector.each_second(self._plane.total * _MESSAGES_A_CALL)
            if self._orphan_s and not len(self._custody) and self._is_alone():
                tasks.cancel_scope.cancel()

    async def _write_down(self, ledger: LedgerFile) -> None:
        while True:
            await anyio.sleep(FLUSH_S)
            ledger.flush()

    async def _follow(self, wan: WanAddress) -> None:
        """Look for the public address now and then, and take over what has changed.

        The relay does not wait for it: calls that it had before go on meanwhile.
        """
        while True:
            await wan.look()
            self._keeper.look()
            await anyio.sleep(self._config.wan.interval)

    async def _settle(self) -> None:
        """Lend ports in the end, whatever a proxy that is not there may hold."""
        await anyio.sleep(_SETTLED_S)
        self._custody.settle()

    def _anew(self) -> None:
        """Be started anew, since the configuration has changed."""
        self._again = self._may_begin_anew()
        if self._again:
            self._end.set()

    async def _end_with(self, tasks: TaskGroup) -> None:
        await self._end.wait()
        tasks.cancel_scope.cancel()

    def _is_alone(self) -> bool:
        now = time.monotonic()
        return all(not one.is_up and now - one.lost_at > self._orphan_s for one in self._links)

    def _capacity(self) -> int:
        """Return how many calls it takes: as many as are wanted, and as there are ports for."""
        config, hosts = self._config, self._plane.hosts
        possible = most_calls(hosts, self._plane.pairs)
        # where nobody has set it, it is what the ports are enough for
        wanted = "max_sessions" in config.model_fields_set
        if wanted and possible < config.max_sessions and possible != self._possible:
            first, last = config.port_range
            say(
                f"max_sessions is {config.max_sessions}, but the ports {first} to {last} at the "
                f"addresses there are ({len(hosts)}) are enough for {possible} calls: "
                "it takes no more"
            )
        self._possible = possible
        return min(config.max_sessions, possible)

    def _figures(self) -> Mapping[str, Any]:
        """Return what was counted in all, with the calls that ring."""
        return {**self._plane.figures(), "expected": self._custody.expected}

    def _told(self) -> Mapping[str, Any]:
        return {
            "capacity": self._capacity(),
            "proxies": len(self._config.proxies),
            "path": self._offload.name,
            "path_why": self._offload.why,
            "version": version(),
            "boot": self._boot,
            "config": fingerprint(self._config),
        }


async def _is_to_end(signals: AsyncIterator[signal.Signals]) -> bool:
    """Whether a signal to end came just before such had to wait."""
    with anyio.move_on_after(_LAST_S):
        async for number in signals:
            if number != signal.SIGHUP:
                return True
    return False


def _check(plane: Plane, hosts: Sequence[tuple[str, str]]) -> None:
    """See that ports can be opened at every address."""
    for host, _ in hosts:
        plane.free(plane.lease(host, 1))


def serve(
    file: Path,
    *,
    lock: Path | None = None,
    ready_fd: int | None = None,
    orphan_s: float = 0.0,
) -> int:
    """Run a relay until it is told to end; return its exit code.

    Args:
        file: Its configuration.
        lock: The lock it holds; None for none.
        ready_fd: A descriptor that is written to once its ports are open.
        orphan_s: See `RelayProcess`.

    Raises:
        ConfigError: The configuration cannot be used.
        Unavailable: An address or the lock cannot be had.
    """
    relay = RelayProcess(file, lock=lock, orphan_s=orphan_s)
    sys.setswitchinterval(_SWITCH_S)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    async def main() -> bool:
        return await relay.run(ready_fd)

    fast = importlib.util.find_spec("uvloop") is not None
    try:
        anew = anyio.run(main, backend_options={"use_uvloop": fast})
    except BaseExceptionGroup as group:
        expected = group.subgroup(Unavailable)
        if expected is None:
            raise
        raise Unavailable(str(expected.exceptions[0])) from None
    if anew:
        os.execv(sys.executable, again(sys.orig_argv))
    return 0
