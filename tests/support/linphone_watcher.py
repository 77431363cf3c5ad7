"""liblinphone as a watcher: its own SUBSCRIBE machinery, by ctypes, since no program of it has verbs for that.

It refreshes by itself; when it is told that its subscription has ended, it tells that and leaves it to the
program to subscribe anew (RFC 6665 §4.1.3), which this one does after a second.

Run as a program it registers, subscribes and writes a line of JSON for each thing that happens;
`LinphoneWatcher` runs it as a process of its own.
"""

import ctypes
import ctypes.util
import json
import math
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.support.phones import Linphone
from tests.support.server import CentrexServer

LIBRARY: Final = "liblinphone.so.10"
_ITERATE_S: Final = 0.02
_REGISTERED: Final = 2
_AGAIN_S: Final = 1.0
_TELLS = 1
_STATES: Final = (
    "none", "outgoing", "incoming", "pending", "active", "terminated", "error", "expiring",
)  # fmt: skip


def available() -> bool:
    """Whether the library is there."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


class LinphoneWatcher:
    """A liblinphone that registers as a user and watches something.

    Args:
        user: Who it is.
        server: Where it registers.
        folder: A folder for its files.
        target: The URI it watches.
        event: The package.
    """

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, target: str, event: str
    ) -> None:
        phone = Linphone(user, server, folder)
        self._folder = phone.folder
        settings = self._folder / "linphonerc"
        settings.write_text(phone._configuration(), encoding="utf-8")
        for name in (".local/share/linphone", ".config"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        self._command = [sys.executable, "-m", __name__, str(settings), target, event]
        self.seen: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        self._errors = (self._folder / "errors.log").open("wb")
        self._process = subprocess.Popen(
            self._command,
            cwd=Path(__file__).parents[2],
            bufsize=0,  # or a line could wait in a buffer that no selector sees
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**kept, "HOME": str(self._folder)},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            error.add_note(f"{self.seen}\n{(self._folder / 'errors.log').read_bytes()[-3000:]!r}")
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        process.stdout.close()
        self._errors.close()

    def await_(self, what: str, containing: str = "", timeout: float = 30.0) -> dict[str, Any]:
        """Wait until it tells something, counted from what was awaited last."""
        assert self._process.stdout is not None
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while True:
                left = end - time.monotonic()
                assert left > 0, f"not in {timeout} s: {what} {containing}"
                if not selector.select(left):
                    continue
                line = self._process.stdout.readline()
                assert line, f"it has ended before {what} {containing}"
                seen: dict[str, Any] = json.loads(line)
                self.seen.append(seen)
                if seen["what"] == what and containing in seen["text"]:
                    return seen


def _say(what: str, text: str) -> None:
    os.write(_TELLS, json.dumps({"what": what, "text": text}).encode() + b"\n")


class _Pause:
    """The time between the end of a subscription and the next one."""

    def __init__(self) -> None:
        self._until = math.inf

    def note(self, state: str) -> None:
        """The subscription has come to another state."""
        if state in ("terminated", "error"):
            self._until = time.monotonic() + _AGAIN_S

    def is_over(self) -> bool:
        """Whether it is time to subscribe anew; true once."""
        over = time.monotonic() >= self._until
        if over:
            self._until = math.inf
        return over


def main(settings: str, target: str, event: str) -> None:
    """Register, subscribe, and tell what comes, until standard input ends."""
    library = ctypes.CDLL(LIBRARY)

    def function(name: str, *arguments: Any, returns: Any = ctypes.c_void_p) -> Any:
        found = getattr(library, f"linphone_{name}")
        found.restype, found.argtypes = returns, arguments
        return found

    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    content_text = function("content_get_utf8_text", pointer, returns=text)

    def notified(core: int, subscription: int, name: bytes, body: int | None) -> None:
        _say("notify", (content_text(body) or b"").decode() if body else "")

    def changed(core: int, subscription: int, state: int) -> None:
        _say("subscription", _STATES[state])
        pause.note(_STATES[state])

    def registration(core: int, proxy: int, state: int, message: bytes) -> None:
        registered.append(state)

    registered: list[int] = []
    pause = _Pause()
    factory = function("factory_get")()
    core = function("factory_create_core_3", pointer, text, text, pointer)(
        factory, settings.encode(), None, None
    )
    callbacks = function("factory_create_core_cbs", pointer)(factory)
    kept = []  # the library keeps no reference of its own
    for name, call, kind in (
        ("notify_received", notified, ctypes.CFUNCTYPE(None, pointer, pointer, text, pointer)),
        (
            "subscription_state_changed",
            changed,
            ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_int),
        ),
        (
            "registration_state_changed",
            registration,
            ctypes.CFUNCTYPE(None, pointer, pointer, ctypes.c_int, text),
        ),
    ):
        kept.append(kind(call))
        function(f"core_cbs_set_{name}", pointer, kind, returns=None)(callbacks, kept[-1])
    function("core_add_callbacks", pointer, pointer, returns=None)(core, callbacks)
    function("core_start", pointer, returns=ctypes.c_int)(core)
    iterate = function("core_iterate", pointer, returns=None)
    address = function("factory_create_address", pointer, text)(factory, target.encode())
    subscription = None
    os.set_blocking(0, False)
    while sys.stdin.buffer.read(1) is None:
        iterate(core)
        if pause.is_over() or (subscription is None and _REGISTERED in registered):
            subscribe = function("core_create_subscribe", pointer, pointer, text, ctypes.c_int)
            subscription = subscribe(core, address, event.encode(), 600)
            send = function("event_send_subscribe", pointer, pointer, returns=ctypes.c_int)
            send(subscription, None)
        time.sleep(_ITERATE_S)
    if subscription is not None:
        function("event_terminate", pointer, returns=None)(subscription)
    for _ in range(50):
        iterate(core)
        time.sleep(_ITERATE_S)


if __name__ == "__main__":
    _TELLS = os.dup(1)
    os.dup2(2, 1)  # the library writes its log to where we tell
    main(*sys.argv[1:])
