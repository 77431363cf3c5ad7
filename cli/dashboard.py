"""The dashboard's two doors: bare `centrex`, and `attach` to an instance that runs."""

import gc
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from centrex import api
from cli import init
from cli.target import ConfigOption, InstanceOption, Target, target


def show(aim: Target) -> int:
    """Open the dashboard on the instance that runs, or run it inside; return the exit code."""

    def write(answers: Mapping[str, Any]) -> dict[str, Any]:
        return init.write(aim, dict(answers))

    is_new = not aim.paths.config.exists() and not _runs(aim)
    return _open(aim.paths, source=aim.source, writer=write if is_new else None)


def _open(paths: api.InstancePaths, **wishes: Any) -> int:
    gc.disable()  # what is loaded now stays, and is not to be walked over again and again
    from tui.run import run  # noqa: PLC0415 - who opens no dashboard loads none

    gc.freeze()
    gc.enable()
    return run(paths, **wishes)


def _runs(aim: Target) -> bool:
    try:
        aim.call("snapshot")
    except api.Unavailable:
        return False
    return True


def attach(
    ctx: typer.Context,
    *,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show everything, change nothing.")
    ] = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
) -> None:
    """Open the dashboard on a running instance; closing it stops nothing.

    Example: centrex attach --read-only
    """
    aim = target(ctx)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise api.Refused("refused", "the dashboard needs a terminal", {})
    aim.call("snapshot")  # says how to start one, where none runs
    raise typer.Exit(_open(aim.paths, read_only=read_only))
