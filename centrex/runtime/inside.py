"""An engine inside a process that does something else too: in a thread and an event loop of its own.

Whoever holds it asks it as any other instance, by the same lines, through pairs of sockets; nothing
else passes between the threads. Its control socket stands, too, so that it can be asked from outside.
"""

import concurrent.futures
import socket
import sys
import threading
from typing import Final

import anyio
import anyio.from_thread
import anyio.to_thread

from centrex.base import CentrexError, Unavailable
from centrex.config.load import ConfigSource
from centrex.config.model import Config
from centrex.config.paths import InstancePaths
from centrex.runtime.client import Client
from centrex.runtime.engine import Engine, Stay, run_loop
from centrex.runtime.garbage import SHARED

SWITCH_S: Final = 0.0005
"""How long one thread may keep others waiting: a call must not wait for a screen to be drawn."""
_LOOK_S: Final = 0.5


class Inside(Client):
    """The engine of this process.

    Args:
        config: Its configuration.
        source: Where that is read again on reload.
        paths: Where its files are.
    """

    def __init__(self, config: Config, source: ConfigSource, paths: InstancePaths) -> None:
        super().__init__(paths, self._reach, mode="in-process")
        self._config, self._source = config, source
        self._begun: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._failure: BaseException | None = None
        self._portal: anyio.from_thread.BlockingPortal | None = None
        self._engine: Engine | None = None
        self._left = False
        self._switch_s = sys.getswitchinterval()
        self._thread = threading.Thread(target=self._work, name="engine")

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ConfigError: A file the configuration names cannot be used.
            Unavailable: An address, a folder or the lock cannot be had.
        """
        self._switch_s = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_S)
        self._thread.start()
        try:
            self._begun.result()
        except BaseException:
            self._thread.join()
            sys.setswitchinterval(self._switch_s)
            raise

    @property
    def runs(self) -> bool:
        """Whether the engine has not ended."""
        return self._thread.is_alive()

    @property
    def was_stopped(self) -> bool:
        """Whether it has ended because somebody else told it to, and not by a failure."""
        ended = self._begun.done() and not self.runs and self._failure is None
        return ended and not self._left

    async def close(self) -> None:
        """Stop the engine, within its grace time, and wait until it has ended.

        Raises:
            Exception: What it failed by, if it did.
        """
        await super().close()
        engine = self._engine
        if self.runs and engine is not None and not engine.stopping.is_set():
            self._left = True
        self._tell_to_stop()
        await anyio.to_thread.run_sync(self._thread.join)
        sys.setswitchinterval(self._switch_s)
        if self._failure is not None:
            raise self._failure

    def _tell_to_stop(self) -> None:
        portal, engine = self._portal, self._engine
        if portal is not None and engine is not None:
            try:
                portal.start_task_soon(engine.stopping.set)
            except RuntimeError:
                return  # it has ended by itself

    async def _reach(self) -> socket.socket:
        portal, engine = self._portal, self._engine
        if portal is None or engine is None or not self.runs:
            raise Unavailable(self._why_gone())
        ours, its = socket.socketpair()
        ours.setblocking(False)
        try:
            portal.start_task_soon(lambda: engine.desk.attend(its, counted=False))
        except RuntimeError as error:  # between two looks
            ours.close()
            its.close()
            raise Unavailable(self._why_gone()) from error
        return ours

    def _why_gone(self) -> str:
        failure = self._failure
        return f"the engine has failed: {failure}" if failure else "the engine has ended"

    # in the engine's thread

    def _work(self) -> None:
        try:
            run_loop(self._run)
        except BaseException as error:  # noqa: BLE001 - a thread's door: who holds it is told
            self._failure = error
            if self._begun.done():
                return
            self._failure = None
            known = isinstance(error, CentrexError)
            self._begun.set_exception(
                error if known else Unavailable(f"the engine cannot be started: {error}")
            )

    async def _run(self) -> None:
        async with anyio.from_thread.BlockingPortal() as portal, anyio.create_task_group() as tasks:
            stay = Stay(
                ready=lambda: self._begun.set_result(None),
                signals=False,
                console=False,
                garbage_step=SHARED,
            )
            instance = self.paths.instance
            engine = Engine(self._config, self._source, self.paths, instance, stay=stay)
            self._portal, self._engine = portal, engine
            tasks.start_soon(_outlive_nobody, engine)
            await engine.run(None)
            tasks.cancel_scope.cancel()
            await portal.stop(cancel_remaining=True)


async def _outlive_nobody(engine: Engine) -> None:
    """Stop an engine whose process is about to end: it has only this thread left."""
    while threading.main_thread().is_alive():  # noqa: ASYNC110 - nobody tells
        await anyio.sleep(_LOOK_S)
    engine.stopping.set()


def run_inside(config: Config, source: ConfigSource, paths: InstancePaths) -> Inside:
    """Run an instance in this process, beside what else it does; return once it answers.

    Raises:
        ConfigError: A file the configuration names cannot be used.
        Unavailable: An address, a folder or the lock cannot be had.
    """
    inside = Inside(config, source, paths)
    inside.start()
    return inside
