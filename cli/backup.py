"""`backup` and `restore`: an instance in one archive, and back, here or on another machine."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.target import ConfigOption, InstanceOption, JsonOption, Target, target


def backup(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="The archive to write; named after instance and time if not given.",
            dir_okay=False,
        ),
    ] = None,
    registrations: Annotated[
        bool, typer.Option("--registrations", help="Take the phones' registrations, too.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write configuration, logins (as hashes), directory, plans and accounts into one archive.

    The instance may run meanwhile. Certificates and their keys are not in it; it says which. Keep the
    file to yourself: hashes are nearly passwords.

    Example: centrex backup office.tar.gz
    """
    aim = target(ctx)
    told = api.back_up(aim.source(), aim.paths, file, registrations=registrations, force=force)
    if aim.as_json:
        output.emit_json(told)
        return
    output.say(f"wrote {told['file']} ({told['size']} bytes, for its owner's eyes only)")
    output.pairs((name, f"{size} bytes") for name, size in told["holds"].items())
    for key, named in told["left_out"].items():
        output.remark(f"not in it, copy it yourself: {named} ({key})")


def restore(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The archive to read.", dir_okay=False)
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    reload: Annotated[
        bool, typer.Option("--reload", help="Have a running instance take it over.")
    ] = False,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Put a backup back: all of it is checked first, and then all of it is written, or nothing.

    What it replaces stays beside it under a name with the date.

    Example: centrex restore office.tar.gz --dry-run
    """
    aim = target(ctx)
    try:
        told = api.restore(file, aim.paths, dry_run=dry_run)
    except api.BadArchive as error:
        raise api.Refused("refused", f"{error}; nothing was changed", {}) from error
    changed = any(one["does"] != "stays as it is" for one in told["files"])
    told["restored"] = changed and not dry_run
    why: api.CentrexError | None = None
    told["reloaded"] = False
    if reload and told["restored"]:
        told["reloaded"], why = aim.reload()
    if aim.as_json:
        output.emit_json(told)
    else:
        _show(told, dry_run=dry_run, changed=changed, start=_start(aim))
    if why:
        raise why


def _start(aim: Target) -> str:
    """Return the command that starts an instance."""
    usual = api.instance_paths(aim.paths.instance)
    if aim.paths.config != usual.config:
        return f"centrex start --config {shlex.quote(str(aim.paths.config))}"
    name = aim.paths.instance
    return "centrex start" + (
        "" if name == api.instance_paths().instance else f" --instance {name}"
    )


def _show(told: dict[str, Any], *, dry_run: bool, changed: bool, start: str) -> None:
    for words in told["words"]:
        output.say(words)
    for remark in told["remarks"]:
        output.remark(f"warning: {remark}")
    if not changed:
        output.say("nothing would change" if dry_run else "nothing had to be changed")
    elif dry_run:
        output.say("nothing was written; without --dry-run it is")
    else:
        for place in told["kept"].values():
            output.say(f"what was there stays in {place}")
        output.say(_next(told, start))


def _next(told: dict[str, Any], start: str) -> str:
    if told["reloaded"]:
        return "restored, and the running instance knows; `centrex status` tells what waits"
    if told["running"]:
        return "restored; `centrex reload` has the running instance take it over"
    if not told["starts"]:
        return f"restored; put that right, and `{start}` starts with it"
    return f"restored; `{start}` starts with it"
