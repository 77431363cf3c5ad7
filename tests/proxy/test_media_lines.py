"""Lines that no relay can carry: left as they are on both sides, or declined, and never half of each."""

import pytest

from centrex.trace import Rule
from tests.support.calling import Phone, Talk, rules
from tests.support.proxy import Proxy
from tests.support.relays import line, offer, relayed

SDP = "Content-Type: application/sdp\n"
ALICE, BOB = "192.0.2.7", "192.0.2.8"
RELAY = "198.51.100.1"
GROUP = "c=IN IP4 233.252.0.9/32"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def two(host: str, first: str, second: str) -> str:
    """A description of two lines."""
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{first}\r\n{second}\r\n"


def told(proxy: Proxy, rule: Rule) -> list[tuple[object, ...]]:
    """The facts of all decisions by a rule."""
    story = proxy.journal.story(b"call-1")
    return [decision[2:] for decision in story if decision[1] is rule]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (f"m=video 4446 RTP/AVP 96\r\n{GROUP}", "it goes to many at once"),
        ("m=video 4446 RTP/AVP 96\r\nc=IN IP4 192.0.2.7/2", "it goes to many at once"),
        ("m=video 99999 RTP/AVP 96", "it has no port from 1 to 65535"),
        ("m=video 100000 RTP/AVP 96", "it has no port from 1 to 65535"),
        ("m=message 4446 TCP/MSRP *", "a relay does not carry TCP/MSRP"),
    ],
)
def test_a_line_that_none_can_carry_is_left_alone_both_ways(
    proxy: Proxy, alice: Phone, bob: Phone, odd: str, why: str
) -> None:
    farm = relayed(proxy)
    voice = "m=audio 4000 RTP/AVP 8"
    invite = bob.gets(alice.calls("bob", body=two(ALICE, voice, odd), extra=SDP), "INVITE")
    assert line(invite).host == RELAY
    assert odd.encode() in invite
    kind = odd[2 : odd.index(" ")]
    assert told(proxy, Rule.MEDIA_LEFT_ALONE) == [(kind, why)]
    mine = f"m={kind} 5446 {odd.split(' ', 2)[2]}".splitlines()[0]
    ok = alice.gets(bob.says(invite, 200, body=two(BOB, "m=audio 5000 RTP/AVP 8", mine)), "200")
    assert line(ok).host == RELAY
    assert (line(ok, 1).host, line(ok, 1).port) == (BOB, 5446), "not half of it"
    voice_only, none = farm.only.streams
    assert voice_only is not None
    assert none is None


def test_a_call_of_such_lines_alone_is_none_of_ours(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    body = offer(ALICE, 4000).replace(f"c=IN IP4 {ALICE}", GROUP)
    invite = bob.gets(alice.calls("bob", body=body, extra=SDP), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(invite).host == "233.252.0.9"
    assert line(ok).host == BOB
    assert not farm.told
    assert not farm.expected
    assert Rule.MEDIA_RELAYED not in rules(proxy)
    assert told(proxy, Rule.MEDIA_LEFT_ALONE) == [("audio", "it goes to many at once")]


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (f"m=audio 5000 RTP/AVP 8\r\n{GROUP}", "it goes to many at once"),
        ("m=audio 99999 RTP/AVP 8", "it has no port from 1 to 65535"),
        ("m=audio 5000 TCP/RTP/AVP 8", "a relay does not carry TCP/RTP/AVP"),
    ],
)
def test_an_answer_that_none_can_carry_is_declined(
    proxy: Proxy, alice: Phone, bob: Phone, odd: str, why: str
) -> None:
    """The offer leads to the relay, so that the callee sends there; the caller is not to send past it."""
    farm = relayed(proxy)
    body = two(ALICE, "m=audio 4000 RTP/AVP 8", "m=video 4446 RTP/AVP 96")
    invite = bob.gets(alice.calls("bob", body=body, extra=SDP), "INVITE")
    answer = two(BOB, odd, "m=video 5446 RTP/AVP 96")
    ok = alice.gets(bob.says(invite, 200, body=answer), "200")
    assert line(ok).port == 0
    assert line(ok, 1).host == RELAY
    assert told(proxy, Rule.MEDIA_UNFIT) == [("audio", why)]
    assert proxy.core.statistics.amiss[Rule.MEDIA_UNFIT.value] == 1
    voice, film = farm.only.streams
    assert voice is None, "its ports are free"
    assert film is not None
    assert film.ends[1].rtp is not None


def test_a_line_that_was_to_become_one_and_may_not(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """The change is refused: the line goes on through the relay by the same ports."""
    farm = relayed(proxy)
    invite = bob.gets(alice.calls("bob", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    before = farm.only.streams
    body = offer(ALICE, 4000).replace(f"c=IN IP4 {ALICE}", GROUP)
    again = bob.gets(talk.from_caller("INVITE", body=body, extra=SDP), "INVITE")
    assert line(again).host == "233.252.0.9"
    bob.says(again, 488)
    assert farm.only.streams == before
    again = bob.gets(talk.from_caller("INVITE", body=body, extra=SDP), "INVITE")
    ok = alice.gets(bob.says(again, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    (stream,) = farm.only.streams
    assert stream is not None
    assert [end.rtp for end in stream.ends] == [None, None]


@pytest.mark.parametrize("offers", [False, True])
def test_what_crosses_the_bye_is_not_judged_by_the_lines_before_it(
    proxy: Proxy, alice: Phone, bob: Phone, *, offers: bool
) -> None:
    """Nothing is noted any more by then, and what was described last had more lines."""
    relayed(proxy)
    odd = f"m=video 4446 RTP/AVP 96\r\n{GROUP}"
    body = two(ALICE, "m=audio 4000 RTP/AVP 8", odd if offers else odd.splitlines()[0])
    invite = bob.gets(alice.calls("bob", body=body, extra=SDP), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=two(BOB, "m=audio 5000 RTP/AVP 8", odd)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    more = {} if offers else {"body": body, "extra": SDP}
    again = bob.gets(talk.from_caller("INVITE", **more), "INVITE")
    if not offers:
        bob.says(again, 183, body=two(BOB, "m=audio 5000 RTP/AVP 8", odd))
    known = len(proxy.journal.story(b"call-1"))
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    late = alice.gets(bob.says(again, 200, body=offer(BOB, 5000)), "200")
    assert line(late).port == line(ok).port
    late_rules = rules(proxy)[known:]
    assert Rule.MEDIA_UNFIT not in late_rules
    assert Rule.MEDIA_LEFT_ALONE not in late_rules
