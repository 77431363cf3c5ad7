"""`route test`: which plan would serve a call, step by step, and why."""

from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, target

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Where calls go.")


@app.callback()
def route() -> None:
    """Where calls go."""


@app.command("test")
def route_test(
    ctx: typer.Context,
    *,
    number: Annotated[
        str, typer.Argument(metavar="NUMBER", help="The number, user, sip: or tel: URI called.")
    ],
    caller: Annotated[
        str, typer.Option("--from", metavar="USER", help="Who calls; a stranger if not given.")
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at", metavar="TIME", help="When, such as 2026-12-24T18:30, in the plans' time zone."
        ),
    ] = "",
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what would become of a call: every plan looked at, every destination, and why.

    A running instance answers by the phones that are registered; otherwise the configuration does.
    Exits 1 where the call leads nowhere: nobody would ring. Where no instance runs, users count as if
    their phones could ring.

    Example: centrex route test 912345 --from 1001 --at 2026-12-24T18:30
    """
    aim = target(ctx)
    params = {"number": number, "from": caller, "at": at}
    try:
        result = aim.call("route.test", **params)
    except api.Unavailable:
        result = api.route_test(aim.source().load(), params)
    if aim.as_json:
        output.emit_json(result)
    else:
        _show(result)
    if not result.get("leads", True):  # an older instance does not tell
        raise typer.Exit(output.FINDING)


def _note(step: dict[str, Any]) -> str:
    """Return why a destination is passed over, or which addresses of its gateway do not answer."""
    gone = step.get("gone") or ()  # an older instance does not tell
    if not gone or step["why"]:
        return str(step["why"])
    all_of_them = len(gone) == len(step["uris"])
    return "the gateway does not answer" if all_of_them else f"gone: {' '.join(gone)}"


def _show(result: dict[str, Any]) -> None:
    if not result["live"]:
        output.remark("the instance does not run: no phone counts as registered")
    zone = f" ({result['zone']})" if result.get("zone") else ""
    output.say(f"{result['number']} at {result['at']}{zone}")
    for one in result["looked"]:
        mark = ">" if one["decides"] else "-"
        output.say(f"  {mark} plan {one['number']}, {one['key']}: {one['why']}")
    if not result["looked"]:
        output.say("  there is no plan for it; the user's phones ring")
    output.table(
        ("", "FROM", "RINGS", "DESTINATION", "AS", "NOTE"),
        (
            (
                number,
                f"{step['from_s']:g} s" if step["ring_s"] else "",
                f"{step['ring_s']:g} s" if step["ring_s"] else "",
                step["to"],
                " ".join(step["uris"]) or "-",
                _note(step),
            )
            for number, step in enumerate(result["steps"], 1)
        ),
        empty="no destinations",
    )
    output.say(result["outcome"])
