"""A hunt over phones and gateways that do as they are told, by a network that loses messages.

Every far end keeps the rules of RFC 3261 for what it does say: a request that comes again is answered
again, a final answer is repeated until it is acknowledged. A message is lost twice at most.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from centrex.media.terms import Session, Slot
from centrex.proxy.leg import NOWHERE
from centrex.proxy.patience import Patience
from centrex.proxy.relaying import Relaying
from centrex.sip.message import parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import TO
from tests.support.calling import Phone, Sent, Talk, quiet, start
from tests.support.hunting import hunted, planned
from tests.support.proxy import DOMAIN, Proxy, respond
from tests.support.relays import FakeFarm, FakeRelay, offer, relayed
from tests.support.strict_gateway import StrictGateway

STEP_S = 0.5
_EXTRA = {
    302: "Contact: <{}>\n",
    401: 'WWW-Authenticate: Digest realm="far", nonce="n"\n',
    407: 'Proxy-Authenticate: Digest realm="far", nonce="n"\n',
}
_IS_SDP = "Content-Type: application/sdp\n"
_AT_ONCE = 8
"""Steps that a CANCEL takes at most, where it is lost twice."""
_REPEATED = 64
"""Steps for which a final answer is repeated."""
PHONES = {
    "192.0.2.8": "desk", "192.0.2.18": "desk", "192.0.2.9": "mobile", "192.0.2.10": "voicemail",
    "203.0.113.9": "x",
}  # fmt: skip
STRICT, WRONG, OPEN = "198.51.100.1", "198.51.100.2", "198.51.100.3"
"""Gateways: one asks who calls, one takes no login of ours, one asks nobody."""
HOSTS = (*PHONES, STRICT, WRONG, OPEN)
GATEWAYS: list[dict[str, Any]] = [
    {"name": name, "addresses": tuple(f"sip:{host}" for host in hosts), "login": "us",
     "password": "secret", "check_interval": 0}
    for name, hosts in (("pstn", (WRONG, STRICT)), ("strict", (STRICT, OPEN)), ("open", (OPEN,)))
]  # fmt: skip
DESTINATIONS = (
    "desk", "mobile", "voicemail", "nobody", "5@pstn", "6@strict", "7@open", "night",
    "sip:x@203.0.113.9",
)  # fmt: skip
TARGETS = ("sales", "9123", "desk")
"""A plan by name, one by pattern, and a user of two phones without a plan."""


@dataclass(frozen=True)
class Behaviour:
    """What a far end does with an INVITE.

    Attributes:
        rings: Steps until it says 180; None for never.
        after: Steps until its final answer.
        final: That answer; 0 for none.
        cancelled: What it answers when it is cancelled: 487, 200, or 0 for nothing.
        late: Steps until then.
        leads: Where a 302 of it leads.
    """

    rings: int | None
    after: int
    final: int
    cancelled: int
    late: int
    leads: str
    media: bool = False
    """Whether it describes its media when it rings, too."""


@dataclass
class Leg:
    """An INVITE at a far end."""

    phone: Phone
    invite: bytes
    does: Behaviour
    tag: str
    due: tuple[int, int] | None = None
    """When it answers finally, and what."""
    said: bytes = b""
    """Its latest answer."""
    status: int = 0
    since: int = 0
    heard: bool = False
    """Whether anything it said arrived; what was not heard of may not be cancelled (§9.1)."""
    heard_at: int = 0
    began: int = 0
    rings_at: int = -1
    cancelled: bool = False
    cancelled_at: int = 0
    acknowledged: bool = False
    hung_up: bool = False


class HuntWorld:
    """A proxy, its phones and gateways, and a caller who takes notes.

    Args:
        steps: The plan of `sales`.
        behaves: What each far end does, INVITE by INVITE, over and over.
        patience: How long targets are waited for.
        follows: Whether redirections are followed.
        loss: How many of a hundred messages are lost.
        seed: Which ones.
        relays: Whether all media are relayed.
    """

    def __init__(
        self,
        steps: list[Any],
        behaves: dict[str, list[Behaviour]],
        *,
        patience: Patience,
        follows: bool,
        loss: int,
        seed: int,
        relays: bool = False,
    ) -> None:
        proxy = self.proxy = Proxy(
            users=["alice", *PHONES.values()], patience=patience, trusted=["192.0.2.7"]
        )
        self.relay = FakeRelay()
        self.farm = relayed(proxy, self.relay) if relays else None
        self.alice = Phone(proxy, "alice", "192.0.2.7")
        self.far: dict[str, Phone] = {
            host: Phone(proxy, name, host, register=name != "x") for host, name in PHONES.items()
        }
        self.far[STRICT], self.far[WRONG] = (
            StrictGateway(proxy, STRICT),
            StrictGateway(proxy, WRONG, b"another"),
        )
        self.far[OPEN] = Phone(proxy, "gw", OPEN, register=False)
        planned(
            proxy,
            hunted(*steps),
            {"name": "night", "destinations": ("mobile", "7@open")},
            {"pattern": r"9(\d+)", "destinations": (r"\1@pstn", "voicemail")},
            gateways=GATEWAYS,
            follows=follows,
        )
        self.behaves, self.taken = behaves, Counter[str]()
        self._loss, self._random, self._lost = loss, Random(seed), Counter[bytes]()
        self.step = 0
        self.legs: dict[tuple[str, bytes], Leg] = {}
        self.finals: dict[str, int] = {}
        """What the caller was answered, by the To tag."""
        self.answers: dict[str, bytes] = {}
        self.heard = self.cancelling = False
        self.decided = self.gave_up = 0
        self._queue: Sent = []
        self._ended: dict[tuple[str, bytes], bytes] = {}

    # the caller

    def calls(self, target: str, gives_up: int | None) -> None:
        """Call, give up at that step, and let everything come to its end."""
        self._target, uri = target, f"sip:{target}@{DOMAIN}"
        self._uri = uri
        extra = f"Contact: <{self.alice.contact}>\n"
        body = "" if self.farm is None else offer("192.0.2.7", 4000)
        if body:
            extra += _IS_SDP
        for _ in range(700):
            self.step += 1
            if not self.heard:
                data = self.alice.write("INVITE", uri, branch="z9hG4bKcall", extra=extra, body=body)
                self._say(self.alice, data)
            if gives_up is not None and self.step >= gives_up and self.heard and not self.finals:
                self.cancelling = True
            if self.cancelling and not self.finals:
                data = self.alice.write("CANCEL", uri, branch="z9hG4bKcall")
                if self._say(self.alice, data):
                    self.gave_up = self.gave_up or self.step
            self._far_ends()
            self._carry(self.proxy.advance(STEP_S))

    def hangs_up(self) -> None:
        """Have the caller end each call he has."""
        for number, (tag, ok) in enumerate(self.answers.items()):
            leg = self.leg_of(tag)
            talk = Talk.standing(self.alice, leg.phone, leg.invite, ok)
            talk.target, talk.callee = self._uri, Phone.__new__(Phone)
            talk.callee.name, talk.cseq = tag, 1 + number
            self._carry(talk.from_caller("BYE"))
        for _ in range(160):
            self.step += 1
            self._carry(self.proxy.advance(STEP_S))

    def leg_of(self, tag: str) -> Leg:
        """Return the leg of a To tag."""
        (leg,) = [one for one in self.legs.values() if one.tag == tag]
        return leg

    def _hears(self, data: bytes) -> None:
        what, message = start(data), parse(data)
        self.heard = True
        if not what.isdigit() or int(what) < 200 or b" INVITE\r\n" not in data:
            return
        tag = parse_name_addr(message.value(TO)).tag.decode()
        self.finals[tag] = int(what)
        self.decided = self.decided or self.step
        if int(what) >= 300:
            more = {"branch": "z9hG4bKcall", "to_tag": tag}
            self._say(self.alice, self.alice.write("ACK", self._uri, **more))
            return
        self.answers[tag] = data
        talk = Talk.standing(self.alice, self.alice, data, data)
        talk.target, talk.callee = self._uri, Phone.__new__(Phone)
        talk.callee.name = tag
        self._carry(talk.from_caller("ACK"))

    # the network

    def _is_lost(self, data: bytes) -> bool:
        key = data.split(b"\r\n\r\n")[0]
        if self._lost[key] >= 2 or self._random.randrange(100) >= self._loss:
            return False
        self._lost[key] += 1
        return True

    def _say(self, phone: Phone, data: bytes) -> bool:
        """Send something to the proxy; return whether it arrives."""
        if self._is_lost(data):
            return False
        self._queue += self.proxy.receive(data, phone.flow)
        return True

    def _carry(self, sent: Sent) -> None:
        self._queue += sent
        while self._queue:
            flow, data = self._queue.pop(0)
            if flow.link is NOWHERE or self._is_lost(data):
                continue
            if flow is self.alice.flow:
                self._hears(data)
            else:
                self._reaches(flow.host, data)

    # the far ends

    def _reaches(self, host: str, data: bytes) -> None:
        phone, what = self.far[host], start(data)
        key = host, data.split(b"branch=")[1].split(b"\r\n")[0].split(b";")[0]
        leg = self.legs.get(key)
        if what == "INVITE":
            if leg is None:
                self._begins(key, phone, data)
            elif leg.said:
                self._says(leg)
        elif what == "CANCEL":
            assert leg is not None, "a CANCEL for what was never here"
            self._say(phone, _answer(phone, data, 200, leg.tag))
            if not leg.status and not leg.cancelled:
                wanted = leg.does.cancelled
                leg.due = (self.step + leg.does.late * (wanted == 200), wanted) if wanted else None
                leg.cancelled_at = self.step
            leg.cancelled = True
        elif what == "ACK":
            tag = parse_name_addr(parse(data).value(TO)).tag.decode()
            leg = leg or next((one for one in self.legs.values() if one.tag == tag), None)
            assert leg is not None, "an ACK for what was never here"
            leg.acknowledged = True
        elif what == "BYE":
            if key not in self._ended:
                self._ended[key] = self._ends(phone, data)
            self._say(phone, self._ended[key])

    def _begins(self, key: tuple[str, bytes], phone: Phone, data: bytes) -> None:
        host = key[0]
        does = self.behaves[host][self.taken[host] % len(self.behaves[host])]
        leg = self.legs[key] = Leg(phone, data, does, f"t{len(self.legs)}")
        leg.began = self.step
        if isinstance(phone, StrictGateway):
            status, extra = phone._judge(parse(data), data)
            if status:
                self._finally(leg, status, extra)
                return
        self.taken[host] += 1
        if does.rings is not None:
            leg.rings_at = self.step + does.rings
            self._rings(leg)
        if does.final:
            leg.due = self.step + does.after, does.final

    def _rings(self, leg: Leg) -> None:
        if leg.rings_at == self.step and not leg.status and not leg.cancelled:
            leg.said = self._answer(leg, 180)
            self._says(leg)

    def _finally(self, leg: Leg, status: int, extra: str = "") -> None:
        extra = extra or _EXTRA.get(status, "").format(leg.does.leads)
        leg.status, leg.since, leg.due = status, self.step, None
        leg.said = self._answer(leg, status, extra)
        self._says(leg)

    def _answer(self, leg: Leg, status: int, extra: str = "") -> bytes:
        """Return what a far end says of an INVITE; where media are relayed it describes its own."""
        described = self.farm is not None and (status == 200 or (status == 180 and leg.does.media))
        body = offer(leg.phone.flow.host, 5000) if described else ""
        extra += _IS_SDP if body else ""
        return _answer(leg.phone, leg.invite, status, leg.tag, extra, body)

    def _says(self, leg: Leg) -> None:
        if self._say(leg.phone, leg.said) and not leg.heard:
            leg.heard, leg.heard_at = True, self.step

    def _ends(self, phone: Phone, data: bytes) -> bytes:
        tag = parse_name_addr(parse(data).value(TO)).tag.decode()
        status, extra = 0, ""
        leg = self.leg_of(tag)
        if isinstance(phone, StrictGateway):
            status, extra = phone._judge(parse(data), data)
        leg.hung_up = leg.hung_up or not status
        return _answer(phone, data, status or 200, tag, extra)

    def _far_ends(self) -> None:
        """Answer finally where it is time, and again what was not acknowledged."""
        for leg in tuple(self.legs.values()):
            self._rings(leg)
            if leg.due is not None and leg.due[0] <= self.step:
                self._finally(leg, leg.due[1])
            elif leg.status and not leg.acknowledged and self.step - leg.since < _REPEATED:
                self._says(leg)

    # what must hold

    def check(self) -> None:
        """One final answer for the caller; whoever picked up is his, or was hung up; nobody rings on."""
        assert self.finals, "no final answer"
        won = {tag for tag, status in self.finals.items() if status < 300}
        assert not won or set(self.finals) == won, self.finals
        if (
            self._target != "desk"
        ):  # where no plan decides, who picks up second is the caller's affair
            assert len(self.finals) == 1, self.finals
        assert won or len(self.finals) == 1, self.finals
        for leg in self.legs.values():
            assert not self.gave_up or leg.began <= self.gave_up + _AT_ONCE, leg
            if leg.status == 200 and leg.tag not in won:
                assert leg.acknowledged, leg
                assert leg.hung_up, leg
            elif leg.tag in won:
                assert leg.acknowledged, leg
                assert not leg.hung_up, leg
            elif not leg.status:
                assert leg.cancelled or not leg.heard, leg
                assert leg.cancelled_at <= max(self.decided, leg.heard_at) + _AT_ONCE, leg
            else:
                assert leg.acknowledged, leg
        self.hangs_up()
        for tag in won:
            assert self.leg_of(tag).hung_up, "the caller's own BYE comes through"
        core = self.proxy.core
        assert quiet(self.proxy), (core.layer.servers, core.layer.clients, core._waiting)
        if self.farm is not None:
            self._check_relay(self.farm)

    def _check_relay(self, farm: FakeFarm) -> None:
        """No session is left, none is expected, and each port was given back once, or ended with its session."""
        assert (farm.sessions, farm.expected) == ({}, {})
        assert isinstance(self.proxy.core.relaying, Relaying)
        assert len(self.proxy.core.relaying) == 0
        used = {slot for session in farm.told for slot in _slots(session)}
        assert len(farm.returned) == len(set(farm.returned))
        assert used.isdisjoint(farm.returned)
        assert self.relay.given == used | set(farm.returned)


def _slots(session: Session) -> Iterator[Slot]:
    for stream in session.streams:
        if stream is not None:
            yield from stream.slots


def _answer(
    phone: Phone, data: bytes, status: int, tag: str, extra: str = "", body: str = ""
) -> bytes:
    line = f"Contact: <{phone.contact}>\n" if 180 <= status < 300 else ""
    return respond(data, status, "X", to_tag=tag, extra=line + extra, body=body)
