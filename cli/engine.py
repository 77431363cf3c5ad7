"""`start`, `stop`, `reload`, `status`: an instance as a process."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, SetOption, Target, target

_CHANGES: Final = 100
"""Changes told after a reload; who changes more at once has seen them in the file."""


def run(aim: Target, overrides: list[str] | None, ready_fd: int | None) -> int:
    """Run the instance here until it is told to stop; return the exit code."""
    try:
        return api.serve(aim.source(overrides), instance=aim.paths.instance, ready_fd=ready_fd)
    except api.Unavailable as error:
        raise api.CentrexError(f"cannot start: {error}") from error


def start(
    ctx: typer.Context,
    *,
    override: SetOption = None,
    ready_fd: Annotated[
        int | None,
        typer.Option("--ready-fd", metavar="N", help="Write to this descriptor once it answers."),
    ] = None,
    config: ConfigOption = None,
    instance: InstanceOption = "",
) -> None:
    """Run an instance in the foreground until SIGTERM or SIGINT; SIGHUP reloads.

    Example: centrex start --config office.toml --set network.port=5070
    """
    raise typer.Exit(run(target(ctx), override, ready_fd))


def _has_ended(aim: Target, patience_s: float) -> bool:
    """Wait until nobody answers and the lock is free, so that a start right after finds it so."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not _answers(aim) and api.is_lock_free(aim.paths):
            return True
        time.sleep(0.1)
    return False


def _answers(aim: Target) -> bool:
    try:
        api.call(aim.paths, "status", timeout_s=5.0)
    except api.Unavailable:
        return False
    return True


def stop(
    ctx: typer.Context,
    *,
    grace: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", min=0, help="How long calls being set up may go on."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Return once it has ended.")] = True,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Stop a running instance cleanly.

    Example: centrex stop --grace 5
    """
    aim = target(ctx)
    result = aim.call("stop", **({} if grace is None else {"grace_s": grace}))
    ended = wait and _has_ended(aim, (10 if grace is None else grace) + 10)
    if aim.as_json:
        output.emit_json({**result, "ended": ended})
    elif ended or not wait:
        output.say("stopped" if ended else "stopping")
    if wait and not ended:
        raise api.CentrexError("it is still stopping; see `centrex status`")


def changes_lines(changes: list[Mapping[str, Any]]) -> None:
    """Write what a change of configuration does, a key at a time."""
    for change in changes:
        words = change.get("calls") or {
            "live": "applied at once",
            "restart": "waits for a restart",
        }.get(str(change.get("effect")), "")
        output.say(f"{change['key']}: {_value(change['old'])} -> {_value(change['new'])}")
        output.say(f"    {words}")


def _value(value: object) -> str:
    return (
        "(none)"
        if value is None
        else str(value).lower()
        if isinstance(value, bool)
        else repr(value)
    )


def reload(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Have a running instance read its configuration again; calls go on.

    Example: centrex reload --instance office
    """
    aim = target(ctx)
    result = aim.call("reload")
    waiting = result.get("waiting", [])  # an older instance does not tell
    if aim.as_json:
        output.emit_json({**result, "waiting": waiting})
        return
    if result["changed"]:
        changes_lines(result["changed"][:_CHANGES])
        if (more := len(result["changed"]) - _CHANGES) > 0:
            output.say(f"… and {more} more")
    elif not result.get("renewed"):
        output.say("nothing has changed")
    if result.get("renewed"):
        output.say("the TLS certificate was read anew")
    if waiting:
        output.say(f"waiting for a restart: {', '.join(waiting)}")


def _listener(listener: Mapping[str, Any]) -> str:
    host = str(listener["host"])
    bracketed = f"[{host}]" if ":" in host else host
    return f"{listener['transport']} {bracketed}:{listener['port']}".lower()


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in counts.items() if count) or "none"


def _span(seconds: float) -> str:
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return (f"{days} d " if days else "") + f"{hour:02}:{minute:02}:{second:02}"


def _precedence(status: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return what is to be said of the server's precedence while somebody watches; mostly nothing."""
    words = "refused while a dashboard is open: the server has no right to it (LimitNICE=-10)"
    return (("precedence", words),) if status.get("precedence") == "refused" else ()


def show_status(status: Mapping[str, Any]) -> None:
    """Write the state of a running instance for people."""
    registrar, auth, figures = status["registrar"], status["auth"], status["statistics"]
    registrations, calls, messages = (
        figures["registrations"],
        figures["calls"],
        figures["messages"],
    )
    logins = (
        f"realm {auth['realm']}, {_many(auth['logins'], 'login')}" if auth["enabled"] else "off"
    )
    output.pairs(
        (
            ("instance", f"{status['instance']} ({status['state']}, process {status['pid']})"),
            ("version", status["version"]),
            ("domain", status["domain"]),
            ("listens on", ", ".join(_listener(one) for one in status["listeners"])),
            ("up", f"{_span(status['uptime_s'])} since {status['started_at']}"),
            ("configuration", status["config_file"]),
            (
                "registrar",
                f"{_many(registrar['users'], 'user')}, {_many(registrar['bindings'], 'phone')} "
                f"({registrar['store']})",
            ),
            ("passwords", logins),
            (
                "registrations",
                f"{registrations['now']} now, {registrations['peak']} peak, "
                f"{registrations['total']} in all, {registrations['per_minute']} a minute, "
                f"{registrations['refused']} refused",
            ),
            (
                "calls",
                f"{calls['now']} now, {calls['peak']} peak, {calls['total']} in all, "
                f"{calls['per_minute']} a minute, {calls['failed']} failed",
            ),
            ("messages", f"{messages['in']} in, {messages['out']} out"),
            (
                "dropped",
                _counted(figures["drops"]),
            ),
            ("media amiss", _counted(figures.get("media_amiss", {}))),
            *_precedence(status),
        )
    )
    if confirm_by := status.get("confirm_by"):
        left = round(status.get("confirm_left_s", 0))
        output.remark(
            f"warning: changes wait to be confirmed until {confirm_by} (in {left} s), by K in a "
            "dashboard; else they are rolled back"
        )
    for warning in status["warnings"]:
        output.remark(f"warning: {warning}")


def status(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show how a running instance is doing.

    Example: centrex status --json
    """
    aim = target(ctx)
    result = aim.call("status")
    if aim.as_json:
        output.emit_json(result)
    else:
        show_status(result)
