"""The control socket: where it stands, and the synchronous way of asking, for the command line.

Whoever may open the socket (mode 0660) is trusted to be an operator. What is said on it is
`centrex.runtime.envelope`'s, and who answers is a `centrex.runtime.desk.Desk`.
"""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import anyio
from anyio.abc import TaskStatus

from centrex.base import Refused, Unavailable
from centrex.runtime.desk import Desk, Handler
from centrex.runtime.envelope import ANSWER_LIMIT, LINE_LIMIT, Result, read_answer, request_line
from centrex.runtime.lock import InstanceLock

__all__ = [
    "ANSWER_LIMIT",
    "LINE_LIMIT",
    "CommandRefused",
    "Handler",
    "Result",
    "call",
    "follow",
    "serve",
    "why_unreachable",
]

_BACKLOG: Final = 64
_CHUNK: Final = 65536
_BACK_OFF_S: Final = 0.5
_MAX_PATH: Final = 107

CommandRefused = Refused
"""What a handler raises that will not obey."""


async def serve(
    path: Path | str,
    desk: Desk,
    *,
    lock: InstanceLock,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests until cancelled, then remove the socket; started once it can be connected to.

    Args:
        path: Where the socket stands; one that is left over from a process that died is replaced.
        desk: Who answers.
        lock: The lock of the instance; holding it is what makes a socket found there a stale one.
        task_status: For `TaskGroup.start`.

    Raises:
        Unavailable: The lock is not held, or the socket cannot be made there.
    """
    if not lock.held:
        raise Unavailable(f"the control socket {path} belongs to whoever holds {lock.path}")
    sock = _bind(Path(path))
    try:
        async with anyio.create_task_group() as tasks:
            task_status.started()
            while True:
                await anyio.wait_readable(sock)
                try:
                    client, _ = sock.accept()
                except BlockingIOError:
                    continue
                except OSError as error:
                    desk.failed("", error)
                    await anyio.sleep(_BACK_OFF_S)  # such as no descriptors left
                    continue
                tasks.start_soon(desk.attend, client)
    finally:
        sock.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _bind(path: Path) -> socket.socket:
    """Return a listening socket at a path, with its final mode from the first moment it is there."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    if len(os.fsencode(fresh)) > _MAX_PATH:
        raise Unavailable(f"the path of the control socket is too long: {path}")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        sock.setblocking(False)
        sock.bind(str(fresh))
        os.chmod(fresh, 0o660)
        sock.listen(_BACKLOG)
        os.replace(fresh, path)
    except OSError as error:
        sock.close()
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise Unavailable(f"cannot make the control socket {path}: {error.strerror}") from error
    return sock


def call(
    path: Path | str,
    command: str,
    params: dict[str, Any] | None = None,
    timeout_s: float = 10.0,
) -> Result:
    """Ask a running instance, and wait for its answer.

    Args:
        path: Its control socket.
        command: The command.
        params: Its parameters.
        timeout_s: How long to wait in all.

    Raises:
        Unavailable: Nobody listens there, we may not connect, or no answer came.
        CommandRefused: The instance answered with an error.
    """
    request = request_line(command, params)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            line = _exchange(sock, str(path), request, time.monotonic() + timeout_s)
    except TimeoutError as error:
        raise Unavailable(f"{path}: no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise Unavailable(why_unreachable(path, error)) from error
    return read_answer(line)


def _exchange(sock: socket.socket, path: str, request: bytes, deadline: float) -> bytes:
    """Send a line and return the line that comes back."""
    sock.settimeout(max(deadline - time.monotonic(), 0.001))
    sock.connect(path)
    sock.sendall(request)
    answer = bytearray()
    while not answer.endswith(b"\n"):
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        chunk = sock.recv(_CHUNK)
        answer += chunk
        if not chunk or len(answer) > ANSWER_LIMIT + 1:
            raise Unavailable(f"{path}: the instance ended the connection without an answer")
    return bytes(answer)


def follow(
    path: Path | str,
    stream: str,
    params: dict[str, Any] | None = None,
    timeout_s: float = 10.0,
) -> Iterator[Result]:
    """Yield the batches of a stream of a running instance, until nobody asks for more.

    Args:
        path: Its control socket.
        stream: The stream.
        params: Its parameters.
        timeout_s: How long it may take until the stream begins.

    Raises:
        Unavailable: Nobody listens there, we may not connect, or the instance has gone.
        CommandRefused: The instance answered with an error.
    """
    request = request_line(stream, params, follow=True, read_only=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(timeout_s)
            sock.connect(str(path))
            sock.sendall(request)
            with sock.makefile("rb") as lines:
                read_answer(_line(lines, path))
                sock.settimeout(None)
                while True:
                    yield read_answer(_line(lines, path))
        except TimeoutError as error:
            raise Unavailable(f"{path}: no answer within {timeout_s:g} s") from error
        except OSError as error:
            raise Unavailable(why_unreachable(path, error)) from error


def _line(lines: BinaryIO, path: Path | str) -> bytes:
    line = lines.readline(LINE_LIMIT + 1)
    if not line.endswith(b"\n"):
        raise Unavailable(f"{path}: the instance has ended the connection")
    return line


def why_unreachable(path: Path | str, error: OSError) -> str:
    """Put into words why nobody can be asked at a control socket."""
    if error.errno in {errno.ENOENT, errno.ECONNREFUSED}:
        return f"no instance is running at {path}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"no permission to open {path}: be root or in the group that owns it"
    return f"{path}: {error.strerror or error}"
