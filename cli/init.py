"""`init`: a secure first configuration, and what to type into the phones."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, Target, target

_DEFAULT_PORT = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the first configuration shall say."""

    domain: str
    address: tuple[str, ...]
    port: int
    logins: tuple[str, ...]


def write(aim: Target, wanted: Wanted) -> dict[str, Any]:
    """Write the configuration and return what to type into the phones, passwords in clear.

    Raises:
        ConfigError: What is wanted cannot be.
        OSError: The file cannot be written.
    """
    passwords = {login: api.generate_password() for login in wanted.logins}
    file = aim.paths.config
    values: dict[str, Any] = {"network.domain": wanted.domain}
    if wanted.address:
        values["network.address"] = list(wanted.address)
    if wanted.port != _DEFAULT_PORT:
        values["network.port"] = wanted.port
    realm = api.load_text(api.default_text(values), file=file).config.realm
    rows = [api.credential(login, realm, secret) for login, secret in passwords.items()]
    text = api.default_text(values, rows)
    config = api.load_text(text, file=file).config
    api.write_atomically(file, text)
    specific = [a for a in config.network.address if a not in ("0.0.0.0", "::")]
    server = specific[0] if specific else api.own_address()
    return {
        "file": str(file),
        "domain": config.network.domain,
        "server": server,
        "port": config.network.port,
        "transports": [name.upper() for name in config.network.transports],
        "phones": [
            {"user": login, "login": login, "password": secret}
            for login, secret in passwords.items()
        ],
    }


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
    logins = ("1001", "1002") if with_phones else ()
    domain = api.own_address()
    wanted = Wanted(domain=domain, address=(), port=_DEFAULT_PORT, logins=logins)
    show(write(aim, wanted))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.replace(",", " ").split() if part)


def _ask(domain: str, address: Sequence[str], logins: Sequence[str], port: int | None) -> Wanted:
    """Ask for what was not given, on a terminal."""
    own = api.own_address()
    if not domain:
        domain = typer.prompt("SIP domain (a name, or this machine's address)", default=own)
    if not address:
        address = _split(typer.prompt("Address to listen on (0.0.0.0 for all)", default="0.0.0.0"))
    if port is None:
        port = typer.prompt("Port", default=_DEFAULT_PORT, type=int)
    if not logins:
        logins = _split(typer.prompt("Users, with commas", default="1001, 1002"))
    return Wanted(domain=domain, address=tuple(address), port=port, logins=tuple(logins))


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
    if sys.stdin.isatty() and not aim.as_json:
        wanted = _ask(domain, address or (), user or (), port)
    elif not domain:
        raise typer.BadParameter("needed where nobody can be asked", param_hint="--domain")
    else:
        wanted = Wanted(
            domain=domain,
            address=tuple(address or ()),
            port=_DEFAULT_PORT if port is None else port,
            logins=tuple(user or ()),
        )
    told = write(aim, wanted)
    if aim.as_json:
        output.emit_json(told)
    else:
        show(told)
