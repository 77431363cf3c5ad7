"""Real phones without a sound card: baresip and linphonec, driven by what they say themselves.

Each has its own folder, loopback address and process. Waiting is by event and bounded; nothing
sleeps. Both phones speak of a state with the same words, so that tests can mix them.
"""

import contextlib
import json
import os
import pty
import re
import select
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.ports import free_port, loopback
from tests.support.server import CentrexServer, password_of

TIMEOUT_S = 20.0
MODULES = (
    "/usr/lib/baresip/modules",
    "/usr/local/lib/baresip/modules",
    "/opt/homebrew/lib/baresip/modules",
)

REGISTERED: Final = "registered"
REGISTER_FAILED: Final = "register-failed"
INCOMING: Final = "incoming"
RINGING: Final = "ringing"
UP: Final = "up"
HELD: Final = "held"
"""Our own hold has been agreed to by the far side (a re-INVITE went through)."""
RESUMED: Final = "resumed"
MEDIA: Final = "media"
"""RTP from the far side has arrived."""
CLOSED: Final = "closed"

_OF_ACCOUNTS: Final = (REGISTERED, REGISTER_FAILED)


class Seen:
    """One event: what, the reason the phone gives, and the Call-ID where it tells it."""

    __slots__ = ("call_id", "reason", "what")

    def __init__(self, what: str, reason: str = "", call_id: str = "") -> None:
        self.what, self.reason, self.call_id = what, reason, call_id

    def __repr__(self) -> str:
        return f"{self.what}({self.reason})"


class Phone(ABC):
    """A phone process with an account at the server.

    Args:
        user: Login and user part.
        server: Where it registers.
        folder: A folder for its files.
        transport: "udp", "tcp" or "tls".
    """

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, transport: str = "udp"
    ) -> None:
        self.user, self.server, self.transport = user, server, transport
        self.folder = folder / f"{type(self).__name__.lower()}-{user}"
        self.folder.mkdir(parents=True)
        self.host = loopback()
        self.output = self.folder / "output.log"
        self.history: list[Seen] = []
        self._unread: list[Seen] = []
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"{self}: {self.history}\n{self.output_tail()}")
        self._end()

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.user} ({self.transport})"

    @abstractmethod
    def _start(self) -> None:
        """Start the process and connect to its controls."""

    @abstractmethod
    def _pump(self, timeout: float) -> None:
        """Take the events that come within a time; return early when any came."""

    @abstractmethod
    def dial(self, user: str) -> None:
        """Call a user of the server."""

    @abstractmethod
    def accept(self) -> None:
        """Take the call that rings."""

    @abstractmethod
    def hang_up(self) -> None:
        """End, cancel or refuse the call."""

    @abstractmethod
    def hold(self) -> None:
        """Put the call on hold (a re-INVITE)."""

    @abstractmethod
    def resume(self) -> None:
        """Take the call from hold (a re-INVITE)."""

    @abstractmethod
    def _say_goodbye(self) -> None:
        """Ask the process to unregister and end."""

    def await_(self, what: str, *, timeout: float = TIMEOUT_S) -> Seen:
        """Wait for an event that has not been awaited yet; those before it stay unread."""
        end = time.monotonic() + timeout
        while True:
            for number, seen in enumerate(self._unread):
                if seen.what == what:
                    return self._unread.pop(number)
            left = end - time.monotonic()
            assert left > 0, (
                f"{self}: no {what} in {timeout} s, but {self.history}\n"
                f"{self.output_tail()}\nserver: {self.server.log_tail(20)}"
            )
            assert self._process is not None
            assert self._process.poll() is None, f"{self} ended: {self.output_tail()}"
            self._pump(left)

    def has_seen(self, what: str) -> bool:
        """Say whether an event has come, without waiting."""
        self._pump(0.0)
        return any(seen.what == what for seen in self.history)

    def make_idle(self) -> None:
        """Forget what an earlier test has left: its unread events, and its call if it failed."""
        self._pump(0.0)
        of_calls = [seen.what for seen in self.history if seen.what not in _OF_ACCOUNTS]
        if of_calls and of_calls[-1] != CLOSED:
            self.hang_up()
            self.await_(CLOSED)
        self._unread.clear()

    def quit(self) -> None:
        """Switch the phone off in order: it unregisters first."""
        self._end()

    def output_tail(self, lines: int = 80) -> str:
        """Return the end of what it has printed."""
        if not self.output.exists():
            return "(none)"
        return "\n".join(self.output.read_text(errors="replace").splitlines()[-lines:])

    def _note(self, what: str, reason: str = "", call_id: str = "") -> None:
        seen = Seen(what, reason, call_id)
        self.history.append(seen)
        self._unread.append(seen)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            with contextlib.suppress(OSError):
                self._say_goodbye()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        if process.poll() is None:
            process.kill()
            process.wait(10)


class Baresip(Phone):
    """baresip 1.0, controlled over its `ctrl_tcp` module (JSON in netstrings).

    Sound goes round in a circle by `aubridge`; an event's id is the Call-ID. baresip 1.0 knows MD5
    only and gives up on a challenge that offers anything else beside it.
    """

    _EVENTS: Final = {
        "REGISTER_OK": REGISTERED,
        "REGISTER_FAIL": REGISTER_FAILED,
        "CALL_INCOMING": INCOMING,
        "CALL_RINGING": RINGING,
        "CALL_ESTABLISHED": UP,
        "CALL_RTPESTAB": MEDIA,
        "CALL_CLOSED": CLOSED,
    }

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, transport: str = "udp"
    ) -> None:
        super().__init__(user, server, folder, transport)
        self._control_port = free_port(self.host)
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._asked = ""

    def _start(self) -> None:
        (self.folder / "config").write_text(self._configuration(), encoding="utf-8")
        (self.folder / "accounts").write_text(self._account(), encoding="utf-8")
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                ["baresip", "-f", str(self.folder), "-s"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "HOME": str(self.folder)},
            )
        self._connect()

    def _configuration(self) -> str:
        modules = next((place for place in MODULES if Path(place).is_dir()), MODULES[0])
        lines = [
            f"sip_listen {self.host}:0",
            f"net_interface {self.host}",
            "audio_player aubridge,loop",
            "audio_source aubridge,loop",
            "audio_alert aubridge,alert",
            "ringback_disabled yes",
            "menu_bell no",
            f"module_path {modules}",
            "module g711.so",
            "module aubridge.so",
            "module_tmp uuid.so",
            "module_tmp account.so",
            "module_app menu.so",
            "module_app ctrl_tcp.so",
            f"ctrl_tcp_listen {self.host}:{self._control_port}",
        ]
        if self.server.certificates is not None:
            lines.append(f"sip_cafile {self.server.certificates.authority}")
        return "\n".join(lines) + "\n"

    def _account(self) -> str:
        server = f"{self.server.host}:{self.server.port_of(self.transport)}"
        return (
            f"<sip:{self.user}@{self.server.domain};transport={self.transport}>"
            f";auth_user={self.user};auth_pass={password_of(self.user)}"
            f';outbound="sip:{server};transport={self.transport}"'
            ";regint=60;audio_codecs=pcmu;answermode=manual\n"
        )

    def _connect(self) -> None:
        end = time.monotonic() + TIMEOUT_S
        while self._socket is None:
            try:
                self._socket = socket.create_connection((self.host, self._control_port), 1)
            except ConnectionRefusedError:
                assert self._process is not None
                assert self._process.poll() is None, f"baresip ended: {self.output_tail()}"
                assert time.monotonic() < end, f"baresip has no controls: {self.output_tail()}"
                select.select([], [], [], 0.02)
        self._command("reginfo")

    def _pump(self, timeout: float) -> None:
        if self._socket is None:
            return
        ready, _, _ = select.select([self._socket], [], [], timeout)
        if not ready:
            return
        more = self._socket.recv(65536)
        assert more, f"baresip closed its controls: {self.output_tail()}"
        self._buffer += more
        while b":" in self._buffer:
            length, _, rest = self._buffer.partition(b":")
            if len(rest) <= int(length):
                return
            self._digest(json.loads(rest[: int(length)]))
            self._buffer = rest[int(length) + 1 :]

    def _digest(self, told: dict[str, Any]) -> None:
        if told.get("response"):
            # An account that had registered before we could listen says so here.
            text = str(told.get("data")) if told.get("token") == "reginfo" else ""
            if "OK " in text:
                self._note(REGISTERED)
            elif "ERR " in text:
                self._note(REGISTER_FAILED)
            return
        kind, reason = str(told.get("type")), str(told.get("param", ""))
        if kind == "CALL_REMOTE_SDP" and reason == "answer" and self._asked:
            self._note(self._asked)
            self._asked = ""
        name = self._EVENTS.get(kind)
        if name is not None:
            self._note(name, reason, str(told.get("id", "")))

    def _command(self, command: str, parameter: str = "") -> None:
        assert self._socket is not None
        asked = {"command": command, "params": parameter, "token": command}
        data = json.dumps(asked).encode()
        self._socket.sendall(b"%d:%b," % (len(data), data))

    def dial(self, user: str) -> None:
        """Call a user of the server."""
        self._asked = ""
        self._command("dial", user)

    def accept(self) -> None:
        """Take the call that rings."""
        self._asked = ""
        self._command("accept")

    def hang_up(self) -> None:
        """End, cancel or refuse the call; a call that rings in is refused with 486."""
        self._command("hangup")

    def hold(self) -> None:
        """Put the call on hold."""
        self._asked = HELD
        self._command("hold")

    def resume(self) -> None:
        """Take the call from hold."""
        self._asked = RESUMED
        self._command("resume")

    def _say_goodbye(self) -> None:
        self._command("quit")

    def _end(self) -> None:
        super()._end()
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Linphone(Phone):
    """linphonec 5.1, controlled through a pseudo-terminal and read by its own log.

    It plays files instead of a sound card. Its data folder has to exist beforehand: without its
    database it opens no socket and says nothing of it. Over TLS it checks who has signed the
    server's certificate, not the name in it: its mbedTLS 2.28 cannot compare addresses.
    """

    _STATES: Final = {
        "LinphoneCallIncomingReceived": INCOMING,
        "LinphoneCallOutgoingRinging": RINGING,
        "LinphoneCallPaused": HELD,
        "LinphoneCallEnd": CLOSED,
        "LinphoneCallError": CLOSED,
    }
    _MOVE: Final = re.compile(r"CallSession \S+ moving from state (\w+) to (\w+)")
    _ACCOUNT: Final = re.compile(r"moving from state \[\w+\] to \[LinphoneRegistration(\w+)\]")

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, transport: str = "udp"
    ) -> None:
        super().__init__(user, server, folder, transport)
        self._log = self.folder / "linphone.log"
        self._read = 0
        self._terminal = -1
        self._reason = ""

    def _start(self) -> None:
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        (self.folder / ".config").mkdir()
        settings = self.folder / "linphonerc"
        settings.write_text(self._configuration(), encoding="utf-8")
        self._log.touch()
        self._terminal, theirs = pty.openpty()
        try:
            self._process = subprocess.Popen(
                ["linphonec", "-c", str(settings), "-d", "6", "-l", str(self._log)],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=self._environment(),
                start_new_session=True,
            )
        finally:
            os.close(theirs)
        self._type("soundcard use files")

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        return {**kept, "HOME": str(self.folder), "TERM": "dumb"}

    def _configuration(self) -> str:
        port = free_port(self.host)
        ports = {name: -1 for name in ("udp", "tcp", "tls")} | {self.transport: port}
        address = f"{self.server.host}:{self.server.port_of(self.transport)}"
        server = f"<sip:{address};transport={self.transport}>"
        authority = self.server.certificates.authority if self.server.certificates else ""
        return f"""[sip]
sip_port={ports["udp"]}
sip_tcp_port={ports["tcp"]}
sip_tls_port={ports["tls"]}
bind_address={self.host}
default_proxy=0
register_only_when_network_is_up=0
guess_hostname=0
contact="{self.user}" <sip:{self.user}@{self.host}>
use_ipv6=0
inc_timeout=60
verify_server_certs=1
verify_server_cn=0
root_ca={authority}
[proxy_0]
reg_proxy={server}
reg_route={server}
reg_identity=sip:{self.user}@{self.server.domain}
reg_expires=60
reg_sendregister=1
publish=0
[auth_info_0]
username={self.user}
userid={self.user}
passwd={password_of(self.user)}
realm={self.server.domain}
domain={self.server.domain}
[rtp]
audio_rtp_port={free_port(self.host, run=2)}
[video]
enabled=0
automatically_initiate=0
automatically_accept=0
"""

    def _pump(self, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            self._drain(0.02 if timeout else 0.0)
            with self._log.open("rb") as log:
                log.seek(self._read)
                more = log.read()
            whole = more.rpartition(b"\n")[0]
            if whole:
                self._read += len(whole) + 1
                before = len(self.history)
                for line in whole.decode(errors="replace").splitlines():
                    self._digest(line)
                if len(self.history) > before:
                    return
            if time.monotonic() >= end:
                return

    def _drain(self, timeout: float) -> None:
        """Read the terminal, or linphonec would stop when its buffer is full."""
        if self._terminal < 0:
            return
        ready, _, _ = select.select([self._terminal], [], [], timeout)
        if ready:
            with contextlib.suppress(OSError), self.output.open("ab") as output:
                output.write(os.read(self._terminal, 65536))

    def _digest(self, line: str) -> None:
        if line.startswith("SIP/2.0 "):
            self._reason = line[8:].strip()
            return
        account = self._ACCOUNT.search(line)
        if account:
            name = {"Ok": REGISTERED, "Failed": REGISTER_FAILED}.get(account[1])
            if name:
                self._note(name, self._reason)
            return
        move = self._MOVE.search(line)
        if move is None:
            return
        before, after = move[1], move[2]
        if after == "LinphoneCallStreamsRunning":
            name = {"LinphoneCallConnected": UP, "LinphoneCallResuming": RESUMED}.get(before)
            if name:
                self._note(name)
        elif after in self._STATES:
            self._note(self._STATES[after], self._reason)

    def _type(self, line: str) -> None:
        os.write(self._terminal, line.encode() + b"\n")

    def dial(self, user: str) -> None:
        """Call a user of the server."""
        self._type(f"call sip:{user}@{self.server.domain}")

    def accept(self) -> None:
        """Take the call that rings."""
        self._type("answer")

    def hang_up(self) -> None:
        """End, cancel or refuse the call; a call that rings in is declined with 603."""
        self._type("terminate")

    def hold(self) -> None:
        """Put the call on hold."""
        self._type("pause")

    def resume(self) -> None:
        """Take the call from hold."""
        self._type("resume")

    def _say_goodbye(self) -> None:
        self._type("quit")
        self._pump(0.5)

    def _end(self) -> None:
        super()._end()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


def settle(condition: Callable[[], bool], what: str, *, timeout: float = TIMEOUT_S) -> None:
    """Poll until a condition holds; for what no event tells."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, f"not in {timeout} s: {what}"
        select.select([], [], [], 0.05)
