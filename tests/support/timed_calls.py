"""Calls at a steady rate whose set-up is timed by the kernel: caller and callee in one loop.

A call is INVITE, 180, 200 after a ring, ACK, BYE after a talk. Its set-up time is that of the INVITE
from the one to the other plus that of the 180 back: arrivals are stamped by the kernel, and what the
callee itself takes is left out, so that a late wake-up of this process does not count. It repeats
nothing; a call that loses a message is one that failed.
"""

import heapq
import itertools
import random
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int]

_TIMES: Final = 35
"""SO_TIMESTAMPNS of Linux, which Python does not name."""
_TIME: Final = struct.Struct("@ll")
RING_S: Final = 0.1
TALK_S: Final = 0.5
_LINGER_S: Final = 3.0
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=sendrecv\r\n"
)


@dataclass(slots=True)
class Timed:
    """What became of the calls of one stretch."""

    placed: int = 0
    ended: int = 0
    setup_us: list[float] = field(default_factory=list)
    """INVITE to 180 of each call, without the callee's own time."""


class _Call:
    """One call under way."""

    __slots__ = ("back", "call_id", "forth_ns", "routes", "sent_ns", "target", "to")

    def __init__(self, call_id: bytes) -> None:
        self.call_id = call_id
        self.sent_ns = self.forth_ns = self.back = 0
        self.to = self.target = self.routes = b""


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.setsockopt(socket.SOL_SOCKET, _TIMES, 1)
    made.bind((host, 0))
    made.setblocking(False)
    return made


def _header(data: bytes, name: bytes) -> bytes:
    """Return the first header of a name, in the one spelling that is used here."""
    at = data.find(b"\r\n" + name + b": ")
    return data[at + len(name) + 4 : data.find(b"\r\n", at + 2)] if at >= 0 else b""


def _headers(data: bytes, name: bytes) -> list[bytes]:
    head = data.partition(b"\r\n\r\n")[0]
    return [line for line in head.split(b"\r\n") if line.startswith(name + b": ")]


class TimedCalls:
    """Callers on one socket and callees on another.

    Args:
        server: Where all messages go.
        domain: The server's domain.
        caller: The callers' address.
        callee: The callees' address.
        users: How many callees there are.
        seed: Of the moments at which calls begin.
    """

    def __init__(
        self,
        server: Address,
        domain: str,
        caller: str,
        callee: str,
        *,
        users: int = 100,
        seed: int = 1,
    ) -> None:
        self._server, self._domain, self._users = server, domain, users
        self._a, self._b = _socket(caller), _socket(callee)
        self._dice = random.Random(seed)
        self._numbers = itertools.count(1)
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._calls: dict[bytes, _Call] = {}
        self._timed = Timed()
        self._registered = 0

    def close(self) -> None:
        """Close both sockets."""
        self._a.close()
        self._b.close()

    def register(self, seconds: float = 10.0) -> bool:
        """Register the callees; return whether all were told 200."""
        host, port = self._b.getsockname()
        for number in range(self._users):
            user = f"u{number}"
            text = (
                f"REGISTER sip:{self._domain} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKr{number}{port}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:{user}@{self._domain}>;tag=r{number}\r\n"
                f"To: <sip:{user}@{self._domain}>\r\nCall-ID: r{number}@{host}:{port}\r\n"
                f"CSeq: 1 REGISTER\r\nContact: <sip:{user}@{host}:{port}>\r\nExpires: 3600\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            send = partial(self._b.sendto, text.encode(), self._server)
            self._after(number * 0.002, send)
        self._serve(lambda: self._registered >= self._users, seconds)
        return self._registered >= self._users

    def run(self, rate: float, seconds: float) -> Timed:
        """Place calls at random moments for some time, and wait for their ends."""
        self._timed, self._calls = Timed(), {}
        end = time.monotonic() + seconds

        def place() -> None:
            if time.monotonic() < end:
                self._place()
                self._after(self._dice.expovariate(rate), place)

        place()
        self._serve(lambda: time.monotonic() > end and not self._calls, seconds + _LINGER_S)
        return self._timed

    def _after(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), action))

    def _serve(self, until: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        sides = ((self._a, self._at_caller), (self._b, self._at_callee))
        while not until() and (now := time.monotonic()) < end:
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2]()
            wait = (self._later[0][0] if self._later else end) - time.monotonic()
            ready, _, _ = select.select([self._a, self._b], [], [], max(0.0, min(wait, 0.1)))
            for one, take in sides:
                if one in ready:
                    self._drain(one, take)

    def _drain(self, one: socket.socket, take: Callable[[bytes, int], None]) -> None:
        while True:
            try:
                data, notes, _, _ = one.recvmsg(65535, 64)
            except BlockingIOError:
                return
            seconds, nanoseconds = _TIME.unpack(notes[0][2])
            take(data, seconds * 1_000_000_000 + nanoseconds)

    # at the caller

    def _place(self) -> None:
        number = next(self._numbers)
        host, port = self._a.getsockname()
        call = _Call(b"c%d-%d@%s" % (number, port, host.encode()))
        self._calls[call.call_id] = call
        self._timed.placed += 1
        user, body = f"u{number % self._users}", _SDP.format(host=host)
        data = self._request(
            call, b"INVITE", f"sip:{user}@{self._domain}".encode(), b"1",
            b"To: <sip:%s@%s>\r\n" % (user.encode(), self._domain.encode()), body.encode(),
        )  # fmt: skip
        call.sent_ns = time.time_ns()
        self._a.sendto(data, self._server)

    def _request(
        self, call: _Call, method: bytes, uri: bytes, cseq: bytes, more: bytes, body: bytes = b""
    ) -> bytes:
        host, port = self._a.getsockname()
        name = host.encode()
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        return (
            b"%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;rport;branch=z9hG4bK%s%s\r\n"
            b"Max-Forwards: 70\r\nFrom: <sip:caller@%s>;tag=a\r\n%sCall-ID: %s\r\nCSeq: %s %s\r\n"
            b"Contact: <sip:caller@%s:%d>\r\n%sContent-Length: %d\r\n\r\n%s"
        ) % (
            method, uri, name, port, method, call.call_id.partition(b"@")[0],
            self._domain.encode(), more, call.call_id, cseq, method,
            name, port, kind, len(body), body,
        )  # fmt: skip

    def _in_dialog(self, call: _Call, method: bytes, cseq: bytes) -> None:
        more = b"%sTo: %s\r\n" % (call.routes, call.to)
        self._a.sendto(self._request(call, method, call.target, cseq, more), self._server)

    def _at_caller(self, data: bytes, at_ns: int) -> None:
        call = self._calls.get(_header(data, b"Call-ID"))
        if call is None or not data.startswith(b"SIP/2.0 "):
            return
        status = int(data[8:11])
        if _header(data, b"CSeq").endswith(b"BYE"):
            self._timed.ended += status == 200
            del self._calls[call.call_id]
        elif status == 180 and call.back:
            self._timed.setup_us.append((call.forth_ns + at_ns - call.back) / 1000)
        elif status == 200 and not call.target:
            call.to = _header(data, b"To")
            call.target = _header(data, b"Contact").strip(b"<>")
            routes = reversed(_headers(data, b"Record-Route"))
            call.routes = b"".join(one.replace(b"Record-", b"", 1) + b"\r\n" for one in routes)
            self._in_dialog(call, b"ACK", b"1")
            self._after(TALK_S, lambda: self._in_dialog(call, b"BYE", b"2"))
        elif status >= 300:
            del self._calls[call.call_id]

    # at the callee

    def _at_callee(self, data: bytes, at_ns: int) -> None:
        if data.startswith(b"SIP/2.0 200"):
            self._registered += 1
            return
        if data.startswith(b"BYE"):
            self._b.sendto(self._answer(data, b"200 OK"), self._server)
            return
        call = self._calls.get(_header(data, b"Call-ID"))
        if call is None or call.back or not data.startswith(b"INVITE"):
            return
        call.forth_ns = at_ns - call.sent_ns
        body = _SDP.format(host=self._b.getsockname()[0]).encode()
        ok = self._answer(data, b"200 OK", body)
        self._after(RING_S, lambda: self._b.sendto(ok, self._server))
        ringing = self._answer(data, b"180 Ringing")
        call.back = time.time_ns()
        self._b.sendto(ringing, self._server)

    def _answer(self, data: bytes, status: bytes, body: bytes = b"") -> bytes:
        host, port = self._b.getsockname()
        kept = b"\r\n".join(_headers(data, b"Via") + _headers(data, b"Record-Route"))
        to = _header(data, b"To")
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        return (
            b"SIP/2.0 %s\r\n%s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n"
            b"Contact: <sip:callee@%s:%d>\r\n%sContent-Length: %d\r\n\r\n%s"
        ) % (
            status, kept, _header(data, b"From"), to, b"" if b"tag=" in to else b";tag=b",
            _header(data, b"Call-ID"), _header(data, b"CSeq"), host.encode(), port,
            kind, len(body), body,
        )  # fmt: skip
