"""Where an instance keeps its files: configuration, state, control socket, logs.

It names places; creating them belongs to whoever writes there.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from centrex.base import ConfigError, Problem

DEFAULT_INSTANCE: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstancePaths:
    """The places of one instance."""

    instance: str
    config: Path
    """The configuration file."""
    state: Path
    """Folder for the recovery file, bans and call records."""
    run: Path
    """Folder for control socket and lock."""
    log: Path
    """Folder for logs."""

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.run / "control.sock"

    @property
    def lock(self) -> Path:
        """The lock that keeps an instance to one process."""
        return self.run / "lock"


@dataclass(frozen=True, slots=True)
class _Roots:
    config: Path
    state: Path
    run: Path | None
    log: Path | None


def _roots(env: Mapping[str, str], uid: int) -> _Roots:
    if prefix := env.get("CENTREX_ROOT"):
        root = Path(prefix)
        return _Roots(root / "etc", root / "state", root / "run", root / "log")
    if uid == 0:
        return _Roots(
            Path("/etc/centrex"),
            Path("/var/lib/centrex"),
            Path("/run/centrex"),
            Path("/var/log/centrex"),
        )
    home = Path(env.get("HOME") or os.path.expanduser("~"))
    config = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "centrex"
    state = Path(env.get("XDG_STATE_HOME") or home / ".local/state") / "centrex"
    if runtime := env.get("XDG_RUNTIME_DIR"):
        return _Roots(config, state, Path(runtime) / "centrex", None)
    usual = Path(f"/run/user/{uid}")
    owned = usual.is_dir() and usual.stat().st_uid == uid
    return _Roots(config, state, usual / "centrex" if owned else None, None)


def instance_of(file: Path) -> str:
    """Name an instance after its configuration file: `/srv/office.toml` is `office`."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", file.stem).lstrip(".-")[:64]
    return name or DEFAULT_INSTANCE


def instance_paths(
    instance: str = "",
    config_file: Path | None = None,
    *,
    state_dir: str = "",
    env: Mapping[str, str] | None = None,
    uid: int | None = None,
) -> InstancePaths:
    """Return the places of an instance.

    Root's lie under `/etc`, `/var/lib`, `/run` and `/var/log`, everybody else's where the XDG
    variables say; without a runtime folder the socket lies in the state folder. `CENTREX_ROOT`
    puts all of them below one folder, for containers and tests.

    Args:
        instance: Its name; empty for the configuration file's own name, or `default`.
        config_file: The configuration file, where it is not the instance's usual one.
        state_dir: `basic.state_dir`, which replaces the state folder where it is set.
        env: The environment; the process's own where not given.
        uid: The user; the process's own where not given.

    Raises:
        ConfigError: The name could not be a file's name.
    """
    name = instance or (instance_of(config_file) if config_file else DEFAULT_INSTANCE)
    if not _NAME.fullmatch(name):
        message = f"{name!r} is no instance name; use letters, digits, '.', '_' and '-'"
        raise ConfigError((Problem(file="--instance", key="instance", message=message),))
    roots = _roots(os.environ if env is None else env, os.geteuid() if uid is None else uid)
    usual_state = roots.state / name
    state = Path(state_dir) if state_dir else usual_state
    return InstancePaths(
        instance=name,
        config=config_file or roots.config / f"{name}.toml",
        state=state,
        run=roots.run / name if roots.run else usual_state / "run",
        log=roots.log / name if roots.log else state,
    )
