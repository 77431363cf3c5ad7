"""The torture messages of RFC 4475 and RFC 5118 through the whole core; none left out."""

import pytest

from centrex.base import Flow, Transport
from centrex.proxy.ask import Resolve
from centrex.routing.rfc3263 import Target
from centrex.sip.message import Message, parse
from centrex.sip.names import CALL_ID, CSEQ, FROM, TO, VIA
from centrex.sip.tokens import split_values
from centrex.sip.via import parse_via
from tests.support.proxy import DOMAIN, Proxy, request
from tests.support.torture import ALL, Torture, Verdict

STRANGER = "198.51.100.9"
PHONE = "198.51.100.20"
SMUGGLED = b"INVITE sip:victim@example.com SIP/2.0\r\n"
REQUESTS = [case for case in ALL if case.verdict in (Verdict.REQUEST, Verdict.REFUSED)]
RESPONSES = [case for case in ALL if case not in REQUESTS]
FORWARDED = [case for case in REQUESTS if case.core_status in (403, 404)]
BY_ITSELF = [case for case in REQUESTS if case.status or case.core_status in (416, 420, 483)]
ANSWERS = [case for case in RESPONSES if case.name != "bcast"]  # no Via of it is followed here
ASKED_WHO = [case for case in REQUESTS if case not in BY_ITSELF]


def names(case: Torture) -> str:
    return case.name


def flow_of(proxy: Proxy, case: Torture) -> Flow:
    """Where a message came from: by the transport its topmost Via names."""
    name = case.data.split(b"SIP/2.0/", 1)[-1].split(None, 1)[0].upper().decode("latin-1")
    known = name in {transport.value for transport in Transport}
    return proxy.flows.get(STRANGER, 5060, Transport(name) if known else Transport.UDP)


def answers(proxy: Proxy, case: Torture) -> list[Message]:
    """Feed a message; return what is sent back to where it came from."""
    flow = flow_of(proxy, case)
    sent = proxy.receive(case.data, flow)
    assert all(to is flow for to, _ in sent)
    return [parse(data) for _, data in sent]


def drops(proxy: Proxy) -> int:
    return sum(proxy.statistics.drops.values())


@pytest.mark.parametrize("case", REQUESTS, ids=names)
def test_a_stranger_gets_the_status_the_table_owes(case: Torture) -> None:
    (answer,) = answers(Proxy(), case)
    assert answer.status == case.core_status


@pytest.mark.parametrize("case", BY_ITSELF, ids=names)
def test_what_is_wrong_is_said_before_credentials_are_asked_for(case: Torture) -> None:
    (answer,) = answers(Proxy(auth=True, users=["user"]), case)
    assert answer.status == case.core_status
    assert any(line.startswith(b"Warning: 399 ") for line in answer.lines)


@pytest.mark.parametrize("case", ASKED_WHO, ids=names)
def test_what_is_right_is_challenged(case: Torture) -> None:
    (answer,) = answers(Proxy(auth=True, users=["user"]), case)
    assert answer.status == (401 if parse(case.data).method == b"REGISTER" else 407)


@pytest.mark.parametrize("case", REQUESTS, ids=names)
def test_the_answer_is_well_formed_and_that_of_its_request(case: Torture) -> None:
    asked, (answer,) = parse(case.data), answers(Proxy(), case)
    assert answer.fault is None
    assert len(vias(answer)) == len(vias(asked))
    for number in (FROM, CALL_ID, CSEQ):
        assert answer.values(number)[:1] == asked.values(number)[:1]
    if asked.at[TO]:
        assert answer.value(TO).startswith(asked.value(TO))
        assert b"tag" in answer.value(TO)
    assert not answer.body


def vias(message: Message) -> list[bytes]:
    return [one for value in message.values(VIA) for one in split_values(value) if one]


@pytest.mark.parametrize("case", FORWARDED, ids=names)
def test_what_is_accepted_goes_on_to_its_target(case: Torture) -> None:
    proxy = Proxy(trusted=[f"{STRANGER}/32"])
    asked = parse(case.data)
    phone = proxy.flows.get(PHONE, 5060)
    if case.core_status == 404:
        register = request(
            "REGISTER",
            f"sip:{DOMAIN}",
            phone,
            target=asked.uri.decode(),
            extra=f"Contact: <sip:phone@{PHONE}>",
            call_id="registration",
        )
        ((_, data),) = proxy.receive(register, phone)
        assert parse(data).status == 200
    sent = forwarded(proxy, case)
    assert sent.method == asked.method
    assert sent.fault is None
    assert len(vias(sent)) == len(vias(asked)) + 1
    assert sent.value(FROM) == asked.value(FROM)
    assert sent.value(TO) == asked.value(TO)
    assert untouched(asked) <= set(sent.lines)
    assert sent.body == asked.body


def forwarded(proxy: Proxy, case: Torture) -> Message:
    """Feed a message, look up for the core whatever it asks, and return what goes on."""
    flow = flow_of(proxy, case)
    sent = proxy.receive(case.data, flow)
    for ask in proxy.core.asks:
        assert isinstance(ask, Resolve)
        proxy.core.answer(ask.id, (Target(Transport.TCP, PHONE, 5060, ""),), proxy.now)
        sent += proxy.taken()
    (onwards,) = [data for to, data in sent if to is not flow]
    return parse(onwards)


def untouched(message: Message) -> set[bytes]:
    """The lines that nothing on the way through a proxy may change."""
    changed = (b"via", b"v", b"max-forwards", b"route", b"record-route")
    return {
        line
        for line in message.lines[1:]
        if line.partition(b":")[0].strip(b" \t").lower() not in changed
    }


def test_a_user_with_a_nul_in_his_name_has_both_contacts() -> None:
    proxy = Proxy()
    answers(proxy, next(case for case in ALL if case.name == "escnull"))
    assert len(proxy.registry.lookup(b"null-\x00-null", proxy.now)) == 2


def test_what_follows_a_message_in_its_datagram_is_left_unread() -> None:
    proxy = Proxy()
    answers(proxy, next(case for case in ALL if case.name == "dblreq"))
    assert proxy.core.calls.get(b"dblreq.0ha0isnda977644900765@192.0.2.15") is None
    assert proxy.statistics.messages_in == 1


def test_an_unknown_scheme_is_authenticated_as_none() -> None:
    proxy = Proxy(auth=True, users=["j.user"])
    (answer,) = answers(proxy, next(case for case in ALL if case.name == "regaut01"))
    assert answer.status == 401


@pytest.mark.parametrize("case", RESPONSES, ids=names)
def test_a_stray_response_is_dropped_and_counted(case: Torture) -> None:
    proxy = Proxy()
    assert answers(proxy, case) == []
    assert drops(proxy) == 1


@pytest.mark.parametrize("case", ANSWERS, ids=names)
def test_a_response_to_a_request_of_ours(case: Torture) -> None:
    """Accepted ones go upstream, save for a 100; the others are dropped and counted."""
    proxy = Proxy(trusted=[f"{STRANGER}/32"])
    method = case.data.split(b"CSeq: ")[1].split()[1].decode()
    ours, theirs, callee = under_way(proxy, method, Transport.UDP)
    head, rest = case.data.split(b"\r\n", 1)
    lines = [line for line in rest.split(b"\r\n") if not line.startswith(b"Via:")]
    back = [data for _, data in proxy.receive(b"\r\n".join([head, ours, theirs, *lines]), callee)]
    if case.verdict is Verdict.RESPONSE and parse(case.data).status > 100:
        (answer,) = [parse(data) for data in back]
        assert answer.lines[0] == head
        assert answer.body == parse(case.data).body
        (via,) = vias(answer)
        assert parse_via(via).host == STRANGER.encode()
    else:
        assert back == []
        assert drops(proxy) == (case.verdict is Verdict.DROPPED)


def under_way(proxy: Proxy, method: str, transport: Transport) -> tuple[bytes, bytes, Flow]:
    """Forward a request from a caller to a phone; return both Via lines, and the phone's flow."""
    caller, callee = proxy.flows.get(STRANGER, 5060, transport), proxy.flows.get(PHONE, 5060)
    sent = proxy.receive(request(method, f"sip:user@{PHONE}", caller), caller)
    (onwards,) = [data for to, data in sent if to is callee]
    ours, theirs = (b"Via: " + one for one in vias(parse(onwards)))
    return ours, theirs, callee


@pytest.mark.parametrize("length", [0, 500])
def test_a_response_from_udp_cannot_put_a_stream_out_of_step(length: int) -> None:
    """What lies behind Content-Length is cut off; where it says too much the response is dropped."""
    proxy = Proxy(trusted=[f"{STRANGER}/32"])
    ours, theirs, callee = under_way(proxy, "OPTIONS", Transport.TCP)
    lines = (b"SIP/2.0 200 OK", ours, theirs, b"From: <sip:a@b>;tag=1", b"To: <sip:c@d>;tag=2")
    more = (b"Call-ID: call-1", b"CSeq: 1 OPTIONS", b"Content-Length: %d" % length, b"", SMUGGLED)
    back = proxy.receive(b"\r\n".join([*lines, *more]), callee)
    assert all(data.endswith(b"\r\n\r\n") and SMUGGLED not in data for _, data in back)
    assert len(back) == (length == 0)
