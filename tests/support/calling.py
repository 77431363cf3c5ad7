"""Phones that talk through a core without sockets: what they send, and what leaves because of it."""

from collections.abc import Iterator
from typing import Any

from centrex.base import Flow, Local, Transport
from centrex.sip.message import Message, parse
from centrex.sip.names import CONTACT, RECORD_ROUTE
from centrex.sip.via import split_values
from centrex.trace import Rule
from tests.support import sipmessage
from tests.support.proxy import DOMAIN, Proxy, request, respond

Sent = list[tuple[Flow, bytes]]


def start(data: bytes) -> str:
    """Return what a message is: its method, or its status."""
    message = parse(data)
    return str(message.status) if message.status else message.method.decode()


def names(sent: Sent) -> list[str]:
    """Return what left, in order: `["100", "INVITE"]`."""
    return [start(data) for _, data in sent]


def find(sent: Sent, what: str, flow: Flow | None = None) -> bytes:
    """Return the one message of that method or status (that left by a flow)."""
    found = [data for to, data in sent if start(data) == what and (flow is None or to is flow)]
    assert len(found) == 1, (what, names(sent))
    return found[0]


def values(data: bytes, number: int) -> list[str]:
    """Return a header's values, comma-joined ones apart."""
    lines = parse(data).values(number)
    return [value.decode() for line in lines for value in split_values(line)]


def routes(data: bytes, *, caller: bool) -> str:
    """Return the Route lines of whoever got this message with its Record-Routes (§12.1)."""
    found = values(data, RECORD_ROUTE)
    return "\n".join(f"Route: {value}" for value in (reversed(found) if caller else found))


def rules(proxy: Proxy, call_id: str = "call-1") -> list[Rule]:
    """Return which rules decided, in order."""
    return [decision[1] for decision in proxy.journal.story(call_id.encode())]


def quiet(proxy: Proxy) -> bool:
    """Whether nothing is left in any table of the core, once enough time has passed."""
    core = proxy.core
    left = (core.layer.servers, core.layer.clients, core.layer._by_stream, core._waiting)
    return not any(left) and not len(core.layer.timers) and not len(core.calls)


class Phone:
    """A user agent at one address."""

    def __init__(
        self,
        proxy: Proxy,
        name: str,
        host: str,
        port: int = 5060,
        *,
        transport: Transport = Transport.UDP,
        behind: str = "",
        register: bool = True,
        extra: str = "",
        params: str = "",
    ) -> None:
        self.proxy, self.name = proxy, name
        self.flow = proxy.flows.get(host, port, transport)
        self.behind = behind
        """The private address a phone behind NAT believes to have."""
        mine = behind or f"{host}:{port}"
        suffix = "" if transport is Transport.UDP else f";transport={transport.value.lower()}"
        self.contact = f"sip:{name}@{mine}{suffix}"
        if register:
            line = f"Contact: <{self.contact}>{params}\n{extra}"
            (answer,) = self.sends(
                "REGISTER",
                f"sip:{DOMAIN}",
                target=f"sip:{name}@{DOMAIN}",
                extra=line,
                call_id=f"reg-{name}-{host}-{port}",
            )
            assert start(answer[1]) == "200", answer

    def write(self, method: str, uri: str, *, branch: str = "", **more: Any) -> bytes:
        """Return a request as this phone writes it."""
        via = str(more.pop("via", ""))
        if self.behind and not via:
            word = self.flow.transport.value
            tag = branch or f"z9hG4bK{self.name}{method}{more.get('cseq', 1)}{id(more):x}"
            via = f"Via: SIP/2.0/{word} {self.behind};rport;branch={tag}"
        more.setdefault("sender", self.name)
        return request(method, uri, self.flow, via=via, branch=branch, **more)

    def sends(self, method: str, uri: str, **more: Any) -> Sent:
        """Send a request; return what leaves."""
        return self.proxy.receive(self.write(method, uri, **more), self.flow)

    def calls(self, user: str, *, branch: str = "z9hG4bKcall", **more: Any) -> Sent:
        """Send an INVITE to a user, with a Contact."""
        more["extra"] = f"Contact: <{self.contact}>\n{more.get('extra', '')}"
        uri = user if ":" in user else f"sip:{user}@{DOMAIN}"
        return self.sends("INVITE", uri, branch=branch, **more)

    def says(
        self,
        data: bytes,
        status: int,
        reason: str = "X",
        *,
        extra: str = "",
        tag: str = "",
        body: str = "",
    ) -> Sent:
        """Answer a request; return what leaves."""
        line = f"Contact: <{self.contact}>\n" if 180 <= status < 300 else ""
        if body:
            extra += "Content-Type: application/sdp\n"
        answer = respond(
            data, status, reason, to_tag=tag or self.name, extra=line + extra, body=body
        )
        return self.proxy.receive(answer, self.flow)

    def gets(self, sent: Sent, what: str) -> bytes:
        """Return the one message of that kind among what came to this phone."""
        return find(sent, what, self.flow)


class Talk:
    """A call that is up between two phones, with the dialog both have."""

    def __init__(self, caller: Phone, callee: Phone, uri: str = "", **more: Any) -> None:
        self.caller, self.callee = caller, callee
        self.target = uri or f"sip:{callee.name}@{DOMAIN}"
        sent = caller.calls(self.target, **more)
        self.invite = callee.gets(sent, "INVITE")
        callee.says(self.invite, 180)
        self.ok = caller.gets(callee.says(self.invite, 200), "200")
        self.call_id = str(more.get("call_id", "call-1"))
        self.cseq = 1

    @classmethod
    def standing(cls, caller: Phone, callee: Phone, invite: bytes, ok: bytes) -> "Talk":
        """Return a call whose INVITE the callee got, and its 200 the caller."""
        talk = cls.__new__(cls)
        talk.caller, talk.callee, talk.target = caller, callee, f"sip:{callee.name}@{DOMAIN}"
        talk.invite, talk.ok, talk.call_id, talk.cseq = invite, ok, "call-1", 1
        return talk

    def from_caller(self, method: str, *, route: str | None = None, **more: Any) -> Sent:
        """Send a request within the dialog, from the caller's side."""
        self.cseq += method != "ACK"
        contact = _contact(self.ok)
        extra = routes(self.ok, caller=True) if route is None else route
        return self.caller.sends(
            method, contact, target=self.target, to_tag=self.callee.name, cseq=self.cseq,
            call_id=self.call_id, extra=f"{extra}\n{more.pop('extra', '')}", **more,
        )  # fmt: skip

    def from_callee(self, method: str, *, route: str | None = None, **more: Any) -> Sent:
        """Send a request within the dialog, from the callee's side."""
        contact = _contact(self.invite)
        extra = routes(self.invite, caller=False) if route is None else route
        sender = f"sip:{self.caller.name}@{DOMAIN}"
        more.setdefault("cseq", 1)
        return self.callee.sends(
            method, contact, target=sender, from_tag=self.callee.name, to_tag="a",
            call_id=self.call_id, extra=f"{extra}\n{more.pop('extra', '')}", **more,
        )  # fmt: skip


def _contact(data: bytes) -> str:
    (value,) = values(data, CONTACT)
    return sipmessage.uri_in(value)


def answer_challenge(
    data: bytes, method: str, uri: str, user: str, password: str = "secret"
) -> str:
    """Return the header line with credentials that answers a 401 or 407."""
    given = sipmessage.Credentials(user, password).answer(sipmessage.Message(data), method, uri)
    assert given is not None
    return f"{given[0]}: {given[1]}"


def v6(proxy: Proxy, host: str, port: int = 5060) -> Flow:
    """Return a UDP flow over IPv6, by a listener of its own."""
    key = (Transport.UDP, host, port)
    if key not in proxy.flows.known:
        local = Local(Transport.UDP, "2001:db8::1", 5060)
        proxy.core.places.ours.add(local)
        like = proxy.flows.get("192.0.2.250", 5060)
        proxy.flows.known[key] = Flow(
            Transport.UDP, host, port, address=(host, port, 0, 0), link=like.link, local=local
        )
    return proxy.flows.known[key]


def messages(sent: Sent) -> Iterator[Message]:
    """Return what left, parsed."""
    return (parse(data) for _, data in sent)
