"""A call between two phones on loopback, with the streams that belong to it: real packets, both ways."""

import threading
import time
from contextlib import suppress

from centrex.media.terms import Address
from centrex.sdp import parse
from tests.support.rtp_ends import WAIT_S, RtpEnd
from tests.support.sipclient import Call, Incoming, SipClient
from tests.support.sipmessage import sdp
from tests.support.wire import hang_up


class Talk:
    """A call between two phones, with the streams that belong to it."""

    def __init__(self, caller: SipClient, callee: SipClient) -> None:
        self.ends = [
            RtpEnd(phone.link.local[0], stream=n) for n, phone in enumerate((caller, callee), 1)
        ]
        bodies = [sdp(end.host, end.port) for end in self.ends]
        self.call: Call = caller.invite(callee.user, body=bodies[0])
        self.incoming: Incoming = callee.incoming()
        self.incoming.respond(180)
        self.incoming.respond(200, body=bodies[1])
        answer = self.call.answered()
        self.incoming.expect("ACK")
        self.places = [place_of(answer.body), place_of(self.incoming.invite.body)]

    @classmethod
    def standing(
        cls, call: Call, incoming: Incoming, ends: list[RtpEnd], answer: str, shown: str = ""
    ) -> "Talk":
        """Return a call that is up; `answer` is the description that its caller was shown.

        The callee was `shown` another one, unless that came with the INVITE.
        """
        talk = cls.__new__(cls)
        talk.call, talk.incoming, talk.ends = call, incoming, ends
        talk.places = [place_of(answer), place_of(shown or incoming.invite.body)]
        return talk

    def hear(self, *, within: float = 0.0) -> None:
        """Assert that each hears the other, at once or within a time."""
        deadline = time.monotonic() + within
        for one, other in ((0, 1), (1, 0)):
            while True:
                data = self.ends[one].send(self.places[one])
                if _came(self.ends[other], data, 0.1 if within else 15.0):
                    break
                assert time.monotonic() < deadline, "nothing is heard"

    def settle(self) -> None:
        """Talk for as long as it takes until both sources hold."""
        self.hear(within=15.0)  # what comes before the relay knows both ends goes nowhere
        for _ in range(8):
            self.hear()

    def reinvite(self) -> list[Address]:
        """Have the caller offer the same again; return where each is told to send from now on."""
        self.call.reinvite_sent(sdp(self.ends[0].host, self.ends[0].port))
        invite = self.incoming.expect("INVITE")
        self.incoming.client.respond(
            invite,
            200,
            body=sdp(self.ends[1].host, self.ends[1].port),
            headers=[("Contact", f"<{self.incoming.client.contact}>")],
        )
        answer = self.call.answered()
        self.incoming.expect("ACK")
        self.places = [place_of(answer.body), place_of(invite.body)]
        return self.places

    def end(self) -> None:
        hang_up(self.call, self.incoming)
        for end in self.ends:
            end.close()

    @property
    def relayed(self) -> bool:
        return all(
            place[0] != end.host
            for place, end in zip(self.places, reversed(self.ends), strict=True)
        )


class Load:
    """All ends of some calls send a packet every 20 ms, meanwhile."""

    def __init__(self, talks: list[Talk]) -> None:
        self._talks = talks
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.sent = self._came = 0

    def __enter__(self) -> "Load":
        for talk in self._talks:
            for end in talk.ends:
                end.drained()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._over.wait(0.02):
            for talk in self._talks:
                for end, place in zip(talk.ends, talk.places, strict=True):
                    end.send(place)
                    self.sent += 1
            self._receive()  # or what comes in some seconds would be more than the system keeps

    def _receive(self) -> None:
        self._came += sum(len(end.drained()) for talk in self._talks for end in talk.ends)

    def lost(self) -> int:
        """Return how many of the packets do not come; to be asked once it is over."""
        deadline = time.monotonic() + WAIT_S
        while self._came < self.sent and time.monotonic() < deadline:
            time.sleep(0.02)
            self._receive()
        return self.sent - self._came


def place_of(body: str) -> Address:
    """Return where a description of one line wants its packets."""
    (media,) = parse(body.encode()).media
    return Address(media.host, media.port)


def _came(end: RtpEnd, data: bytes, within: float) -> bool:
    deadline = time.monotonic() + within
    while (left := deadline - time.monotonic()) > 0:
        end.sock.settimeout(left)
        with suppress(TimeoutError):
            if end.sock.recv(2048) == data:
                return True
    return False
