"""A gateway that asks who calls is answered at the call's beginning and within it, and nobody else is."""

from typing import Any

import pytest

from centrex.base import Transport
from centrex.proxy.gateway_login import MOST_ANSWERS, MOST_NONCES, Nonces
from centrex.proxy.hang_up import hang_up
from centrex.proxy.leg import NOWHERE
from centrex.routing.rfc3263 import Target as Place
from centrex.sip.message import parse
from centrex.sip.names import PROXY_AUTHORIZATION
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, names, routes, rules
from tests.support.hunting import planned
from tests.support.proxy import Proxy
from tests.support.strict_gateway import StrictGateway, number

HOST, OTHER, STRANGER = "198.51.100.1", "198.51.100.2", "203.0.113.66"
ROW: dict[str, Any] = {
    "name": "pstn",
    "addresses": (f"sip:{HOST}", f"sip:{OTHER}:5080"),
    "login": "us",
    "password": "secret",
    "check_interval": 0,
}
PLAN: dict[str, Any] = {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}


@pytest.fixture
def proxy() -> Proxy:
    made = Proxy(users=["alice"], trusted=["192.0.2.7"])
    planned(made, PLAN, gateways=[ROW])
    return made


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


class OutsideCall(Talk):
    """A call to a gateway that asks who calls."""

    def __init__(self, caller: Phone, gateway: StrictGateway, **more: Any) -> None:
        self.caller, self.callee = caller, gateway
        self.target = "sip:9123@example.com"
        self.call_id = str(more.get("call_id", "call-1"))
        self.cseq = int(more.get("cseq", 1))
        sent = gateway.takes(caller.calls(self.target, **more), "INVITE")
        self.invite = gateway.gets(sent, "INVITE")
        sent = gateway.takes(sent, "INVITE", ring=True)
        while "200" not in names(sent):
            self.invite = gateway.gets(sent, "INVITE")
            sent = gateway.takes(sent, "INVITE")
        self.ok = caller.gets(sent, "200")
        self.from_caller("ACK")

    def asks(self, method: str, answer: int = 200, **more: Any) -> Sent:
        """Send a request to the gateway and have it answered to its end; return what came of it."""
        return taken(self.from_caller(method, **more), self.callee, method, answer)


def taken(sent: Sent, gateway: Phone, method: str, answer: int = 200) -> Sent:
    """Have a gateway answer a request to its end; return what came of it."""
    assert isinstance(gateway, StrictGateway)
    sent = gateway.takes(sent, method, answer)
    while method in names(sent):
        sent = gateway.takes(sent, method, answer)
    return sent


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "BYE"])
def test_each_request_of_a_call_is_answered_for(
    proxy: Proxy, alice: Phone, method: str, status: int
) -> None:
    gateway = StrictGateway(proxy, HOST, status=status)
    call = OutsideCall(alice, gateway)
    assert gateway.log == [("INVITE", 1, status), ("INVITE", 2, 200)]
    answer = alice.gets(call.asks(method), "200")
    assert number(answer) == call.cseq == 2, "the phone's own number"
    assert gateway.log[2:] == [(method, 3, status), (method, 4, 200)]
    if method == "INVITE":
        assert number(gateway.gets(call.from_caller("ACK"), "ACK")) == 4
    if method != "BYE":
        alice.gets(call.asks("BYE"), "200")
        assert gateway.log[4:] == [("BYE", 5, status), ("BYE", 6, 200)]
    assert rules(proxy).count(Rule.GATEWAY_ASKED) == len(gateway.log) // 2


def test_the_answer_to_an_invite_has_the_callers_number_and_so_has_its_ack_the_gateways(
    proxy: Proxy, alice: Phone
) -> None:
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway, cseq=41)
    assert number(call.ok) == 41
    assert [one[1] for one in gateway.log] == [41, 42]
    call.cseq = 41
    assert number(gateway.gets(call.from_caller("ACK"), "ACK")) == 42
    call.cseq = 99
    alice.gets(call.asks("BYE"), "200")
    assert [one[1] for one in gateway.log[2:]] == [101, 102], "a caller may leave numbers out"


def test_a_nonce_that_is_too_old(proxy: Proxy, alice: Phone) -> None:
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway)
    gateway.changes_nonces = 1
    alice.gets(call.asks("INVITE"), "200")
    assert [one[2] for one in gateway.log[2:]] == [407, 407, 200]
    assert number(gateway.gets(call.from_caller("ACK"), "ACK")) == 5
    gateway.changes_nonces = 100
    alice.gets(call.asks("BYE"), "500")
    assert len(gateway.log) == 5 + MOST_ANSWERS + 1, "no loop without an end"


def test_a_nonce_that_is_too_old_when_the_call_begins(proxy: Proxy, alice: Phone) -> None:
    gateway = StrictGateway(proxy, HOST)
    gateway.changes_nonces = 1
    call = OutsideCall(alice, gateway)
    assert [one[1:] for one in gateway.log] == [(1, 407), (2, 407), (3, 200)]
    assert number(gateway.gets(call.from_caller("ACK"), "ACK")) == 3 + call.cseq - 1
    alice.gets(call.asks("BYE"), "200")


def test_a_gateway_that_picked_up_too_late_changes_no_numbers_of_another(
    proxy: Proxy, alice: Phone
) -> None:
    rows = [{**ROW, "name": name, "addresses": (f"sip:{host}",)}
            for name, host in (("late", OTHER), ("pstn", HOST))]  # fmt: skip
    steps = ({"to": r"\1@late", "ring": 5}, r"\1@pstn")
    planned(proxy, {**PLAN, "destinations": steps}, gateways=rows)
    late, gateway = StrictGateway(proxy, OTHER), StrictGateway(proxy, HOST)
    sent = late.takes(alice.calls("9123"), "INVITE")
    invite = late.gets(sent, "INVITE")
    late.says(invite, 180, tag="late")
    gateway.changes_nonces = 2
    sent = gateway.takes(proxy.advance(5.2), "INVITE")
    for _ in range(3):
        sent = gateway.takes(sent, "INVITE")
    assert [one[1:] for one in gateway.log] == [(1, 407), (2, 407), (3, 407), (4, 200)]
    call = Talk.standing(alice, gateway, invite, alice.gets(sent, "200"))
    call.target = "sip:9123@example.com"
    sent = late.says(invite, 200, tag="late")
    assert names(sent) == ["ACK", "BYE"]
    sent = late.takes(sent, "BYE")
    late.says(late.gets(sent, "BYE"), 200)
    alice.gets(taken(call.from_caller("INVITE"), gateway, "INVITE"), "200")
    proxy.advance(70)
    proxy.core.gateways.tick(proxy.core, proxy.now)
    alice.gets(taken(call.from_caller("BYE"), gateway, "BYE"), "200")


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_password_that_is_wrong(proxy: Proxy, alice: Phone, method: str) -> None:
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway)
    planned(proxy, PLAN, gateways=[{**ROW, "password": "wrong"}])
    sent = gateway.takes(call.from_caller(method), method)
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    proxy.core.events.clear()
    sent = gateway.says(gateway.gets(sent, method), 407, extra=challenge)
    answer = alice.gets(sent, "500")
    assert b"Authenticate: " not in answer, "the caller's phone knows nothing of that password"
    assert b"the gateway refuses the server's login" in answer
    assert method not in names(sent)
    assert Rule.GATEWAY_REFUSED in rules(proxy)
    assert "gateway.refused" in [event.name for event in proxy.core.events]


def test_a_proxy_before_the_gateway_asks_too(proxy: Proxy, alice: Phone) -> None:
    """Each realm has its own answer, and what was told the one is told again with the other."""
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway)
    lines = ('Proxy-Authenticate: Digest realm="edge", nonce="e"\n',
             'WWW-Authenticate: Digest realm="inner", nonce="i"\n')  # fmt: skip
    bye = gateway.gets(call.from_caller("BYE"), "BYE")
    for line, status in zip(lines, (407, 401), strict=True):
        bye = gateway.gets(gateway.says(bye, status, extra=line), "BYE")
    assert b'\r\nProxy-Authorization: Digest username="us", realm="edge"' in bye
    assert b'\r\nAuthorization: Digest username="us", realm="inner"' in bye
    alice.gets(gateway.says(bye, 200), "200")


def test_another_address_of_the_gateway_may_ask_and_no_other_host(
    proxy: Proxy, alice: Phone
) -> None:
    """A caller has our Route value, and may send by it wherever he likes."""
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    call = OutsideCall(alice, StrictGateway(proxy, HOST))
    for host, answered in ((OTHER, True), (STRANGER, False)):
        call.cseq += 1
        sent = alice.sends(
            "BYE", f"sip:gw@{host}", target=call.target, to_tag="gw", cseq=call.cseq,
            extra=routes(call.ok, caller=True),
        )  # fmt: skip
        other = Phone(proxy, "other", host, register=False)
        sent = other.says(other.gets(sent, "BYE"), 407, extra=challenge)
        assert ("BYE" in names(sent)) is answered
        if not answered:
            alice.gets(sent, "407")
    assert Rule.GATEWAY_REFUSED in rules(proxy)


def test_where_the_names_of_a_gateway_led_to_is_the_gateway(proxy: Proxy) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:there.example",)}])
    gateways = proxy.core.gateways
    assert not gateways.is_at("pstn", STRANGER)
    place = Place(Transport.UDP, STRANGER, 5060, "")
    gateways.resolved(proxy.core, gateways.probes[0], [place], proxy.now)
    assert gateways.is_at("pstn", STRANGER)
    assert not gateways.is_at("other", STRANGER)
    assert not gateways.is_at("pstn", "203.0.113.67")


def test_a_name_that_leads_elsewhere_by_now_gets_nothing(proxy: Proxy, alice: Phone) -> None:
    """The answer goes where the challenge came from, not where the name leads the next time."""
    call = OutsideCall(alice, StrictGateway(proxy, HOST))
    sent = alice.sends(
        "BYE", "sip:gw@rebound.example", target=call.target, to_tag="gw", cseq=3,
        extra=routes(call.ok, caller=True),
    )  # fmt: skip
    assert "BYE" not in names(sent)
    (ask,) = proxy.core.asks
    proxy.core.asks.clear()
    proxy.core.answer(ask.id, [Place(Transport.UDP, HOST, 5060, "")], proxy.now)
    gateway = Phone(proxy, "gw", HOST, register=False)
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    sent = gateway.says(gateway.gets(proxy.taken(), "BYE"), 407, extra=challenge)
    gateway.gets(sent, "BYE")
    assert not proxy.core.asks, "nobody is asked again where it leads"


def test_our_route_begins_no_other_call_at_the_gateways_cost(proxy: Proxy, alice: Phone) -> None:
    """It is bound to Call-ID and caller, not to who answered: a To tag may be made up."""
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway)
    for method, told in (("INVITE", False), ("MESSAGE", False), ("BYE", True)):
        call.cseq += 1
        sent = alice.sends(
            method, f"sip:0900123@{HOST}", target=call.target, to_tag="madeup", cseq=call.cseq,
            extra=routes(call.ok, caller=True),
        )  # fmt: skip
        sent = gateway.takes(sent, method)
        assert (method in names(sent)) is told


def test_calls_from_before_a_restart(proxy: Proxy, alice: Phone) -> None:
    """What the Record-Route value tells is enough, and numbers go on above those that were used."""
    gateway = StrictGateway(proxy, HOST)
    call = OutsideCall(alice, gateway)
    alice.gets(call.asks("UPDATE"), "200")
    after = Proxy(users=["alice"], trusted=["192.0.2.7"])
    after.now = proxy.now + 60
    planned(after, PLAN, gateways=[ROW])
    here = Phone(after, "alice", "192.0.2.7")
    call.caller, gateway.proxy, gateway.flow = here, after, after.flows.get(HOST, 5060)
    here.gets(call.asks("INVITE"), "200")
    assert number(gateway.gets(call.from_caller("ACK"), "ACK")) == gateway.log[-1][1]
    here.gets(call.asks("BYE"), "200")
    assert [one[2] for one in gateway.log[2:]] == [407, 200] * 3


def test_the_operators_bye_is_answered_for(proxy: Proxy, alice: Phone) -> None:
    gateway = StrictGateway(proxy, HOST)
    OutsideCall(alice, gateway)
    (call,) = proxy.core.calls
    hang_up(proxy.core, call, proxy.now)
    sent = [one for one in proxy.taken() if one[0].link is not NOWHERE]
    gateway.takes(gateway.takes(sent, "BYE"), "BYE")
    assert [one[2] for one in gateway.log[2:]] == [407, 200]


def test_the_gateway_hangs_up(proxy: Proxy, alice: Phone) -> None:
    call = OutsideCall(alice, StrictGateway(proxy, HOST))
    assert len(proxy.core.gateways.numbers) == 0, "there was nothing to remember"
    call.asks("UPDATE")
    assert len(proxy.core.gateways.numbers) == 1
    bye = alice.gets(call.from_callee("BYE"), "BYE")
    assert not parse(bye).values(PROXY_AUTHORIZATION)
    proxy.now += 65
    proxy.core.gateways.tick(proxy.core, proxy.now)
    assert len(proxy.core.gateways.numbers) == 0


class InsideCall(Talk):
    """A call that a gateway began, and that asks who calls when the phone here says something."""

    def asks(self, method: str, cseq: int, **more: Any) -> Sent:
        """Send a request to the gateway and have it answered to its end; return what came of it."""
        return taken(self.from_callee(method, cseq=cseq, **more), self.caller, method)


@pytest.fixture
def inside(proxy: Proxy, alice: Phone) -> tuple[StrictGateway, InsideCall]:
    gateway = StrictGateway(proxy, HOST)
    call = InsideCall(gateway, alice)
    call.from_caller("ACK")
    return gateway, call


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "REFER", "MESSAGE", "BYE"])
def test_so_is_each_request_of_a_call_that_the_gateway_began(
    proxy: Proxy, alice: Phone, inside: tuple[StrictGateway, InsideCall], method: str
) -> None:
    gateway, call = inside
    answer = alice.gets(call.asks(method, 7), "200")
    assert number(answer) == 7, "the phone's own number"
    assert gateway.log == [(method, 7, 407), (method, 8, 200)]
    if method == "INVITE":
        assert number(gateway.gets(call.from_callee("ACK", cseq=7), "ACK")) == 8
    if method != "BYE":
        alice.gets(call.asks("BYE", 8), "200")
        assert gateway.log[2:] == [("BYE", 9, 407), ("BYE", 10, 200)]
    assert rules(proxy).count(Rule.GATEWAY_ASKED) == len(gateway.log) // 2
    assert not parse(call.ok).values(PROXY_AUTHORIZATION)


def test_what_it_says_in_such_a_call_passes_as_it_is(
    proxy: Proxy, alice: Phone, inside: tuple[StrictGateway, InsideCall]
) -> None:
    _, call = inside
    alice.gets(call.asks("UPDATE", 7), "200")
    assert len(proxy.core.gateways.numbers) == 1
    bye = alice.gets(call.from_caller("BYE"), "BYE")
    assert number(bye) == 2
    assert not parse(bye).values(PROXY_AUTHORIZATION)
    sent = alice.says(bye, 407, extra='Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n')
    assert names(sent) == ["407"], "phones are told nothing"
    proxy.now += 65
    proxy.core.gateways.tick(proxy.core, proxy.now)
    assert len(proxy.core.gateways.numbers) == 0


def test_nobody_else_is_told_anything_in_such_a_call(
    proxy: Proxy, alice: Phone, inside: tuple[StrictGateway, InsideCall]
) -> None:
    _, call = inside
    stranger = Phone(proxy, "x", STRANGER, register=False)
    extra = routes(call.invite, caller=False)
    more: dict[str, Any] = {"from_tag": "alice", "to_tag": "a", "cseq": 2, "extra": extra}
    sent = alice.sends("BYE", f"sip:gw@{STRANGER}", target="sip:gw@example.com", **more)
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    sent = stranger.says(stranger.gets(sent, "BYE"), 407, extra=challenge)
    assert names(sent) == ["407"]
    (refused,) = [facts for _, rule, *facts in proxy.journal.story(b"call-1")
                  if rule is Rule.GATEWAY_REFUSED]  # fmt: skip
    assert refused == ["pstn", "the challenge came from another host than the gateway's"]


def test_the_operators_bye_is_answered_for_there_too(
    proxy: Proxy, inside: tuple[StrictGateway, InsideCall]
) -> None:
    gateway, _ = inside
    (call,) = proxy.core.calls
    hang_up(proxy.core, call, proxy.now)
    sent = [one for one in proxy.taken() if one[0].link is not NOWHERE]
    gateway.takes(gateway.takes(sent, "BYE"), "BYE")
    assert [one[2] for one in gateway.log] == [407, 200]


def test_from_one_gateway_to_another(proxy: Proxy) -> None:
    """A number that came in is sent on outside; each side is answered with its own login."""
    other = {**ROW, "name": "other", "addresses": ("sip:there.example",), "check_interval": 60}
    planned(proxy, PLAN, gateways=[ROW, other])
    gateways = proxy.core.gateways
    gateways.resolved(
        proxy.core, gateways.probes[2], [Place(Transport.UDP, STRANGER, 5060, "")], proxy.now
    )
    proxy.taken()
    calling = StrictGateway(proxy, STRANGER)
    proxy.core.access.trusted = Proxy(trusted=[STRANGER]).core.access.trusted
    call = OutsideCall(calling, StrictGateway(proxy, HOST))
    calling.gets(call.asks("UPDATE"), "200")
    sent = taken(call.from_callee("INFO"), calling, "INFO")
    call.callee.gets(sent, "200")
    asked = [facts for _, rule, *facts in proxy.journal.story(b"call-1")
             if rule is Rule.GATEWAY_ASKED]  # fmt: skip
    assert asked == [["pstn", 407], ["pstn", 407], ["other", 407]]


@pytest.mark.parametrize(
    ("transport", "port", "sent_by", "name"),
    [
        (Transport.UDP, 5060, 5060, "one"),
        (Transport.UDP, 5080, 5080, "two"),
        (Transport.TCP, 5080, 5080, "three"),
        (Transport.TCP, 40_112, 5080, "three"),
        (Transport.UDP, 40_112, 5080, "two"),
        (Transport.TCP, 40_112, 5060, "one"),
        (Transport.UDP, 40_112, 40_112, "one"),
        (Transport.TCP, 40_112, 40_112, "three"),
    ],
)
def test_of_two_gateways_at_one_host_each_has_its_own_login(
    proxy: Proxy, alice: Phone, transport: Transport, port: int, sent_by: int, name: str
) -> None:
    """Which of them calls is told by transport and port, on a connection by what its Via says."""
    where = {"one": "", "two": ":5080", "three": ":5080;transport=tcp"}
    rows = [
        {**ROW, "name": one, "addresses": (f"sip:{HOST}{tail}",), "login": one}
        for one, tail in where.items()
    ]
    planned(proxy, PLAN, gateways=rows)
    gateway = Phone(proxy, "gw", HOST, port, transport=transport, register=False)
    via = f"Via: SIP/2.0/{transport.value} {HOST}:{sent_by};rport;branch=z9hG4bKcall"
    proxy.core.access.trusted = Proxy(trusted=[HOST, "192.0.2.7"]).core.access.trusted
    call = Talk(gateway, alice, via=via)
    sent = call.from_callee("INFO")
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    sent = gateway.says(gateway.gets(sent, "INFO"), 407, extra=challenge)
    (value,) = parse(gateway.gets(sent, "INFO")).values(PROXY_AUTHORIZATION)
    assert f'username="{name}"'.encode() in value


@pytest.mark.parametrize("how", ["asks", "fails"])
def test_who_gave_up_calls_no_gateway_once_more(proxy: Proxy, alice: Phone, how: str) -> None:
    gateway = StrictGateway(proxy, HOST)
    invite = gateway.gets(alice.calls("9123"), "INVITE")
    gateway.says(invite, 180)
    alice.sends("CANCEL", "sip:9123@example.com", branch="z9hG4bKcall")
    challenge = 'Proxy-Authenticate: Digest realm="pstn.test", nonce="n"\n'
    sent = (
        gateway.says(invite, 407, extra=challenge) if how == "asks" else gateway.says(invite, 503)
    )
    assert names(sent) == ["ACK", "487"]


def test_one_without_a_login_asks_the_caller(proxy: Proxy, alice: Phone) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "login": "", "password": ""}])
    gateway = StrictGateway(proxy, HOST)
    sent = gateway.takes(alice.calls("9123"), "INVITE")
    assert b";cg=" not in gateway.gets(
        alice.calls("9123", branch="z9hG4bK2", call_id="c2"), "INVITE"
    )
    alice.gets(sent, "407")


def test_nonces_are_counted_up_to_a_bound() -> None:
    nonces = Nonces()
    assert [nonces.count("a", b"n"), nonces.count("a", b"n"), nonces.count("b", b"n")] == [1, 2, 1]
    for index in range(MOST_NONCES):
        nonces.count("a", b"%d" % index)
    assert nonces.count("a", b"n") == 1, "the one unused for longest was forgotten"
    nonces.keep(frozenset("b"))
    assert [nonces.count("a", b"0"), nonces.count("b", b"n")] == [1, 2]
