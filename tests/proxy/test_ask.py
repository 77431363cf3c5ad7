"""A question carries its number and what is asked."""

from centrex.proxy.ask import Consult, Resolve
from centrex.routing.rfc3263 import Destination
from tests.support.calling import Phone
from tests.support.proxy import Proxy


def test_a_question() -> None:
    destination = Destination(host="far.example")
    ask = Resolve(7, destination)
    assert (ask.id, ask.destination) == (7, destination)


def test_a_question_to_rtpengine() -> None:
    ask = Consult(8, b"call", {"command": "ping"}, at="udp:192.0.2.1:2223", elsewhere=False)
    assert (ask.id, ask.call_id, ask.fields) == (8, b"call", {"command": "ping"})
    assert (ask.at, ask.elsewhere) == ("udp:192.0.2.1:2223", False)


def test_each_question_of_a_core_has_its_own_number() -> None:
    proxy = Proxy(trusted=["192.0.2.7"])
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for number in range(3):
        alice.sends("INVITE", f"sip:x@far{number}.example", call_id=str(number))
    assert len({ask.id for ask in proxy.core.asks}) == 3
    assert [ask.destination.host for ask in proxy.core.asks if isinstance(ask, Resolve)] == [
        "far0.example",
        "far1.example",
        "far2.example",
    ]


def test_an_answer_to_no_question_is_ignored() -> None:
    proxy = Proxy()
    proxy.core.answer(99, "what?", proxy.now)
    assert proxy.taken() == []
