"""`log`: what happens in a running instance, as its own event log has it."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import output
from cli.following import FollowOption, line_of_json
from cli.target import ConfigOption, InstanceOption, JsonOption, Target, target

_WORD = {"notice": "note", "warning": "warn"}


def log(
    ctx: typer.Context,
    *,
    follow: FollowOption = False,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", "-k", metavar="KIND", help="Only such events; may be repeated."),
    ] = None,
    level: Annotated[
        str,
        typer.Option(
            metavar="LEVEL", help="From this severity on: debug, info, notice, warning, error."
        ),
    ] = "info",
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=5000, help="How many of the latest.")
    ] = 50,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show the latest events of a running instance, and with --follow those to come.

    Example: centrex log --follow --kind calls
    """
    aim = target(ctx)
    wanted = {"kinds": kind} if kind else {}
    if not follow:
        rows = aim.call("events.recent", limit=lines, level=level, **wanted)["rows"]
        if aim.as_json:
            output.emit_json({"events": rows})
            return
        for row in rows:
            output.say(_line(row))
        return
    try:
        _follow(aim, {"recent": lines, "level": level, **wanted})
    except KeyboardInterrupt:
        return


def _follow(aim: Target, params: Mapping[str, Any]) -> None:
    for batch in aim.follow("events", **params):
        if batch["lost"]:
            output.remark(f"{batch['lost']} events came too fast and are left out")
        for row in batch["rows"]:
            if aim.as_json:
                line_of_json(row)
            else:
                output.say(_line(row))
        sys.stdout.flush()


def _line(row: Mapping[str, Any]) -> str:
    """Return an event as the log writes it."""
    severity = _WORD.get(row["severity"], row["severity"])
    return f"{row['at']} {severity:5} {row['kind']} {row['text']}"
