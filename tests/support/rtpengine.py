"""Debian's rtpengine as a process of its own, in userspace, for as long as a test takes."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from centrex.farm.bencode import decode, encode
from tests.support.ports import free_port

READY_S = 20.0


class RtpengineProcess:
    """One rtpengine on loopback.

    Args:
        folder: Where its log goes.
        host: Its address, for control and media.
        ports: First and last port for media.
    """

    def __init__(self, folder: Path, host: str, *, ports: tuple[int, int] = (40000, 41999)) -> None:
        self.host, self._ports = host, ports
        self.port = free_port(host, run=2)
        self.control = f"udp:{host}:{self.port}"
        self._log = folder / f"rtpengine-{host}.log"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "rtpengine",
                    "--config-file=none",
                    "--foreground",
                    "--log-stderr",
                    "--log-level=5",
                    "--table=-1",
                    "--num-threads=1",
                    "--delete-delay=0",
                    "--timeout=60",
                    f"--interface={self.host}",
                    f"--listen-ng={self.host}:{self.port}",
                    f"--listen-cli={self.host}:{self.port + 1}",
                    f"--port-min={self._ports[0]}",
                    f"--port-max={self._ports[1]}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + READY_S
        while not self._answers():
            there = self._process.poll() is None and time.monotonic() < deadline
            assert there, self._log.read_text()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self.ask({"command": "ping"}).get(b"result") == b"pong"
        except OSError:
            return False

    def ask(self, fields: dict[str, str | bytes]) -> dict[bytes, object]:
        """Ask it something, as any proxy may."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((self.host, self.port))
            sock.send(b"%b %b" % (os.urandom(4).hex().encode(), encode(fields)))
            reply = decode(sock.recv(65535).partition(b" ")[2])
        assert isinstance(reply, dict)
        return dict(reply)

    @property
    def calls(self) -> int:
        """How many calls it holds."""
        calls = self.ask({"command": "list"}).get(b"calls")
        assert isinstance(calls, list)
        return len(calls)

    @property
    def up_s(self) -> int:
        """For how long it runs, by its own account."""
        told = self.ask({"command": "statistics"})[b"statistics"]
        assert isinstance(told, dict)
        return int(told[b"totalstatistics"][b"uptime"])

    def pause(self) -> None:
        """Let it answer nothing, though its port stays open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
