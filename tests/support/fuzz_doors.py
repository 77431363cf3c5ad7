"""Random lines for the control socket: nonsense, and commands with whatever parameters."""

import json
import random
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from centrex.runtime.envelope import LINE_LIMIT

_NAMES: Final = (
    "name", "id", "aor", "changes", "fingerprint", "text", "source", "on", "offset", "number", "limit",
    "level", "kinds", "info", "from", "format", "contact", "confirm_s", "closely", "call_id", "at", "q",
)  # fmt: skip
_TEXTS: Final = (
    "", "x", "sip:user1@example.com", "user1", "local", "\ud800", "\x00", "\x1b[2J", "é" * 300, "[" * 90,
    "9" * 400, "192.0.2.1", "::1", "2026-13-45T99:99:99", "../../etc/passwd", "%s{0}", "text", "error",
)  # fmt: skip
_NUMBERS: Final = (
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**30,
    1.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
)


class ControlFuzz:
    """Speaks to a control socket, as nobody should.

    Args:
        path: The socket.
        commands: The commands that may be given, with whatever parameters.
        seed: Equal seeds say the same.

    Attributes:
        answers: How many answers of each kind came back.
    """

    def __init__(self, path: Path, commands: Sequence[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.answers: Counter[str] = Counter()
        self._path, self._commands = path, commands

    def run(self, lines: int) -> None:
        """Say so many lines; each is answered by one, or ends the connection as agreed.

        Raises:
            AssertionError: It is not; tells the line.
        """
        said = 0
        while said < lines:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.settimeout(25)
                sock.connect(str(self._path))
                with sock.makefile("rb") as answers:
                    for _ in range(self.random.randrange(1, 40)):
                        said += 1
                        line = self._line()
                        self._put(sock, line)
                        if line.strip() and not self._is_answered(answers.readline(), line):
                            break

    def _is_answered(self, answer: bytes, line: bytes) -> bool:
        """Check an answer; return whether the connection goes on."""
        told = json.loads(answer)
        assert told["v"] == 1, (line, answer)
        kind = "result" if told["ok"] else told["error"]["code"]
        self.answers[kind] += 1
        assert kind != "internal", (line, answer)
        return len(line) <= LINE_LIMIT

    def _put(self, sock: socket.socket, line: bytes) -> None:
        data = line + b"\n"
        if self.random.random() < 0.1:  # in pieces
            at = self.random.randrange(len(data))
            sock.sendall(data[:at])
            data = data[at:]
        sock.sendall(data)

    def _line(self) -> bytes:
        draw = self.random.random()
        if draw < 0.1:
            return self.random.randbytes(self.random.randrange(60)).replace(b"\n", b"")
        if draw < 0.15:
            return self.random.choice(
                (b"[" * 100_000, b'{"v":' * 5000, b"1" * 5000, b"null", b'"x"')
            )
        if draw < 0.152:
            return b"x" * (LINE_LIMIT + 1)
        request: dict[str, Any] = {"v": 1, "id": 1, "command": self.random.choice(self._commands)}
        request["params"] = {
            self.random.choice(_NAMES): self._value(3) for _ in range(self.random.randrange(5))
        }
        if self.random.random() < 0.2:
            request[self.random.choice(("v", "id", "command", "params", "read_only"))] = (
                self._value(2)
            )
        line = json.dumps(request).encode()
        if self.random.random() < 0.1:
            at = self.random.randrange(len(line))
            line = line[:at] + self.random.randbytes(1).replace(b"\n", b" ") + line[at + 1 :]
        return line

    def _value(self, depth: int) -> Any:
        draw = self.random.randrange(8 if depth else 5)
        if draw < 2:
            return self.random.choice(_TEXTS)
        if draw < 4:
            return self.random.choice(_NUMBERS)
        if draw == 4:
            return self.random.choice((None, True, False))
        count = self.random.randrange(4)
        if draw < 7:
            return [self._value(depth - 1) for _ in range(count)]
        return {self.random.choice(_NAMES): self._value(depth - 1) for _ in range(count)}
