"""Thousands of phones in a process of their own, each with an address on 127.0.0.0/8 and a password.

They register, subscribe, wait to be told, and then register anew within half a minute as after a power
cut. It is spoken to by lines: `python -m tests.support.crowd HOST PORT DOMAIN PHONES WATCH WHOLE`, where
WATCH is `user` (each watches one other), `domain` (each watches all of them, by UDP) or `none`, and WHOLE
is how many more watch the domain by TCP. It prints one line of JSON when all are ready and, once a line
has come and the storm is over, another one with its figures.
"""

import hashlib
import heapq
import json
import re
import select
import socket
import sys
import time
from typing import Any, Final

from tests.support.server import password_of

STORM_S: Final = 30.0
PATIENCE_S: Final = 90.0
_RESEND_S: Final = 1.0
_QUIET_S: Final = 3.0
_TOLD: Final = re.compile(rb"<uri>sip:u([0-9]+)@[0-9.]+:5061</uri>")
_CHALLENGE: Final = re.compile(rb'nonce="([^"]+)"')
_LENGTH: Final = re.compile(rb"\r\nContent-Length: *([0-9]+)")


class Phone:
    """One of them: a socket, and what it has under way."""

    def __init__(self, number: int, domain: str) -> None:
        self.number, self.domain = number, domain.encode()
        self.user = b"u%d" % number
        host = f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{1 + number % 254}"
        self.host = host.encode()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, 0))
        self.sock.setblocking(False)
        self.port = int(self.sock.getsockname()[1])
        secret = b"%b:%b:%b" % (self.user, self.domain, password_of(self.user.decode()).encode())
        self.ha1 = hashlib.md5(secret, usedforsecurity=False).hexdigest().encode()
        self.nonce, self.count = b"", 0
        self.turn = self.cseq = 0
        self.doing = b""
        self.uri = b""
        self.extra = b""
        self.sent_at = self.began = self.done = 0.0
        self.target = b""

    def begin(self, method: bytes, uri: bytes, target: bytes, extra: bytes, now: float) -> bytes:
        """Write a request, which is repeated until it has a final response."""
        self.turn += 1
        self.cseq, self.doing, self.uri, self.target, self.extra = 1, method, uri, target, extra
        self.began = now
        return self.write(now)

    def write(self, now: float) -> bytes:
        self.sent_at = now
        answer = self._credentials() if self.nonce else b""
        return (
            b"%b %b SIP/2.0\r\nVia: SIP/2.0/UDP %b:%d;rport;branch=z9hG4bK%b-%d-%d\r\nMax-Forwards: 70\r\n"
            b"From: <sip:%b@%b>;tag=f%d\r\nTo: <%b>\r\nCall-ID: %b-%d@%b\r\nCSeq: %d %b\r\n"
            b"%b%bContent-Length: 0\r\n\r\n"
        ) % (
            self.doing, self.uri, self.host, self.port, self.user, self.turn, self.cseq,
            self.user, self.domain, self.turn, self.target, self.user, self.turn, self.host,
            self.cseq, self.doing, self.extra, answer,
        )  # fmt: skip

    def _credentials(self) -> bytes:
        name = b"Authorization"
        if self.doing == b"SUBSCRIBE" and b"registrar@" not in self.uri:
            name = b"Proxy-Authorization"
        self.count += 1
        md5 = hashlib.md5
        ha2 = md5(self.doing + b":" + self.uri, usedforsecurity=False).hexdigest().encode()
        joined = b"%b:%b:%08x:c:auth:%b" % (self.ha1, self.nonce, self.count, ha2)
        response = md5(joined, usedforsecurity=False).hexdigest().encode()
        return (
            b'%b: Digest username="%b", realm="%b", nonce="%b", uri="%b", response="%b", '
            b'algorithm=MD5, qop=auth, nc=%08x, cnonce="c"\r\n'
        ) % (name, self.user, self.domain, self.nonce, self.uri, response, self.count)

    def take(self, response: bytes, now: float) -> bytes | None:
        """Take a response in; return what is to be sent because of it, None for nothing."""
        status = int(response[8:11])
        marks = b"-%d-%d" % (self.turn, self.cseq)
        if status < 200 or not self.doing or marks not in response[: response.find(b"\r\nFrom")]:
            return None
        if status in (401, 407):
            found = _CHALLENGE.search(response)
            assert found is not None
            self.nonce, self.count = found[1], 0
            self.cseq += 1
            return self.write(now)
        assert status == 200, response
        self.doing, self.done = b"", now
        return None


class Crowd:
    """All of them."""

    def __init__(
        self, server: tuple[str, int], domain: str, phones: int, watch: str, whole: int
    ) -> None:
        self.server, self.domain, self.watch = server, domain.encode(), watch
        self.poll = select.epoll()
        self.phones = [Phone(number, domain) for number in range(phones)]
        self.by_fd: dict[int, Phone | Stream] = {}
        for phone in self.phones:
            self._enter(phone.sock, phone)
        self.streams = [Stream(self, number) for number in range(whole)]
        self.busy: set[Phone] = set()
        self.told: dict[tuple[int, int], float] = {}
        self.began: dict[int, float] = {}
        self.notified = self.octets = self.resent = 0
        self.last: dict[int, int] = {}
        self.heard = 0.0
        self.storming = False

    def _enter(self, sock: socket.socket, who: "Phone | Stream") -> None:
        self.poll.register(sock.fileno(), select.EPOLLIN)
        self.by_fd[sock.fileno()] = who

    def run(self, due: list[tuple[float, int, Any]], until: float, *, all_done: bool) -> None:
        """Do what is due at its time, and answer what comes; until a time, or until all is done."""
        heapq.heapify(due)
        looked = time.monotonic()
        while (now := time.monotonic()) < until:
            while due and due[0][0] <= now:
                _, number, what = heapq.heappop(due)
                what(self.phones[number])
            if now - looked > 0.25:
                looked = now
                self._resend(now)
                if all_done and not due and not self.busy:
                    return
                if not all_done and not due and not self.busy and now - self.heard > _QUIET_S:
                    return
            for fd, _ in self.poll.poll(0.005 if due else 0.05):
                who = self.by_fd[fd]
                if isinstance(who, Phone):
                    self._read(who)
                else:
                    who.read()

    def _resend(self, now: float) -> None:
        for phone in [one for one in self.busy if now - one.sent_at > _RESEND_S]:
            self.resent += 1
            if phone.nonce and phone.cseq > 1:
                phone.count -= 1  # the same message again
            self._send(phone, phone.write(now))

    def _send(self, phone: Phone, data: bytes) -> None:
        phone.sock.sendto(data, self.server)

    def _read(self, phone: Phone) -> None:
        while True:
            try:
                data = phone.sock.recv(65535)
            except BlockingIOError:
                return
            now = time.monotonic()
            if data.startswith(b"SIP/2.0 "):
                answer = phone.take(data, now)
                if answer is not None:
                    self._send(phone, answer)
                elif not phone.doing:
                    self.busy.discard(phone)
            elif data.startswith(b"NOTIFY "):
                self.notified_by(phone.number, data, now)
                self._send(phone, answer_to(data))

    def notified_by(self, watcher: int, data: bytes, now: float) -> None:
        """A NOTIFY has come; one that is repeated, as nobody answered in time, does not count."""
        known = hash(data)
        if self.last.get(watcher) == known:
            return
        self.last[watcher] = known
        self.notified += 1
        self.octets += len(data)
        self.heard = now
        if self.storming:
            for user in _TOLD.findall(data):
                self.told.setdefault((watcher, int(user)), now)

    def register(self, phone: Phone) -> None:
        """Have a phone register; in the storm it has lost its nonce, and has another port."""
        now = time.monotonic()
        port = 5060 + self.storming
        if self.storming:
            phone.nonce = b""
            self.began[phone.number] = now
        extra = b"Contact: <sip:%b@%b:%d>\r\nExpires: 3600\r\n" % (phone.user, phone.host, port)
        aor = b"sip:%b@%b" % (phone.user, self.domain)
        self._begin(phone, b"REGISTER", b"sip:" + self.domain, aor, extra, now)

    def subscribe(self, phone: Phone) -> None:
        """Have a phone watch another one, or all of them."""
        other = b"u%d" % ((phone.number + 1) % len(self.phones))
        uri = b"sip:%b@%b" % (b"registrar" if self.watch == "domain" else other, self.domain)
        extra = b"Event: reg\r\nExpires: 3600\r\nContact: <sip:%b@%b:%d>\r\n" % (
            phone.user, phone.host, phone.port,
        )  # fmt: skip
        self._begin(phone, b"SUBSCRIBE", uri, uri, extra, time.monotonic())

    def _begin(self, phone: Phone, *what: Any) -> None:
        self.busy.add(phone)
        self._send(phone, phone.begin(*what))

    def spread(self, what: Any, seconds: float) -> list[tuple[float, int, Any]]:
        """Return when each phone does something."""
        start, count = time.monotonic(), len(self.phones)
        return [(start + seconds * number / count, number, what) for number in range(count)]


class Stream:
    """A watcher of the domain on a connection; it lets a phone speak for it."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd, self.number = crowd, -1 - number
        self.sock = socket.create_connection(crowd.server)
        self.buffer = b""
        self.phone = Phone.__new__(Phone)
        self.phone.__dict__.update(crowd.phones[number].__dict__, turn=1000 + number, nonce=b"")
        host, self.phone.port = self.sock.getsockname()
        self.phone.host = host.encode()
        self.sock.setblocking(False)
        crowd._enter(self.sock, self)

    def subscribe(self) -> None:
        phone = self.phone
        uri = b"sip:registrar@" + phone.domain
        extra = b"Event: reg\r\nExpires: 3600\r\nContact: <sip:%b@%b:%d;transport=tcp>\r\n" % (
            phone.user, phone.host, phone.port,
        )  # fmt: skip
        self.send(phone.begin(b"SUBSCRIBE", uri, uri, extra, time.monotonic()))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data.replace(b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/TCP"))

    def read(self) -> None:
        data = self.sock.recv(1 << 20)
        assert data, "the server closed a connection"
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self.buffer, 0, end + 2)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < size:
                return
            message, self.buffer = self.buffer[:size], self.buffer[size:]
            now = time.monotonic()
            if message.startswith(b"NOTIFY "):
                self.crowd.notified_by(self.number, message, now)
                self.sock.sendall(answer_to(message))
            elif message.startswith(b"SIP/2.0 "):
                again = self.phone.take(message, now)
                if again is not None:
                    self.send(again)


def answer_to(request: bytes) -> bytes:
    """Return the 200 of a NOTIFY."""
    head = request[: request.find(b"\r\n\r\n")]
    names = (b"Via:", b"From", b"To: ", b"Call", b"CSeq")
    lines = [line for line in head.split(b"\r\n")[1:] if line.startswith(names)]
    return b"\r\n".join((b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b""))


def percentile(values: list[float], part: float) -> float:
    """Return a value that so many of them do not exceed; 0 for none."""
    return round(sorted(values)[int((len(values) - 1) * part)], 3) if values else 0.0


def main() -> None:
    """Be the crowd."""
    host, port, domain, phones, watch, whole = sys.argv[1:]
    crowd = Crowd((host, int(port)), domain, int(phones), watch, int(whole))
    count = len(crowd.phones)
    far = time.monotonic() + 600
    crowd.run(crowd.spread(crowd.register, count / 1000), far, all_done=True)
    if watch != "none":
        crowd.run(crowd.spread(crowd.subscribe, count / 1000), far, all_done=True)
    for stream in crowd.streams:
        stream.subscribe()
    crowd.heard = time.monotonic()
    crowd.run([], time.monotonic() + PATIENCE_S, all_done=False)
    told = {"ready": True, "notifies": crowd.notified, "megabytes": round(crowd.octets / 1e6, 1)}
    print(json.dumps(told), flush=True)  # noqa: T201
    sys.stdin.readline()
    crowd.notified = crowd.octets = crowd.resent = 0
    crowd.storming = True
    start = time.monotonic()
    crowd.run(crowd.spread(crowd.register, STORM_S), start + STORM_S + PATIENCE_S, all_done=True)
    in_storm, served_s = crowd.notified, time.monotonic() - start
    crowd.run([], time.monotonic() + PATIENCE_S, all_done=False)
    latencies = [one.done - crowd.began[one.number] for one in crowd.phones if not one.doing]
    near = [at - crowd.began[user] for (who, user), at in crowd.told.items() if who >= 0]
    far_off = [at - crowd.began[user] for (who, user), at in crowd.told.items() if who < 0]
    figures = {
        "served": len(latencies),
        "served_after_s": round(served_s, 1),
        "register_ms": [percentile(latencies, part) * 1000 for part in (0.5, 0.99, 1.0)],
        "resent": crowd.resent,
        "notifies_in_storm": in_storm,
        "notifies": crowd.notified,
        "megabytes": round(crowd.octets / 1e6, 1),
        "told": len(near),
        "told_after_s": [percentile(near, part) for part in (0.5, 0.99, 1.0)],
        "told_of_domain": len(far_off),
        "domain_told_after_s": [percentile(far_off, part) for part in (0.5, 0.99, 1.0)],
    }
    print(json.dumps(figures), flush=True)  # noqa: T201
    sys.stdin.readline()


if __name__ == "__main__":
    main()
