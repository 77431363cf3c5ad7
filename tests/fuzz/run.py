"""The fuzz run: spoiled messages for a core without sockets, and for a running server over UDP.

`python -m tests.fuzz.run --messages 200000 --seed 1` prints its figures as JSON and ends with 1 where
something is not as it must be. Half of the messages go to cores, half to a server, which must answer
every ping among them, keep its memory, and log no internal error.
"""

import argparse
import contextlib
import json
import select
import socket
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.support.fuzz_calls import MEDIA, CallFuzz
from tests.support.fuzz_core import CoreFuzz
from tests.support.mutate import METHODS, Mutator, fresh, torture
from tests.support.ports import loopback
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import Message, response_to
from tests.support.wire import control

USERS: Final = [f"user{number}" for number in range(50)]
ROUND: Final = 10_000
"""Messages for one core; then a new one with another seed, and credentials asked for or not."""
_PING_EVERY: Final = 25
_PER_SECOND: Final = 1200
_SAMPLES: Final = 40
_ANSWERS: Final = (100, 180, 200, 404, 486, 503, 600)
_PING_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a run over sockets came to."""

    sent: int
    """Spoiled messages sent."""
    reacted: int
    """Of these, answers to what the server had sent on."""
    pings: int
    answered: int
    """Pings answered."""
    memory_kib: tuple[int, ...]
    """Memory of the server's own, at even distances through the run."""
    statuses: dict[str, int]
    """What came back."""
    drops: dict[str, int]
    """What the server says it dropped."""
    errors: tuple[str, ...]
    """Lines of its log that speak of errors inside."""
    seconds: float

    @property
    def growth(self) -> float:
        """How much more memory the last quarter needed than the second, as a fraction."""
        quarter = len(self.memory_kib) // 4
        second = self.memory_kib[quarter : 2 * quarter]
        last = self.memory_kib[-quarter:]
        return max(last) / max(second) - 1


def memory_kib(pid: int) -> int:
    """Return the memory that a process shares with nobody: what others share changes as they end."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(
        int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")
    )


def fuzz_cores(messages: int, seed: int) -> Counter[str]:
    """Feed spoiled messages to cores; return what came of them.

    Raises:
        AssertionError: A core raised, left a ping without answer, or has an unbounded table.
    """
    counts: Counter[str] = Counter()
    for number, start in enumerate(range(0, messages, ROUND)):
        fuzz = _core(number, seed * 1000 + number)
        fuzz.run(min(ROUND, messages - start))
        fuzz.check_bounds()
        fuzz.rest()
        fuzz.check_rest()
        counts += fuzz.counts
    return counts


def _core(number: int, seed: int) -> CoreFuzz:
    """Return the next core: bare ones in turn with those that have all there is."""
    auth, media = number // 2 % 2 == 1, MEDIA[number // 2 % len(MEDIA)]
    return CallFuzz(seed, auth=auth, media=media) if number % 2 else CoreFuzz(seed, auth=auth)


class ServerFuzz:
    """Spoiled messages for a running server, from three addresses.

    One is a stranger, one has phones registered and answers what reaches them, one only pings.
    """

    def __init__(self, server: CentrexServer, seed: int) -> None:
        self.server = server
        self.mutator = Mutator(seed)
        self.random = self.mutator.random
        self._corpus = torture()
        self._where = (server.host, server.port)
        self._stranger, self._phone, self._pinger = (_datagrams() for _ in range(3))
        self._recent: deque[bytes] = deque(maxlen=64)
        self._pending: dict[str, tuple[float, bytes]] = {}
        self._run = f"s{seed}x"
        self.statuses: Counter[str] = Counter()
        self.sent = self.reacted = self.pings = self.answered = 0
        self.memory: list[int] = []

    def close(self) -> None:
        """Close the sockets."""
        for sock in (self._phone, self._pinger, self._stranger):
            sock.close()

    def register(self) -> None:
        """Have some users registered at the phone, so that calls go through."""
        host, port = self._phone.getsockname()
        for user in USERS[:10]:
            with SipClient(user, self.server, host=host) as phone:
                assert phone.register(contact=f"<sip:{user}@{host}:{port}>").status == 200

    def run(self, messages: int) -> None:
        """Send so many spoiled messages, evenly, with pings among them."""
        began = time.monotonic()
        each = max(messages // _SAMPLES, 1)
        while self.sent < messages:
            self._send_one()
            if self.sent % _PING_EVERY == 0:
                self._ping()
                self._repeat_pings()
                self._receive(0.0)
                while (ahead := began + self.sent / _PER_SECOND - time.monotonic()) > 0:
                    self._receive(ahead)
                began -= min(ahead, 0.0)  # who is late does not hurry
            if self.sent % each == 0:
                self.memory.append(memory_kib(self.server.pid))
        end = time.monotonic() + _PING_S
        while self._pending and time.monotonic() < end:
            self._receive(0.2)
            self._repeat_pings()

    def _send_one(self) -> None:
        other = self.random.choice(self._corpus)
        draw = self.random.random()
        link = self._stranger
        if self._recent and draw < 0.4:
            data, link = self._reaction(), self._phone
            self.reacted += 1
        elif draw < 0.6:
            data = self.random.choice(self._corpus)
        else:
            data = fresh(self.random.choice(METHODS), run=self._run)
        if self.random.random() < 0.9:
            data = self.mutator.spoil(data, other)
        link.sendto(data, self._where)
        self.sent += 1

    def _reaction(self) -> bytes:
        """Answer something the server has sent on."""
        raw = self._recent.popleft()
        request = Message(raw)
        if request.method == "ACK":
            return raw
        return response_to(request, self.random.choice(_ANSWERS), "Whatever", tag="callee")

    def _ping(self) -> None:
        self.pings += 1
        host, port = self._pinger.getsockname()
        branch = f"z9hG4bKp{self._run}{self.pings}"
        lines = (
            f"OPTIONS sip:{self.server.domain} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch};rport",
            f"From: <sip:ping@{self.server.domain}>;tag=p",
            f"To: <sip:{self.server.domain}>",
            f"Call-ID: ping-{self._run}-{self.pings}",
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
        )
        data = "\r\n".join(lines).encode()
        self._pending[branch] = (time.monotonic(), data)
        self._pinger.sendto(data, self._where)

    def _repeat_pings(self) -> None:
        """Send again what is not answered for half a second, as RFC 3261 §17.1.2 has it."""
        now = time.monotonic()
        for branch, (at, data) in self._pending.items():
            if now - at > 0.5:
                self._pinger.sendto(data, self._where)
                self._pending[branch] = (now, data)

    def _receive(self, timeout: float) -> None:
        links = (self._stranger, self._phone, self._pinger)
        ready, _, _ = select.select(links, [], [], timeout)
        for sock in ready:
            for data in _drain(sock):
                self._take(sock, data)

    def _take(self, sock: socket.socket, data: bytes) -> None:
        is_response = data.startswith(b"SIP/2.0 ")
        self.statuses[data[8:11].decode("latin-1") if is_response else "request"] += 1
        if sock is self._pinger:
            message = Message(data)
            if message.status == 200 and message.branch in self._pending:
                del self._pending[message.branch]
                self.answered += 1
        elif sock is self._phone and not is_response:
            self._recent.append(data)


def _datagrams() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    made.bind((loopback(), 0))
    made.setblocking(False)
    return made


def _drain(sock: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(BlockingIOError):
        while True:
            yield sock.recv(65535)


def internal_errors(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the lines that speak of a fault of the server's own."""
    words = ("Traceback", " error ", "Error:", "Exception", "crashed")
    return tuple(line for line in lines if any(word in line for word in words))


def fuzz_server(folder: Path, messages: int, seed: int) -> Figures:
    """Start a server, send it spoiled messages, and return the figures.

    Only registrations need credentials, so that other requests get further.
    """
    began = time.monotonic()
    with CentrexServer(
        folder,
        users=USERS,
        domain="example.com",
        overrides={"auth.methods": ["REGISTER"], "timeouts.final_answer": 10},
    ) as server:
        fuzz = ServerFuzz(server, seed)
        try:
            fuzz.register()
            fuzz.run(messages)
            assert server.alive
            drops = control(server, "statistics")["drops"]
        finally:
            fuzz.close()
        log = server.log.read_text(errors="replace").splitlines()
    return Figures(
        sent=fuzz.sent,
        reacted=fuzz.reacted,
        pings=fuzz.pings,
        answered=fuzz.answered,
        memory_kib=tuple(fuzz.memory),
        statuses=dict(fuzz.statuses.most_common()),
        drops={reason: count for reason, count in drops.items() if count},
        errors=internal_errors(log)[:20],
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> int:
    """Run by hand; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200_000, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    counts = fuzz_cores(given.messages // 2, given.seed)
    core = {"seconds": round(time.monotonic() - began, 1), **dict(counts.most_common())}
    with tempfile.TemporaryDirectory(prefix="centrex-fuzz-") as folder:
        figures = fuzz_server(Path(folder), given.messages - given.messages // 2, given.seed)
    server = {**asdict(figures), "growth": round(figures.growth, 4)}
    sys.stdout.write(json.dumps({"core": core, "server": server}, indent=2) + "\n")
    return int(figures.answered != figures.pings or bool(figures.errors))


if __name__ == "__main__":
    sys.exit(main())
