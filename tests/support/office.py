"""An office in the middle of a day: a server, twenty phones, calls, watchers, strangers; all of it real.

It lives in a network of its own, where addresses may be those that documentation uses (RFC 5737) and
ports the usual ones. Chance is seeded, so that one day is much like another.
"""

import contextlib
import os
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.support.relay_lab import Namespace
from tests.support.relay_process import SECRET, Relay
from tests.support.server import CentrexServer
from tests.support.sipclient import Call, Datagrams, Incoming, SipClient, sdp
from tests.support.sipmessage import Message, response_to

SERVER, GATEWAY, FAR_RELAY = "192.0.2.10", "203.0.113.9", "203.0.113.80"
PEOPLE = tuple(str(number) for number in range(1001, 1021))
_ABSENT = "1021"
"""Somebody who has a login and no phone."""
_PHONES = (
    "Yealink SIP-T46S 66.85.0.5", "Grandstream GXP2135 1.0.11", "baresip v3.10", "Snom D735",
)  # fmt: skip
_TRANSPORTS = ("udp", "tcp", "tls")
_STRANGERS = ("203.0.113.20", "203.0.113.66")
_FAILURES = 20
"""Wrong passwords in a minute that are one too few for a ban."""
_PLANS = [
    {"name": "100", "destinations": ["1001", "1002"], "note": "Reception"},
    {
        "pattern": r"9(\d+)", "note": "Outside",
        "destinations": [{"to": "1001", "ring": 15}, _ABSENT, r"\1@office"],
    },
    {"name": "200", "destinations": ["1003"], "enabled": False},
]  # fmt: skip
_PLACES = ("198.51.100.0/24", "203.0.113.0/24")
_FRAME_S = 0.02
_RTP = bytes.fromhex("8000") + bytes(6) + b"ofce" + bytes(160)


@contextlib.contextmanager
def network() -> Iterator[None]:
    """Be in a network where all addresses of the office are at hand; only root may."""
    room = Namespace()
    try:
        given = ["link set lo up", f"addr add {SERVER}/32 dev lo"]
        given += [f"route add local {place} dev lo" for place in _PLACES]
        room.run("ip", "-batch", "-", given="\n".join(given))
        with room.inside():
            yield
    finally:
        room.close()


class Office:
    """The office; whoever enters it may start the server with its configuration.

    Args:
        folder: Where its files go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = CentrexServer(
            folder, users=(*PEOPLE, _ABSENT), transports=_TRANSPORTS, domain="example.com", address=SERVER,
            overrides={
                "basic.description": "Head office",
                "network.port": 5060,
                "network.tls_port": 5061,
                "network.guard": {"auth_failures_per_minute": _FAILURES},
                "media": {"mode": "always", "secret": SECRET, "control_address": SERVER},
                "auth.trusted": [GATEWAY],
                "routing.plans": _PLANS,
                "routing.gateways": [{"name": "office", "addresses": [f"sip:{GATEWAY}"]}],
            },
        )  # fmt: skip
        self.server.port, self.server.tls_port = 5060, 5061
        self.server.config = self.server.config.rename(folder / "office.toml")
        self._chance = random.Random(7)
        self.phones: list[SipClient] = []
        self._rest = contextlib.ExitStack()
        self._over = threading.Event()
        self._ends: list[socket.socket] = []
        self._talks: dict[str, tuple[tuple[socket.socket, tuple[str, int]], ...]] = {}

    @property
    def root(self) -> str:
        """The folder below which its files stand, as on a machine of its own."""
        return self.server._root.name

    def __enter__(self) -> "Office":
        street = threading.Thread(
            target=self._live, args=(Datagrams((SERVER, 5060), GATEWAY, 5060),)
        )
        street.start()
        self._rest.callback(self.server._root.cleanup)
        self._rest.callback(street.join)
        self._rest.callback(self._over.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._rest.close()

    def _live(self, gateway: Datagrams) -> None:
        """Have the gateway say that it is there, and those who talk send voice."""
        while not self._over.is_set():
            for talk in tuple(self._talks.values()):
                for sock, place in talk:
                    sock.sendto(_RTP, place)
            for data in gateway.receive(_FRAME_S):
                if data.startswith(b"OPTIONS "):
                    gateway.send(response_to(Message(data), 200, "OK"))
        gateway.close()
        for sock in self._ends:
            sock.close()

    def open(self) -> None:
        """Have the other relay log in, and the phones register."""
        self._rest.enter_context(
            Relay(self.folder, "frankfurt", 5090, host=FAR_RELAY, proxy=SERVER)
        )
        for at, user in enumerate(PEOPLE):
            host = f"198.51.100.{7 + 11 * at % 240}"
            phone = SipClient(user, self.server, transport=_TRANSPORTS[at % 3], host=host)
            self.phones.append(self._rest.enter_context(phone))
            told = [("User-Agent", self._chance.choice(_PHONES))]
            answer = phone.register(expires=600 * self._chance.randrange(1, 7), headers=told)
            assert answer.status == 200, answer

    def work(self, seconds: int) -> None:
        """Have people call each other for some time: some are busy, some dial what is none."""
        for _ in range(seconds):
            began = time.monotonic()
            for _ in range(self._chance.randrange(1, 5)):
                caller, callee = self._chance.sample(self.phones, 2)
                match self._chance.randrange(8):
                    case 0:
                        caller.invite("1999").expect(404)
                    case 1:
                        self._is_busy(caller, callee)
                    case _:
                        self._hang_up(*self._answered(caller, callee))
            self.answer()
            time.sleep(max(0.0, began + 1 - time.monotonic()))

    def guess(self) -> None:
        """Have strangers try passwords until they are shut out."""
        for host in _STRANGERS:
            with SipClient("1001", self.server, password="1234", host=host) as stranger:
                for _ in range(_FAILURES):
                    assert stranger.register().status == 403
                request = ("REGISTER", f"sip:{self.server.domain}")
                challenge = stranger.transact(stranger.request(*request, to=stranger.aor))
                line = stranger.credentials.answer(challenge, *request)
                assert line is not None
                stranger.send(stranger.request(*request, to=stranger.aor, cseq=2, headers=[line]))

    def talk(self) -> str:
        """Have nine calls go on, and some people watch others; return the Call-ID of the first."""
        pairs = [(self.phones[at], self.phones[at + 1]) for at in range(0, 18, 2)]
        calls = [self._answered(*pair, slowly=not at) for at, pair in enumerate(pairs[:6])]
        for at, (caller, callee) in enumerate(pairs[6:]):
            caller.invite(callee.user)
            coming = callee.incoming()
            coming.respond(180 if at < 2 else 100)
        for watcher, watched in pairwise(self.phones[:8]):
            wanted = [
                ("Event", "dialog"), ("Accept", "application/dialog-info+xml"),
                ("Contact", f"<{watcher.contact}>"), ("Expires", "3600"),
            ]  # fmt: skip
            assert watcher.ask("SUBSCRIBE", watched.aor, headers=wanted).status == 200
            watcher.respond(watcher.expect("NOTIFY"), 200)
        return calls[0][0].call_id

    def answer(self) -> None:
        """Have all phones say that they are there, and know what they are told."""
        for phone in self.phones:
            while request := phone.find(_is_question, 0.001):
                phone.respond(request, 200)

    def _answered(
        self, caller: SipClient, callee: SipClient, *, slowly: bool = False
    ) -> tuple[Call, Incoming]:
        ends = [self._end(phone) for phone in (caller, callee)]
        bodies = [sdp(*sock.getsockname()) for sock in ends]
        going = caller.invite(callee.user, body=bodies[0])
        coming = callee.incoming()
        coming.respond(180)
        time.sleep(1.2 if slowly else 0.02)
        coming.respond(200, body=bodies[1])
        ok = going.answered()
        coming.expect("ACK")
        self._talks[going.call_id] = (ends[0], _place(ok)), (ends[1], _place(coming.invite))
        return going, coming

    def _end(self, phone: SipClient) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._ends.append(sock)
        sock.bind((phone.link.local[0], 0))
        return sock

    def _hang_up(self, going: Call, coming: Incoming) -> None:
        del self._talks[going.call_id]
        sent = going.bye_sent()
        coming.ended()
        assert going.final(sent).status == 200

    def _is_busy(self, caller: SipClient, callee: SipClient) -> None:
        going = caller.invite(callee.user)
        coming = callee.incoming()
        coming.respond(486)
        coming.expect("ACK")
        going.expect(486)


def _is_question(message: Message) -> bool:
    return not message.status and message.method in ("OPTIONS", "NOTIFY")


def _place(message: Message) -> tuple[str, int]:
    """Return where a description wants voice to be sent."""
    host, port = (
        re.search(r"c=IN IP4 (\S+)", message.body),
        re.search(r"m=audio (\d+)", message.body),
    )
    assert host is not None
    assert port is not None
    return host[1], int(port[1])


@contextlib.contextmanager
def at_home(office: Office) -> Iterator[None]:
    """Have this process take the office's folder for its machine's."""
    before = os.environ.get("CENTREX_ROOT")
    os.environ["CENTREX_ROOT"] = office.root
    try:
        yield
    finally:
        if before is None:
            del os.environ["CENTREX_ROOT"]
        else:
            os.environ["CENTREX_ROOT"] = before
