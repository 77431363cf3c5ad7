import pytest

from centrex.base import Flow, Transport
from centrex.proxy.hang_up import hang_up
from centrex.proxy.leg import NOWHERE
from centrex.sip.message import parse
from centrex.sip.names import CALL_ID, CSEQ, FROM, ROUTE, TO, VIA
from centrex.trace import Rule
from centrex.trace.explain import explain
from tests.support.calling import Phone, Sent, Talk, names, quiet, values
from tests.support.proxy import DOMAIN, Proxy, respond


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob", "carol"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.8")


def ended(proxy: Proxy) -> Sent:
    """End the one call there is; return what leaves for somebody."""
    (call,) = proxy.core.calls
    hang_up(proxy.core, call, proxy.now)
    return [(flow, data) for flow, data in proxy.taken() if flow.link is not NOWHERE]


def bye(sent: Sent, flow: Flow) -> bytes:
    (data,) = [data for to, data in sent if to is flow and data.startswith(b"BYE ")]
    return data


def facts(data: bytes) -> tuple[str, ...]:
    message = parse(data)
    assert message.fault is None
    return (message.uri.decode(), *(message.value(number).decode() for number in (FROM, TO, CSEQ)))


def test_both_ends_of_a_call_that_is_up_get_a_bye_of_their_dialog(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    Talk(alice, bob).from_caller("ACK")
    proxy.core.events.clear()
    sent = ended(proxy)
    assert names(sent) == ["BYE", "BYE"]
    a, b = f"<sip:alice@{DOMAIN}>;tag=a", f"<sip:bob@{DOMAIN}>;tag=bob"
    to_bob, to_alice = bye(sent, bob.flow), bye(sent, alice.flow)
    assert facts(to_bob) == (bob.contact, a, b, "2 BYE")
    assert facts(to_alice) == (alice.contact, b, a, "1 BYE")
    for data in (to_bob, to_alice):
        assert parse(data).value(CALL_ID) == b"call-1"
        assert not values(data, ROUTE)
        assert all("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK" in via for via in values(data, VIA))
        assert b'Reason: Q.850;cause=31;text="Ended by the operator"' in data
    # their answers go no further, and nothing is repeated
    for phone, data in ((bob, to_bob), (alice, to_alice)):
        sent = phone.says(data, 200)
        assert all(flow.link is NOWHERE for flow, _ in sent)
    assert not [data for flow, data in proxy.advance(40) if flow.link is not NOWHERE]
    assert quiet(proxy)
    assert len(proxy.core.calls) == 0
    assert proxy.statistics.calls_now == proxy.statistics.calls_failed == 0
    (event,) = [one for one in proxy.core.events if one.name == "call.ended"]
    assert event.fields["by"] == "operator"
    story = proxy.journal.story(b"call-1")
    headline = explain(b"call-1", story, str).headline
    assert headline == "alice called bob and was answered; after 0 s the operator ended it."
    assert [words[0] for _, rule, *words in story if rule is Rule.REQUEST] == [b"INVITE"]
    made = [words for _, rule, *words in story if rule is Rule.REQUEST_MADE]
    assert [(words[0], words[1].decode()) for words in made] == [
        (b"BYE", bob.contact),
        (b"BYE", alice.contact),
    ]


def test_a_bye_that_is_lost_is_repeated(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    Talk(alice, bob)
    to_bob = bye(ended(proxy), bob.flow)
    assert (bob.flow, to_bob) in proxy.advance(0.6)


def test_the_numbers_go_on_from_the_last_ones_seen(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    talk = Talk(alice, bob)
    talk.from_caller("INFO")
    talk.from_caller("UPDATE")
    talk.from_callee("INVITE", cseq=4711)
    talk.from_callee("INFO", cseq=17)
    sent = ended(proxy)
    assert facts(bye(sent, bob.flow))[3] == "4 BYE"
    assert facts(bye(sent, alice.flow))[3] == "4712 BYE"


def test_the_routes_of_other_proxies_are_kept_each_way(proxy: Proxy, bob: Phone) -> None:
    edge = Phone(proxy, "alice", "192.0.2.50", register=False)
    sent = edge.calls(
        "bob", extra="Record-Route: <sip:192.0.2.50;lr>\nRecord-Route: <sip:192.0.2.51;lr>"
    )
    invite = bob.gets(sent, "INVITE")
    answer = respond(invite, 200, to_tag="bob", extra="Contact: <sip:bob@10.0.0.9>").replace(
        b"Record-Route:", b"Record-Route: <sip:192.0.2.61;lr>, <sip:192.0.2.60;lr>,", 1
    )
    proxy.receive(answer, bob.flow)
    sent = ended(proxy)
    to_bob = bye(sent, proxy.flows.get("192.0.2.60", 5060))
    assert values(to_bob, ROUTE) == ["<sip:192.0.2.60;lr>", "<sip:192.0.2.61;lr>"]
    assert parse(to_bob).uri == b"sip:bob@10.0.0.9"
    to_alice = bye(sent, edge.flow)
    assert values(to_alice, ROUTE) == ["<sip:192.0.2.50;lr>", "<sip:192.0.2.51;lr>"]


def test_phones_behind_nat_and_on_connections_are_reached_by_their_flows(proxy: Proxy) -> None:
    alice = Phone(proxy, "alice", "198.51.100.7", 40000, behind="10.0.0.7:5060")
    bob = Phone(proxy, "bob", "192.0.2.8", 50000, transport=Transport.TCP)
    Talk(alice, bob)
    sent = ended(proxy)
    assert facts(bye(sent, alice.flow))[0] == "sip:alice@10.0.0.7:5060"
    assert facts(bye(sent, bob.flow))[0] == bob.contact


def test_a_call_of_an_unusual_form_is_ended_as_well(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    Talk(alice, bob, extra="Subject: folded\n and more\nx-odd  :  y")
    sent = ended(proxy)
    assert facts(bye(sent, bob.flow))[3] == "2 BYE"
    assert facts(bye(sent, alice.flow))[0] == alice.contact


def test_a_call_that_rings_is_cancelled_and_its_caller_told(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    second = Phone(proxy, "bob", "192.0.2.9")
    sent = alice.calls("bob")
    invites = {phone: phone.gets(sent, "INVITE") for phone in (bob, second)}
    bob.says(invites[bob], 180)
    sent = ended(proxy)
    assert names(sent) == ["487", "CANCEL"]
    assert b"Ended by the operator" in alice.gets(sent, "487")
    assert b"Ended by the operator" in bob.gets(sent, "CANCEL")
    # one that has said nothing yet is cancelled as soon as it does (§9.1)
    assert names(second.says(invites[second], 180)) == ["CANCEL"]
    assert names(bob.says(invites[bob], 487)) == ["ACK"]
    assert len(proxy.core.calls) == 0
    assert (proxy.statistics.calls_now, proxy.statistics.calls_failed) == (0, 1)
    assert proxy.statistics.calls_total == 1
    rules = [rule for _, rule, *_ in proxy.journal.story(b"call-1")]
    assert Rule.CANCELLED not in rules
    headline = explain(b"call-1", proxy.journal.story(b"call-1"), str).headline
    assert headline == "alice called bob; the operator ended it before anybody answered (487)."


def test_a_call_whose_invite_is_gone_is_at_least_not_listed_any_more(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    alice.calls("bob")
    for server in tuple(proxy.core.layer.servers.values()):
        proxy.core.layer.abandon(server)
    assert ended(proxy) == []
    assert len(proxy.core.calls) == 0


def test_an_answer_without_a_contact_is_ended_at_the_users_address(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    proxy.receive(respond(invite, 200, to_tag="bob"), bob.flow)
    sent = ended(proxy)
    assert facts(bye(sent, bob.flow))[0] == bob.contact
    assert facts(bye(sent, alice.flow))[0] == alice.contact


def test_an_end_that_cannot_be_spoken_to_keeps_nothing_from_the_other(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    answer = respond(invite, 200, extra=f"Contact: <{bob.contact}>\n")
    spoiled = answer.replace(
        b"Record-Route: ", b'Record-Route: <sip:x;lr;c"=u>\r\nRecord-Route: ', 1
    )
    assert spoiled != answer
    proxy.receive(spoiled, bob.flow)
    assert [flow for flow, data in ended(proxy) if data.startswith(b"BYE ")] == [alice.flow]
    left = [words for _, rule, *words in proxy.journal.story(b"call-1") if rule is Rule.LEG_LEFT]
    assert left == [[bob.contact.encode(), "a name and address is malformed"]]
    assert len(proxy.core.calls) == 0
