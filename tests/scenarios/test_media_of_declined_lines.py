"""Lines that are declined or taken out of a call give their ports back, once that is settled."""

from typing import Any

import pytest

from centrex.media.terms import Session, Slot
from centrex.proxy.relaying import Relaying
from tests.support.calling import Phone, Sent, Talk
from tests.support.proxy import Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed

SDP = "Content-Type: application/sdp\n"
ALICE, BOB, MOBILE = "192.0.2.7", "192.0.2.8", "192.0.2.9"
RELAY = "198.51.100.1"
NO_FILM = "m=video 0 RTP/AVP 99"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def farm(proxy: Proxy) -> FakeFarm:
    return relayed(proxy)


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def film(port: int) -> str:
    return f"m=video {port} RTP/AVP 99"


def both(host: str, port: int = 4000) -> str:
    """Voice and film."""
    return offer(host, port, film(port + 2))


def voice(host: str, port: int = 4000) -> str:
    """Voice, and film declined."""
    return offer(host, port, NO_FILM)


def call(alice: Phone, body: str = "", **more: Any) -> Sent:
    return alice.calls("bob", body=body or both(ALICE), extra=SDP, **more)


def up(alice: Phone, bob: Phone, answer: str = "") -> Talk:
    """A call with voice and film that is up."""
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 183, body=answer or both(BOB))
    sent = bob.says(invite, 200, body=answer or both(BOB))
    return Talk.standing(alice, bob, invite, alice.gets(sent, "200"))


def slots(session: Session) -> list[tuple[Slot, Slot] | None]:
    return [None if one is None else one.slots for one in session.streams]


def changes(talk: Talk, body: str, answer: str, status: int = 200, method: str = "INVITE") -> bytes:
    """Have the caller offer something; return what the callee got."""
    data = talk.callee.gets(talk.from_caller(method, body=body, extra=SDP), method)
    talk.callee.says(data, status, body=answer)
    return data


def test_the_relay_frees_those_it_was_told_of(farm: FakeFarm, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 183, body=voice(BOB))
    told = slots(farm.only)
    assert None not in told, "it may yet be taken"
    bob.says(invite, 200, body=voice(BOB))
    assert slots(farm.only) == [told[0], None]
    assert not farm.returned


def test_a_repeated_answer_is_the_same(farm: FakeFarm, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(call(alice), "INVITE")
    first = alice.gets(bob.says(invite, 200, body=voice(BOB)), "200")
    told = farm.only
    assert alice.gets(bob.says(invite, 200, body=voice(BOB)), "200") == first
    assert farm.only is told


def test_of_several_who_are_called_the_one_counts_who_answers(
    proxy: Proxy, farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    mobile = Phone(proxy, "bob", MOBILE)
    sent = call(alice)
    first, second = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    mobile.says(second, 183, tag="m", body=voice(MOBILE))
    bob.says(first, 183, tag="b", body=both(BOB))
    told = slots(farm.only)
    bob.says(first, 200, tag="b")
    assert slots(farm.only) == told
    assert None not in told


def test_and_what_others_took_is_free(
    proxy: Proxy, farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    mobile = Phone(proxy, "bob", MOBILE)
    sent = call(alice)
    first, second = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    bob.says(first, 183, tag="b", body=both(BOB))
    mobile.says(second, 183, tag="m", body=voice(MOBILE))
    bob.says(first, 183, tag="b", body=both(BOB))
    told = slots(farm.only)
    mobile.says(second, 200, tag="m")
    assert slots(farm.only) == [told[0], None]


def test_a_line_is_taken_out_of_a_call_and_up_again(
    farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    talk = up(alice, bob)
    told = slots(farm.only)
    changes(talk, voice(ALICE), voice(BOB))
    assert slots(farm.only) == [told[0], None]
    data = changes(talk, both(ALICE), both(BOB))
    again = slots(farm.only)
    assert again[0] == told[0]
    assert again[1] is not None
    assert again[1] != told[1]
    assert (line(data, 1).host, line(data, 1).port) == (RELAY, again[1][1].port)
    stream = farm.only.streams[1]
    assert stream is not None
    assert all(end.rtp for end in stream.ends)


def test_while_an_offer_is_open_its_lines_keep_their_ports(
    farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    talk = up(alice, bob)
    before = farm.only.streams
    data = bob.gets(talk.from_caller("INVITE", body=voice(ALICE), extra=SDP), "INVITE")
    bob.says(data, 183, body=voice(BOB))
    assert None not in farm.only.streams
    bob.says(data, 488)
    assert farm.only.streams == before, "things stand as they did"


def test_a_line_whose_offer_is_refused_leaves_no_ports(
    farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    talk = up(alice, bob)
    told = slots(farm.only)
    more = offer(ALICE, 4000, film(4002), film(4004))
    changes(talk, more, "", status=488)
    assert slots(farm.only) == [*told, None]
    changes(talk, more, offer(BOB, 4000, film(4002), film(4004)))
    assert None not in farm.only.streams


def test_fax_and_back(farm: FakeFarm, alice: Phone, bob: Phone) -> None:
    """T.38: the voice line goes, and comes back as the fax goes."""
    talk = up(alice, bob, answer=voice(BOB))
    (first, _) = slots(farm.only)
    fax = "m=image 4004 udptl t38"
    changes(talk, offer(ALICE, 0, NO_FILM, fax), offer(BOB, 0, NO_FILM, fax))
    left = slots(farm.only)
    assert left[:2] == [None, None]
    assert left[2] is not None
    back = offer(ALICE, 4000, NO_FILM, "m=image 0 udptl t38")
    ok = offer(BOB, 5000, NO_FILM, "m=image 0 udptl t38")
    changes(talk, back, ok)
    (voice_line, *others) = slots(farm.only)
    assert voice_line not in (None, first)
    assert others == [None, None]


def test_a_call_that_is_declined_whole_goes_on(farm: FakeFarm, alice: Phone, bob: Phone) -> None:
    """As some put a call on hold; one line is kept, so that the relay still knows of it."""
    talk = up(alice, bob)
    told = slots(farm.only)
    changes(talk, offer(ALICE, 0, NO_FILM), offer(BOB, 0, NO_FILM))
    assert slots(farm.only) == [told[0], None]
    data = changes(talk, both(ALICE), both(BOB))
    assert line(data).host == RELAY
    assert None not in farm.only.streams
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions


@pytest.mark.parametrize("held", ["0.0.0.0", ALICE])
def test_what_is_on_hold_keeps_its_ports(
    farm: FakeFarm, alice: Phone, bob: Phone, held: str
) -> None:
    talk = up(alice, bob)
    told = slots(farm.only)
    changes(talk, offer(held, 4000, "a=inactive", film(4002), "a=inactive"), both(BOB))
    assert slots(farm.only) == told


def test_a_late_offer_takes_up_what_was_declined_before(
    proxy: Proxy, farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    """The 200 offers, and only the ACK says what is taken."""
    talk = up(alice, bob)
    changes(talk, offer(ALICE, 0, NO_FILM), offer(BOB, 0, NO_FILM))
    data = bob.gets(talk.from_caller("INVITE"), "INVITE")
    alice.gets(bob.says(data, 200, body=both(BOB)), "200")
    assert None not in farm.only.streams
    bob.gets(talk.from_caller("ACK", body=voice(ALICE), extra=SDP), "ACK")
    first, second = farm.only.streams
    assert first is not None
    assert all(end.rtp for end in first.ends)
    assert second is None
    assert isinstance(proxy.core.relaying, Relaying)


def test_a_restart_forgets_nothing_of_it(
    proxy: Proxy, farm: FakeFarm, alice: Phone, bob: Phone
) -> None:
    """A line that is declined while the server is started anew is free after the next exchange."""
    talk = up(alice, bob, answer=voice(BOB))
    told = farm.only
    later = relayed(proxy)
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    assert relaying.adopt(later.relays[0], told)
    changes(talk, both(ALICE), voice(BOB))
    assert slots(later.only) == [*slots(told)[:1], None]


def test_half_a_pair_of_ports_is_given_back(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """The relay had ports for one side of the second line, and none for the other."""
    relay = FakeRelay(slots=3)
    farm = relayed(proxy, relay)
    invite = bob.gets(call(alice, offer(ALICE, 4000)), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    for number in (1, 2):  # the second time the relay has nothing new to be told
        changed = changes(talk, both(ALICE), voice(BOB))
        assert line(changed, 1).port == 0
        assert relay.left == 0
        assert len(farm.returned) == number
        relay.left = 1
