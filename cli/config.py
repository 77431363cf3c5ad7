"""`config show|check|diff|set|schema`: a configuration looked at, compared and edited."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from centrex import api
from cli import output
from cli.dashes import DashedCommand
from cli.engine import changes_lines
from cli.target import ConfigOption, InstanceOption, JsonOption, SetOption, Target, target

config_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The configuration of an instance.",
    epilog="Example: centrex config check --config office.toml",
)


def _unknown(name: str) -> typer.BadParameter:
    nearest = api.nearest_key(name)
    hint = f"; did you mean {nearest}?" if nearest else ""
    return typer.BadParameter(f"there is no key {name!r}{hint}", param_hint="KEY")


def _belongs(key: str, wanted: str) -> bool:
    return not wanted or key == wanted or key.startswith((f"{wanted}.", f"{wanted}["))


@config_app.command("show")
def show(
    ctx: typer.Context,
    *,
    key: Annotated[
        str, typer.Argument(metavar="[KEY]", help="A key or a table, as in network.")
    ] = "",
    override: SetOption = None,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show the values in force and where each comes from; secrets are masked.

    Example: centrex config show network.port
    """
    aim = target(ctx)
    if key and api.find(key) is None and key not in api.tables():
        raise _unknown(key)
    loaded = aim.source(override).read()
    values: dict[str, dict[str, Any]] = {
        name: {**told, "available": known.available}
        for name, told in api.effective(loaded.config, loaded.origins).items()
        if _belongs(name, key) and (known := api.find(name))
    }
    if aim.as_json:
        output.emit_json({"file": str(aim.paths.config), "values": values})
        return
    for name, told in values.items():
        value = json.dumps(told["value"], ensure_ascii=False)
        later = "" if told["available"] else "; takes effect with a later version"
        output.say(f"{name} = {value}  # {told['origin']}{later}")


@config_app.command("check")
def check(
    ctx: typer.Context,
    *,
    override: SetOption = None,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Check a configuration and list all its problems at once.

    Example: centrex config check --config office.toml
    """
    aim = target(ctx)
    file = str(aim.paths.config)
    try:
        loaded = aim.source(override).read()
        warnings = [*loaded.warnings, *_credentials_file_problems(loaded.config, file)]
    except api.ConfigError as error:
        if not aim.as_json:
            raise
        problems = [api.problem_data(problem) for problem in error.problems]
        output.emit_json({"file": file, "ok": False, "problems": problems, "warnings": []})
        raise typer.Exit(output.USAGE) from error
    if aim.as_json:
        told = [api.problem_data(warning) for warning in warnings]
        output.emit_json({"file": file, "ok": True, "problems": [], "warnings": told})
        return
    for warning in warnings:
        output.remark(f"warning: {output.problem_line(api.problem_data(warning))}")
    count = len(warnings)
    counted = f"{count} warning{'s' * (count != 1)}" if count else "no problems"
    output.say(f"{file}: {counted}")


def _credentials_file_problems(config: "api.Config", file: str) -> list[api.Problem]:
    path = config.auth.credentials_file
    if not path:
        return []
    filed, problems = api.credentials_file_logins(Path(path), config.realm)
    own = [row.login for row in config.auth.credentials]
    if config.auth.enabled and not (own or filed or problems):
        message = (
            "holds no logins, and there are no others: no phone can register; `centrex user add`"
        )
        return [api.Problem(file=path, key="auth.credentials_file", message=message)]
    doubles = api.doubled_logins(own, filed, path)
    twice = [api.Problem(file=file, key="auth.credentials", message=doubles)] if doubles else []
    return [*problems, *twice]


def _changes(aim: Target, file: Path | None) -> "tuple[api.Change, ...]":
    own = aim.source().load()
    if file is not None:
        return api.diff(own, api.ConfigSource(path=file).load())
    running = aim.call("config")["values"]
    values = {key: told["value"] for key, told in running.items()}
    return api.diff_values(values, api.flatten(own))


@config_app.command("diff")
def diff(
    ctx: typer.Context,
    *,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="What would change if this were the configuration."),
    ] = None,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what would change, and what each change does to calls. Exits 1 if anything would.

    Without FILE: from what the running instance uses to what its file says now; secrets are not
    compared then.

    Example: centrex config diff new.toml
    """
    aim = target(ctx)
    changes = [
        {
            "key": change.key,
            "old": change.old,
            "new": change.new,
            "effect": change.effect,
            "calls": change.calls,
        }
        for change in _changes(aim, file)
    ]
    if aim.as_json:
        output.emit_json({"changed": changes})
    elif changes:
        changes_lines(list(changes))
    else:
        output.say("nothing would change")
    if changes:
        raise typer.Exit(output.FINDING)


@config_app.command("set", cls=DashedCommand)
def set_key(
    ctx: typer.Context,
    *,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As in network.port.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="TOML or bare text.")],
    config: ConfigOption = None,
    instance: InstanceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Set one key in the file, keeping its comments; nothing is written that would not load.

    Example: centrex config set registrar.min_expires 90
    """
    aim = target(ctx)
    known, path = api.find(key), api.split(key)
    if known is None and key in api.tables():
        message = f"{key} is a table; set one of its keys: `centrex config show {key}` lists them"
        raise typer.BadParameter(message, param_hint="KEY")
    if known is None or not path:
        raise _unknown(key)
    source = aim.source()
    wanted = {"op": "set", "key": key, "value": api.parse_value(known, value)}
    changed = api.apply_changes(source, "", [wanted])["changed"]
    if aim.as_json:
        told = [{**one, "calls": one["words"]} for one in changed]
        output.emit_json({"file": str(source.path), "changed": told})
    elif not changed:
        output.say(f"{key} has that value already")
    else:
        changes_lines([{**one, "calls": one["words"]} for one in changed])
        waits = known.effect == "restart"
        output.say("restart to apply it" if waits else "`centrex reload` applies it")


@config_app.command("help")
def help_page(
    table: Annotated[
        str,
        typer.Argument(
            metavar="[TABLE]", help="As in network, or a key of it; all of them if not given."
        ),
    ] = "",
) -> None:
    """Show the help page of a table: what its settings are for.

    Example: centrex config help registrar
    """
    titles = {one["table"]: one["title"] for one in api.describe()["tables"]}
    if not table:
        output.pairs(titles.items())
        return
    pages = [one for one in titles if _belongs(table, one)]
    if not pages or (table not in api.tables() and api.find(table) is None):
        raise _unknown(table)
    output.say_page(api.help_page(max(pages, key=len)))


@config_app.command("schema")
def schema() -> None:
    """Write the JSON Schema of a configuration file.

    Example: centrex config schema > centrex.schema.json
    """
    output.emit_json(api.json_schema())
