"""A power cut over real sockets: all phones register anew within half a minute, and are watched.

A server as it is started, and a process of phones (`tests.support.crowd`), each with an address, a port
and a password of its own. It prints what the server spent, how it grew, and how long anybody waited.

Run it as `python -m tests.bench.power_cut [PHONES [WATCH [OF_THE_DOMAIN]]]`; WATCH is `user`, `domain` or
`none`.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from tests.support.server import CentrexServer, cpu_s, password_of


def passwords(file: Path, domain: str, phones: int) -> None:
    """Write the logins of all phones as an htdigest file."""
    lines = []
    for number in range(phones):
        user = f"u{number}"
        secret = f"{user}:{domain}:{password_of(user)}".encode()
        lines.append(f"{user}:{domain}:{hashlib.md5(secret, usedforsecurity=False).hexdigest()}\n")
    file.write_text("".join(lines), encoding="utf-8")
    file.chmod(0o600)


def resident_mb(pid: int) -> float:
    """Return how much memory a process has."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class Growth(threading.Thread):
    """Looks at a process's memory and CPU once in half a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.busiest = pid, 0.0, 0.0
        self.over = threading.Event()

    def run(self) -> None:
        spent, at = cpu_s(self.pid), time.monotonic()
        while not self.over.wait(1.0):
            now, more = time.monotonic(), cpu_s(self.pid)
            self.busiest = max(self.busiest, (more - spent) / (now - at))
            spent, at = more, now
            self.most = max(self.most, resident_mb(self.pid))


def power_cut(folder: Path, phones: int, watch: str, whole: int) -> dict[str, Any]:
    """Raise one storm and return its figures."""
    file = folder / "passwords"
    overrides = {"auth.credentials_file": str(file), "auth.algorithms": ["MD5"]}
    server = CentrexServer(folder / "server", overrides=overrides)
    passwords(file, server.domain, phones)
    with server:
        words = [server.host, str(server.port), server.domain, str(phones), watch, str(whole)]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.support.crowd", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as crowd:
            assert crowd.stdin is not None
            assert crowd.stdout is not None
            ready = json.loads(crowd.stdout.readline())
            before, spent = resident_mb(server.pid), cpu_s(server.pid)
            growth = Growth(server.pid)
            growth.start()
            crowd.stdin.write("\n")
            crowd.stdin.flush()
            figures: dict[str, Any] = json.loads(crowd.stdout.readline())
            growth.over.set()
            status = server.status()
            figures |= {
                "first": ready,
                "cpu_s": round(cpu_s(server.pid) - spent, 2),
                "busiest": round(growth.busiest, 2),
                "before_mb": round(before, 1),
                "most_mb": round(growth.most, 1),
                "after_mb": round(resident_mb(server.pid), 1),
                "subscriptions": status["watchers"]["subscriptions"],
                "waiting": status["watchers"]["waiting"],
                "drops": status["statistics"]["drops"],
            }
            crowd.stdin.write("\n")
            crowd.stdin.flush()
    return figures


def main() -> None:
    """Measure."""
    phones, watch, whole = [*sys.argv[1:4], *("10000", "user", "20")[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        figures = power_cut(Path(folder), int(phones), watch, int(whole))
    for name, value in figures.items():
        print(f"{name}: {value}")  # noqa: T201


if __name__ == "__main__":
    main()
