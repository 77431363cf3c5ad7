"""`user add|remove|list|passwd`: who may log in. No password ever stands on a command line."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, Target, target

users_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Logins and their passwords.",
    epilog="Example: centrex user add 1003 --generate",
)

LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="The login.")]
StdinOption = Annotated[
    bool, typer.Option("--stdin", help="Read the password from standard input, one line.")
]
GenerateOption = Annotated[
    bool, typer.Option("--generate", help="Make up a strong password and show it once.")
]


def _password(login: str, *, from_stdin: bool, generate: bool) -> tuple[str, bool]:
    """Return the password to set, and whether it was made up and has to be shown."""
    if from_stdin and generate:
        raise typer.BadParameter("give either --stdin or --generate")
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise typer.BadParameter("standard input holds no password", param_hint="--stdin")
        return password, False
    if generate or not sys.stdin.isatty():
        return api.generate_password(), True
    typed: str = typer.prompt(
        f"Password for {login} (empty for a generated one)",
        default="",
        show_default=False,
        hide_input=True,
        confirmation_prompt=True,
        err=True,
    )
    return (typed, False) if typed else (api.generate_password(), True)


def _sign_off(aim: Target, user: str) -> int:
    """Have a running instance forget a user's phones; return how many there were."""
    domain = aim.source().load().network.domain
    host = f"[{domain}]" if ":" in domain else domain
    try:
        result = aim.call("registrations.remove", aor=f"sip:{quote(user)}@{host}")
    except api.Refused as error:
        if error.code != "not-found":
            raise
        return 0
    return int(result["removed"])


def _done(
    aim: Target,
    what: str,
    login: str,
    file: Path,
    password: str = "",
    gone: Sequence[str] | None = None,
    of: Sequence[str] = (),
) -> None:
    """Have a running instance take over the change, sign off users who are gone, and tell of it.

    Whatever the instance says, the file is changed, and this is the one time a password can be shown.

    Args:
        aim: The instance.
        what: What was done.
        login: To which login.
        file: Where it stands.
        password: One that was made up; empty for none.
        gone: The users whom no login may be any more; None where none was removed.
        of: The users that a login that was removed might be.

    Raises:
        CentrexError: An instance runs, and would not take it over.
    """
    reloaded, why = aim.reload()
    phones = 0
    try:
        phones = sum(_sign_off(aim, user) for user in gone or ()) if reloaded else 0
    except api.CentrexError as error:
        why = error
    if aim.as_json:
        told: dict[str, Any] = {"login": login, "file": str(file), "reloaded": reloaded}
        told |= {} if gone is None else {"signed_off": phones}
        output.emit_json({**told, **({"password": password} if password else {})})
    else:
        running = "the running instance knows" if reloaded else "no instance is running"
        if why and not reloaded:
            running = "the running instance has NOT taken it over"
        output.say(f"{what} {login} in {file}; {running}")
        if phones:
            output.say(f"signed off: {phones} phone{'s' if phones > 1 else ''}")
        left = [user for user in of if not reloaded or user not in (gone or ())]
        if left:
            output.say(api.left_registered(left, aim.source().load().network.domain))
        if password:
            output.say(f"password (shown only now): {password}")
    if why:
        raise why


@users_app.command("add")
def add(
    ctx: typer.Context,
    *,
    login: LoginArgument,
    users: Annotated[
        str,
        typer.Option(
            metavar="USER,…", help="Users it may be, instead of its own name; '*' for everybody."
        ),
    ] = "",
    note: Annotated[str, typer.Option(help="Whatever you want to remember about it.")] = "",
    from_stdin: StdinOption = False,
    generate: GenerateOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a login; its password is asked for, read from standard input, or made up.

    Example: centrex user add 1003 --generate
    """
    aim = target(ctx)
    logins = api.Users(aim.source())
    password, made_up = _password(login, from_stdin=from_stdin, generate=generate)
    names = [name.strip() for name in users.split(",") if name.strip()]
    file = logins.add(login, password, users=names, note=note)
    _done(aim, "added", login, file, password if made_up else "")


@users_app.command("passwd")
def passwd(
    ctx: typer.Context,
    *,
    login: LoginArgument,
    from_stdin: StdinOption = False,
    generate: GenerateOption = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Give a login a new password.

    Example: echo "$SECRET" | centrex user passwd 1001 --stdin
    """
    aim = target(ctx)
    logins = api.Users(aim.source())
    password, made_up = _password(login, from_stdin=from_stdin, generate=generate)
    file = logins.change_password(login, password)
    _done(aim, "changed", login, file, password if made_up else "")


@users_app.command("remove")
def remove(
    ctx: typer.Context,
    *,
    login: LoginArgument,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove a login, and sign off the phones of whom no other login may be.

    Example: centrex user remove 1003
    """
    aim = target(ctx)
    logins = api.Users(aim.source())
    gone = logins.alone(login)
    of = next(user.users or (login,) for user in logins.list() if user.login == login)
    _done(aim, "removed", login, logins.remove(login), gone=gone, of=of)


@users_app.command("list")
def list_logins(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """List the logins, never their hashes.

    Example: centrex user list --json
    """
    aim = target(ctx)
    found = api.Users(aim.source()).list()
    if aim.as_json:
        rows = [
            {
                "login": user.login,
                "algorithms": list(user.algorithms),
                "users": list(user.users),
                "enabled": user.enabled,
                "note": user.note,
                "file": user.file,
            }
            for user in found
        ]
        output.emit_json({"users": rows})
        return
    output.table(
        ("LOGIN", "MAY BE", "HASHES", "ENABLED", "NOTE", "FILE"),
        (
            (
                user.login,
                ", ".join(user.users) or user.login,
                ", ".join(user.algorithms) or "none",
                "yes" if user.enabled else "no",
                user.note,
                user.file,
            )
            for user in found
        ),
        empty="there are no logins; `centrex user add 1001` adds one",
    )
