"""A small synchronous SIP phone on real sockets, for tests that care about each message.

Nothing happens by itself: a test says what is sent and names what must come. What comes meanwhile
waits in the inbox. Over UDP `transact` repeats its request as RFC 3261 §17.1.2 asks; all else is
sent once.
"""

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from tests.support.ports import loopback
from tests.support.server import CentrexServer, password_of
from tests.support.sipmessage import (
    Credentials,
    Message,
    build,
    parameter,
    response_to,
    sdp,
    token,
    uri_in,
)

T1, T2 = 0.5, 4.0
TIMEOUT_S = 15.0
Headers: TypeAlias = Sequence[tuple[str, str]]
_REASONS = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    302: "Moved Temporarily",
    404: "Not Found",
    480: "Temporarily Unavailable",
    486: "Busy Here",
    487: "Request Terminated",
    500: "Server Internal Error",
    603: "Decline",
}


class Link(Protocol):
    """A path to the server."""

    local: tuple[str, int]

    def send(self, data: bytes) -> None:
        """Send one message."""

    def receive(self, timeout: float) -> list[bytes]:
        """Return the messages that came within a time; perhaps none."""

    def close(self) -> None:
        """Close the socket."""


class Datagrams:
    """UDP: one datagram, one message."""

    def __init__(self, server: tuple[str, int], host: str, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._server = server
        name = self._socket.getsockname()
        self.local = (str(name[0]), int(name[1]))

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._socket.sendto(data, self._server)

    def receive(self, timeout: float) -> list[bytes]:
        """Return the message that came within a time, if any."""
        self._socket.settimeout(max(timeout, 0.0001))
        try:
            return [self._socket.recv(65535)]
        except TimeoutError:
            return []

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Stream:
    """TCP or TLS: messages framed by Content-Length (RFC 3261 §18.3)."""

    def __init__(
        self, server: tuple[str, int], host: str, context: ssl.SSLContext | None = None
    ) -> None:
        plain = socket.create_connection(server, TIMEOUT_S, source_address=(host, 0))
        self._socket = context.wrap_socket(plain, server_hostname=server[0]) if context else plain
        self._buffer = b""
        name = self._socket.getsockname()
        self.local = (str(name[0]), int(name[1]))
        self.closed = False

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._socket.settimeout(TIMEOUT_S)
        self._socket.sendall(data)

    def receive(self, timeout: float) -> list[bytes]:
        """Return the messages that are complete within a time."""
        end = time.monotonic() + timeout
        while not (found := self._frames()):
            self._socket.settimeout(max(end - time.monotonic(), 0.0001))
            try:
                more = self._socket.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return []
            if not more:
                self.closed = True
                select.select([], [], [], max(0.0, min(0.05, end - time.monotonic())))
                return []
            self._buffer += more
        return found

    def _frames(self) -> list[bytes]:
        found: list[bytes] = []
        while True:
            self._buffer = self._buffer.lstrip(b"\r\n")
            head, gap, _ = self._buffer.partition(b"\r\n\r\n")
            if not gap:
                return found
            whole = len(head) + 4 + int(Message(head + gap).get("content-length") or 0)
            if len(self._buffer) < whole:
                return found
            found.append(self._buffer[:whole])
            self._buffer = self._buffer[whole:]

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class SipClient:
    """A phone: an identity, a link to the server, and an inbox.

    Args:
        user: The login and the user part of its address-of-record.
        server: Which server to speak to.
        transport: "udp", "tcp" or "tls".
        password: Its password, unless it is the usual one of the tests.
        algorithms: Digest algorithms it can do, the one it likes best first.
        host: Its own address; a loopback address of its own unless given.
        proxy: Where it sends to, unless straight to the server.
    """

    def __init__(
        self,
        user: str,
        server: CentrexServer,
        *,
        transport: str = "udp",
        password: str | None = None,
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        host: str = "",
        proxy: tuple[str, int] | None = None,
    ) -> None:
        self.user, self.server, self.transport = user, server, transport
        known = password_of(user) if password is None else password
        self.credentials = Credentials(user, known, algorithms)
        self.inbox: list[Message] = []
        self._came: set[str] = set()
        self.aor = server.uri(user)
        self.registration = token()
        self._registered = 0
        address = proxy or (server.host, server.port_of(transport))
        self.link: Link
        if transport == "udp":
            self.link = Datagrams(address, host or loopback())
        else:
            secure = transport == "tls" and server.certificates
            context = secure.client_context() if secure else None
            self.link = Stream(address, host or loopback(), context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.link.close()

    @property
    def sent_by(self) -> str:
        """Its own `host:port`."""
        return f"{self.link.local[0]}:{self.link.local[1]}"

    @property
    def contact(self) -> str:
        """Its Contact URI."""
        suffix = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{self.user}@{self.sent_by}{suffix}"

    def request(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        tag: str = "",
        call_id: str = "",
        cseq: int = 1,
        branch: str = "",
        headers: Headers = (),
        body: str = "",
    ) -> bytes:
        """Write a request from this phone; `To` is the request-URI unless given."""
        via = (
            f"SIP/2.0/{self.transport.upper()} {self.sent_by};rport;branch={branch or new_branch()}"
        )
        lines = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", f"<{self.aor}>;tag={tag or token()}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or token()),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
        if body:
            lines.append(("Content-Type", "application/sdp"))
        return build(f"{method} {uri} SIP/2.0", lines, body)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.link.send(data)

    def receive(self, timeout: float) -> bool:
        """Take what comes within a time into the inbox; say whether anything came."""
        came = self.link.receive(timeout)
        self.inbox.extend(Message(data) for data in came if data.strip())
        return bool(came)

    def find(self, wanted: Callable[[Message], bool], timeout: float = TIMEOUT_S) -> Message | None:
        """Take the first message that fits out of the inbox, waiting for it if need be."""
        end = time.monotonic() + timeout
        while True:
            for number, message in enumerate(self.inbox):
                if wanted(message):
                    return self.inbox.pop(number)
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.receive(left)

    def expect(
        self, what: str | int, *, call_id: str = "", cseq: int = 0, timeout: float = TIMEOUT_S
    ) -> Message:
        """Return the next request of a method (str) or response of a status (int)."""

        def wanted(message: Message) -> bool:
            kind: str | int = message.status or message.method
            right = kind == what and (not call_id or message.call_id == call_id)
            return right and (not cseq or message.cseq == cseq)

        found = self.find(wanted, timeout)
        assert found is not None, f"{self.user}: no {what} in {timeout} s; inbox: {self.inbox}"
        return found

    def forget(self) -> None:
        """Forget all that has come: what was repeated, as the answer was late, is no news."""
        while self.receive(0.0):
            pass
        self.inbox.clear()

    def expect_none(self, what: str | int, *, within: float) -> None:
        """Assert that no such message comes within a time."""
        found = self.find(lambda message: (message.status or message.method) == what, within)
        assert found is None, f"{self.user}: unexpected {found}"

    def respond(
        self,
        request: Message,
        status: int,
        *,
        tag: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: str = "",
    ) -> bytes:
        """Answer a request; return the bytes sent, so that they can be sent again."""
        lines = list(headers)
        if body:
            lines.append(("Content-Type", "application/sdp"))
        data = response_to(request, status, reason_of(status), tag=tag, headers=lines, body=body)
        self.send(data)
        return data

    def transact(self, data: bytes, *, timeout: float = TIMEOUT_S) -> Message:
        """Send a request other than INVITE and return its final response."""
        sent = Message(data)
        self.send(data)
        end = time.monotonic() + timeout
        pause = T1 if self.transport == "udp" else timeout

        def final(message: Message) -> bool:
            return message.status >= 200 and message.branch == sent.branch

        while (left := end - time.monotonic()) > 0:
            found = self.find(final, min(pause, left))
            if found is not None:
                return found
            pause = min(pause * 2, T2)
            if self.transport == "udp":
                self.send(data)
        raise AssertionError(f"{self.user}: no answer to {sent}; inbox: {self.inbox}")

    def ask(
        self,
        method: str,
        uri: str,
        *,
        to: str = "",
        tag: str = "",
        call_id: str = "",
        cseq: int = 1,
        headers: Headers = (),
        body: str = "",
    ) -> Message:
        """Send a request other than INVITE, answer one challenge, return the final response."""
        tag, call_id = tag or token(), call_id or token()

        def attempt(number: int, extra: Headers) -> Message:
            data = self.request(
                method,
                uri,
                to=to,
                tag=tag,
                call_id=call_id,
                cseq=number,
                headers=extra,
                body=body,
            )
            return self.transact(data)

        response = attempt(cseq, headers)
        answer = self.credentials.answer(response, method, uri)
        return response if answer is None else attempt(cseq + 1, [*headers, answer])

    def register(
        self, *, expires: int = 3600, contact: str = "", parameters: str = "", headers: Headers = ()
    ) -> Message:
        """Register, or with `expires=0` leave; return the final response."""
        value = contact or f"<{self.contact}>"
        lines = [("Contact", value + parameters), ("Expires", str(expires)), *headers]
        self._registered += 2
        return self.ask(
            "REGISTER",
            f"sip:{self.server.domain}",
            to=f"<{self.aor}>",
            call_id=self.registration,
            cseq=self._registered,
            headers=lines,
        )

    def invite(self, user: str, *, headers: Headers = (), body: str | None = None) -> "Call":
        """Call a user: INVITE, and again with credentials when challenged. Nothing more is awaited."""
        call = Call(self, f"sip:{user}@{self.server.domain}", headers=headers, body=body)
        call.send_invite()
        first = self.find(lambda message: bool(message.status) and message.call_id == call.call_id)
        assert first is not None, f"{self.user}: the INVITE was not answered"
        answer = self.credentials.answer(first, "INVITE", call.uri)
        if answer is None:
            self.inbox.insert(0, first)
        else:
            call.ack(first)
            call.send_invite(answer)
        return call

    def incoming(self, *, timeout: float = TIMEOUT_S) -> "Incoming":
        """Return the next call that comes in; an INVITE that is repeated makes no other one."""
        while True:
            invite = self.expect("INVITE", timeout=timeout)
            if invite.branch not in self._came:
                self._came.add(invite.branch)
                return Incoming(self, invite)


class Call:
    """A call this phone makes: the INVITE transaction, then the dialog."""

    def __init__(self, client: SipClient, uri: str, *, headers: Headers, body: str | None) -> None:
        self.client, self.uri = client, uri
        self.call_id, self.tag = token(), token()
        self.cseq, self.invite_cseq = 0, 0
        self.branch = ""
        self.invite = b""
        self.to = f"<{uri}>"
        self.target = uri
        self.routes: list[str] = []
        self._headers = headers
        self._body = sdp(client.link.local[0]) if body is None else body

    def send_invite(self, *credentials: tuple[str, str]) -> None:
        """Send the INVITE; its bytes stay in `invite`."""
        self.cseq += 1
        self.invite_cseq = self.cseq
        contact = ("Contact", f"<{self.client.contact}>")
        self.branch = new_branch()
        headers = [contact, *self._headers, *credentials]
        self.invite = self._write("INVITE", self.uri, self.branch, headers, self._body)
        self.client.send(self.invite)

    def _write(
        self, method: str, uri: str, branch: str, headers: Headers = (), body: str = ""
    ) -> bytes:
        return self.client.request(
            method,
            uri,
            to=self.to,
            tag=self.tag,
            call_id=self.call_id,
            cseq=self.invite_cseq if method in ("ACK", "CANCEL") else self.cseq,
            branch=branch,
            headers=headers,
            body=body,
        )

    def expect(self, status: int, *, timeout: float = TIMEOUT_S) -> Message:
        """Return a response to the INVITE. A 200 is acknowledged by `ack()`, a failure here."""
        response = self.client.expect(
            status, call_id=self.call_id, cseq=self.invite_cseq, timeout=timeout
        )
        if 200 <= status < 300:
            self.enter(response)
        elif status >= 300:
            self.ack(response)
        return response

    def enter(self, response: Message) -> None:
        """Take part in the dialog that a 200 has made; a later one leaves its routes (§12.2)."""
        if self.to != response.get("to"):
            routes = reversed(response.all("record-route"))
            self.routes = [f"<{uri_in(route)}>" for route in routes]
        self.to = response.get("to")
        self.target = uri_in(response.get("contact"))

    def ack(self, response: Message | None = None, *, body: str = "") -> bytes:
        """Acknowledge the 200, or the failure given (same branch, same URI; RFC 3261 §17.1.1.3)."""
        if response is None:
            data = self._write("ACK", self.target, new_branch(), self._route_headers(), body)
        else:
            before, self.to = self.to, response.get("to")
            data = self._write("ACK", self.uri, self.branch)
            self.to = before
        self.client.send(data)
        return data

    def cancel(self, *, forget_tag: bool = False) -> Message:
        """Send CANCEL; return the answer to it. With `forget_tag` as if no 200 had come yet."""
        to = self.to
        if forget_tag:
            self.to = f"<{self.uri}>"
        data = self._write("CANCEL", self.uri, self.branch)
        self.to = to
        return self.client.transact(data)

    def answered(self) -> Message:
        """Wait for the 200 and acknowledge it."""
        response = self.expect(200)
        self.ack()
        return response

    def bye_sent(self) -> bytes:
        """Hang up, without waiting for the answer; return the bytes sent."""
        self.cseq += 1
        headers = self._route_headers()
        again = self.client.credentials.again("BYE", self.target)
        if again is not None:
            headers.append(again)
        data = self._write("BYE", self.target, new_branch(), headers)
        self.client.send(data)
        return data

    def final(self, request: bytes) -> Message:
        """Return the final response to a request that has been sent."""
        branch = Message(request).branch
        found = self.client.find(lambda message: message.status >= 200 and message.branch == branch)
        assert found is not None, f"no answer to {Message(request)}; inbox: {self.client.inbox}"
        return found

    def reinvite_sent(self, body: str) -> None:
        """Send an INVITE inside the dialog; `expect` and `ack` serve for it from now on."""
        self.cseq += 1
        self.invite_cseq = self.cseq
        headers = [("Contact", f"<{self.client.contact}>"), *self._route_headers()]
        again = self.client.credentials.again("INVITE", self.target)
        if again is not None:
            headers.append(again)
        self.client.send(self._write("INVITE", self.target, new_branch(), headers, body))

    def _route_headers(self) -> list[tuple[str, str]]:
        return [("Route", route) for route in self.routes]


class Incoming:
    """A call that came in, as the callee."""

    def __init__(self, client: SipClient, invite: Message) -> None:
        self.client, self.invite = client, invite
        self.call_id, self.tag = invite.call_id, token()
        self._cseq = 0

    def respond(self, status: int, *, body: str = "", headers: Headers = ()) -> bytes:
        """Answer the INVITE; return the bytes sent."""
        lines = [("Contact", f"<{self.client.contact}>"), *headers]
        return self.client.respond(self.invite, status, tag=self.tag, headers=lines, body=body)

    def answer(self) -> bytes:
        """Take the call: 200 with a description."""
        return self.respond(200, body=sdp(self.client.link.local[0], 40002))

    def expect(self, method: str, *, timeout: float = TIMEOUT_S) -> Message:
        """Return the next request of this call, past its own INVITE where that is repeated."""
        while True:
            found = self.client.expect(method, call_id=self.call_id, timeout=timeout)
            if method != "INVITE" or found.branch != self.invite.branch:
                return found

    def cancelled(self) -> Message:
        """Await the CANCEL, answer it, end the INVITE with 487 and take its ACK."""
        cancel = self.expect("CANCEL")
        self.client.respond(cancel, 200, tag=self.tag)
        self.respond(487)
        self.expect("ACK")
        return cancel

    def ended(self) -> Message:
        """Await the BYE and answer it."""
        bye = self.expect("BYE")
        self.client.respond(bye, 200)
        return bye

    def bye(self) -> Message:
        """Hang up from this side; return the final response."""
        response = self._bye(())
        target = uri_in(self.invite.get("contact"))
        answer = self.client.credentials.answer(response, "BYE", target)
        return response if answer is None else self._bye((answer,))

    def _bye(self, headers: Headers) -> Message:
        self._cseq += 1
        client = self.client
        via = f"SIP/2.0/{client.transport.upper()} {client.sent_by};rport;branch={new_branch()}"
        lines = [
            ("Via", via),
            *(("Route", f"<{uri_in(route)}>") for route in self.invite.all("record-route")),
            ("Max-Forwards", "70"),
            ("From", f"{self.invite.get('to')};tag={self.tag}"),
            ("To", self.invite.get("from")),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} BYE"),
            *headers,
        ]
        target = uri_in(self.invite.get("contact"))
        return client.transact(build(f"BYE {target} SIP/2.0", lines))


def new_branch() -> str:
    """Return a branch with the magic cookie of RFC 3261 §8.1.1.7."""
    return f"z9hG4bK{token()}"


def reason_of(status: int) -> str:
    """Return the usual reason phrase."""
    return _REASONS.get(status, "Whatever")


__all__ = ["Call", "Incoming", "Message", "SipClient", "parameter", "sdp", "uri_in"]
