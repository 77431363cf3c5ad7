"""Random events: nothing raises, every request ends with its one final response, nothing stays behind.

freeswitch #2428 is what this is for: every branch ends, whatever the phones, DNS, the network and the
caller do, and in whatever order.
"""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.base import Flow, Transport
from centrex.proxy import call_life
from centrex.proxy.patience import Patience
from centrex.routing.rfc3263 import Target as Place
from centrex.sip.message import parse
from centrex.sip.names import VIA
from centrex.sip.via import parse_via
from centrex.trace.explain import explain
from tests.support.calling import Phone, quiet, start
from tests.support.long_way import only_the_long_way
from tests.support.proxy import DOMAIN, Proxy, respond

USERS = ["bob", "carol", "dave", "erin", "nobody"]
STATUSES = [
    100,
    180,
    183,
    200,
    202,
    302,
    401,
    404,
    407,
    408,
    480,
    486,
    487,
    500,
    503,
    503,
    600,
    603,
]
PAUSES = [0.0, 0.1, 0.6, 2.0, 5.0, 11.0, 20.0, 32.0, 60.0, 121.0, 190.0]
PLACES = [
    Place(Transport.UDP, "198.51.100.1", 5060, "far.example"),
    Place(Transport.TCP, "198.51.100.2", 5060, "far.example"),
    Place(Transport.UDP, "198.51.100.3", 5060, "far.example"),
    Place(Transport.TLS, "198.51.100.9", 5061, "far.example"),
]
FINAL = 200


class World:
    """A proxy, its phones, and everything that was said to it."""

    def __init__(self) -> None:
        proxy = self.proxy = Proxy(
            users=["alice", *USERS[:-1]],
            trusted=["192.0.2.7"],
            patience=Patience(start_response_s=5, rollover_s=10, final_answer_s=120),
        )
        proxy.flows.unreachable.add("198.51.100.9")
        self.alice = Phone(proxy, "alice", "192.0.2.7")
        self.tcp = Phone(proxy, "alice", "192.0.2.7", 45000, transport=Transport.TCP)
        Phone(proxy, "bob", "192.0.2.20")
        Phone(proxy, "bob", "192.0.2.21")
        Phone(proxy, "bob", "192.0.2.22", params=";q=0.5")
        Phone(proxy, "carol", "192.0.2.30", 46000, transport=Transport.TCP)
        Phone(proxy, "dave", "192.0.2.40", 47000, behind="10.0.0.1:5060")
        Phone(proxy, "dave", "192.0.2.41", params=";q=0.1")
        Phone(proxy, "erin", "192.0.2.50", extra="Contact: <sip:erin@far.example>")
        for flow in proxy.flows.known.values():
            assert flow.open
        self.asked: dict[bytes, tuple[str, bytes, Flow]] = {}
        """What callers sent, by branch: method, data, flow."""
        self.finals: dict[bytes, list[bytes]] = defaultdict(list)
        self.heard: list[tuple[Flow, bytes]] = []
        """Requests that reached a far end."""
        self.count = 0

    def take(self, sent: list[tuple[Flow, bytes]]) -> None:
        """Sort what left."""
        for flow, data in sent:
            message = parse(data)
            assert message.fault is None, data
            if message.status == 0:
                if message.method != b"ACK":
                    self.heard.append((flow, data))
                continue
            branch = parse_via(message.value(VIA)).branch
            if branch not in self.asked or message.method != self.asked[branch][0].encode():
                continue  # to a REGISTER, or to a CANCEL
            assert flow is self.asked[branch][2], "a response goes back the way its request came"
            if message.status >= FINAL and data not in self.finals[branch]:
                self.finals[branch].append(data)

    def ask(self, number: int, other: int) -> None:
        """A caller sends something new."""
        self.count += 1
        phone = (self.alice, self.tcp)[other % 2]
        method = ("INVITE", "INVITE", "INVITE", "MESSAGE", "SUBSCRIBE")[other % 5]
        targets = [f"sip:{user}@{DOMAIN}" for user in USERS]
        targets += ["sip:zoe@far.example", "sip:zoe@198.51.100.7;transport=tcp"]
        branch = f"z9hG4bKm{self.count}"
        more: dict[str, Any] = {"call_id": f"m{self.count}", "branch": branch}
        more["extra"] = f"Contact: <{phone.contact}>"
        if other % 7 == 0:
            more["extra"] += "\nX-Long: " + "x" * 1300
        if other % 11 == 0:
            more["extra"] += f"\nMax-Breadth: {other % 3}"
        data = phone.write(method, targets[number % len(targets)], **more)
        self.asked[branch.encode()] = (method, data, phone.flow)
        self.take(self.proxy.receive(data, phone.flow))

    def again(self, number: int, other: int) -> None:
        """A caller repeats, cancels or acknowledges."""
        if not self.asked:
            return
        branch = list(self.asked)[number % len(self.asked)]
        method, data, flow = self.asked[branch]
        known = {(key[0], key[-1]) for key in self.proxy.core.layer.servers}
        if (branch, method.encode()) not in known:
            return  # so late it would be a new request
        if other % 4 and method == "INVITE":
            word = (b"CANCEL", b"ACK")[other % 2]
            data = data.replace(b"INVITE sip", word + b" sip", 1).replace(b"1 INVITE", b"1 " + word)
        self.take(self.proxy.receive(data, flow))

    def reply(self, number: int, other: int) -> None:
        """A far end answers what it once got."""
        if not self.heard:
            return
        flow, data = self.heard[-1 - number % min(len(self.heard), 6)]
        status = 200 if start(data) == "CANCEL" and other % 3 else STATUSES[other % len(STATUSES)]
        tag = f"t{other % 3}"
        extra = 'Proxy-Authenticate: Digest realm="x"' if status == 407 else ""
        self.take(self.proxy.receive(respond(data, status, to_tag=tag, extra=extra), flow))

    def wait(self, number: int, other: int) -> None:
        """Time passes."""
        self.take(self.proxy.advance(PAUSES[number % len(PAUSES)]))

    def name(self, number: int, other: int) -> None:
        """DNS answers."""
        waiting = list(self.proxy.core._waiting)
        if waiting:
            places = [PLACES[(number + n) % len(PLACES)] for n in range(other % 4)]
            answer = places if other % 5 else "SERVFAIL"
            self.proxy.core.answer(waiting[number % len(waiting)], answer, self.proxy.now)
            self.take(self.proxy.taken())

    def fail(self, number: int, other: int) -> None:
        """A connection breaks."""
        streams = [flow for flow in self.proxy.flows.known.values() if flow.reliable]
        flow = streams[number % len(streams)]
        self.proxy.flows.no_tcp.add((flow.host, flow.port))
        self.proxy.core.flow_failed(flow, self.proxy.now)
        self.take(self.proxy.taken())

    def stop(self, number: int, other: int) -> None:
        """Somebody stops the server, now and then."""
        if number % 8 == 0:
            self.proxy.core.drain()
        if number % 16 == 0:
            self.proxy.core.abort(self.proxy.now)
            self.take(self.proxy.taken())

    def end(self) -> None:
        """Let everything come to its end."""
        for number in list(self.proxy.core._waiting):
            self.proxy.core.answer(number, "no answer", self.proxy.now)
        self.take(self.proxy.taken())
        # TCP is given up where it is neither refused nor made, as the operating system does
        for _ in range(40):
            self.proxy.flows.no_tcp |= {
                (flow.host, flow.port) for flow in self.proxy.flows.known.values()
            }
            self.take(self.proxy.advance(30))
        for call in self.proxy.core.calls:
            call_life.forgotten(self.proxy.core, call, self.proxy.now)

    def check(self) -> None:
        """What must hold in the end."""
        for branch, (method, _, _) in self.asked.items():
            finals = [int(data[8:11]) for data in self.finals[branch]]
            refusals = [status for status in finals if status >= 300]
            if method == "INVITE":
                assert finals, branch
                assert len(refusals) <= 1, finals
                assert not refusals or finals[0] == refusals[0], "no refusal after a 2xx"
            else:
                assert len(finals) <= 1, finals
                assert finals != [408]
        core = self.proxy.core
        assert quiet(self.proxy), (core.layer.servers, core.layer.clients, core._waiting)
        for branch, (_, data, _) in self.asked.items():
            call_id = b"m" + branch.removeprefix(b"z9hG4bKm")
            story = self.proxy.journal.story(call_id)
            assert story, data
            told = explain(call_id, story, str)
            assert told.headline
            assert len(told.lines) == len(story)


OPERATIONS = ["ask", "again", "reply", "reply", "reply", "wait", "wait", "name", "fail", "stop"]
EVENTS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 63), st.integers(0, 63)), max_size=30
)


Events = list[tuple[str, int, int]]


def played(events: Events) -> World:
    """Return a world in which these things happened."""
    world = World()
    world.ask(len(events), len(events) % 3)
    for name, number, other in events:
        getattr(world, name)(number, other)
    world.end()
    return world


@settings(max_examples=max(150, settings().max_examples))
@given(EVENTS)
def test_whatever_happens_every_request_ends(events: Events) -> None:
    played(events).check()


@settings(max_examples=max(100, settings().max_examples))
@given(EVENTS)
def test_whatever_happens_both_ways_through_the_proxy_do_the_same(events: Events) -> None:
    """The short way of usual messages (`centrex.proxy.short_way`), where calls fork and fail."""
    short = played(events)
    with only_the_long_way():
        long = played(events)
    assert short.finals == long.finals
    assert [(flow.name, data) for flow, data in short.heard] == [
        (flow.name, data) for flow, data in long.heard
    ]
    long.check()
