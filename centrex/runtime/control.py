"""The control socket: requests to a running instance, one JSON object a line, and their answers.

Knows the envelope of version 1 and nothing of any command: those are the handlers it is given. The
server half is asynchronous and trusts whoever may open the socket (mode 0660) to be an operator,
yet bounds what each can hold; the client half is synchronous, for the command line.
"""

import contextlib
import errno
import inspect
import json
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
from anyio.abc import TaskStatus

from centrex.base import CentrexError, ConfigError, Unavailable
from centrex.runtime.lock import InstanceLock

VERSION: Final = 1
LINE_LIMIT: Final = 1024 * 1024
"""Octets in one line, either way, its end not counted."""
CLIENTS: Final = 32
"""Clients served at once; the next is refused."""
_BACKLOG: Final = 64
_CHUNK: Final = 65536
_BACK_OFF_S: Final = 0.5
_MAX_PATH: Final = 107

Result: TypeAlias = dict[str, Any]
Handler: TypeAlias = Callable[[dict[str, Any]], Awaitable[Result] | Result]
Failed: TypeAlias = Callable[[str, Exception], None]
"""Told of a command and the unexpected failure of its handler; "" where accepting failed."""


class CommandRefused(CentrexError):
    """A command was understood and cannot be done.

    Args:
        code: `not-found`, `refused`, `invalid`, `unavailable` or `internal`.
        message: Why, in words.
        detail: What else the error object holds, such as `nearest` or `problems`.
    """

    def __init__(self, code: str, message: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.detail = code, message, dict(detail or {})


# --------------------------------------------------------------------------------------- server


async def serve(
    path: Path | str,
    handlers: Mapping[str, Handler],
    *,
    lock: InstanceLock,
    failed: Failed,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Answer requests until cancelled, then remove the socket; started once it can be connected to.

    Args:
        path: Where the socket stands; one that is left over from a process that died is replaced.
        handlers: What each command does: its `params` in, its `result` out. A handler refuses with
            `CommandRefused`, `ConfigError` or `Unavailable`; anything else is an internal failure.
        lock: The lock of the instance; holding it is what makes a socket found there a stale one.
        failed: Told of internal failures.
        task_status: For `TaskGroup.start`.

    Raises:
        Unavailable: The lock is not held, or the socket cannot be made there.
    """
    if not lock.held:
        raise Unavailable(f"the control socket {path} belongs to whoever holds {lock.path}")
    sock = _bind(Path(path))
    desk = _Desk(handlers, failed)
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
                    failed("", error)
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


class _Desk:
    """Answers clients, each in turn and all at once."""

    def __init__(self, handlers: Mapping[str, Handler], failed: Failed) -> None:
        self._handlers, self._failed = handlers, failed
        self._clients = 0

    async def attend(self, sock: socket.socket) -> None:
        """Serve one client until it leaves or breaks the protocol."""
        self._clients += 1
        try:
            sock.setblocking(False)
            if self._clients > CLIENTS:
                await _send(sock, _error(None, "refused", f"{CLIENTS} clients are connected"))
            else:
                await self._converse(sock)
        except OSError:
            return  # the client has left, in the middle of something or not
        finally:
            self._clients -= 1
            sock.close()

    async def _converse(self, sock: socket.socket) -> None:
        buffer = bytearray()
        while True:
            line, end, rest = buffer.partition(b"\n")
            if len(line) > LINE_LIMIT:
                why = f"a line is longer than {LINE_LIMIT} octets"
                await _send(sock, _error(None, "invalid", why))
                return
            if end:
                buffer = rest
                if line.strip():
                    await _send(sock, await self.reply(bytes(line)))
                continue
            await anyio.wait_readable(sock)
            with contextlib.suppress(BlockingIOError):
                chunk = sock.recv(_CHUNK)
                if not chunk:
                    return
                buffer += chunk

    async def reply(self, line: bytes) -> bytes:
        """Return the line that answers a line."""
        ident: Any = None
        command = ""
        try:
            request = _request(line)
            ident, command = request.get("id"), request["command"]
            handler = self._handlers.get(command)
            if handler is None:
                known = ", ".join(sorted(self._handlers))
                raise CommandRefused("not-found", f"there is no command {command!r}: {known}")
            result = handler(request.get("params") or {})
            if inspect.isawaitable(result):
                result = await result
            answer = _line({"v": VERSION, "id": ident, "ok": True, "result": result})
        except CommandRefused as error:
            return _error(ident, error.code, error.message, error.detail)
        except ConfigError as error:
            problems = [asdict(problem) for problem in error.problems]
            return _error(ident, "invalid", str(error), {"problems": problems})
        except Unavailable as error:
            return _error(ident, "unavailable", str(error))
        except Exception as error:  # noqa: BLE001 - one failing command must not end the instance
            self._failed(command, error)
            return _error(ident, "internal", f"the command failed: {type(error).__name__}")
        if len(answer) > LINE_LIMIT:
            return _error(ident, "refused", "the answer is too long for one line; ask for less")
        return answer


async def _send(sock: socket.socket, line: bytes) -> None:
    left = memoryview(line)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await anyio.wait_writable(sock)


def _request(line: bytes) -> dict[str, Any]:
    """Return the request on a line.

    Raises:
        CommandRefused: It is none, or of another version.
    """
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CommandRefused("invalid", "the line is not JSON") from error
    if not isinstance(request, dict) or not isinstance(request.get("command"), str):
        raise CommandRefused("invalid", "the line is not an object with a command")
    if request.get("v") != VERSION:
        raise CommandRefused("invalid", f"this instance speaks version {VERSION} of the protocol")
    if not isinstance(request.get("params") or {}, dict):
        raise CommandRefused("invalid", "params is not an object")
    if not isinstance(request.get("id"), int | str | None):
        raise CommandRefused("invalid", "id is neither a number nor a string")
    return request


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _error(ident: Any, code: str, message: str, detail: Mapping[str, Any] | None = None) -> bytes:
    error = {**(detail or {}), "code": code, "message": message}
    return _line({"v": VERSION, "id": ident, "ok": False, "error": error})


# --------------------------------------------------------------------------------------- client


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
    request = _line({"v": VERSION, "id": 1, "command": command, "params": params or {}})
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            line = _exchange(sock, str(path), request, time.monotonic() + timeout_s)
    except TimeoutError as error:
        raise Unavailable(f"{path}: no answer within {timeout_s:g} s") from error
    except OSError as error:
        raise Unavailable(_why_unreachable(path, error)) from error
    return _result(line)


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
        if not chunk or len(answer) > LINE_LIMIT + 1:
            raise Unavailable(f"{path}: the instance ended the connection without an answer")
    return bytes(answer)


def _why_unreachable(path: Path | str, error: OSError) -> str:
    if error.errno in {errno.ENOENT, errno.ECONNREFUSED}:
        return f"no instance is running at {path}"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"no permission to open {path}: be root or in the group that owns it"
    return f"{path}: {error.strerror or error}"


def _result(line: bytes) -> Result:
    try:
        answer = json.loads(line)
        if answer["ok"]:
            return dict(answer["result"])
        detail = dict(answer["error"])
        code, message = str(detail.pop("code")), str(detail.pop("message"))
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable("the instance answered in a way that is not understood") from error
    raise CommandRefused(code, message, detail)
