"""Requests outside calls, and all that a proxy checks before it forwards (RFC 3261 §16.3, RFC 4320)."""

from typing import Any

import pytest

from centrex.base import Transport
from centrex.proxy import core as core_module
from centrex.sip.message import parse
from centrex.sip.names import MAX_BREADTH, MAX_FORWARDS, VIA
from centrex.trace import Rule
from tests.support.calling import Phone, find, names, quiet, rules, start, values
from tests.support.proxy import DOMAIN, Proxy, request, respond
from tests.support.watcher import Watcher

BOB = f"sip:bob@{DOMAIN}"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.8")


# non-INVITE requests (RFC 4320)


def test_a_message_is_passed_on_and_answered(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    sent = alice.sends("MESSAGE", BOB, body="hello")
    assert names(sent) == ["MESSAGE"], "no 100 to a non-INVITE request at once"
    data = bob.gets(sent, "MESSAGE")
    assert data.endswith(b"\r\n\r\nhello")
    assert b"Record-Route" not in data
    assert names(bob.says(data, 200)) == ["200"]
    proxy.advance(40)
    assert quiet(proxy)


def test_no_408_goes_upstream_for_a_non_invite_request(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    alice.sends("MESSAGE", BOB)
    sent = proxy.advance(100)
    assert [name for name in names(sent) if name != "MESSAGE"] == ["100"]
    assert Rule.TARGET_SILENT in rules(proxy)
    assert quiet(proxy)


def test_a_408_from_downstream_is_kept_and_repetitions_are_still_absorbed(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    data = alice.write("MESSAGE", BOB)
    message = bob.gets(proxy.receive(data, alice.flow), "MESSAGE")
    assert bob.says(message, 408) == []
    proxy.advance(3.5)
    assert proxy.receive(data, alice.flow) == [], "not sent on a second time"
    proxy.advance(100)
    assert quiet(proxy)


def test_a_late_answer_after_the_time_is_not_passed_on(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    message = bob.gets(alice.sends("MESSAGE", BOB), "MESSAGE")
    proxy.advance(32.5)
    assert bob.says(message, 200) == []


def test_a_100_comes_once_timer_e_has_reached_t2(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    alice.sends("MESSAGE", BOB)
    assert "100" not in names(proxy.advance(3.4))
    assert names(proxy.advance(1)).count("100") == 1
    proxy.advance(100)


def test_a_100_of_the_callee_does_not_bring_ours_forward(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """RFC 4320 §4.1: not before the time in which the caller's own timer E reaches T2."""
    message = bob.gets(alice.sends("MESSAGE", BOB), "MESSAGE")
    proxy.advance(0.6)
    bob.says(message, 100)
    assert "100" not in names(proxy.advance(2.8))


def test_a_100_comes_where_the_callee_is_on_a_connection(proxy: Proxy, alice: Phone) -> None:
    """RFC 4320 §4.1: without regard to transport."""
    Phone(proxy, "bob", "192.0.2.9", 40000, transport=Transport.TCP)
    alice.sends("MESSAGE", BOB)
    assert "100" in names(proxy.advance(5))


def test_a_100_comes_over_a_connection_too(proxy: Proxy, bob: Phone) -> None:
    tcp = Phone(proxy, "carol", "192.0.2.9", 40000, transport=Transport.TCP)
    tcp.sends("MESSAGE", BOB)
    assert "100" in names(proxy.advance(5))


def test_no_other_provisional_response_is_passed_on(alice: Phone, bob: Phone) -> None:
    message = bob.gets(alice.sends("MESSAGE", BOB), "MESSAGE")
    assert bob.says(message, 183) == []
    assert bob.says(message, 100) == []
    assert names(bob.says(message, 200)) == ["200"]


# what is asked of every request


def test_options_to_the_server_itself_is_answered(alice: Phone) -> None:
    (answer,) = alice.sends("OPTIONS", f"sip:{DOMAIN}")
    assert start(answer[1]) == "200"
    for line in (b"Allow:", b"Accept:", b"Supported: path"):
        assert line in answer[1]


@pytest.mark.parametrize("hops", [0, 1, None])
def test_max_forwards(alice: Phone, bob: Phone, hops: int | None) -> None:
    sent = alice.sends("OPTIONS", BOB, hops=hops)
    if hops == 0:
        assert names(sent) == ["483"]
    else:
        (value,) = values(find(sent, "OPTIONS"), MAX_FORWARDS)
        assert value == ("0" if hops else "70")


@pytest.mark.parametrize("user", ["", "registrar@", "Registrar@"])
def test_options_to_us_needs_no_hops(alice: Phone, user: str) -> None:
    assert names(alice.sends("OPTIONS", f"sip:{user}{DOMAIN}", hops=0)) == ["200"]


def test_an_invite_without_hops_is_483_and_explained(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    assert names(alice.sends("INVITE", BOB, hops=0)) == ["483"]
    assert Rule.TOO_MANY_HOPS in rules(proxy)


def test_an_ack_without_hops_goes_nowhere(proxy: Proxy, alice: Phone) -> None:
    assert alice.sends("ACK", BOB, hops=0, to_tag="x") == []


def test_a_request_that_comes_back_unchanged_is_a_loop(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    data = alice.sends("MESSAGE", BOB)[0][1]
    assert parse(data).uri == bob.contact.encode()
    looped = data.replace(bob.contact.encode() + b" SIP", BOB.encode() + b" SIP", 1)
    other = proxy.flows.get("192.0.2.77", 5060)
    back = b"\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKloop\r\n"
    looped = looped.replace(b"\r\n", back, 1)
    assert names(proxy.receive(looped, other)) == ["482"]
    assert Rule.LOOP in rules(proxy)


def test_a_spiral_is_no_loop(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """The same request for another user: the Request-URI was changed on the way (RFC 5393 §4.2)."""
    data = alice.sends("MESSAGE", BOB)[0][1]
    spiral = data.replace(bob.contact.encode() + b" SIP", f"sip:alice@{DOMAIN} SIP".encode(), 1)
    back = b"\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKspiral\r\n"
    sent = proxy.receive(spiral.replace(b"\r\n", back, 1), proxy.flows.get("192.0.2.77", 5060))
    assert names(sent) == ["MESSAGE"]
    assert sent[0][0] is alice.flow


def test_an_invite_that_spirals_is_one_call(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    data = find(alice.calls("bob"), "INVITE")
    spiral = data.replace(bob.contact.encode() + b" SIP", f"sip:alice@{DOMAIN} SIP".encode(), 1)
    back = b"\r\nVia: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKspiral\r\n"
    sent = proxy.receive(spiral.replace(b"\r\n", back, 1), proxy.flows.get("192.0.2.77", 5060))
    assert names(sent) == ["100", "INVITE"]
    assert len(proxy.core.calls) == 1


def test_a_fork_bomb_stays_small(proxy: Proxy, alice: Phone) -> None:
    """RFC 5393 §3: two users whose contacts are each other, many times over."""
    here = proxy.flows.get("192.0.2.1", 5060)
    for name, other in (("a", "b"), ("b", "a")):
        contacts = "\n".join(
            f"Contact: <sip:{other}@192.0.2.1:5060;x={number}>" for number in range(10)
        )
        sent = proxy.receive(
            Phone(proxy, name, "192.0.2.1", register=False).write(
                "REGISTER",
                f"sip:{DOMAIN}",
                target=f"sip:{name}@{DOMAIN}",
                extra=contacts,
                call_id=f"reg-{name}",
            ),
            here,
        )
        assert names(sent) == ["200"]
    queue = [data for to, data in alice.calls("a") if to is here]
    forwarded = 0
    while queue:
        forwarded += 1
        assert forwarded < 2000
        queue += [data for to, data in proxy.receive(queue.pop(0), here) if to is here]
    proxy.advance(400)
    assert quiet(proxy)


def test_proxy_require_is_420(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    (answer,) = alice.sends("INVITE", BOB, extra="Proxy-Require: path, wings, Gruu")
    assert start(answer[1]) == "420"
    assert b"Unsupported: wings, Gruu" in answer[1]
    assert names(alice.sends("MESSAGE", BOB, extra="Proxy-Require: path")) == ["MESSAGE"]
    assert names(alice.sends("OPTIONS", f"sip:{DOMAIN}", extra="Require: wings")) == ["420"]
    assert names(alice.sends("OPTIONS", f"sip:{DOMAIN}", extra="Require:")) == ["200"], "of nothing"


@pytest.mark.parametrize(("target", "event"), [("", "reg"), ("bob", "reg"), ("bob", "dialog")])
def test_what_a_watcher_requires_is_420_where_we_serve_it(target: str, event: str) -> None:
    """RFC 3261 §8.2.2.3, for whoever subscribes and for whoever prolongs."""
    watcher = Watcher(Proxy(users=["bob", "wanda"], trusted=["192.0.2.77"]))
    wanting = "Require: eventlist, Wings\n"
    answer = watcher.subscribe(target, event, extra=wanting)
    assert (answer.status, answer.get("unsupported")) == (420, "eventlist, Wings")
    assert Rule.BAD_EXTENSION in rules(watcher.proxy, watcher.call_id)
    assert (len(watcher.proxy.core.watchers), watcher.notifies) == (0, [])
    assert watcher.subscribe(target, event).status == 200
    assert watcher.subscribe(target, event, extra=wanting).status == 420
    assert watcher.subscribe(target, event, expires=0).status == 200, "it stands as it was"


def test_what_a_watcher_requires_of_a_phone_is_the_phone_s_to_judge(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    sent = alice.sends("SUBSCRIBE", BOB, extra="Event: presence\nRequire: eventlist")
    bob.gets(sent, "SUBSCRIBE")


# Max-Breadth (RFC 5393 §5)


def test_breadth_is_split_among_forks(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    Phone(proxy, "bob", "192.0.2.18")
    sent = alice.sends("INVITE", BOB, extra="Max-Breadth: 7")
    found = [values(data, MAX_BREADTH) for _, data in sent if start(data) == "INVITE"]
    assert found == [["3"], ["3"]]


def test_breadth_of_nobody_is_60_once_it_forks(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    Phone(proxy, "bob", "192.0.2.18")
    sent = alice.sends("INVITE", BOB)
    found = [values(data, MAX_BREADTH) for _, data in sent if start(data) == "INVITE"]
    assert found == [["30"], ["30"]]


def test_no_breadth_is_440(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    assert names(alice.sends("INVITE", BOB, extra="Max-Breadth: 0")) == ["440"]
    assert Rule.MAX_BREADTH in rules(proxy)


def test_too_little_breadth_means_one_after_another(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """RFC 5393 §5.3.3: branches in sequence may each have the whole of it."""
    other = Phone(proxy, "bob", "192.0.2.18")
    sent = alice.sends("INVITE", BOB, extra="Max-Breadth: 1")
    ((flow, data),) = [one for one in sent if start(one[1]) == "INVITE"]
    assert values(data, MAX_BREADTH) == ["1"]
    sent = proxy.receive(respond(data, 486), flow)
    assert "INVITE" in names(sent)
    assert {flow, sent[-1][0]} == {bob.flow, other.flow}


@pytest.mark.parametrize("number", [2**31, 2**32 - 1])
def test_a_large_breadth_is_a_breadth(proxy: Proxy, alice: Phone, bob: Phone, number: int) -> None:
    Phone(proxy, "bob", "192.0.2.18")
    sent = alice.sends("INVITE", BOB, extra=f"Max-Breadth: {number}")
    found = [values(data, MAX_BREADTH) for _, data in sent if start(data) == "INVITE"]
    assert found == [[str(number // 2)]] * 2


# numbers at their limits: what the grammar lets pass, no later step may stumble over

LIMITS = [edge + step for edge in (0, 70, 2**8, 2**16, 2**31, 2**32, 2**64) for step in (-1, 0, 1)]
NUMBERED = [
    "Max-Breadth: {}",
    "Expires: {}",
    "Min-Expires: {}",
    "Timestamp: {}",
    "Contact: <sip:alice@192.0.2.7>;expires={}",
    "Contact: <sip:alice@192.0.2.7>;q={}",
    'Contact: <sip:alice@192.0.2.7>;+sip.instance="<urn:x>";reg-id={}',
    "Contact: <sip:alice@192.0.2.7:{}>",
    "Route: <sip:127.0.0.1:{};lr>",
    "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;ttl={}",
    "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx;rport={}",
]


@pytest.mark.parametrize("line", NUMBERED)
@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "MESSAGE"])
def test_numbers_at_their_limits_get_an_answer(proxy: Proxy, method: str, line: str) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    Phone(proxy, "bob", "192.0.2.8")
    for index, number in enumerate(LIMITS):
        uri = f"sip:{DOMAIN}" if method == "REGISTER" else BOB
        sent = alice.sends(method, uri, extra=line.format(number), call_id=f"limit-{index}")
        assert sent, line.format(number)


# what cannot be served


def test_unknown_user_404_and_nobody_there_480(proxy: Proxy, alice: Phone) -> None:
    assert names(alice.sends("INVITE", f"sip:nobody@{DOMAIN}", call_id="one")) == ["404"]
    assert Rule.UNKNOWN_USER in rules(proxy, "one")
    assert names(alice.sends("INVITE", BOB, call_id="two")) == ["480"]
    assert Rule.NOBODY_THERE in rules(proxy, "two")
    assert proxy.statistics.calls_failed == 2


def test_a_phone_whose_connection_is_gone_is_480(proxy: Proxy, alice: Phone) -> None:
    tcp = Phone(proxy, "bob", "192.0.2.9", 40000, transport=Transport.TCP)
    tcp.flow.open = False
    assert names(alice.sends("INVITE", BOB)) == ["480"]
    assert Rule.NOBODY_THERE in rules(proxy)


@pytest.mark.parametrize(
    ("method", "status"),
    [("INVITE", "405"), ("SUBSCRIBE", "489"), ("BYE", "481"), ("NOTIFY", "481")],
)
def test_the_server_itself_takes_only_a_few_methods(
    proxy: Proxy, alice: Phone, method: str, status: str
) -> None:
    assert names(alice.sends(method, f"sip:{DOMAIN}")) == [status]
    assert rules(proxy)


@pytest.mark.parametrize(
    ("uri", "status"), [("mailto:x@y.example", "416"), ("nonsense:1", "416"), ("tel:+4930", "404")]
)
def test_schemes(alice: Phone, uri: str, status: str) -> None:
    assert names(alice.sends("INVITE", uri)) == [status]


def test_too_large_is_513_and_too_large_a_response_is_dropped(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    assert names(alice.sends("INVITE", BOB, body="x" * 9000)) == ["513"]
    assert Rule.TOO_LARGE in rules(proxy)
    assert names(alice.sends("OPTIONS", BOB, extra="X: y\n" * 600)) == ["513"]
    whole = request("OPTIONS", BOB, alice.flow, extra="X: " + "y" * 9000)
    (answer,) = proxy.receive(whole[: proxy.core.max_message + 1], alice.flow)  # as it is read
    assert start(answer[1]) == "513", "that no empty line is seen is no fault of the sender's"
    data = bob.gets(alice.sends("MESSAGE", BOB), "MESSAGE")
    assert bob.says(data, 200, extra="X: " + "y" * 9000) == []
    assert proxy.statistics.drops["too-large"] == 1


def test_overload_is_503_and_says_when_to_come_again(
    proxy: Proxy, alice: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_module, "MAX_TRANSACTIONS", 3)
    answers = [alice.sends("MESSAGE", BOB)[0][1] for _ in range(4)]
    assert [start(one) for one in answers] == ["MESSAGE", "503", "503", "503"]
    assert b"Retry-After:" in answers[1]
    assert proxy.statistics.drops["overloaded"] == 3
    proxy.advance(70)
    assert names(alice.sends("MESSAGE", BOB)) == ["MESSAGE"]


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\r\n" * 20])
def test_keep_alives_are_ignored(proxy: Proxy, alice: Phone, data: bytes) -> None:
    before = proxy.statistics.messages_in
    assert proxy.receive(data, alice.flow) == []
    assert proxy.statistics.messages_in == before
    assert not any(proxy.statistics.drops.values())


@pytest.mark.parametrize(
    "data", [b"hello world", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 abc\r\n\r\n"]
)
def test_what_is_no_sip_is_dropped(proxy: Proxy, alice: Phone, data: bytes) -> None:
    assert proxy.receive(data, alice.flow) == []
    assert proxy.statistics.drops["unreadable"] == 1


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        (("CSeq: 1 MESSAGE", "CSeq: 1 INVITE"), "400"),
        (("CSeq: 1 MESSAGE", "CSeq: 99999999999 MESSAGE"), "400"),
        (("Max-Forwards: 70", "Max-Forwards: 700"), "400"),
        (("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), "505"),
        (("Content-Length: 0", "Content-Length: 5"), "400"),
    ],
)
def test_bad_syntax_is_answered_with_the_rule(
    proxy: Proxy, alice: Phone, bob: Phone, broken: tuple[str, str], status: str
) -> None:
    data = alice.write("MESSAGE", BOB).replace(broken[0].encode(), broken[1].encode())
    (answer,) = proxy.receive(data, alice.flow)
    assert start(answer[1]) == status
    assert b"Warning: 399 centrex" in answer[1]


def test_a_request_with_several_vias_in_one_line(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    via = "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKm;rport, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn"
    sent = alice.sends("MESSAGE", BOB, via=via)
    message = bob.gets(sent, "MESSAGE")
    found = values(message, VIA)
    assert len(found) == 3
    assert found[1] == "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKm;rport=5060;received=192.0.2.7"
    answer = find(bob.says(message, 200), "200")
    assert values(answer, VIA) == found[1:]


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("10.0.0.7:5060;branch=z9hG4bKx;rport", ";branch=z9hG4bKx;rport=5060;received=192.0.2.7"),
        ("10.0.0.7:5060;branch=z9hG4bKx", ";branch=z9hG4bKx;received=192.0.2.7"),
        ("192.0.2.7;branch=z9hG4bKx", "192.0.2.7;branch=z9hG4bKx"),
        ("phone.local;branch=z9hG4bKx;rport", ";rport=5060;received=192.0.2.7"),
        ("10.0.0.7;received=1.2.3.4;branch=z9hG4bKx;rport=99", ";rport=5060;received=192.0.2.7"),
    ],
)
def test_received_and_rport_in_the_response(alice: Phone, via: str, expected: str) -> None:
    (answer,) = alice.sends("OPTIONS", f"sip:{DOMAIN}", via=f"Via: SIP/2.0/UDP {via}")
    (found,) = values(answer[1], VIA)
    assert found.endswith(expected)
    assert "1.2.3.4" not in found
    assert answer[0] is alice.flow, "it goes back the way the request came (RFC 3581 §4)"


def test_a_2543_client_is_served(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """No branch at all: matching by what names the request (§17.2.3)."""
    via = "Via: SIP/2.0/UDP 192.0.2.7:5060"
    more: dict[str, Any] = {"via": via, "call_id": "old"}
    sent = alice.sends("INVITE", BOB, **more)
    assert names(sent) == ["100", "INVITE"]
    assert names(alice.sends("INVITE", BOB, **more)) == ["100"]
    invite = bob.gets(sent, "INVITE")
    assert names(bob.says(invite, 180)) == ["180"]
    assert names(alice.sends("CANCEL", BOB, **more)) == ["200", "CANCEL"]
    assert names(bob.says(invite, 487)) == ["ACK", "487"]
    assert alice.sends("ACK", BOB, to_tag="bob", **more) == []
    proxy.advance(100)
    assert quiet(proxy)
