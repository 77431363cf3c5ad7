"""Callers and callees by the thousand in one loop, who repeat what is lost as RFC 3261 asks.

Requests are repeated until they are answered (§17.1.1.2, §17.1.2.2), a 200 until its ACK comes
(§13.3.1.4), and what is repeated to them is answered again (§17.2). SIPp cannot be the callee of
such a test: it ends a call as failed when an INVITE is repeated after its 200.
"""

import heapq
import itertools
import select
import socket
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.support.server import password_of
from tests.support.sipmessage import (
    Credentials,
    Message,
    build,
    response_to,
    sdp,
    token,
    uri_in,
)

Address: TypeAlias = tuple[str, int]
T1, T2, GIVE_UP = 0.5, 4.0, 32.0


class Clockwork:
    """A heap of things to do later, and of sockets to serve meanwhile."""

    def __init__(self) -> None:
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), action))

    def run(self, sides: "Sequence[Side]", until: Callable[[], bool], *, timeout: float) -> bool:
        """Serve the sides until a condition holds; False if the time is over first."""
        by_socket = {side.socket: side for side in sides}
        end = time.monotonic() + timeout
        while not until():
            now = time.monotonic()
            if now >= end:
                return False
            while self._later and self._later[0][0] <= now:
                heapq.heappop(self._later)[2]()
            wait = (self._later[0][0] if self._later else end) - time.monotonic()
            ready, _, _ = select.select(list(by_socket), [], [], max(0.0, min(wait, 0.1)))
            for one in ready:
                by_socket[one].drain()
        return True

    def repeat(self, send: Callable[[], None], going_on: Callable[[], bool], cap: float) -> None:
        """Send now, and again after T1, 2·T1, … (at most `cap` apart) for as long as told."""
        end = time.monotonic() + GIVE_UP

        def again(pause: float) -> None:
            if going_on() and time.monotonic() < end:
                send()
                following = min(pause * 2, cap)
                self.after(following, lambda: again(following))

        send()
        self.after(T1, lambda: again(T1))


class Side:
    """A UDP socket and who is told of what it gets."""

    def __init__(self, host: str, proxy: Address, take: Callable[[Message], None]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        name = self.socket.getsockname()
        self.address: Address = (str(name[0]), int(name[1]))
        self._proxy, self._take = proxy, take

    def send(self, data: bytes) -> None:
        """Send one message to the proxy."""
        self.socket.sendto(data, self._proxy)

    def drain(self) -> None:
        """Take all that has come."""
        while True:
            try:
                data = self.socket.recv(65535)
            except BlockingIOError:
                return
            if data.strip():
                self._take(Message(data))

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class OutgoingCall:
    """One call, as its caller sees it."""

    def __init__(self, caller: str, callee: str) -> None:
        self.caller, self.callee = caller, callee
        self.call_id, self.tag = token(), token()
        self.cseq, self.invite_cseq = 0, 0
        self.state = "calling"
        self.status = 0
        self.to = self.target = ""
        self.routes: list[str] = []
        self.waiting: set[tuple[str, int]] = set()
        self.ack = b""


class Callers:
    """All the calls made, from one socket.

    Args:
        clockwork: What runs them.
        proxy: Where requests go.
        host: Their own address.
        domain: Of all users.
        hold_s: How long a call lasts once it is answered.
    """

    def __init__(
        self, clockwork: Clockwork, proxy: Address, host: str, domain: str, *, hold_s: float
    ) -> None:
        self.side = Side(host, proxy, self._take)
        self.calls: dict[str, OutgoingCall] = {}
        self._clockwork, self._domain, self._hold_s = clockwork, domain, hold_s
        self._credentials: dict[str, Credentials] = {}

    def in_state(self, state: str) -> list[OutgoingCall]:
        """The calls that are calling, up, ended or failed."""
        return [call for call in self.calls.values() if call.state == state]

    @property
    def open(self) -> int:
        """How many calls are neither ended nor failed."""
        return sum(call.state not in ("ended", "failed") for call in self.calls.values())

    def call(self, caller: str, callee: str) -> None:
        """Begin a call."""
        call = OutgoingCall(caller, callee)
        self.calls[call.call_id] = call
        self._request(call, "INVITE")

    def _credentials_of(self, user: str) -> Credentials:
        if user not in self._credentials:
            self._credentials[user] = Credentials(user, password_of(user))
        return self._credentials[user]

    def _uri(self, call: OutgoingCall) -> str:
        return f"sip:{call.callee}@{self._domain}"

    def _write(
        self, call: OutgoingCall, method: str, cseq: int, extra: Sequence[tuple[str, str]] = ()
    ) -> bytes:
        host, port = self.side.address
        inside = bool(call.target) and method != "INVITE"
        branch = f"z9hG4bK{call.call_id}-{'ack2xx' if inside and method == 'ACK' else cseq}"
        lines = [("Via", f"SIP/2.0/UDP {host}:{port};rport;branch={branch}")]
        lines += [("Route", route) for route in call.routes if inside]
        lines += [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{call.caller}@{self._domain}>;tag={call.tag}"),
            ("To", call.to or f"<{self._uri(call)}>"),
            ("Call-ID", call.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", f"<sip:{call.caller}@{host}:{port}>"),
            *extra,
        ]
        body = ""
        if method == "INVITE":
            body = sdp(host)
            lines.append(("Content-Type", "application/sdp"))
        uri = call.target if inside else self._uri(call)
        return build(f"{method} {uri} SIP/2.0", lines, body)

    def _request(
        self, call: OutgoingCall, method: str, extra: Sequence[tuple[str, str]] = ()
    ) -> None:
        call.cseq += 1
        if method == "INVITE":
            call.invite_cseq = call.cseq
        data = self._write(call, method, call.cseq, extra)
        key = (method, call.cseq)
        call.waiting.add(key)
        cap = GIVE_UP if method == "INVITE" else T2
        self._clockwork.repeat(lambda: self.side.send(data), lambda: key in call.waiting, cap)
        self._clockwork.after(GIVE_UP, lambda: self._give_up(call, key))

    @staticmethod
    def _give_up(call: OutgoingCall, key: tuple[str, int]) -> None:
        if key in call.waiting:
            call.waiting.clear()
            call.state, call.status = "failed", 408

    def _take(self, message: Message) -> None:
        call = self.calls.get(message.call_id)
        if call is None or not message.status:
            return
        key = (message.method, message.cseq)
        if message.status >= 200 or message.method == "INVITE":
            # A BYE goes on being repeated after a provisional response.
            known = key in call.waiting
            call.waiting.discard(key)
        else:
            return
        if message.status < 200:
            return
        if message.method == "INVITE":
            self._invite_answered(call, message)
        elif known:
            self._bye_answered(call, message)

    def _invite_answered(self, call: OutgoingCall, response: Message) -> None:
        if response.status >= 300:
            before, call.to = call.to, response.get("to")
            self.side.send(self._write(call, "ACK", response.cseq))
            call.to = before
            if response.cseq != call.invite_cseq or call.state != "calling":
                return
            answer = self._credentials_of(call.caller).answer(response, "INVITE", self._uri(call))
            if answer is None or call.cseq > 3:
                call.state, call.status = "failed", response.status
            else:
                self._request(call, "INVITE", [answer])
            return
        if call.state == "calling":
            call.state, call.status = "up", response.status
            call.to, call.target = response.get("to"), uri_in(response.get("contact"))
            routes = reversed(response.all("record-route"))
            call.routes = [f"<{uri_in(route)}>" for route in routes]
            call.ack = self._write(call, "ACK", call.invite_cseq)
            self._clockwork.after(self._hold_s, lambda: self._request(call, "BYE"))
        self.side.send(call.ack)

    def _bye_answered(self, call: OutgoingCall, response: Message) -> None:
        answer = self._credentials_of(call.caller).answer(response, "BYE", call.target)
        if answer is not None and call.cseq < 6:
            self._request(call, "BYE", [answer])
            return
        call.status = response.status
        call.state = "ended" if response.status == 200 else "failed"


class Callees:
    """All the calls taken, on one socket; each rings for a while and is answered."""

    def __init__(
        self, clockwork: Clockwork, proxy: Address, host: str, contact: Address, *, ring_s: float
    ) -> None:
        self.side = Side(host, proxy, self._take)
        self._clockwork, self._contact, self._ring_s = clockwork, contact, ring_s
        self._answers: dict[str, bytes] = {}
        self._unacknowledged: set[str] = set()
        self.answered: set[str] = set()
        self.acknowledged: set[str] = set()
        self.ended: set[str] = set()

    def _take(self, message: Message) -> None:
        if message.status:
            return
        if message.method == "INVITE":
            self._invited(message)
        elif message.method == "ACK":
            self._unacknowledged.discard(message.call_id)
            self.acknowledged.add(message.call_id)
        elif message.method == "BYE":
            self._unacknowledged.discard(message.call_id)
            self.ended.add(message.call_id)
            self.side.send(response_to(message, 200, "OK"))
        else:
            self.side.send(response_to(message, 200, "OK", tag=token()))

    def _invited(self, invite: Message) -> None:
        call_id = invite.call_id
        if call_id in self._answers:
            self.side.send(self._answers[call_id])
            return
        tag = token()
        contact = [("Contact", f"<sip:callee@{self._contact[0]}:{self._contact[1]}>")]
        ringing = response_to(invite, 180, "Ringing", tag=tag, headers=contact)
        self._answers[call_id] = ringing
        self.side.send(ringing)
        typed = [*contact, ("Content-Type", "application/sdp")]
        body = sdp(self.side.address[0])
        taken = response_to(invite, 200, "OK", tag=tag, headers=typed, body=body)

        def answer() -> None:
            self._answers[call_id] = taken
            self._unacknowledged.add(call_id)
            self.answered.add(call_id)
            self._clockwork.repeat(
                lambda: self.side.send(taken), lambda: call_id in self._unacknowledged, T2
            )

        self._clockwork.after(self._ring_s, answer)
