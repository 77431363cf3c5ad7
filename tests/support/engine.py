"""A whole engine in the test's own event loop, and a phone as small as can be to talk to it."""

import os
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import tomlkit

from centrex.config.load import ConfigSource
from centrex.config.paths import InstancePaths
from centrex.runtime import control
from centrex.runtime.engine import Engine
from centrex.runtime.monitor import Held, Read, interface_addresses
from tests.support.ports import free_port, loopback

DOMAIN = "voip.test"


class Machine:
    """The addresses of a machine, for the engine to read; a test changes them."""

    def __init__(self, *held: Held) -> None:
        self.held: list[Held] = list(held)

    def __call__(self) -> Sequence[Held]:
        return tuple(self.held)


class Instance:
    """Files and engine of one instance.

    Attributes:
        settings: What is in the configuration file, by dotted key; `write` puts it there.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], read: Read) -> None:
        self.host = loopback()
        self.settings: dict[str, Any] = {
            "network.domain": DOMAIN,
            "network.address": self.host,
            "network.port": free_port(self.host, run=2),
            "auth.enabled": False,
            "media.mode": "never",
            "events.file": str(folder / "log"),
            **settings,
        }
        self.file = folder / "test.toml"
        self._run = tempfile.TemporaryDirectory(prefix="centrex-")
        self.paths = InstancePaths(
            instance="test",
            config=self.file,
            state=folder / "state",
            run=Path(self._run.name),
            log=folder,
        )
        self._read = read
        self.write()
        self.engine = self.make()

    def close(self) -> None:
        self._run.cleanup()

    def make(self) -> Engine:
        """Make an engine from the file as it is now."""
        source = ConfigSource(path=self.file)
        return Engine(source.load(), source, self.paths, "test", read_addresses=self._read)

    def write(self, **changed: Any) -> None:
        """Write the configuration, with some keys changed; `__` stands for the dot."""
        self.settings.update({key.replace("__", "."): value for key, value in changed.items()})
        document: dict[str, Any] = {}
        for key, value in self.settings.items():
            *tables, last = key.split(".")
            table = document
            for name in tables:
                table = table.setdefault(name, {})
            table[last] = value
        self.file.write_text(tomlkit.dumps(document), encoding="utf-8")
        self.file.chmod(0o600)

    @property
    def port(self) -> int:
        return int(self.settings["network.port"])

    @property
    def log(self) -> str:
        """What has been written to the event log so far."""
        file = Path(self.settings["events.file"])
        return file.read_text(encoding="utf-8") if file.exists() else ""

    async def ask(self, command: str, **params: Any) -> dict[str, Any]:
        """Have the engine carry out a command, by its control socket."""
        return await anyio.to_thread.run_sync(control.call, self.paths.control, command, params)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """Run the engine until the block ends, which stops it unless it has been stopped."""
        reader, writer = os.pipe()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.engine.run, writer)
                await anyio.wait_readable(reader)
                assert os.read(reader, 64) == b"ready\n"
                yield self.engine
                self.engine.stopping.set()
        finally:
            os.close(reader)


@asynccontextmanager
async def instance(
    folder: Path, settings: Mapping[str, Any] | None = None, read: Read = interface_addresses
) -> AsyncIterator[Instance]:
    """Make an instance, and remove what the system has of it in the end."""
    made = Instance(folder, settings or {}, read)
    try:
        yield made
    finally:
        made.close()


class Phone:
    """A UDP socket that writes requests.

    Args:
        server: Where the engine listens.
        user: Who it is.
    """

    def __init__(self, server: tuple[str, int], user: str = "1001") -> None:
        self.server, self.user = server, user
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind((loopback(), 0))
        self.host, self.port = self.sock.getsockname()
        self._count = 0

    def request(
        self, method: str, uri: str = "", headers: Sequence[str] = (), *, sent_by: str = ""
    ) -> bytes:
        """Build a request; without a URI it goes to the domain."""
        self._count += 1
        sent_by = sent_by or f"{self.host}:{self.port}"
        aor = f"sip:{self.user}@{DOMAIN}"
        lines = [
            f"{method} {uri or f'sip:{DOMAIN}'} SIP/2.0",
            f"Via: SIP/2.0/UDP {sent_by};branch=z9hG4bK{self.port}x{self._count};rport",
            "Max-Forwards: 70",
            f"From: <{aor}>;tag=t{self._count}",
            f"To: <{uri if method == 'INVITE' else aor}>",
            f"Call-ID: {self.port}-{self._count}",
            f"CSeq: {self._count} {method}",
            *headers,
            "Content-Length: 0",
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    async def register(self, *, natted: bool = False) -> bytes:
        """Register, and return the answer."""
        contact = f"Contact: <sip:{self.user}@{self.host}:{self.port}>"
        data = self.request("REGISTER", headers=[contact], sent_by="10.9.8.7" if natted else "")
        return await self.ask(data)

    async def ask(self, data: bytes) -> bytes:
        """Send a request and return what comes back."""
        self.send(data)
        return await self.receive()

    def send(self, data: bytes) -> None:
        self.sock.sendto(data, self.server)

    async def receive(self) -> bytes:
        """Return the next datagram."""
        with anyio.fail_after(20):
            await anyio.wait_readable(self.sock)
        return self.sock.recv(65535)

    def __enter__(self) -> "Phone":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
