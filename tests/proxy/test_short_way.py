"""The short way of usual messages does what the long way does, byte for byte."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.base import Flow, Transport
from centrex.sip.message import parse
from tests.support.calling import Phone, answer_challenge, routes
from tests.support.long_way import only_the_long_way
from tests.support.mutate import Mutator, torture
from tests.support.proxy import DOMAIN, Proxy, respond

Told = list[tuple[str, bytes]]


CHANGES = (
    ("From: <sip:", 'From: "A B" <sip:'), ("From: ", "f: "), (";tag=a", ""), ("Via: ", "v: "),
    ("Max-Forwards: 70", "Max-Forwards: 0"), ("Max-Forwards: 70", "Max-Forwards: 1"),
    ("Max-Forwards: 70\r\n", ""), ("Max-Forwards: 70", "Max-Forwards: 255"), (";rport", ""),
    ("Max-Forwards: 70", "Max-Forwards: 256"), ("CSeq: 1 ", "CSeq: 1  "), ("5060;", "5061;"),
    ("Call-ID: ", "Call-ID:"), ("192.0.2.7:5060", "10.0.0.1:5060"), ("5060;", "70000;"),
    ("Content-Length: 0", "Content-Length:   0"), ("Content-Length: 0", "Content-Length: 3"),
    ("Content-Length: 0", "l: 0"), ("Content-Length: 0\r\n", ""), ("To: <sip:", "To: <sips:"),
    ("Content-Length", "Require: 100rel\r\nContent-Length"),
    ("Content-Length", "Proxy-Require: foo\r\nContent-Length"),
    ("Content-Length", "Max-Breadth: 2\r\nContent-Length"),
    ("Content-Length", "Supported: path, gruu\r\nUser-Agent: x\r\nContent-Length"),
    ("Content-Length", "Subject: a\r\n b\r\nContent-Length"),
    ("Content-Length", "Record-Route: <sip:p;lr>\r\nContent-Length"),
    ("Content-Length", "Timestamp: 7\r\nContent-Length"),
    ("Content-Length", "Contact: <sip:x@y;ob>;+sip.instance=\"<urn:uuid:1>\"\r\nContent-Length"),
    ("Content-Length", "Contact: <sip:x@y>;;\r\nContent-Length"),
    ("Content-Length", "Contact: <sip:x@y\r\nContent-Length"),
    ("Content-Length", "Expires: 60\r\nExpires: 70\r\nContent-Length"),
    ("Content-Length", "X-Odd: \x01\xff\r\nContent-Length"),
    ("Call-ID", "To: <sip:again@x>\r\nCall-ID"), ("Call-ID", "CALL-ID: other\r\nCall-ID"),
    ("@example.com>", "@exam..ple.com>"), ("sip:bob@", "sip:b%6Fb@"), ("sip:bob@", "sip:BOB@"),
    ("sip:bob@example.com", "sip:1-2@example.com;user=phone"),
    ("SIP/2.0\r\n", "SIP/2.0\r\nRoute: <sip:192.0.2.1;lr>\r\n"), ("sip:bob@", "sip:bob:pw@"),
    ("SIP/2.0\r\n", "SIP/2.0\r\nVia: SIP/2.0/UDP p;branch=z9hG4bKq\r\n"), ("z9hG4bK", "z9hG5bK"),
    ("From: <sip:alice@example.com>", "From: <sip:alice@example.com;user=phone>"), ("\r\n", "\n"),
)  # fmt: skip


def story(proxy: Proxy) -> list[object]:
    return [decision[1:] for decision in proxy.journal.story(b"call-1")]


class Play:
    """One call, from the REGISTER on, each message changed on its way in."""

    def __init__(self, changes: dict[int, tuple[str, str]], *, auth: bool, spoil: int) -> None:
        self.proxy = Proxy(auth=auth, users=["alice", "bob"])
        self.changes, self.count, self.spoil = changes, 0, spoil
        self.told: Told = []
        self.heard: list[tuple[bytes, Flow]] = []

    def receive(self, data: bytes, phone: Phone) -> list[tuple[str, bytes]]:
        self.count += 1
        if self.count in self.changes:
            old, new = self.changes[self.count]
            data = data.replace(old.encode(), new.encode("latin-1"), 1)
        if self.spoil == self.count:
            data = Mutator(self.count).spoil(data, torture()[self.count])
        self.heard.append((data, phone.flow))
        sent = self.proxy.receive(data, phone.flow) + self.proxy.advance(0.1)
        self.told += [(flow.name, out) for flow, out in sent]
        return self.told[-len(sent) :] if sent else []

    def authentic(
        self, phone: Phone, method: str, uri: str, **more: Any
    ) -> list[tuple[str, bytes]]:
        more["extra"] = f"{more.get('extra', '')}\nUser-Agent: phone"
        out = self.receive(phone.write(method, uri, **more), phone)
        if out and out[-1][1][8:11] in (b"401", b"407"):
            user = phone.name
            line = answer_challenge(out[-1][1], method, uri, user)
            more["extra"] = f"{more['extra']}\n{line}"
            more["branch"] = f"{more['branch']}x"
            more["cseq"] = 2
            out = self.receive(phone.write(method, uri, **more), phone)
        return out

    def run(self, transport: Transport) -> None:
        alice = Phone(self.proxy, "alice", "192.0.2.7", transport=transport, register=False)
        bob = Phone(self.proxy, "bob", "192.0.2.8", transport=transport, register=False)
        here = f"sip:{DOMAIN}"
        self.authentic(
            bob, "REGISTER", here, branch="z9hG4bKr", call_id="reg",
            target=f"sip:bob@{DOMAIN}", extra=f"Contact: <{bob.contact}>\nExpires: 600",
        )  # fmt: skip
        uri = f"sip:bob@{DOMAIN}"
        sent = self.authentic(
            alice, "INVITE", uri, branch="z9hG4bKi", extra=f"Contact: <{alice.contact}>"
        )
        invites = [data for to, data in sent if to == bob.flow.name]
        if not invites or parse(invites[0]).status:
            return
        for status in (180, 200):
            sent = self.receive(respond(invites[0], status), bob)
        oks = [data for to, data in sent if to == alice.flow.name]
        if not oks:
            return
        for number, (method, phone) in enumerate((("ACK", alice), ("INFO", alice), ("BYE", bob))):
            way = routes(oks[0] if phone is alice else invites[0], caller=phone is alice)
            mine, other = ("a", "b") if phone is alice else ("b", "a")
            out = self.receive(
                phone.write(
                    method, bob.contact if phone is alice else alice.contact,
                    target=uri if phone is alice else f"sip:alice@{DOMAIN}", extra=way,
                    from_tag=mine, to_tag=other, branch=f"z9hG4bKd{number}", cseq=number + 3,
                ),
                phone,
            )  # fmt: skip
            for to, data in out:
                if to != phone.flow.name and method != "ACK":
                    self.receive(respond(data, 200), bob if to == bob.flow.name else alice)
        self.receive(alice.write("OPTIONS", here, branch="z9hG4bKo", call_id="o"), alice)


@settings(max_examples=150)
@given(
    st.dictionaries(st.integers(1, 14), st.sampled_from(CHANGES), max_size=2),
    st.booleans(),
    st.sampled_from([*Transport]),
    st.integers(0, 20),
)
def test_both_ways_do_the_same(
    changes: dict[int, tuple[str, str]], auth: bool, transport: Transport, spoil: int
) -> None:
    short = Play(changes, auth=auth, spoil=spoil)
    short.run(transport)
    long = Proxy(auth=auth, users=["alice", "bob"])
    sent = []
    with only_the_long_way():
        for data, flow in short.heard:
            sent += long.receive(data, long.flows.get(flow.host, flow.port, transport))
            sent += long.advance(0.1)
    sent += long.advance(600)
    short.told += [(flow.name, out) for flow, out in short.proxy.advance(600)]
    assert short.told == [(flow.name, data) for flow, data in sent]
    assert story(short.proxy) == story(long)
    now = long.now
    assert short.proxy.statistics.snapshot(now) == long.statistics.snapshot(now)


def test_a_usual_call_needs_no_long_way() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("centrex.proxy.core.parse", None)
        for auth in (False, True):
            play = Play({}, auth=auth, spoil=0)
            play.run(Transport.UDP)
            starts = [data.split(b"\r\n")[0] for _, data in play.told]
            assert b"BYE sip:alice@192.0.2.7:5060 SIP/2.0" in starts
            assert not len(play.proxy.core.calls)
