"""Phones that register as fast as the server answers, and remember when each was told 200."""

import itertools
import select
import socket
import time
from types import TracebackType
from typing import Self

from tests.support.ports import loopback
from tests.support.server import CentrexServer, password_of
from tests.support.sipmessage import Credentials, Message, build, response_to, token


class RegisterLoad:
    """All the phones share one socket and differ in their user names.

    Args:
        server: Where they register.
        users: Who they are, in the order in which they do.
        window: How many are under way together.
    """

    def __init__(self, server: CentrexServer, users: list[str], *, window: int = 64) -> None:
        self.server, self.window = server, window
        self.done: dict[str, float] = {}
        self.refused: list[str] = []
        self._next = iter(users)
        self._under_way: dict[str, tuple[str, Credentials, int]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.bind((loopback(), 0))
        self.host, self.port = self._socket.getsockname()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def run(self, seconds: float) -> None:
        """Register one after the other for some time; what was under way before is forgotten."""
        self._under_way.clear()
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for user in itertools.islice(self._next, self.window - len(self._under_way)):
                self._begin(user)
            message = self._receive(left)
            if message is not None and message.status:
                self._take(message)

    def answers_a_call(self, user: str, timeout: float = 20.0) -> bool:
        """Wait for an INVITE to a user and answer that it is busy; say whether it came."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            message = self._receive(left)
            if message is None or message.method != "INVITE" or message.status:
                continue
            if message.uri.startswith(f"sip:{user}@"):
                self._send(response_to(message, 486, "Busy Here", tag=token()))
                return True
        return False

    def _begin(self, user: str) -> None:
        call_id = token()
        self._under_way[call_id] = (user, Credentials(user, password_of(user)), 1)
        self._register(call_id)

    def _register(self, call_id: str, *extra: tuple[str, str]) -> None:
        user, _, cseq = self._under_way[call_id]
        aor = self.server.uri(user)
        lines = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{call_id}-{cseq}"),
            ("Max-Forwards", "70"),
            ("From", f"<{aor}>;tag={call_id}"),
            ("To", f"<{aor}>"),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} REGISTER"),
            ("Contact", f"<sip:{user}@{self.host}:{self.port}>"),
            ("Expires", "3600"),
            *extra,
        ]
        self._send(build(f"REGISTER sip:{self.server.domain} SIP/2.0", lines))

    def _take(self, response: Message) -> None:
        call_id = response.call_id
        if call_id not in self._under_way:
            return
        user, credentials, cseq = self._under_way[call_id]
        if response.cseq != cseq or response.status < 200:
            return
        if response.status == 200:
            self.done[user] = time.monotonic()
            del self._under_way[call_id]
            return
        answer = credentials.answer(response, "REGISTER", f"sip:{self.server.domain}")
        if answer is None or cseq > 1:
            self.refused.append(user)
            del self._under_way[call_id]
            return
        self._under_way[call_id] = (user, credentials, cseq + 1)
        self._register(call_id, answer)

    def _send(self, data: bytes) -> None:
        self._socket.sendto(data, (self.server.host, self.server.port))

    def _receive(self, timeout: float) -> Message | None:
        ready, _, _ = select.select([self._socket], [], [], max(0.0, timeout))
        return Message(self._socket.recv(65535)) if ready else None
