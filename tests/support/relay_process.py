"""A relay as a process of its own, as on another machine."""

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import tomlkit

from tests.support.ports import loopback
from tests.support.relay_lab import Namespace
from tests.support.server import COMMAND, ROOT

SECRET = "a secret of some length"


class Relay:
    """`centrex relay start` with a configuration of its own."""

    def __init__(
        self,
        folder: Path,
        name: str,
        port: int,
        *,
        secret: str = SECRET,
        host: str = "",
        offload: str = "auto",
        through: Sequence[str] = (),
        proxy: str = "127.0.0.1",
        room: Namespace | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        self.name, self._through = name, through
        self.file = folder / f"{name}.toml"
        settings = {
            "name": name,
            "address": host or loopback(),
            "port_range": [31000, 48999],
            "offload": offload,
            "proxies": [{"address": proxy, "port": port, "secret": secret}],
            **(more or {}),
        }
        self.file.write_text(tomlkit.dumps(settings))
        self.log = folder / f"{name}.log"
        self._room = room
        self.start()

    def start(self, *more: str, pass_fds: Sequence[int] = ()) -> None:
        with self.log.open("ab") as log, self._room.inside() if self._room else nullcontext():
            self.process = subprocess.Popen(
                [*self._through, *COMMAND, "relay", "start", "--config", str(self.file), *more],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                pass_fds=pass_fds,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        assert self.process.wait(10) == 0
