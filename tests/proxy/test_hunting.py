"""Calls that a plan decides over: one destination after the other, and what the caller hears."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.proxy.patience import Patience
from centrex.sip.message import parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CSEQ, TO
from centrex.trace import Rule
from centrex.trace.explain import explain
from tests.support.calling import Phone, names, quiet, rules, start
from tests.support.hunting import first, hunted, invites, phones, planned
from tests.support.proxy import Proxy

DESK, MOBILE, VOICEMAIL = "192.0.2.8", "192.0.2.9", "192.0.2.10"
PATIENCE = Patience(start_response_s=5, rollover_s=20, final_answer_s=60)


@pytest.fixture
def proxy() -> Proxy:
    users = ["alice", "desk", "mobile", "voicemail"]
    return Proxy(users=users, patience=PATIENCE, trusted=["192.0.2.7"])


@pytest.fixture
def people(proxy: Proxy) -> dict[str, Phone]:
    return phones(proxy)


def test_one_after_the_other(proxy: Proxy, people: dict[str, Phone]) -> None:
    """The first is silent, the second rings for its time, the third is busy, the fourth answers."""
    planned(proxy, hunted("desk", "mobile", "desk", "voicemail"))
    sent = people["alice"].calls("sales")
    assert invites(sent) == [DESK], "one at a time"
    sent = proxy.advance(6)
    assert MOBILE in invites(sent)
    mobile = next(data for flow, data in sent if flow.host == MOBILE)
    people["mobile"].says(mobile, 180)
    assert not invites(proxy.advance(18))
    sent = proxy.advance(3)
    assert "CANCEL" in names(sent)
    desk = next(data for flow, data in sent if flow.host == DESK and data.startswith(b"INVITE"))
    sent = people["desk"].says(desk, 486)
    assert VOICEMAIL in invites(sent)
    voicemail = next(data for flow, data in sent if flow.host == VOICEMAIL)
    ok = people["alice"].gets(people["voicemail"].says(voicemail, 200), "200")
    assert b";tag=voicemail" in ok
    assert Rule.PLAN in rules(proxy)


def test_the_last_one_rings_longer(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "mobile"))
    people["desk"].says(people["desk"].gets(people["alice"].calls("sales"), "INVITE"), 180)
    sent = proxy.advance(21)
    people["mobile"].says(first(people["mobile"], sent, "INVITE"), 180)
    assert "480" not in names(proxy.advance(58))
    sent = proxy.advance(4)
    final = first(people["alice"], sent, "480")
    assert b"nobody answered at any of the destinations" in final


def test_a_step_with_a_time_of_its_own(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted({"to": "desk", "ring": 7}, {"to": "mobile", "ring": 9}))
    people["desk"].says(people["desk"].gets(people["alice"].calls("sales"), "INVITE"), 180)
    assert not invites(proxy.advance(6.5))
    people["mobile"].says(first(people["mobile"], proxy.advance(1), "INVITE"), 180)
    assert "480" in names(proxy.advance(10.5))


def test_all_contacts_of_a_destination_ring_together(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    second = Phone(proxy, "desk", "192.0.2.50", params=";q=0.3")
    planned(proxy, hunted("desk", "mobile"))
    sent = people["alice"].calls("sales")
    assert sorted(invites(sent)) == ["192.0.2.50", DESK]
    people["desk"].says(people["desk"].gets(sent, "INVITE"), 486)
    sent = second.says(second.gets(sent, "INVITE"), 486)
    assert invites(sent) == [MOBILE]


@pytest.mark.parametrize(("ends", "status"), [(False, 603), (False, 600), (True, 603)])
def test_declining(proxy: Proxy, people: dict[str, Phone], *, ends: bool, status: int) -> None:
    planned(proxy, hunted("desk", "mobile"), decline_ends=ends)
    sent = people["desk"].says(
        people["desk"].gets(people["alice"].calls("sales"), "INVITE"), status
    )
    if ends:
        people["alice"].gets(sent, str(status))
    else:
        assert invites(sent) == [MOBILE]


@pytest.mark.parametrize(
    ("first", "second", "heard"),
    [(486, 486, "486"), (486, 480, "480"), (480, 486, "486"), (486, 500, "480"), (486, 503, "480"),
     (404, 404, "404"), (486, 603, "603"), (603, 486, "486"), (401, 486, "486")],
)  # fmt: skip
def test_the_last_one_speaks_for_all(
    proxy: Proxy, people: dict[str, Phone], first: int, second: int, heard: str
) -> None:
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    mobile = people["mobile"].gets(people["desk"].says(desk, first), "INVITE")
    people["alice"].gets(people["mobile"].says(mobile, second), heard)
    assert proxy.statistics.calls_failed == 1


def test_a_lone_destination_speaks_for_itself(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk"))
    people["alice"].calls("sales")
    assert "408" in names(proxy.advance(6))


def test_those_that_cannot_be_tried_are_left_out(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("nobody", "x@nowhere", "desk"))
    assert invites(people["alice"].calls("sales")) == [DESK]
    assert rules(proxy).count(Rule.PLAN_SKIPPED) == 2


def test_none_can_be_tried(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("nobody", "no-one"))
    final = people["alice"].gets(people["alice"].calls("sales"), "480")
    assert b"none of the plan's destinations" in final


def test_a_plan_without_the_user_himself_does_not_ring_him(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    planned(proxy, {"name": "desk", "destinations": ("mobile",)})
    assert invites(people["alice"].calls("desk")) == [MOBILE]


def test_the_overall_limit(proxy: Proxy, people: dict[str, Phone]) -> None:
    proxy.core.patience = Patience(rollover_s=20, final_answer_s=60, call_maximum_s=30)
    planned(proxy, hunted("desk", "mobile", "voicemail"))
    people["desk"].says(people["desk"].gets(people["alice"].calls("sales"), "INVITE"), 180)
    people["mobile"].says(first(people["mobile"], proxy.advance(21), "INVITE"), 180)
    sent = proxy.advance(11)
    first(people["alice"], sent, "480")
    assert VOICEMAIL not in invites(sent)
    assert Rule.TIME_UP in rules(proxy)


def test_live_changes_are_for_calls_that_start_later(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    planned(proxy, hunted("desk", "mobile", "voicemail"))
    people["desk"].says(people["desk"].gets(people["alice"].calls("sales"), "INVITE"), 180)
    proxy.core.patience = Patience(rollover_s=1, final_answer_s=1, start_response_s=1)
    people["mobile"].says(first(people["mobile"], proxy.advance(21), "INVITE"), 180)
    assert not invites(proxy.advance(18)), "the second one has its twenty seconds too"


# patterns, other servers, gateways


GATEWAY = {"name": "pstn", "addresses": ("sip:198.51.100.1", "sip:198.51.100.2:5080")}


def test_a_pattern_leads_to_a_gateway(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}, gateways=[GATEWAY])
    ((flow, data),) = [one for one in people["alice"].calls("9123") if start(one[1]) == "INVITE"]
    assert (flow.host, data.split(b" ")[1]) == ("198.51.100.1", b"sip:123@198.51.100.1")


def test_so_does_a_telephone_number(proxy: Proxy, people: dict[str, Phone]) -> None:
    row = {"pattern": r"\+49(\d+)", "destinations": (r"0\1@pstn",)}
    planned(proxy, row, gateways=[GATEWAY])
    sent = people["alice"].calls("tel:+49-30-12.3;ext=4")
    ((flow, data),) = [one for one in sent if start(one[1]) == "INVITE"]
    assert (flow.host, data.split(b" ")[1]) == ("198.51.100.1", b"sip:030123@198.51.100.1")
    assert Rule.PLAN in rules(proxy)


@pytest.mark.parametrize("how", ["silent", "503"])
def test_the_next_address_where_one_cannot_be_reached(
    proxy: Proxy, people: dict[str, Phone], how: str
) -> None:
    planned(proxy, {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}, gateways=[GATEWAY])
    sent = people["alice"].calls("9123")
    (first,) = [data for flow, data in sent if flow.host == "198.51.100.1"]
    if how == "silent":
        sent = proxy.advance(6)
    else:
        gateway = Phone(proxy, "gw", "198.51.100.1", register=False)
        sent = gateway.says(first, 503)
    flow, data = next(one for one in sent if one[0].host == "198.51.100.2")
    assert data.split(b" ")[1] == b"sip:123@198.51.100.2:5080"
    assert flow.port == 5080
    assert Rule.GATEWAY_SILENT in rules(proxy)
    later = people["alice"].calls("9124", branch="z9hG4bKlater", call_id="later")
    assert invites(later) == ["198.51.100.2"], "later calls avoid it"
    busy = Phone(proxy, "gw2", "198.51.100.2", 5080, register=False).says(data, 486)
    people["alice"].gets(busy, "486")


def test_busy_at_a_gateway_is_busy(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}, gateways=[GATEWAY])
    gateway = Phone(proxy, "gw", "198.51.100.1", register=False)
    sent = gateway.says(gateway.gets(people["alice"].calls("9123"), "INVITE"), 486)
    people["alice"].gets(sent, "486")
    assert not invites(sent)


def test_a_gateway_that_asks_who_calls(proxy: Proxy, people: dict[str, Phone]) -> None:
    row = {**GATEWAY, "login": "us", "password": "secret"}
    planned(proxy, {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}, gateways=[row])
    gateway = Phone(proxy, "gw", "198.51.100.1", register=False)
    challenge = 'Proxy-Authenticate: Digest realm="gw", nonce="n", qop="auth"\n'
    first = gateway.gets(people["alice"].calls("9123"), "INVITE")
    sent = gateway.says(first, 407, extra=challenge)
    second = gateway.gets(sent, "INVITE")
    assert b'Proxy-Authorization: Digest username="us", realm="gw"' in second
    assert second.split(b"branch=")[1][:20] != first.split(b"branch=")[1][:20]
    assert "407" not in names(sent), "the caller hears nothing of it"
    sent = gateway.says(second, 407, extra=challenge)
    assert invites(sent) == ["198.51.100.2"], "the other address may know it"
    other = Phone(proxy, "gw2", "198.51.100.2", 5080, register=False)
    sent = other.says(other.gets(sent, "INVITE"), 407, extra=challenge)
    sent = other.says(other.gets(sent, "INVITE"), 407, extra=challenge)
    assert not invites(sent), "wrong is wrong"
    final = people["alice"].gets(sent, "500")
    assert b"the gateway refuses the server's login" in final
    assert b"Authenticate" not in final
    told = explain(b"call-1", proxy.journal.story(b"call-1"), str)
    assert "login" in told.headline, told.headline
    assert proxy.core.gateways.works("pstn", "sip:198.51.100.1")


@pytest.mark.parametrize(("auth", "trusted", "led"), [(False, False, False), (False, True, True),
    (True, False, False), (True, True, True)])  # fmt: skip
def test_strangers_are_not_led_out_by_a_pattern(*, auth: bool, trusted: bool, led: bool) -> None:
    """Or the telephone bill is theirs to make; with passwords off all but trusted sources are strangers."""
    ours = ["192.0.2.66"] if trusted else []
    proxy = Proxy(users=["desk"], auth=auth, methods=["REGISTER"], trusted=ours)
    rows: list[dict[str, Any]] = [
        {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)},
        {"pattern": "8.*", "strangers": True, "destinations": (r"\0@pstn",)},
    ]
    rows.append({"name": "boss", "destinations": ("1@pstn",)})
    planned(proxy, *rows, gateways=[GATEWAY])
    stranger = Phone(proxy, "eve", "192.0.2.66", register=False)
    sent = stranger.calls("9123")
    assert bool(invites(sent)) is led
    if not led:
        stranger.gets(sent, "480")
    for number, name in enumerate(("8123", "boss")):
        more: dict[str, Any] = {"branch": f"z9hG4bK{number}", "call_id": f"c{number}"}
        assert invites(stranger.calls(name, **more)) == ["198.51.100.1"]


def test_the_number_cannot_choose_the_gateway(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, {"pattern": r"(.*)", "destinations": (r"\1",)}, gateways=[GATEWAY])
    sent = people["alice"].calls("sip:123%40pstn@example.com")
    assert not invites(sent)


def test_another_domain(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("sip:bob@203.0.113.9:5070;transport=tcp", "desk"))
    ((flow, data),) = [one for one in people["alice"].calls("sales") if start(one[1]) == "INVITE"]
    assert (flow.host, flow.port) == ("203.0.113.9", 5070)
    assert data.startswith(b"INVITE sip:bob@203.0.113.9:5070;transport=tcp SIP/2.0")


def test_a_uri_of_our_own_is_one_of_our_users(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("sip:desk@example.com", "mobile"))
    assert invites(people["alice"].calls("sales")) == [DESK]


def test_plans_within_plans(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(
        proxy,
        hunted("desk", {"to": "night", "expand": True}),
        {"name": "night", "destinations": ("mobile", {"to": "sales", "expand": True}, "night")},
    )
    sent = people["desk"].says(people["desk"].gets(people["alice"].calls("sales"), "INVITE"), 486)
    assert invites(sent) == [MOBILE]
    sent = people["mobile"].says(people["mobile"].gets(sent, "INVITE"), 486)
    people["alice"].gets(sent, "486")


def test_times(proxy: Proxy, people: dict[str, Phone]) -> None:
    hour = {"now": 12}
    planned(
        proxy,
        hunted("desk", times=("mon-fri 08:00-18:00",)),
        hunted("voicemail"),
        local_time=lambda _: dt.datetime(2026, 11, 26, hour["now"], tzinfo=dt.UTC),
    )
    assert invites(people["alice"].calls("sales")) == [DESK]
    hour["now"] = 20
    sent = people["alice"].calls("sales", branch="z9hG4bK2", call_id="c2")
    assert invites(sent) == [VOICEMAIL]


def test_a_plan_that_is_not_in_force_is_told_of(proxy: Proxy, people: dict[str, Phone]) -> None:
    """It is no unknown user; phones of that name, and patterns, go first."""
    off: dict[str, Any] = {"times": ("sat",)}
    planned(
        proxy,
        hunted("desk", **off),
        {"name": "mobile", "destinations": ("desk",), **off},
        {"name": "lobby", "destinations": ("desk",), **off},
        {"pattern": "lob.*", "destinations": ("voicemail",)},
        hunted("sales", "mobile", {"to": "night", "expand": True}, name="day"),
        {"name": "night", "destinations": ("desk",), **off},
        local_time=lambda _: dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC),
        follows=True,
    )
    final = people["alice"].gets(people["alice"].calls("sales"), "480")
    assert b"its routing plan is not in force now" in final
    assert Rule.PLAN_NOT_NOW in rules(proxy)
    headline = explain(b"call-1", proxy.journal.story(b"call-1"), str).headline
    assert headline == "alice called sales; the routing plan of sales is not in force now (480)."
    for number, (user, host) in enumerate({"mobile": MOBILE, "lobby": VOICEMAIL}.items()):
        more: dict[str, Any] = {"branch": f"z9hG4bKn{number}", "call_id": f"n{number}"}
        assert invites(people["alice"].calls(user, **more)) == [host]
    assert names(people["alice"].sends("MESSAGE", "sip:sales@example.com")) == ["480"]
    people["alice"].calls("day", branch="z9hG4bKday", call_id="day")
    story = proxy.journal.story(b"day")
    skipped = [facts for _, rule, *facts in story if rule is Rule.PLAN_SKIPPED]
    assert skipped == [
        ["sales", "there is no such user"],
        ["night", "its routing plan is not in force now"],
    ]
    mobile = people["mobile"].gets(
        people["alice"].calls("mobile", branch="z9hG4bKm", call_id="m"), "INVITE"
    )
    people["mobile"].says(mobile, 302, extra="Contact: <sip:night@example.com>\n")
    (told,) = [facts for _, rule, *facts in proxy.journal.story(b"m") if rule is Rule.PLAN_SKIPPED]
    assert told[1] == "its routing plan is not in force now"


# standing names


def test_a_standing_name_with_a_fixed_contact(proxy: Proxy, people: dict[str, Phone]) -> None:
    fixed = {b"door": b"sip:door@192.0.2.77", b"desk": b"sip:desk@192.0.2.78"}
    planned(proxy, fixed=fixed)
    assert invites(people["alice"].calls("door")) == ["192.0.2.77"]
    more: dict[str, Any] = {"branch": "z9hG4bK2", "call_id": "c2"}
    assert sorted(invites(people["alice"].calls("desk", **more))) == ["192.0.2.78", DESK]


def test_a_fixed_contact_of_ours_stands_for_that_users_phones(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    fixed = {
        b"lobby": b"sip:Desk@example.com", b"gate": b"sip:lobby@example.com", b"round": b"sip:turn@192.0.2.1",
        b"turn": b"sip:round@example.com", b"self": b"sip:self@example.com", b"us": b"sip:example.com",
    }  # fmt: skip
    proxy.core.knows_user = lambda user: user in fixed
    planned(proxy, hunted("gate", "mobile"), fixed=fixed)
    for number, user in enumerate(("lobby", "gate", "sips:gate@example.com", "sales")):
        more: dict[str, Any] = {"branch": f"z9hG4bK{number}", "call_id": f"c{number}"}
        wanted = [] if user.startswith("sips") else [DESK]
        assert invites(people["alice"].calls(user, **more)) == wanted
    for number, user in enumerate(("round", "self", "us")):
        more = {"branch": f"z9hG4bKn{number}", "call_id": f"n{number}"}
        final = people["alice"].gets(people["alice"].calls(user, **more), "480")
        assert b"the user is known, but no phone is registered" in final


# races


def test_an_answer_that_crosses_the_rollover_wins(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    people["desk"].says(desk, 180)
    sent = proxy.advance(21)
    first(people["desk"], sent, "CANCEL")
    mobile = first(people["mobile"], sent, "INVITE")
    people["mobile"].says(mobile, 180)
    sent = people["desk"].says(desk, 200)
    people["alice"].gets(sent, "200")
    people["mobile"].gets(sent, "CANCEL")
    assert "487" not in names(people["mobile"].says(mobile, 487))


@pytest.mark.parametrize("final", ["480", "487", "200"])
def test_an_answer_that_comes_too_late_is_hung_up(
    proxy: Proxy, people: dict[str, Phone], final: str
) -> None:
    """The caller was told already; a repeated 200 is acknowledged again, and one BYE is sent."""
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    people["desk"].says(desk, 180)
    mobile = first(people["mobile"], proxy.advance(21), "INVITE")
    people["mobile"].says(mobile, 180)
    if final == "487":
        people["alice"].sends("CANCEL", "sip:sales@example.com", branch="z9hG4bKcall")
        people["alice"].gets(people["mobile"].says(mobile, 487), final)
    elif final == "200":
        people["alice"].gets(people["mobile"].says(mobile, 200), final)
    else:
        first(people["alice"], proxy.advance(62), final)
    late = people["desk"] if final != "480" else people["mobile"]
    invite = desk if final != "480" else mobile
    sent = late.says(invite, 200, tag="late")
    assert names(sent) == ["ACK", "BYE"]
    ack, bye = (parse(data) for flow, data in sent if flow is late.flow)
    number = parse(invite).value(CSEQ).split()[0]
    assert ack.uri == bye.uri == late.contact.encode()
    assert ack.value(CSEQ) == number + b" ACK"
    assert bye.value(CSEQ) == b"%d BYE" % (int(number) + 1)
    assert _to_tag(sent[0][1]) == _to_tag(sent[1][1]) == b"late"
    assert names(late.says(invite, 200, tag="late")) == ["ACK"]
    late.says(sent[1][1], 200)
    assert rules(proxy).count(Rule.LEG_ENDED) == 1
    told = explain(b"call-1", proxy.journal.story(b"call-1"), str).headline
    assert ("and was answered; the call is up." in told) is (final == "200")
    if final == "200":
        (call,) = proxy.core.calls
        assert call.callee_tag == b"mobile"
        again = people["mobile"].says(mobile, 200)
        assert names(again) == ["200"], "the winner's own goes to the caller, who acknowledges it"
    else:
        proxy.advance(70)
        assert quiet(proxy)


def test_who_is_forked_behind_us(proxy: Proxy, people: dict[str, Phone]) -> None:
    """One way, two who pick up: the caller's affair; where a plan decides the first one has it."""
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    assert names(people["desk"].says(desk, 200, tag="x")) == ["200"]
    assert names(people["desk"].says(desk, 200, tag="y")) == ["200"]
    more: dict[str, Any] = {"branch": "z9hG4bK2", "call_id": "c2"}
    desk = people["desk"].gets(people["alice"].calls("sales", **more), "INVITE")
    assert names(people["desk"].says(desk, 200, tag="x")) == ["200"]
    assert names(people["desk"].says(desk, 200, tag="y")) == ["ACK", "BYE"]
    assert names(people["desk"].says(desk, 200, tag="x")) == ["200"]


def test_a_caller_who_gives_up_ends_the_hunt(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    people["desk"].says(desk, 180)
    sent = people["alice"].sends("CANCEL", "sip:sales@example.com", branch="z9hG4bKcall")
    people["desk"].gets(sent, "CANCEL")
    sent = people["desk"].says(desk, 487)
    people["alice"].gets(sent, "487")
    assert not invites(sent)


@pytest.mark.parametrize(
    ("status", "heard"), [(302, "487"), (407, "487"), (401, "487"), (486, "486"), (603, "603")]
)
@pytest.mark.parametrize("user", ["desk", "sales"])
def test_a_caller_who_gave_up_is_sent_nowhere_else(
    proxy: Proxy, people: dict[str, Phone], user: str, status: int, heard: str
) -> None:
    """The CANCEL and the answer cross each other."""
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls(user), "INVITE")
    people["desk"].says(desk, 180)
    people["alice"].sends("CANCEL", f"sip:{user}@example.com", branch="z9hG4bKcall")
    extra = "Contact: <sip:mobile@example.com>\n" if status == 302 else ""
    sent = people["desk"].says(desk, status, extra=extra)
    people["alice"].gets(sent, heard)
    assert not invites(sent)


_LATE = (0, 1, 2, 9, 29)
"""How many seconds after its CANCEL a phone that got none in time picks up."""
behaviours = st.sampled_from(
    ["silent", "rings", "busy", "declines", "answers", "302", "fails", *map(str, _LATE)]
)


@given(
    plan=st.lists(
        st.sampled_from(["desk", "mobile", "voicemail", "nobody"]), min_size=1, max_size=5
    ),
    behaves=st.fixed_dictionaries({name: behaviours for name in ("desk", "mobile", "voicemail")}),
    gives_up=st.none() | st.integers(0, 60),
    follows=st.booleans(),
)
def test_whatever_happens_the_caller_gets_one_final_answer(
    *, plan: list[str], behaves: dict[str, str], gives_up: int | None, follows: bool
) -> None:
    """And no leg stays up that the caller does not know of; in the end nothing is left."""
    proxy = Proxy(users=["alice", "desk", "mobile", "voicemail"], patience=PATIENCE)
    world = _World(phones(proxy), behaves)
    planned(proxy, hunted(*plan), follows=follows)
    world.todo = world.people["alice"].calls("sales")
    for second in range(400):
        world.second = second
        if second == gives_up and not world.finals:
            cancel = world.people["alice"].sends(
                "CANCEL", "sip:sales@example.com", branch="z9hG4bKcall"
            )
            world.todo = [*cancel, *world.todo]
        world.work()
        world.todo = proxy.advance(1)
    ((tag, status),) = world.finals.items()
    wins = {tag} if status == "200" else set()
    assert wins <= world.up
    assert world.acknowledged == world.hung_up == world.up - wins
    if not wins:
        assert quiet(proxy)


class _World:
    """Phones that behave in one way each, and a caller that takes notes."""

    def __init__(self, people: dict[str, Phone], behaves: dict[str, str]) -> None:
        self.people, self.behaves = people, behaves
        self.by_host = {phone.flow.host: name for name, phone in people.items()}
        self.todo: Any = []
        self.finals: dict[bytes, str] = {}
        """By the To tag of who gave it."""
        self.up: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self.hung_up: set[bytes] = set()
        self.second = 0
        self._late: list[tuple[int, Phone, bytes]] = []
        self._ringing: dict[bytes, bytes] = {}
        self._answered: dict[bytes, Any] = {}

    def work(self) -> None:
        for one in [one for one in self._late if one[0] <= self.second]:
            self._late.remove(one)
            self.todo += self._picks_up(*one[1:])
        while self.todo:
            flow, data = self.todo.pop(0)
            name, what = self.by_host.get(flow.host, ""), start(data)
            if name == "alice":
                self._hears(what, data)
            elif what in ("INVITE", "CANCEL", "ACK", "BYE"):
                self.todo += getattr(self, f"_{what.lower()}")(name, data)

    def _hears(self, what: str, data: bytes) -> None:
        if what.isdigit() and int(what) >= 200 and b" INVITE\r\n" in data:
            self.finals[data.split(b"To:")[1].split(b"tag=")[1].split(b"\r\n")[0]] = what
            if what != "200":
                more = {"branch": "z9hG4bKcall", "to_tag": "x"}
                self.todo += self.people["alice"].sends("ACK", "sip:sales@example.com", **more)

    def _invite(self, name: str, data: bytes) -> Any:
        phone, how, branch = self.people[name], self.behaves[name], _branch(data)
        if branch in self._answered:
            return []  # a repetition; its answer is under way
        self._answered[branch] = True
        if how == "silent":
            return []
        if how in ("busy", "declines", "fails"):
            return phone.says(data, {"busy": 486, "declines": 603, "fails": 500}[how])
        if how == "302":
            return phone.says(data, 302, extra="Contact: <sip:mobile@example.com>\n")
        if how == "answers":
            return self._picks_up(phone, data)
        self._ringing[branch] = data
        return phone.says(data, 180)

    def _cancel(self, name: str, data: bytes) -> Any:
        phone, invite = self.people[name], self._ringing.pop(_branch(data), None)
        sent = phone.says(data, 200)
        if invite is None:
            return sent
        how = self.behaves[name]
        if how.isdigit() and how != "302":
            self._late.append((self.second + int(how), phone, invite))
            return sent
        return [*sent, *phone.says(invite, 487)]

    def _ack(self, name: str, data: bytes) -> Any:
        self.acknowledged |= self.up & {_to_tag(data)}
        return []

    def _bye(self, name: str, data: bytes) -> Any:
        assert _to_tag(data) not in self.hung_up, "once"
        self.hung_up.add(_to_tag(data))
        return self.people[name].says(data, 200)

    def _picks_up(self, phone: Phone, data: bytes) -> Any:
        tag = f"{phone.name}-{len(self.up)}"
        self.up.add(tag.encode())
        return phone.says(data, 200, tag=tag)


def _to_tag(data: bytes) -> bytes:
    return parse_name_addr(parse(data).value(TO)).tag


def _branch(data: bytes) -> bytes:
    return data.split(b"branch=")[1].split(b"\r\n")[0].split(b";")[0]
