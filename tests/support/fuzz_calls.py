"""Calls, watchers and an operator, under fire: a core with all that `fuzz_core` leaves out.

Its peers mostly behave, so that calls come up, are relayed, go on and end; what they say is spoiled
now and then, and its session descriptions oftener.
"""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from centrex.base import NEVER, Flow, Ids, PeerError, Transport
from centrex.events.render import as_json, as_text
from centrex.farm.bencode import Value
from centrex.farm.rtpengines import Reply
from centrex.media.terms import Session
from centrex.proxy import call_life
from centrex.proxy.ask import Consult
from centrex.proxy.delegating import Delegating
from centrex.proxy.hang_up import hang_up
from centrex.proxy.relaying import Relaying
from centrex.proxy.routes import Routes
from centrex.routing.plans import Plans
from centrex.routing.settings import Gateway, Plan
from centrex.sip.message import Message, parse
from centrex.sip.names import CALL_ID, CONTACT, CSEQ, FROM, RECORD_ROUTE, TO, VIA
from centrex.trace.explain import explain
from centrex.watching.roll import Standing
from tests.support import descriptions
from tests.support.calling import v6
from tests.support.fuzz_core import CoreFuzz
from tests.support.mutate import DOMAIN
from tests.support.proxy import request, seeded
from tests.support.relays import FakeFarm, FakeRelay, offer

Media: TypeAlias = Literal["auto", "always", "rtpengine", "none"]
"""Who relays the calls' media: relays of ours where it is needed, or always; rtpengine; nobody."""

MEDIA: Final[tuple[Media, ...]] = ("always", "rtpengine", "auto", "none")
_PHONES: Final = 10
_TODAY: Final = datetime(2026, 11, 26, tzinfo=UTC)
_SDP: Final = (
    descriptions.YEALINK.encode(), descriptions.BROWSER.encode(), descriptions.GRANDSTREAM,
    descriptions.CISCO, descriptions.LINPHONE, descriptions.BARESIP, descriptions.WEBRTC,
    offer("192.168.1.7", 4000).encode(), offer("203.0.113.9", 4000, "a=rtcp-mux").encode(),
    offer("203.0.113.9", 0).encode(), offer("2001:db8::9", 4000).encode(),
    offer("203.0.113.9", 4000, "a=inactive", "m=video 5000 RTP/AVP 96").encode(),
    offer("203.0.113.9", 4000, "m=audio 4002 RTP/AVP 0", "m=audio 0 RTP/AVP 0").encode(),
    offer("0.0.0.0", 4000).encode(),
)  # fmt: skip
_CALLED: Final = (
    *(f"sip:user{number}@{DOMAIN}" for number in range(_PHONES)), f"sip:sales@{DOMAIN}",
    f"sip:sales@{DOMAIN}", f"sip:9123@{DOMAIN}", f"sip:9123@{DOMAIN}", f"sip:0456@{DOMAIN}",
    f"sip:door@{DOMAIN}", f"sip:round@{DOMAIN}", f"sip:{DOMAIN}", f"sip:nobody@{DOMAIN}",
    "sip:out@198.51.100.9", "sip:out@far.example.net", "tel:+4930123456", "sips:user1@example.com",
)  # fmt: skip
_WITHIN: Final = (
    b"ACK", b"ACK", b"BYE", b"BYE", b"INVITE", b"INVITE", b"UPDATE", b"PRACK", b"INFO", b"REFER",
    b"MESSAGE", b"OPTIONS", b"NOTIFY", b"SUBSCRIBE",
)  # fmt: skip
_BRINGS_SDP: Final = (b"INVITE", b"UPDATE", b"ACK", b"PRACK")
_FINAL: Final = (400, 404, 408, 480, 481, 486, 487, 488, 491, 500, 503, 600, 603, 606, 699)
_TAGS: Final = (b"b", b"b", b"b", b"c", b"d")
_CHALLENGES: Final = (
    b'Digest realm="pstn",nonce="n%d",algorithm=MD5,qop="auth"',
    b'Digest realm="pstn",nonce="n%d",algorithm=SHA-256,qop="auth,auth-int",opaque="o",stale=true',
    b'Digest realm="pstn",nonce="n%d"',
    b'Basic realm="pstn%d"',
)
_CONTACTS: Final = (
    b"<sip:user2@example.com>;q=0.7", b"<sip:out@198.51.100.7:5070;transport=tcp>;q=0.1",
    b"sip:user3@203.0.113.13", b"<sip:9777@example.com>", b"<tel:+4930>", b"<sip:sales@example.com>",
    b"*", b"<mailto:a@example.com>", b"<sips:out@far.example.net>;expires=10",
    b"<sip:user2@203.0.113.12;lr?Route=%3Csip:a%3E>",
)  # fmt: skip
_ROUTES: Final = (
    (
        {"name": "sales", "destinations": ({"to": "user1", "ring": 3}, "user2", "9123@pstn")},
        {"name": "round", "destinations": ({"to": "sales", "expand": True}, "user5", "round")},
        {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",), "strangers": True},
        {"pattern": r"0(\d+)", "destinations": (r"\1@open", "user4")},
    ),
    (
        {"name": "sales", "destinations": ("user7", {"to": "sip:x@198.51.100.9", "ring": 1})},
        {"pattern": r"[90](\d+)", "destinations": (r"\1@open", r"\1@pstn")},
    ),
    (),
)
_GATEWAYS: Final = (
    {
        "name": "pstn",
        "addresses": ("sip:198.51.100.1", "sip:198.51.100.2:5080;transport=tcp"),
        "login": "us",
        "password": "secret",
        "check_interval": 5,
    },
    {"name": "open", "addresses": ("sip:gw.example.net",), "check_interval": 7},
)
_STANDING: Final = {
    b"door": Standing(b"The door", b"sip:door@203.0.113.19"),
    b"user1": Standing(b"Anna", b""),
}


class CallFuzz(CoreFuzz):
    """One core with phones, relays, plans, gateways, watchers and an operator.

    Args:
        seed: Equal seeds do the same, in a process of their own.
        auth: Whether strangers must show credentials.
        media: Who relays media.
    """

    def __init__(self, seed: int, *, auth: bool = False, media: Media = "always") -> None:
        super().__init__(seed, auth=auth)
        self.spoiled = 0.3
        core = self.proxy.core
        core.ids = Ids(seeded(b"%d" % seed))
        core.contacts.asks = True
        self._asked: deque[tuple[Flow, bytes]] = deque(maxlen=48)
        self._told: deque[tuple[Flow, bytes]] = deque(maxlen=48)
        self._said: deque[tuple[Flow, bytes]] = deque(maxlen=16)
        self._consults: list[Consult] = []
        self._farm: FakeFarm | None = None
        self._media = self._take_media(media)
        self._phones = [self._phone(number) for number in range(_PHONES)]
        self._senders += self._phones
        self._route()
        self._actions: Sequence[Callable[[], None]] = (
            self._hang_up, self._hang_up, self._remove, self._route, self._probe, self._probe,
            self._look_at_phones, self._expire, self._return, self._break, self._trouble_relays, self._forget,
            self._explain,
        )  # fmt: skip

    def _take_media(self, media: Media) -> Relaying | Delegating | None:
        refuse = self.random.random() < 0.5
        if media == "none":
            return None
        made: Relaying | Delegating
        if media == "rtpengine":
            mode: Literal["auto", "always"] = "always" if refuse else "auto"
            made = Delegating(mode=mode, refuse=self.random.random() < 0.5)
        else:
            hosts = ("198.51.100.2", "2001:db8:5::2")
            other = FakeRelay("other", hosts=hosts, slots=50)
            self._farm = FakeFarm(FakeRelay(slots=10**9), other)
            made = Relaying(self._farm, mode=media, refuse=refuse)
        self.proxy.core.relaying = made
        return made

    def _phone(self, number: int) -> Flow:
        host = f"203.0.113.{10 + number}"
        if number == 8:
            flow = v6(self.proxy, "2001:db8::8")
        else:
            transport = Transport.TCP if number == 3 else Transport.UDP
            flow = self.proxy.flows.get(host, 5060, transport)
        contact = f"sip:user{number}@192.168.1.{number}" if number in (4, 5) else ""
        if number == 8:
            contact = "sip:user8@[2001:db8::8]:5060"
            self.proxy.register("user7", flow, contact)  # which has a phone of each IP version
        self.proxy.register(f"user{number}", flow, contact)
        return flow

    # what peers say

    def _next(self) -> tuple[Flow, bytes]:
        draw = self.random.random()
        if draw < 0.03:
            self._act()
        if draw < 0.25:
            return super()._next()
        self.counts["fed"] += 1
        flow, data = self._said_next(draw)
        self._said.append((flow, data))
        if self.random.random() < self.spoiled:
            data = self.mutator.spoil(data, self.random.choice(self._corpus))
        return flow, data

    def _said_next(self, draw: float) -> tuple[Flow, bytes]:
        if draw < 0.30 and self._said:
            return self.random.choice(self._said)  # again
        if draw < 0.65 and self._asked:
            return self._answered(*self.random.choice(self._asked))
        if draw < 0.83 and self._told:
            return self._follow(*self.random.choice(self._told))
        if draw < 0.87 and self._asked:
            return self._speak_back(*self.random.choice(self._asked))
        flow = self.random.choice(self._senders)
        draw = self.random.random()
        method = "INVITE" if draw < 0.6 else "SUBSCRIBE" if draw < 0.8 else "REGISTER"
        return flow, self._begin(method, flow)

    def _begin(self, method: str, flow: Flow) -> bytes:
        """Write a request that begins something."""
        draw, number = self.random, self.random.randrange(_PHONES)
        uri = draw.choice(_CALLED)
        where = f"[{flow.host}]" if ":" in flow.host else flow.host
        contact = draw.choice((f"{where}:{flow.port}", f"192.168.1.{number}", "far.example.net"))
        extra, body = [f"Contact: <sip:user{number}@{contact}>".encode()], b""
        if method == "INVITE":
            kind, body = self._body()
            extra += kind
            extra += draw.choice(([], [], [b"Supported: 100rel,timer,replaces"]))
            extra += draw.choice(([], [], [b"Record-Route: <sip:198.51.100.30;lr>"]))
        elif method == "SUBSCRIBE":
            uri = draw.choice((f"sip:{DOMAIN}", f"sip:user{number}@{DOMAIN}", uri))
            package = draw.choice((b"reg", b"dialog", b"dialog", b"presence"))
            extra += [b"Event: " + package, b"Expires: %d" % draw.choice((0, 1, 60, 3600))]
        else:
            uri = f"sip:{DOMAIN}"
            extra += [b"Expires: %d" % draw.choice((0, 60, 90, 3600))]
            extra += draw.choice(([], [], [b"Path: <sip:198.51.100.31;lr>", b"Supported: path"]))
        to = uri if method != "REGISTER" else f"sip:user{number}@{DOMAIN}"
        call = draw.getrandbits(draw.choice((4, 40)))
        lines = [
            f"{method} {uri} SIP/2.0".encode(),
            self._via(flow),
            b"Max-Forwards: %d" % draw.choice((70, 70, 70, 2, 1)),
            f"From: <sip:user{number}@{DOMAIN}>;tag=a{call:x}".encode(),
            f"To: <{to}>".encode(),
            f"Call-ID: fuzz-{call:x}".encode(),
            f"CSeq: {draw.randrange(1, 30)} {method}".encode(),
            *extra,
        ]
        return _joined(lines, body)

    def _via(self, flow: Flow) -> bytes:
        where = f"[{flow.host}]" if ":" in flow.host else flow.host
        branch = self.random.getrandbits(48)
        name = flow.transport.value
        return f"Via: SIP/2.0/{name} {where}:{flow.port};rport;branch=z9hG4bK{branch:x}".encode()

    def _body(self) -> tuple[list[bytes], bytes]:
        """Return the headers of a body and the body: mostly a session description."""
        draw = self.random.random()
        if draw < 0.15:
            return [], b""
        sdp = self.random.choice(_SDP)
        if self.random.random() < 0.3:
            sdp = self.mutator.spoil(sdp, self.random.choice(_SDP))
        if draw > 0.3:
            return [b"Content-Type: application/sdp"], sdp
        if draw > 0.27:
            return [b"Content-Type: application/sdp", b"Content-Encoding: gzip"], sdp
        parts = [
            b"Content-Type: text/plain\r\n\r\nhello",
            b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp,
        ]
        body = b"".join(b"--x\r\n%b\r\n" % part for part in parts) + b"--x--\r\n"
        if self.random.random() < 0.3:
            body = self.mutator.spoil(body, sdp)
        return [b'Content-Type: multipart/mixed;boundary="x"'], body

    def _answered(self, flow: Flow, data: bytes) -> tuple[Flow, bytes]:
        """Answer a request that the core has sent."""
        asked, pick = parse(data), self.random.choice
        if asked.method == b"INVITE":
            status, extra, body = self._answered_call(flow)
        else:
            draw, extra, body = self.random.random(), list[bytes](), b""
            status = pick((200, 200, 202)) if draw < 0.75 else pick((100, *_FINAL))
            if draw < 0.75 and asked.method in _BRINGS_SDP:
                extra, body = self._body()
            elif draw > 0.9:
                status, extra = self._challenged()
        extra += pick(([], [], [], [b"Retry-After: 5"]))
        if self.random.random() < 0.02:
            flow = pick(self._senders)
        return flow, _response(asked, status, pick(_TAGS), extra, body)

    def _answered_call(self, flow: Flow) -> tuple[int, list[bytes], bytes]:
        """Return what answers an INVITE: its status, its headers and its body."""
        draw, pick = self.random.random(), self.random.choice
        if 0.65 <= draw < 0.75:
            return pick((300, 301, 302, 305, 380)), self._sent_elsewhere(), b""
        if 0.75 <= draw < 0.85:
            return *self._challenged(), b""
        if draw >= 0.85:
            return pick(_FINAL), [], b""
        provisional, final = (100, 180, 180, 181, 183, 183, 199), (200, 200, 200, 202)
        status = pick(provisional if draw < 0.25 else final)
        if status not in (180, 183, 200):
            return status, [], b""
        kind, body = self._body()
        extra = [*kind, b"Contact: <sip:phone@%b:5060>" % _host(flow)]
        extra += pick(([], [], [b"Require: 100rel", b"RSeq: %d" % pick((1, 2, 2**31))]))
        return status, extra, body

    def _sent_elsewhere(self) -> list[bytes]:
        found = self.random.choices(_CONTACTS, k=self.random.choice((0, 1, 2, 2, 7)))
        if found and self.random.random() < 0.5:
            found[0] = self.mutator.spoil(found[0], found[-1]).replace(b"\n", b"")
        return [b"Contact: " + b", ".join(found)]

    def _challenged(self) -> tuple[int, list[bytes]]:
        """Return a status that asks for credentials, and its challenges."""
        name, status = self.random.choice(
            ((b"Proxy-Authenticate: ", 407), (b"WWW-Authenticate: ", 401))
        )
        lines = []
        for _ in range(self.random.choice((0, 1, 1, 1, 2, 5))):
            value = self.random.choice(_CHALLENGES) % self.random.randrange(100)
            if self.random.random() < 0.4:
                value = self.mutator.spoil(value, _CHALLENGES[0])
            lines.append(name + value.replace(b"\n", b""))
        return status, lines

    def _follow(self, flow: Flow, data: bytes) -> tuple[Flow, bytes]:
        """Go on with what the core has answered."""
        response = parse(data)
        method = response.value(CSEQ).rpartition(b" ")[2]
        if method == b"INVITE" and (response.status >= 300 or self.random.random() < 0.1):
            other = b"CANCEL" if response.status < 200 else b"ACK"
            number = response.value(CSEQ).partition(b" ")[0]
            lines = [
                b"%b sip:user1@example.com SIP/2.0" % other,
                response.lines[response.at[VIA]],
                b"Max-Forwards: 70",
                *(response.lines[response.at[name]] for name in (FROM, TO, CALL_ID)),
                b"CSeq: %b %b" % (number, other),
            ]
            return flow, _joined(lines)
        return flow, self._within(flow, response, response.value(FROM), response.value(TO), -1)

    def _speak_back(self, flow: Flow, data: bytes) -> tuple[Flow, bytes]:
        """Say something within the dialog that a request has opened, from its other end."""
        asked = parse(data)
        to = asked.value(TO)
        if b"tag=" not in to:
            to += b";tag=" + self.random.choice(_TAGS)
        return flow, self._within(flow, asked, to, asked.value(FROM), 1)

    def _within(self, flow: Flow, opened: Message, sender: bytes, target: bytes, way: int) -> bytes:
        method = self.random.choice(_WITHIN)
        uri = opened.value(CONTACT).strip(b"<> ").partition(b">")[0] or b"sip:user1@example.com"
        routes = opened.values(RECORD_ROUTE)[::way]
        extra, body = [b"Contact: <sip:phone@%b:%d>" % (_host(flow), flow.port)], b""
        if method in _BRINGS_SDP and self.random.random() < 0.7:
            kind, body = self._body()
            extra += kind
        if method == b"SUBSCRIBE":
            extra += [b"Event: dialog", b"Expires: %d" % self.random.choice((0, 60, 600))]
        if method == b"PRACK":
            extra.append(b"RAck: %d 1 INVITE" % self.random.choice((1, 2, 99)))
        number = self.random.randrange(1, 60)
        lines = [
            b"%b %b SIP/2.0" % (method, uri),
            self._via(flow),
            b"Max-Forwards: 70",
            *(b"Route: " + route for route in routes),
            b"From: " + sender,
            b"To: " + target,
            b"Call-ID: " + opened.value(CALL_ID),
            b"CSeq: %d %b" % (number, method),
            *extra,
        ]
        return _joined(lines, body)

    def _take(self, sent: list[tuple[Flow, bytes]]) -> None:
        super()._take(sent)
        for flow, data in sent:
            (self._told if data.startswith(b"SIP/") else self._asked).append((flow, data))

    # what the core asks

    def _answer_asks(self) -> None:
        core = self.proxy.core
        for event in core.events:
            assert "\n" not in as_text(event, _TODAY)
            as_json(event, _TODAY)
        mine = [ask for ask in core.asks if isinstance(ask, Consult)]
        core.asks[:] = [ask for ask in core.asks if not isinstance(ask, Consult)]
        self._consults += mine
        super()._answer_asks()
        if isinstance(self._media, Relaying):
            self._media.go_on(core, self.proxy.now)
            self._take(self.proxy.taken())
        while self._consults and self.random.random() < 0.8:
            self._consulted(self._consults.pop(self.random.randrange(len(self._consults))))

    def _consulted(self, ask: Consult) -> None:
        self.counts["consulted"] += 1
        self.proxy.core.consulted(ask.id, self._reply(ask), self.proxy.now)
        self._take(self.proxy.taken())

    def _reply(self, ask: Consult) -> Reply | str:
        draw = self.random.random()
        if draw < 0.1:
            return "no rtpengine answers"
        fields: dict[bytes, Value] = {b"result": b"ok"}
        if draw < 0.2:
            why = self.random.choice((b"Unknown call-id", b"\xff\xfe", b"", b"x" * 3000))
            fields = {b"result": b"error", b"error-reason": why}
        if ask.fields["command"] in ("offer", "answer"):
            sdp = ask.fields["sdp"]
            assert isinstance(sdp, bytes)
            fields[b"sdp"] = sdp.replace(b"192.168.1.7", b"198.51.100.9")
            if draw > 0.8:
                fields[b"sdp"] = self.mutator.spoil(sdp, self.random.choice(_SDP))
        odd: tuple[Value, ...] = (b"", 7, [b"a", [1]], {b"b": b"c"}, b"\x00\r\n\r\n", -(2**70))
        if self.random.random() < 0.1:
            key = self.random.choice((b"result", b"error-reason", b"sdp", b"warning", b"x"))
            fields[key] = self.random.choice(odd)
        return Reply(self.random.choice(("udp:192.0.2.100:2223", "udp:192.0.2.101:2223")), fields)

    # what an operator, and time, do

    def _act(self) -> None:
        self.counts["acted"] += 1
        self.random.choice(self._actions)()
        self._take(self.proxy.taken())
        self._answer_asks()

    def _hang_up(self) -> None:
        calls = list(self.proxy.core.calls)
        if calls:
            try:
                hang_up(self.proxy.core, self.random.choice(calls), self.proxy.now)
            except PeerError:  # the operator is told
                self.counts["cannot be ended"] += 1

    def _remove(self) -> None:
        user = b"user%d" % self.random.randrange(_PHONES)
        removed = self.proxy.registry.remove(user)
        self.proxy.core.watchers.removed(user, removed, self.proxy.now)

    def _return(self) -> None:
        """A phone registers anew."""
        number = self.random.randrange(_PHONES)
        flow = self._phones[number]
        data = request(
            "REGISTER",
            f"sip:{DOMAIN}",
            flow,
            sender=f"user{number}",
            target=f"sip:user{number}@{DOMAIN}",
            extra=f"Contact: <sip:user{number}@{flow.host}:{flow.port}>" if number != 8 else "",
            call_id=f"again-{number}",
            cseq=self.random.randrange(10**6),
        )
        self.proxy.core.receive(data, flow, self.proxy.now)

    def _route(self) -> None:
        plans = [Plan.model_validate(row) for row in self.random.choice(_ROUTES)]
        gateways = [Gateway.model_validate(row) for row in _GATEWAYS]
        routes = Routes(
            plans=Plans(plans, str.lower),
            gateways={one.name: one for one in gateways if self.random.random() < 0.8},
            fixed={b"door": b"sip:door@203.0.113.19"},
            follows=self.random.random() < 0.6,
            decline_ends=self.random.random() < 0.5,
        )
        core, now = self.proxy.core, self.proxy.now
        core.take_routes(routes, now)
        standing = _STANDING if self.random.random() < 0.5 else {}
        core.watchers.configure(DOMAIN.encode(), standing, now)

    def _probe(self) -> None:
        self.proxy.core.gateways.tick(self.proxy.core, self.proxy.now)

    def _look_at_phones(self) -> None:
        core, now = self.proxy.core, self.proxy.now
        for user in self.proxy.registry.names():
            for binding in self.proxy.registry.held(user):
                if self.random.random() < 0.3:
                    core.contacts.ask(core, user, binding, now)
        core.contacts.tick(core, now)

    def _expire(self) -> None:
        for user, binding in self.proxy.registry.expire(self.proxy.now):
            self.proxy.core.watchers.expired(user, binding, self.proxy.now)

    def _break(self) -> None:
        flow = self.random.choice(tuple(self.proxy.flows.known.values()))
        self.proxy.core.flow_failed(flow, self.proxy.now)

    def _trouble_relays(self) -> None:
        if self._farm is None or not isinstance(self._media, Relaying):
            return
        relay = self.random.choice(self._farm.relays)
        relay.lost = not relay.lost
        self._farm.expects_ports = not self._farm.expects_ports
        if self._farm.sessions and self.random.random() < 0.5:
            self._end_at_relay(self.random.choice(tuple(self._farm.sessions.values())))

    def _end_at_relay(self, session: Session) -> None:
        """A relay ends what nobody speaks in."""
        assert self._farm is not None
        assert isinstance(self._media, Relaying)
        del self._farm.sessions[session.id]
        assert self._media.lost(session.call_id.encode("latin-1"), session.id)

    def _forget(self) -> None:
        calls = list(self.proxy.core.calls)
        if calls and self.random.random() < 0.1:
            call_life.forgotten(self.proxy.core, self.random.choice(calls), self.proxy.now)

    def _explain(self) -> None:
        for _, data in self.random.sample(tuple(self._told), min(3, len(self._told))):
            call_id = parse(data).value(CALL_ID)
            explain(call_id, self.proxy.journal.story(call_id), lambda instant: f"{instant:.3f}")

    # the end

    def rest(self) -> None:
        """As for any core; what was asked is answered, and calls that are up are forgotten."""
        core = self.proxy.core
        core.take_routes(Routes(), self.proxy.now)
        core.contacts.asks = False
        while self._consults:
            self._consulted(self._consults.pop())
        super().rest()
        while self._consults:
            self._consulted(self._consults.pop())
        super().rest()
        for call in core.calls:
            call_life.forgotten(core, call, self.proxy.now)
        if self._farm is not None and isinstance(self._media, Relaying):
            for session in tuple(self._farm.sessions.values()):  # within dialogs we know nothing of
                self._end_at_relay(session)
        if isinstance(self._media, Delegating):
            for call_id in tuple(self._media._unknown):  # of which nobody has said that they ended
                self._media.end(core, call_id, "hung up", self.proxy.now)
            core.asks.clear()
        self._take(self.proxy.taken())
        self._answer_asks()

    def check_rest(self) -> None:
        """See that nothing is left of any call, at the core or at a relay."""
        super().check_rest()
        core: Any = self.proxy.core
        assert len(core.calls) == 0
        assert core._waiting == {}
        assert core.layer._by_stream == {}
        assert core.contacts._open == 0
        assert core.deadline == NEVER
        assert len(core.watchers) == 0
        if self._farm is not None:
            assert self._farm.sessions == {}
            assert self._farm.expected == {}
            self._check_ports(self._farm)
        if self._media is not None:
            media: Any = self._media
            assert len(media) == 0
            if isinstance(media, Delegating):
                assert (media._asked, media._queues) == ({}, {})
            else:
                assert len(media._rush) == 0

    def _check_ports(self, farm: FakeFarm) -> None:
        """See that each port that was taken was told to a relay, or given back: once, and not both."""
        told = {
            slot
            for session in farm.told
            for stream in session.streams
            if stream is not None
            for slot in stream.slots
        }
        assert len(farm.returned) == len(set(farm.returned))
        assert not told & set(farm.returned)
        assert told | set(farm.returned) == set().union(*(relay.given for relay in farm.relays))


def _host(flow: Flow) -> bytes:
    return (f"[{flow.host}]" if ":" in flow.host else flow.host).encode()


def _joined(lines: Sequence[bytes], body: bytes = b"") -> bytes:
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def _response(
    asked: Message, status: int, tag: bytes, extra: Sequence[bytes], body: bytes
) -> bytes:
    """Write the response of whoever got a asked."""
    to = asked.value(TO)
    if b"tag=" not in to and status > 100:
        to += b";tag=" + tag
    lines = [
        b"SIP/2.0 %d Whatever" % status,
        *(asked.lines[at] for at in asked.indices(VIA)),
        *(asked.lines[at] for at in asked.indices(RECORD_ROUTE)),
        b"From: " + asked.value(FROM),
        b"To: " + to,
        b"Call-ID: " + asked.value(CALL_ID),
        b"CSeq: " + asked.value(CSEQ),
        *extra,
    ]
    return _joined(lines, body)
