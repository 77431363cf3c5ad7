"""Opens the dashboard: on the instance that runs, or on one that it runs itself."""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from centrex import api
from tui.app import Dashboard
from tui.courtesy import step_back
from tui.feed import NotStarted
from tui.memory import Memory, usual_file
from tui.screens.first_start import Writer

Source: TypeAlias = Callable[[], "api.ConfigSource"]
"""Finds a configuration; asked once something is to be seen, as it loads what knows all settings."""


class Opener:
    """Finds the instance to show.

    Who has once attached keeps to attaching: a service that restarts must find its place free. One
    that ran here and was stopped is not started again before somebody says so.

    Args:
        paths: Which instance.
        source: Finds its configuration, if it may be run here; nothing for attaching only.
        read_only: Whether to change nothing.
    """

    def __init__(
        self, paths: api.InstancePaths, source: Source | None, *, read_only: bool = False
    ) -> None:
        self._paths, self._source, self._read_only = paths, source, read_only
        self._may_run = source is not None
        self._asked = False
        self._own: api.Instance | None = None

    async def __call__(self) -> api.Instance:
        """Return the instance.

        Raises:
            ConfigError: The configuration of one to be run here cannot be used.
            NotStarted: It is to be started only when somebody says so.
            Unavailable: It cannot be reached or started.
        """
        source = self._source
        try:
            instance = await api.attach(self._paths, read_only=self._read_only)
        except api.Unavailable:
            if source is None or not self._may_run:
                raise
        else:
            self._may_run = False
            step_back()
            return instance
        own, self._own = self._own, None
        if own is not None and own.was_stopped:
            raise NotStarted("The server was stopped, as by `centrex stop`.")
        self._own = await asyncio.to_thread(self._run, source)
        return self._own

    def _run(self, find: Source) -> api.Instance:
        source = find()
        if not self._asked and not source.load().basic.start_engine:
            self._asked = True
            raise NotStarted("The server is not started, as basic.start_engine says.")
        return api.run_inside(source, self._paths.instance)


def run(
    paths: api.InstancePaths,
    *,
    source: Source | None = None,
    read_only: bool = False,
    writer: Writer | None = None,
) -> int:
    """Show an instance until somebody closes the dashboard; return the exit code.

    Args:
        paths: Which instance.
        source: Finds its configuration, if it may be run here where none runs.
        read_only: Whether to change nothing.
        writer: Writes a first configuration, where there is none.
    """
    opener = Opener(paths, source, read_only=read_only)
    app = Dashboard(
        opener, read_only=read_only, writer=writer, signals=True, memory=Memory(usual_file())
    )
    code = app.run()
    return app.return_code or code or 0
