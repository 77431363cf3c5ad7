"""Watchers of calls: what busy lamps show while a call goes on (RFC 4235)."""

from centrex.proxy import hang_up
from centrex.proxy.routes import Routes
from centrex.routing.plans import Plans
from centrex.routing.settings import Plan, Step
from tests.support.calling import Phone, Talk, find
from tests.support.proxy import DOMAIN, Proxy
from tests.support.watcher import Watcher

ALICE, BOB = f"sip:alice@{DOMAIN}", f"sip:bob@{DOMAIN}"


def office() -> tuple[Proxy, Phone, Phone]:
    proxy = Proxy(users=["alice", "bob", "carol"], trusted=["192.0.2.77", "192.0.2.78"])
    return proxy, Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")


def lamps(proxy: Proxy, *users: str) -> list[Watcher]:
    found = []
    for user in users:
        watcher = Watcher(proxy, call_id=f"lamp-{user}")
        assert watcher.subscribe(user, "dialog").status == 200
        found.append(watcher)
    return found


def pass_time(proxy: Proxy, *watchers: Watcher, seconds: float = 1.5) -> None:
    end = proxy.now + seconds
    while proxy.now < end:
        sent = proxy.advance(0.05)
        for watcher in watchers:
            watcher.take(sent)


def test_a_lamp_follows_a_call() -> None:
    proxy, alice, bob = office()
    first, second = lamps(proxy, "alice", "bob")
    assert first.lamp() == second.lamp() == []
    assert first.last.get("content-type") == "application/dialog-info+xml"
    assert f'entity="{ALICE}"' in first.last.body
    invite = bob.gets(alice.calls("bob"), "INVITE")
    pass_time(proxy, first, second)
    assert first.lamp() == [("initiator", "trying")]
    assert second.lamp() == [("recipient", "trying")]
    bob.says(invite, 180)
    pass_time(proxy, first, second)
    assert first.lamp() == [("initiator", "early")]
    assert second.lamp() == [("recipient", "early")]
    bob.says(invite, 200)
    pass_time(proxy, first, second)
    assert first.lamp() == [("initiator", "confirmed")]
    assert list(second.dialogs.values()) == [("recipient", "confirmed", "", ALICE)]
    assert list(first.dialogs.values()) == [("initiator", "confirmed", "", BOB)]


def test_a_caller_who_writes_his_number_lights_his_lamp() -> None:
    proxy, _, bob = office()
    caller = Phone(proxy, "4711", "192.0.2.9")
    (lamp,) = lamps(proxy, "4711")
    sent = proxy.receive(
        caller.write(
            "INVITE", BOB, branch="z9hG4bKc", extra=f"Contact: <{caller.contact}>\n"
        ).replace(b"From: <sip:4711@example.com>", b"From: <tel:47-11>"),
        caller.flow,
    )
    bob.gets(sent, "INVITE")
    pass_time(proxy, lamp)
    assert lamp.lamp() == [("initiator", "trying")]


def test_hanging_up_turns_the_lamps_off_and_tells_who_did() -> None:
    proxy, alice, bob = office()
    first, second = lamps(proxy, "alice", "bob")
    talk = Talk(alice, bob)
    pass_time(proxy, first, second)
    talk.from_caller("BYE")
    pass_time(proxy, first, second)
    assert list(first.dialogs.values()) == [("initiator", "terminated", "local-bye", BOB)]
    assert list(second.dialogs.values()) == [("recipient", "terminated", "remote-bye", ALICE)]
    pass_time(proxy, first, second, seconds=45)
    first.subscribe("alice", "dialog")
    assert first.lamp() == []


def test_a_call_that_fails_turns_the_lamps_off() -> None:
    for status, event in ((486, "rejected"), (480, "timeout")):
        proxy, alice, bob = office()
        (lamp,) = lamps(proxy, "bob")
        bob.says(bob.gets(alice.calls("bob"), "INVITE"), status)
        pass_time(proxy, lamp)
        assert list(lamp.dialogs.values()) == [("recipient", "terminated", event, ALICE)]


def test_a_caller_who_gives_up_turns_the_lamps_off() -> None:
    proxy, alice, bob = office()
    (lamp,) = lamps(proxy, "bob")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    alice.sends("CANCEL", BOB, branch="z9hG4bKcall")
    bob.says(invite, 487)
    pass_time(proxy, lamp)
    assert list(lamp.dialogs.values()) == [("recipient", "terminated", "cancelled", ALICE)]


def test_the_operator_turns_the_lamps_off() -> None:
    proxy, alice, bob = office()
    (lamp,) = lamps(proxy, "bob")
    Talk(alice, bob)
    (call,) = proxy.core.calls
    hang_up.hang_up(proxy.core, call, proxy.now)
    pass_time(proxy, lamp)
    assert lamp.lamp() == [("recipient", "terminated")]


def test_a_call_that_stands_is_seen_by_who_subscribes_later() -> None:
    proxy, alice, bob = office()
    Talk(alice, bob)
    first, second = lamps(proxy, "alice", "bob")
    assert first.lamp() == [("initiator", "confirmed")]
    assert second.lamp() == [("recipient", "confirmed")]


def test_who_did_not_show_who_he_is_is_not_told_who_talks() -> None:
    proxy, alice, bob = office()
    watcher = Watcher(proxy, host="192.0.2.99")
    watcher.subscribe("bob", "dialog")
    talk = Talk(alice, bob)
    pass_time(proxy, watcher)
    assert list(watcher.dialogs.values()) == [("recipient", "confirmed", "", "")]
    assert "alice" not in watcher.last.body
    assert talk.call_id not in watcher.last.body


def test_a_hunt_lights_the_lamps_of_who_is_tried() -> None:
    proxy, alice, bob = office()
    carol = Phone(proxy, "carol", "192.0.2.9")
    plan = Plan(name="sales", destinations=(Step(to="bob", ring=5), "carol"))
    proxy.core.take_routes(Routes(plans=Plans((plan,), str.lower)), proxy.now)
    one, two, dialled = lamps(proxy, "bob", "carol", "sales")
    everybody = (one, two, dialled)
    invite = bob.gets(alice.calls("sales"), "INVITE")
    bob.says(invite, 180)
    pass_time(proxy, *everybody)
    assert (one.lamp(), two.lamp()) == ([("recipient", "early")], [])
    sent = bob.says(invite, 486)
    pass_time(proxy, *everybody)
    assert list(one.dialogs.values()) == [("recipient", "terminated", "rejected", ALICE)], "busy"
    assert two.lamp() == [("recipient", "trying")]
    invite = carol.gets(sent, "INVITE")
    carol.says(invite, 180)
    carol.says(invite, 200)
    pass_time(proxy, *everybody)
    assert two.lamp() == dialled.lamp() == [("recipient", "confirmed")]
    assert one.lamp() == [("recipient", "terminated")]


def test_a_desk_is_free_again_while_its_voicemail_has_the_call() -> None:
    proxy, alice, bob = office()
    carol = Phone(proxy, "carol", "192.0.2.9")
    plan = Plan(name="bob", destinations=(Step(to="bob", ring=2), "carol"))
    proxy.core.take_routes(Routes(plans=Plans((plan,), str.lower)), proxy.now)
    desk, mail = lamps(proxy, "bob", "carol")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    pass_time(proxy, desk, mail)
    assert (desk.lamp(), mail.lamp()) == ([("recipient", "early")], [])
    sent = proxy.advance(0.51)
    bob.says(find(sent, "CANCEL", bob.flow), 200)
    sent += bob.says(invite, 487)
    pass_time(proxy, desk, mail)
    assert list(desk.dialogs.values()) == [("recipient", "terminated", "timeout", ALICE)]
    invite = carol.gets(sent, "INVITE")
    carol.says(invite, 180)
    pass_time(proxy, desk, mail)
    assert desk.lamp() == [("recipient", "terminated")], "it does not ring there any more"
    carol.says(invite, 200)
    pass_time(proxy, desk, mail)
    assert (desk.lamp(), mail.lamp()) == (
        [("recipient", "terminated")], [("recipient", "confirmed")],
    )  # fmt: skip


def test_who_redirects_a_call_is_free() -> None:
    proxy, alice, bob = office()
    carol = Phone(proxy, "carol", "192.0.2.9")
    proxy.core.take_routes(Routes(follows=True), proxy.now)
    first, second = lamps(proxy, "bob", "carol")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    sent = bob.says(invite, 302, extra=f"Contact: <sip:carol@{DOMAIN}>\n")
    pass_time(proxy, first, second)
    carol.says(carol.gets(sent, "INVITE"), 200)
    pass_time(proxy, first, second)
    assert (first.lamp(), second.lamp()) == (
        [("recipient", "terminated")], [("recipient", "confirmed")],
    )  # fmt: skip


def test_calls_that_stand_light_the_lamps_of_who_has_them() -> None:
    proxy, alice, bob = office()
    carol = Phone(proxy, "carol", "192.0.2.9")
    plans = (
        Plan(name="sales", destinations=("bob", "carol")),
        Plan(name="bob", destinations=(Step(to="bob", ring=2), "carol")),
    )
    proxy.core.take_routes(Routes(plans=Plans(plans, str.lower)), proxy.now)
    invite = bob.gets(alice.calls("sales"), "INVITE")
    carol.says(carol.gets(bob.says(invite, 486), "INVITE"), 200)
    bob.gets(alice.calls("bob", branch="z9hG4bKother", call_id="other"), "INVITE")
    by_name = dict(
        zip(
            ("alice", "bob", "carol", "sales"),
            lamps(proxy, "alice", "bob", "carol", "sales"),
            strict=True,
        )
    )
    assert {name: sorted(one.lamp()) for name, one in by_name.items()} == {
        "alice": [("initiator", "confirmed"), ("initiator", "trying")],
        "bob": [("recipient", "trying")],
        "carol": [("recipient", "confirmed")],
        "sales": [("recipient", "confirmed")],
    }


def test_a_user_who_calls_himself_has_two_calls() -> None:
    proxy, alice, _ = office()
    (lamp,) = lamps(proxy, "alice")
    alice.gets(alice.calls("alice"), "INVITE")
    pass_time(proxy, lamp)
    assert sorted(lamp.lamp()) == [("initiator", "trying"), ("recipient", "trying")]


def test_nothing_is_kept_while_nobody_watches() -> None:
    proxy, alice, bob = office()
    board = proxy.core.watchers.lamps
    Talk(alice, bob)
    assert not board.users_of(b"call-1")
    (lamp,) = lamps(proxy, "bob")
    assert board.users_of(b"call-1")
    lamp.subscribe("bob", "dialog", expires=0)
    assert not board.on
    assert not board.users_of(b"call-1")
