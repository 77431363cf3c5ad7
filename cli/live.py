"""`registrations`, `calls`, `subscriptions`, `gateways`, `explain`, `bans`: what a running instance knows right now."""

from typing import Annotated, Any

import typer

from cli import output
from cli.dashes import DashedCommand
from cli.following import FollowOption, Table, show
from cli.target import ConfigOption, InstanceOption, JsonOption, target

registrations_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="The phones that are registered."
)
calls_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="The calls in progress."
)
bans_app = typer.Typer(
    invoke_without_command=True, rich_markup_mode=None, help="The sources that are banned."
)


_ANSWERS = {True: "yes", False: "no", None: "-"}
_REGISTRATIONS = Table(
    headers=("USER", "CONTACT", "FROM", "EXPIRES", "Q", "ANSWERS", "PHONE"),
    cells=lambda row: (
        row["aor"],
        row["contact"],
        f"{row['transport']} {row['source']}",
        f"{row['expires_s']} s",
        row["q"],
        _ANSWERS[row.get("answers")],
        row["user_agent"],
    ),
    empty="no phone is registered",
    news=("aor", "contact", "transport", "source", "answers", "user_agent"),
)
_CALLS = Table(
    headers=("FROM", "TO", "STATE", "SECONDS", "RELAY", "CODEC", "STARTED", "CALL-ID"),
    cells=lambda row: (
        row["from"],
        row["to"],
        row["state"],
        int(row["duration_s"] or 0),
        row.get("relay", "") or "-",
        row.get("codec", "") or "-",
        row["started_at"],
        row["id"],
    ),
    empty="no call is in progress",
    news=("id", "state", "relay"),
)


_WATCHERS = Table(
    headers=("WATCHER", "WATCHES", "EVENT", "STATE", "EXPIRES", "TOLD", "BEHIND", "FROM"),
    cells=lambda row: (
        row["watcher"],
        row["target"],
        row["package"],
        row["state"],
        f"{row['expires_s']} s",
        row["notified"],
        row.get("behind", "-"),
        row["source"],
    ),
    empty="nobody watches anything",
    news=("watcher", "target", "package", "source"),
)


_GATEWAYS = Table(
    headers=("GATEWAY", "ADDRESS", "STATE", "SECONDS", "ANSWERED", "WHY"),
    cells=lambda row: (
        row["name"],
        row["address"],
        row["state"],
        row["since_s"],
        row["status"] or "-",
        row["why"] or "-",
    ),
    empty="there is no gateway",
    news=("name", "address", "state", "why"),
)


@registrations_app.callback(epilog="Example: centrex registrations --aor sip:1001@example.com")
def registrations(
    ctx: typer.Context,
    *,
    aor: Annotated[
        str, typer.Option(metavar="AOR", help="Only this user, as in sip:1001@example.com.")
    ] = "",
    follow: FollowOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the phones that are registered."""
    if ctx.invoked_subcommand:
        return
    aim = target(ctx)

    def rows() -> list[dict[str, Any]]:
        return aim.rows("registrations", **({"aor": aor} if aor else {}))

    if aim.as_json and not follow:
        output.emit_json({"registrations": rows()})
        return
    show(_REGISTRATIONS, rows, follow=follow, as_json=aim.as_json)


@registrations_app.command("remove")
def registrations_remove(
    ctx: typer.Context,
    *,
    aor: Annotated[str, typer.Argument(metavar="AOR", help="The user.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Forget all phones of a user; they may register again.

    Example: centrex registrations remove sip:1001@example.com
    """
    aim = target(ctx)
    result = aim.call("registrations.remove", aor=aor)
    if aim.as_json:
        output.emit_json(result)
    else:
        output.say(f"removed {result['removed']}")


@calls_app.callback(epilog="Example: centrex calls")
def calls(
    ctx: typer.Context,
    *,
    follow: FollowOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the calls in progress."""
    if ctx.invoked_subcommand:
        return
    aim = target(ctx)
    if aim.as_json and not follow:
        output.emit_json({"calls": aim.rows("calls")})
        return
    show(_CALLS, lambda: aim.rows("calls"), follow=follow, as_json=aim.as_json)


def subscriptions(
    ctx: typer.Context,
    *,
    follow: FollowOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List who watches registrations and busy lamps.

    Example: centrex subscriptions
    """
    aim = target(ctx)
    if aim.as_json and not follow:
        output.emit_json({"subscriptions": aim.rows("subscriptions")})
        return
    show(_WATCHERS, lambda: aim.rows("subscriptions"), follow=follow, as_json=aim.as_json)


def gateways(
    ctx: typer.Context,
    *,
    follow: FollowOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the gateways' addresses, and which of them answer.

    Example: centrex gateways --follow
    """
    aim = target(ctx)
    if aim.as_json and not follow:
        output.emit_json({"gateways": aim.rows("gateways")})
        return
    show(_GATEWAYS, lambda: aim.rows("gateways"), follow=follow, as_json=aim.as_json)


@calls_app.command("end", cls=DashedCommand)
def calls_end(
    ctx: typer.Context,
    *,
    call_id: Annotated[str, typer.Argument(metavar="CALL-ID", help="The call, as listed.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """End a call: both phones are told, whether it is up or still rings.

    Example: centrex calls end 3848276298220188511
    """
    aim = target(ctx)
    result = aim.call("calls.end", id=call_id)
    if aim.as_json:
        output.emit_json(result)
    else:
        output.say(f"{call_id} is ended")


def explain(
    ctx: typer.Context,
    *,
    call_id: Annotated[str, typer.Argument(metavar="CALL-ID", help="It, or a part of it.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what became of a call or a registration, why, and what to do.

    Example: centrex explain 3848276298220188511
    """
    aim = target(ctx)
    result = aim.call("explain", call_id=call_id)
    if aim.as_json:
        output.emit_json(result)
        return
    output.say(result["headline"], bold=True)
    for advice in result["advice"]:
        output.say(f"  * {advice}")
    output.say()
    for line in result["lines"]:
        output.say(f"{line['at']}  {line['text']}  [{line['rule']}]")


@bans_app.callback(epilog="Example: centrex bans")
def bans(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the sources that are banned, and for how long."""
    if ctx.invoked_subcommand:
        return
    aim = target(ctx)
    result = aim.call("bans")
    if aim.as_json:
        output.emit_json(result)
        return
    output.table(
        ("SOURCE", "REASON", "UNTIL", "LEFT"),
        (
            (row["source"], row["reason"], row["until"], f"{int(row['seconds_left'])} s")
            for row in result["bans"]
        ),
        empty="nobody is banned",
    )


@bans_app.command("release")
def bans_release(
    ctx: typer.Context,
    *,
    source: Annotated[str, typer.Argument(metavar="IP", help="The source.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Listen to a banned source again.

    Example: centrex bans release 192.0.2.7
    """
    aim = target(ctx)
    result = aim.call("bans.release", source=source)
    if aim.as_json:
        output.emit_json(result)
    else:
        output.say(f"{source} is heard again")
