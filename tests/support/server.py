"""A real Centrex process on loopback, and its command line, as an operator has them."""

import contextlib
import hashlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import tomlkit

from tests.support.certificates import Certificates
from tests.support.ports import free_port, loopback

COMMAND: tuple[str, ...] = (sys.executable, "-c", "from cli.main import main; main()")
ROOT = Path(__file__).parents[2]
READY_S = 20.0
GRACE_S = 15.0

Json: TypeAlias = dict[str, Any]
_numbers = itertools.count(1)


def password_of(user: str) -> str:
    """The password every test user has."""
    return f"secret-{user}"


def cpu_s(pid: int) -> float:
    """Processor time a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class CentrexServer:
    """`centrex start` with a configuration of its own, ready when the context is entered.

    Args:
        folder: Where the configuration, the state and the log go.
        users: Who may register; each has `password_of(user)`.
        transports: Any of "udp", "tcp", "tls".
        domain: The SIP domain, and the realm.
        address: Where to listen; a loopback address of its own unless given.
        overrides: Dotted keys of the configuration and their values; they win.
        through: A command to start it with, such as one that takes privileges away.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Iterable[str] = (),
        transports: Iterable[str] = ("udp", "tcp"),
        domain: str = "centrex.test",
        address: str = "",
        overrides: Mapping[str, object] | None = None,
        through: Iterable[str] = (),
    ) -> None:
        self.folder = folder
        self._through = tuple(through)
        self.domain = domain
        self.host = address or loopback()
        self.port = free_port(self.host, run=2)
        self.tls_port = self.port + 1
        self.transports = tuple(transports)
        self.name = f"test-{os.getpid()}-{next(_numbers)}"
        self.config = folder / f"{self.name}.toml"
        self.log = folder / f"{self.name}.log"
        self.certificates: Certificates | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._root = tempfile.TemporaryDirectory(prefix="centrex-")
        folder.mkdir(parents=True, exist_ok=True)
        self._write(tuple(users), overrides or {})

    def _write(self, users: tuple[str, ...], overrides: Mapping[str, object]) -> None:
        network: Json = {
            "domain": self.domain,
            "address": self.host,
            "port": self.port,
            "transports": list(self.transports),
            "guard": {"exempt": ["127.0.0.0/8"]},
        }
        if "tls" in self.transports:
            self.certificates = Certificates.make(self.folder / "tls", self.host, self.domain)
            network["tls_port"] = self.tls_port
            network["tls_certificate"] = str(self.certificates.certificate)
            network["tls_key"] = str(self.certificates.key)
        document: Json = {
            "basic": {"description": "test", "state_dir": str(self.folder / "state")},
            "network": network,
            "auth": {"credentials": [self._credentials(user) for user in users]},
            "media": {"mode": "never"},
        }
        for key, value in overrides.items():
            *tables, last = key.split(".")
            table = document
            for name in tables:
                table = table.setdefault(name, {})
            table[last] = value
        self.config.write_text(tomlkit.dumps(document), encoding="utf-8")
        self.config.chmod(0o600)

    def _credentials(self, user: str) -> Json:
        secret = f"{user}:{self.domain}:{password_of(user)}".encode()
        return {
            "login": user,
            "ha1_md5": hashlib.md5(secret, usedforsecurity=False).hexdigest(),
            "ha1_sha256": hashlib.sha256(secret).hexdigest(),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.stop()
                return
            self.kill9()
            error.add_note(f"The server's log ({self.log}):\n{self.log_tail()}")
        finally:
            self.kill_relay()
            self._root.cleanup()

    @property
    def relay_pid(self) -> int:
        """The process id of its own relay; 0 where there is none."""
        lock = Path(self._root.name) / "run" / self.name / "relay.lock"
        digits = lock.read_text().strip() if lock.exists() else ""
        return int(digits) if digits else 0

    def kill_relay(self) -> None:
        """End its own relay, if there is one; it outlives an engine that was killed."""
        deadline = time.monotonic() + GRACE_S
        while (pid := self.relay_pid) and time.monotonic() < deadline:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                return
            time.sleep(0.05)

    @property
    def pid(self) -> int:
        """The process id while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def uri(self, user: str) -> str:
        """The address-of-record of a user."""
        return f"sip:{user}@{self.domain}"

    def port_of(self, transport: str) -> int:
        """The port that a transport listens on."""
        return self.tls_port if transport == "tls" else self.port

    def start(self) -> None:
        """Start the process and wait until it says that it answers."""
        reader, writer = os.pipe()
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*self._through, *COMMAND, "start", *self._options(writer)],
                    pass_fds=(writer,),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._environment(),
                    cwd=ROOT,
                )
            os.close(writer)
            writer = -1
            self._await_ready(reader)
        except BaseException:
            self.kill9()
            raise
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)

    def _options(self, ready_fd: int) -> tuple[str, ...]:
        return "--config", str(self.config), "--ready-fd", str(ready_fd)

    def _await_ready(self, reader: int) -> None:
        end = time.monotonic() + READY_S
        said = b""
        while b"ready\n" not in said:
            ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
            more = os.read(reader, 64) if ready else b""
            if not more:
                what = "ended" if ready else f"was not ready within {READY_S} s"
                raise AssertionError(f"the server {what}; its log:\n{self.log_tail()}")
            said += more

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and assert that it does so in time and in order."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(
                f"the server did not stop within {GRACE_S} s; its log:\n{self.log_tail()}"
            ) from None
        self._process = None
        assert code == 0, f"the server ended with code {code}; its log:\n{self.log_tail()}"

    def kill9(self) -> None:
        """End it at once, as a power failure would."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(10)

    def restart(self) -> None:
        """Start it again with the same configuration, stopping it first if it runs."""
        if self.alive:
            self.stop()
        self.start()

    def log_tail(self, lines: int = 60) -> str:
        """Return the end of what it has written to standard error."""
        if not self.log.exists():
            return "(none)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def command(self, *arguments: str, timeout: float = 30.0) -> tuple[int, str, str]:
        """Run `centrex --config FILE ARGUMENTS`; return exit code, output, errors."""
        done = subprocess.run(
            [*COMMAND, "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self._environment(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def ask(self, *words: str, name: str = "") -> Json:
        """Run `centrex WORDS --json -- NAME` and return its answer; asserts that it succeeds."""
        code, out, errors = self.command(*words, "--json", *(("--", name) if name else ()))
        assert code == 0, f"centrex {' '.join(words)} {name}: code {code}: {errors or out}"
        answer = json.loads(out)
        assert isinstance(answer, dict), out
        return answer

    def status(self) -> Json:
        """`centrex status --json`."""
        return self.ask("status")

    def calls(self) -> list[Json]:
        """`centrex calls --json`."""
        calls = self.ask("calls")["calls"]
        assert isinstance(calls, list)
        return calls

    def registrations(self) -> list[Json]:
        """`centrex registrations --json`."""
        registrations = self.ask("registrations")["registrations"]
        assert isinstance(registrations, list)
        return registrations

    def story(self, call_id: str) -> str:
        """`centrex explain CALL-ID --json` as one lower-case text: headline, lines, advice."""
        told = self.ask("explain", name=call_id)
        lines = [str(line["text"]) for line in told["lines"]]
        return "\n".join([str(told["headline"]), *lines, *map(str, told["advice"])]).lower()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
        # A short path of its own, because that of a Unix socket is limited to 107 octets.
        return {**kept, "CENTREX_ROOT": self._root.name, "NO_COLOR": "1", "COLUMNS": "200"}
