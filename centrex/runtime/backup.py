"""A backup made: an instance's configuration, logins, relay file and registrations in one archive.

It reads files and writes one. It may run beside the instance: each file is replaced whole by whoever
writes it, and the recovery file may end in the middle of a line.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from centrex.base import Unavailable
from centrex.config.archive import CONFIG, CREDENTIALS, REGISTRATIONS, RELAY, pack
from centrex.config.load import ConfigSource
from centrex.config.model import Config
from centrex.config.paths import InstancePaths
from centrex.runtime.atomic_file import replace_file

RELAY_FILE: Final = "relay.toml"
"""The name of a relay's configuration beside the instance's."""


def state_of(paths: InstancePaths, config: Config) -> Path:
    """Return the folder that an instance with this configuration keeps its state in."""
    return Path(config.basic.state_dir) if config.basic.state_dir else paths.state


def name_now(instance: str) -> str:
    """Return a name for a backup made now."""
    return f"centrex-{instance}-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.tar.gz"


def back_up(
    source: ConfigSource,
    paths: InstancePaths,
    target: Path,
    *,
    version: str,
    registrations: bool = False,
) -> dict[str, Any]:
    """Write a backup, mode 0600, whole or not at all.

    Args:
        source: The configuration, without what a command line overrules.
        paths: Where the instance's files are.
        target: The archive; what is there is replaced.
        version: The version of this program.
        registrations: Whether to take the recovery file, too.

    Returns:
        `file`, `size`, `holds`: the octets of each content by its name; `left_out`: files that the
        configuration names and no backup holds, by key.

    Raises:
        ConfigError: The configuration cannot be used, so that it could not be restored.
        BadArchive: There is too much of something.
        Unavailable: A file cannot be read or written.
    """
    config = source.load()
    wanted = {CONFIG: source.path, RELAY: source.path.parent / RELAY_FILE}
    if config.auth.credentials_file:
        wanted[CREDENTIALS] = Path(config.auth.credentials_file)
    if registrations:
        wanted[REGISTRATIONS] = state_of(paths, config) / "registrations"
    files = {name: data for name, path in wanted.items() if (data := _read(path)) is not None}
    made_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    data = pack(paths.instance, version, made_at, files)
    try:
        replace_file(target, data)
    except OSError as error:
        raise Unavailable(f"cannot write {target}: {error.strerror or error}") from error
    return {
        "file": str(target),
        "size": len(data),
        "holds": {name: len(one) for name, one in files.items()},
        "left_out": left_out(config),
    }


def left_out(config: Config) -> dict[str, str]:
    """Return the files that a configuration names and that no backup holds, by key.

    Private keys are renewed and guarded by other means, and an archive is often sent about.
    """
    network = config.network
    named = {"network.tls_certificate": network.tls_certificate, "network.tls_key": network.tls_key}
    return {key: file for key, file in named.items() if file}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror or error}") from error
