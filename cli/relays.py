"""`relays` and `relay start`: the media relays of a running instance, and one as its own process."""

from pathlib import Path
from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.following import FollowOption, Table, show
from cli.target import ConfigOption, InstanceOption, JsonOption, target

relays_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="The media relays."
)
relay_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="A media relay as a process of its own."
)


_YES = {True: "yes", False: "no", None: "-"}
_RELAYS = Table(
    headers=(
        "RELAY",
        "STATE",
        "CALLS",
        "CAPACITY",
        "PORTS",
        "FREE",
        "PACKETS/S",
        "AS OF",
        "PATH",
        "FROM",
        "WHY",
    ),
    cells=lambda row: (
        row["name"],
        row["state"],
        row["sessions"],
        _known(row["capacity"]),
        _known(row["figures"].get("ports_used")),
        _known(api.free_ports(row["figures"])),
        row["packets_per_s"],
        f"{row['heard_s']:.0f} s ago" if row["figures"] else "-",
        row["path"],
        row["source"],
        row["why"],
    ),
    empty="no relay has logged in",
    news=("name", "state", "path", "source", "why"),
)


@relays_app.callback(epilog="Example: centrex relays")
def relays(
    ctx: typer.Context,
    *,
    follow: FollowOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the media relays: state, load, and which way packets take through them.

    PORTS are those of calls; FREE are those that a call could have, leased ahead or not. All figures but
    CALLS are what the relay told last, which AS OF says.
    """
    if ctx.invoked_subcommand:
        return
    aim = target(ctx)
    if aim.as_json and not follow:
        output.emit_json(aim.call("relays"))
        return

    answer: dict[str, Any] = {}

    def rows() -> list[dict[str, Any]]:
        answer.update(aim.call("relays"))
        return list(answer["relays"])

    show(_RELAYS, rows, follow=follow, as_json=aim.as_json)
    if not follow and answer.get("unrelayed"):
        output.say(f"{answer['unrelayed']} times there was no relay for a call")


@relays_app.command("show")
def relays_show(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The relay.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show all that is known of a relay: ports, packets, drops by reason, its proxies.

    Example: centrex relays show local
    """
    aim = target(ctx)
    known = {str(row["name"]): row for row in aim.call("relays")["relays"]}
    row = known.get(name)
    if row is None:
        raise api.Refused("not-found", f"there is no relay {name}", {"nearest": sorted(known)})
    if aim.as_json:
        output.emit_json(row)
        return
    for about, words in api.relay_in_words(row):
        output.say(f"{about + ':':<16} {words}")


@relays_app.command("drain")
def relays_drain(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The relay.")],
    off: Annotated[bool, typer.Option("--off", help="Give it new calls again.")] = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a relay no new calls of this server; those it carries go on until they end.

    Example: centrex relays drain frankfurt
    """
    aim = target(ctx)
    result = aim.call("relays.drain", name=name, on=not off)
    if aim.as_json:
        output.emit_json(result)
    elif off:
        output.say(f"{name} gets new calls again")
    else:
        output.say(f"{name} gets no new calls; {result['sessions']} go on")


@relays_app.command("calls")
def relays_calls(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The relay.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the calls a relay carries: what each side said, where it was heard, what came of it.

    Example: centrex relays calls local
    """
    aim = target(ctx)
    rows = aim.rows("relays.calls", name=name)
    if aim.as_json:
        output.emit_json({"calls": rows})
        return
    output.table(
        (
            "CALL-ID",
            "SIDE",
            "SIGNALLED",
            "HEARD AT",
            "PACKETS",
            "LOST",
            "JITTER",
            "ITS REPORT",
            "DROPPED",
            "KERNEL",
        ),
        (
            (
                row["call_id"],
                side,
                end["signalled"],
                end["learned"] or "-",
                end["packets"],
                _known(end["lost"]),
                _known(end["jitter_ms"], " ms"),
                _report(end.get("reported")),
                sum(end["drops"].values()),
                _YES[end["kernel"]],
            )
            for row in rows
            for stream in row["streams"]
            for side, end in zip(("caller", "callee"), stream or (), strict=False)
        ),
        empty="it carries no call",
    )


def _known(value: object, unit: str = "") -> str:
    """Return a figure, or a dash where whoever relays does not tell it."""
    return "-" if value is None else f"{value}{unit}"


def _report(told: Any) -> str:
    """Return what an end says of what it receives, in a few words."""
    if not told:
        return "-"
    words = f"{told['lost']} lost, {told['jitter_ms']} ms"
    trip = told["round_trip_ms"]
    return words if trip is None else f"{words}, {trip} ms there and back"


@relay_app.command("start")
def relay_start(
    *,
    config: Annotated[
        Path, typer.Option("--config", "-c", metavar="FILE", help="Its relay.toml.")
    ] = Path("/etc/centrex/relay.toml"),
    ready_fd: Annotated[
        int | None,
        typer.Option(
            "--ready-fd", metavar="N", help="Write to this descriptor once ports are open."
        ),
    ] = None,
) -> None:
    """Run a media relay in the foreground until SIGTERM or SIGINT.

    SIGHUP starts it anew in place: what the kernel carries goes on meanwhile.

    Example: centrex relay start --config relay.toml
    """
    try:
        raise typer.Exit(api.serve_relay(config, ready_fd=ready_fd))
    except api.Unavailable as error:
        raise api.CentrexError(f"cannot start: {error}") from error
