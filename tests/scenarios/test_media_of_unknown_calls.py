"""Offers in calls of which we know nothing: what is kept of them goes by itself, and has a bound."""

from typing import Any

import pytest

from centrex.proxy import delegated_calls, relaying
from tests.support.calling import Phone, Sent
from tests.support.proxy import Proxy
from tests.support.relays import line, offer, relayed
from tests.support.rtpengine_asked import HOST, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB = "192.0.2.7", "192.0.2.8"
RELAY = "198.51.100.1"
DECLINED = offer(ALICE, 0)


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def again(alice: Phone, number: int = 1, *, body: str = "", tag: str = "bob") -> Sent:
    """A re-INVITE of a call that we never saw begin."""
    words: dict[str, Any] = {
        "call_id": f"call-{number}",
        "branch": f"z9hG4bK{number}{tag}{len(body)}",
    }
    return alice.calls("bob", to_tag=tag, body=body, extra=SDP if body else "", **words)


def test_one_that_describes_nothing_leaves_nothing(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    media = proxy.core.relaying
    assert isinstance(media, relaying.Relaying)
    for number in range(20):
        invite = bob.gets(again(alice, number), "INVITE")
        assert len(media) == 0
        if number % 2:
            bob.says(invite, 200 if number % 4 == 1 else 488)
    proxy.advance(200)
    assert len(media) == 0
    assert not farm.expected
    assert not farm.sessions


def test_its_answer_s_offer_is_relayed(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    invite = bob.gets(again(alice), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == RELAY
    assert farm.only.answered


def test_one_that_declines_all_leaves_nothing(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    media = proxy.core.relaying
    assert isinstance(media, relaying.Relaying)
    invite = bob.gets(again(alice, body=DECLINED), "INVITE")
    alice.gets(bob.says(invite, 200, body=offer(BOB, 0)), "200")
    assert len(media) == 0
    assert not farm.expected


@pytest.mark.parametrize("body", ["", DECLINED])
@pytest.mark.parametrize("statuses", [(200, 200), (200, 488), (488, 200), (488, 488)])
def test_two_dialogs_of_one_call_id_leave_nothing(
    proxy: Proxy, alice: Phone, bob: Phone, body: str, statuses: tuple[int, int]
) -> None:
    farm = relayed(proxy)
    media = proxy.core.relaying
    assert isinstance(media, relaying.Relaying)
    invites = [bob.gets(again(alice, body=body, tag=tag), "INVITE") for tag in ("b", "d")]
    for invite, status in zip(invites, statuses, strict=True):
        bob.says(invite, status, body=offer(BOB, 0) if body and status == 200 else "")
    assert len(media) == 0
    assert not farm.expected
    assert not farm.sessions


def test_relayed_calls_have_a_bound(
    proxy: Proxy, alice: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    relayed(proxy)
    monkeypatch.setattr(relaying, "_MOST", 2)
    hosts = []
    for number in range(3):
        invite = bob.gets(again(alice, number, body=offer(ALICE, 4000)), "INVITE")
        hosts.append(line(invite).host)
    assert hosts == [RELAY, RELAY, ALICE]
    assert proxy.statistics.amiss["media-unrelayed"] == 1


# with rtpengine


def test_rtpengine_is_not_told_of_what_describes_nothing(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    engine = FakeRtpengine(proxy)
    for number in range(20):
        invite = bob.gets(again(alice, number), "INVITE")
        if number % 2:
            bob.says(invite, 200 if number % 4 == 1 else 488)
    proxy.advance(200)
    assert len(engine.media) == 0
    assert not engine.waiting


def test_what_it_relays_of_unknown_calls_has_a_bound(
    proxy: Proxy, alice: Phone, bob: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rtpengine never says that one has ended."""
    engine = FakeRtpengine(proxy)
    monkeypatch.setattr(delegated_calls, "_MOST_UNKNOWN", 2)
    for number in range(3):
        invite = bob.gets(again(alice, number), "INVITE")
        assert not bob.says(invite, 200, body=offer(BOB, 5000))
        assert line(alice.gets(engine.answers(), "200")).host == HOST
    assert len(engine.media) == 2
    assert engine.media.of(b"call-0") is None
    assert proxy.statistics.amiss["media-forgotten"] == 1
    engine.knows |= {b"call-0"}
    again(alice, 0, body=offer(ALICE, 4000))
    assert line(bob.gets(engine.answers(), "INVITE")).host == HOST, "it is found again"
    engine.media.end(proxy.core, b"call-0", "hung up", proxy.now)
    engine.media.end(proxy.core, b"call-2", "hung up", proxy.now)
    assert len(engine.media) == 0
    assert not engine.media._unknown


# forks of which one branch is relayed, and another one answers


def _home(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.9", behind="10.0.0.5:5060")


@pytest.mark.parametrize("to_tag", ["", "bob"])
@pytest.mark.parametrize("early", [False, True])
def test_what_was_taken_for_one_is_free_when_another_answers_unrelayed(
    proxy: Proxy, alice: Phone, to_tag: str, early: bool
) -> None:
    """A call, or a re-INVITE that leads to a user rather than to a phone."""
    farm = relayed(proxy, mode="auto")
    media = proxy.core.relaying
    assert isinstance(media, relaying.Relaying)
    desk, home = Phone(proxy, "bob", BOB), _home(proxy)
    sent = alice.calls("bob", body=offer(ALICE, 4000), extra=SDP, to_tag=to_tag)
    invites = desk.gets(sent, "INVITE"), home.gets(sent, "INVITE")
    assert [line(data).host for data in invites] == [ALICE, RELAY]
    if early:
        home.says(invites[1], 183, body=offer("10.0.0.5", 5000), tag="h")
        assert len(farm.told) == 1
    else:
        home.says(invites[1], 180, tag="h")
    ok = alice.gets(desk.says(invites[0], 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    assert len(media) == 0
    assert not farm.expected
    assert not farm.sessions


@pytest.mark.parametrize("first", ["home", "desk"])
def test_and_the_same_when_a_hunt_goes_on(proxy: Proxy, alice: Phone, first: str) -> None:
    farm = relayed(proxy, mode="auto")
    media = proxy.core.relaying
    assert isinstance(media, relaying.Relaying)
    wants = {"home": ";q=0.5", "desk": ";q=0.5"} | {first: ";q=0.9"}
    home = Phone(proxy, "bob", "192.0.2.9", behind="10.0.0.5:5060", params=wants["home"])
    desk = Phone(proxy, "bob", BOB, params=wants["desk"])
    one, other = (home, desk) if first == "home" else (desk, home)
    sent = alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    sent = one.says(one.gets(sent, "INVITE"), 486)
    other.says(other.gets(sent, "INVITE"), 200, body=offer(other.flow.host, 5000))
    assert len(media) == len(farm.sessions) == 1, "the second one is relayed, as the first one was"


def test_rtpengine_is_told_so(proxy: Proxy, alice: Phone) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    desk, home = Phone(proxy, "bob", BOB), _home(proxy)
    sent = alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    invite = desk.gets(sent, "INVITE")
    assert line(home.gets(engine.answers(), "INVITE")).host == HOST
    alice.gets(desk.says(invite, 200, body=offer(BOB, 5000)), "200")
    engine.answers()
    assert engine.commands()[-1] == "delete"
    assert len(engine.media) == 0
