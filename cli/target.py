"""The options every command shares, and the instance they point at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from centrex import api

_CONFIG, _INSTANCE, _JSON = "centrex.config", "centrex.instance", "centrex.json"


def _remember(name: str) -> Any:
    """Keep an option for the whole command line, so that it may stand before or after the verb."""

    def keep(ctx: typer.Context, value: Any) -> Any:
        if value:
            ctx.meta[name] = value
        return value

    return keep


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        help="The configuration file; its name is the instance's.",
        callback=_remember(_CONFIG),
        dir_okay=False,
    ),
]
InstanceOption = Annotated[
    str,
    typer.Option(
        "--instance",
        "-i",
        metavar="NAME",
        help="The instance; 'default' if not given.",
        callback=_remember(_INSTANCE),
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Answer in JSON; errors too.", callback=_remember(_JSON)),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Overrule one key of the file; may be repeated.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The instance a command is about."""

    paths: api.InstancePaths
    as_json: bool

    def source(self, overrides: list[str] | None = None) -> "api.ConfigSource":
        """Return where its configuration comes from."""
        return api.ConfigSource(path=self.paths.config, overrides=tuple(overrides or ()))

    def call(self, command: str, **params: Any) -> dict[str, Any]:
        """Have the running instance carry out a command. Raises `Unavailable` or `Refused`."""
        with self._helpfully():
            return api.call(self.paths, command, params)

    def reload(self) -> tuple[bool, api.CentrexError | None]:
        """Have a running instance take its file over; return whether it has, and why one has not."""
        try:
            api.call(self.paths, "reload")
        except api.Refused as error:
            return False, error
        except api.Unavailable as error:
            return False, None if self._runs_none() else error
        return True, None

    def _runs_none(self) -> bool:
        """Whether it is certain that no instance runs."""
        try:
            return api.is_lock_free(self.paths)
        except api.Unavailable:
            return False

    def rows(self, command: str, **params: Any) -> list[dict[str, Any]]:
        """Return a list the running instance holds, however long. Raises as `call` does."""
        with self._helpfully():
            return list(api.all_rows(self.paths, command, params))

    def follow(self, stream: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Follow a stream of the running instance. Raises as `call` does."""
        with self._helpfully():
            yield from api.follow(self.paths, stream, params)

    @contextmanager
    def _helpfully(self) -> Iterator[None]:
        """Say how to start an instance where none runs."""
        try:
            yield
        except api.Unavailable as error:
            if not _is_missing(self.paths.control):
                raise
            raise api.Unavailable(f"{error}; `centrex start` starts one") from error


def _is_missing(path: Path) -> bool:
    """Whether it is certain that nothing is there; in a folder one may not search it is not."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def wants_json(ctx: typer.Context) -> bool:
    """Whether `--json` was given."""
    return bool(ctx.meta.get(_JSON))


def target(ctx: typer.Context) -> Target:
    """Return the instance that `--config` and `--instance` name."""
    config: Path | None = ctx.meta.get(_CONFIG)
    paths = api.instance_paths(ctx.meta.get(_INSTANCE, ""), config)
    return Target(paths=paths, as_json=wants_json(ctx))
