"""`init`: a secure first configuration, and what to type into the phones."""

import sys
from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, Target, target


def write(aim: Target, answers: dict[str, Any], *, force: bool = False) -> dict[str, Any]:
    """Write the configuration and return what to type into the phones, passwords in clear.

    Raises:
        ConfigError: What is wanted cannot be.
        Refused: There is one already.
        OSError: The file cannot be written.
    """
    told = api.setup(answers, aim.paths.config, force=force)
    return {name: value for name, value in told.items() if name != "text"}


def show(told: dict[str, Any]) -> None:
    """Write what to type into the phones; the passwords appear here and nowhere else."""
    output.say(f"wrote {told['file']}")
    if not told["phones"]:
        output.say("there are no logins yet: `centrex user add 1001` adds one")
        return
    output.say()
    output.say("Type this into each phone:", bold=True)
    output.pairs(
        (
            ("SIP server / domain", told["domain"]),
            *([("outbound proxy", told["server"])] if told["server"] != told["domain"] else []),
            ("port", told["port"]),
            ("transport", " or ".join(told["transports"])),
        )
    )
    output.say()
    output.table(
        ("USER AND LOGIN", "PASSWORD (shown only now)"),
        ((phone["login"], phone["password"]) for phone in told["phones"]),
        empty="",
    )
    output.say()
    output.say("`centrex start` starts the server; `centrex user passwd LOGIN` sets a password.")


def first_start(aim: Target, *, with_phones: bool) -> None:
    """Write a configuration for somebody who has just started Centrex for the first time.

    Without a terminal no login is made up: its password would end in a log file.
    """
    asked = {one["name"]: one["default"] for one in api.setup_questions()}
    show(write(aim, {**asked, "users": asked["users"] if with_phones else []}))


def _split(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def _ask(given: dict[str, Any]) -> dict[str, Any]:
    """Ask for what was not given, on a terminal."""
    answers = dict(given)
    for one in api.setup_questions():
        if one["name"] in given:
            continue
        default = ", ".join(one["default"]) if one["list"] else one["default"]
        kind = int if one["type"] == "integer" else str
        label = f"{one['label']}, with commas" if one["list"] else one["label"]
        typed = typer.prompt(label, default=default, type=kind)
        answers[one["name"]] = _split(typed) if one["list"] else typed
    return answers


def init(
    ctx: typer.Context,
    *,
    domain: Annotated[
        str, typer.Option(metavar="NAME", help="The SIP domain, a name or an address.")
    ] = "",
    address: Annotated[
        list[str] | None,
        typer.Option(metavar="IP", help="Address to listen on; may be repeated. 0.0.0.0 if none."),
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", help="5060 if not given.")] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="LOGIN", help="A phone to be; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write a secure first configuration and show what to type into the phones.

    Asks on a terminal for what is not given.

    Example: centrex init --domain sip.example.com --user 1001 --user 1002
    """
    aim = target(ctx)
    file = aim.paths.config
    if file.exists() and not force:
        message = f"{file} is there already; --force overwrites it"
        raise api.Refused("refused", message, {})
    given = {"domain": domain, "address": address, "port": port, "users": user}
    given = {name: value for name, value in given.items() if value not in (None, "", [])}
    if sys.stdin.isatty() and not aim.as_json:
        given = _ask(given)
    elif not domain:
        raise typer.BadParameter("needed where nobody can be asked", param_hint="--domain")
    told = write(aim, given, force=force)
    if aim.as_json:
        output.emit_json(told)
    else:
        show(told)
