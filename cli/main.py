"""The `centrex` command: puts the verbs together, and turns errors into exit codes.

Exit codes: 0 fine; 1 a finding or failure in what was asked; 2 wrong usage or an invalid
configuration; 3 the instance cannot be reached; 4 refused.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from centrex import api
from cli import dashboard, engine, live, output, relays
from cli.backup import backup, restore
from cli.config import config_app
from cli.dashes import DashedCommand
from cli.init import first_start, init
from cli.log import log
from cli.route import app as route_app
from cli.target import ConfigOption, InstanceOption, Target, target, wants_json
from cli.users import users_app


class _Group(TyperGroup):
    """Reports what a command could not do, and exits with the code it stands for."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever read our output has gone; that is no failure of ours
        except (api.CentrexError, OSError) as error:
            raise typer.Exit(output.report(error, as_json=wants_json(ctx))) from error


app = typer.Typer(
    name="centrex",
    cls=_Group,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A SIP proxy and registrar that a small office or an ISP runs from a terminal.",
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(value: bool) -> None:
    if value:
        output.say(f"centrex {api.version()}")
        raise typer.Exit


def _run_here(aim: Target) -> int:
    """Do what bare `centrex` does: open the dashboard, or run headless where nobody looks."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return dashboard.show(aim)
    if not aim.paths.config.exists():
        first_start(aim, with_phones=False)
    return engine.run(aim, None, None)


@app.callback(epilog="Example: centrex init --domain sip.example.com --user 1001 --user 1002")
def root(
    ctx: typer.Context,
    *,
    config: ConfigOption = None,
    instance: InstanceOption = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Run a SIP server; without a verb, open its dashboard, or run it where there is no terminal."""
    if ctx.invoked_subcommand is None:
        raise typer.Exit(_run_here(target(ctx)))


app.command()(init)
app.command()(dashboard.attach)
app.command()(engine.start)
app.command()(engine.stop)
app.command()(engine.reload)
app.command()(engine.status)
app.add_typer(users_app, name="user")
app.add_typer(config_app, name="config")
app.command()(backup)
app.command()(restore)
app.add_typer(live.registrations_app, name="registrations")
app.add_typer(live.calls_app, name="calls")
app.command()(live.subscriptions)
app.command()(live.gateways)
app.command()(log)
app.command(cls=DashedCommand)(live.explain)
app.add_typer(live.bans_app, name="bans")
app.add_typer(route_app, name="route")
app.add_typer(relays.relays_app, name="relays")
app.add_typer(relays.relay_app, name="relay")


def main() -> None:
    """Run the command line and exit with its code."""
    app(prog_name="centrex")
