"""Calls that a phone redirects by a 3xx: handed back, or followed, and what the caller hears then."""

from typing import Any

import pytest

from centrex.proxy.patience import Patience
from centrex.trace import Rule
from tests.support.calling import Phone, answer_challenge, rules, start
from tests.support.hunting import first, hunted, invites, phones, planned
from tests.support.proxy import DOMAIN, Proxy

DESK, MOBILE, VOICEMAIL = "192.0.2.8", "192.0.2.9", "192.0.2.10"
GATEWAY = {"name": "pstn", "addresses": ("sip:198.51.100.1", "sip:198.51.100.2:5080")}


@pytest.fixture
def proxy() -> Proxy:
    patience = Patience(start_response_s=5, rollover_s=20, final_answer_s=60)
    users = ["alice", "desk", "mobile", "voicemail"]
    return Proxy(users=users, patience=patience, trusted=["192.0.2.7"])


@pytest.fixture
def people(proxy: Proxy) -> dict[str, Phone]:
    return phones(proxy)


def test_a_redirection_is_handed_back(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    sent = people["desk"].says(desk, 302, extra="Contact: <sip:mobile@example.com>\n")
    people["alice"].gets(sent, "302")


def test_in_a_plan_it_is_as_if_that_destination_were_busy(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    extra = "Contact: <sip:voicemail@example.com>\n"
    sent = people["desk"].says(desk, 302, extra=extra)
    assert invites(sent) == [MOBILE]
    sent = people["mobile"].says(people["mobile"].gets(sent, "INVITE"), 302, extra=extra)
    assert b"sip:voicemail@example.com" in people["alice"].gets(sent, "302")


@pytest.mark.parametrize("before", [True, False])
def test_a_change_of_the_rules_is_for_calls_that_begin_later(
    proxy: Proxy, people: dict[str, Phone], *, before: bool
) -> None:
    plan = hunted("desk", "mobile")
    planned(proxy, plan, follows=before, decline_ends=before)
    asked = [
        people["desk"].gets(
            people["alice"].calls("sales", branch=f"z9hG4bK{n}", call_id=n), "INVITE"
        )
        for n in ("a", "b")
    ]
    planned(proxy, plan, follows=not before, decline_ends=not before)
    sent = people["desk"].says(asked[0], 302, extra="Contact: <sip:voicemail@example.com>\n")
    assert invites(sent) == [VOICEMAIL if before else MOBILE]
    assert invites(people["desk"].says(asked[1], 603)) == ([] if before else [MOBILE])


def test_or_followed(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "voicemail"), follows=True)
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    extra = "Contact: <sip:nobody@example.com>;q=0.9, <sip:mobile@example.com>;q=0.1\n"
    sent = people["desk"].says(desk, 302, extra=extra)
    assert invites(sent) == [MOBILE]
    sent = people["mobile"].says(
        people["mobile"].gets(sent, "INVITE"), 302, extra="Contact: <sip:desk@example.com>\n"
    )
    assert invites(sent) == [VOICEMAIL], "where it was tried it is not tried again"
    assert Rule.REDIRECTED in rules(proxy)


def test_or_followed_to_a_telephone_number(proxy: Proxy, people: dict[str, Phone]) -> None:
    Phone(proxy, "4711", "192.0.2.50")
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    extra = "Contact: <tel:4711;phone-context=far.example>;q=1, <tel:47-11>;q=0.5\n"
    assert invites(people["desk"].says(desk, 302, extra=extra)) == ["192.0.2.50"]
    more = {"branch": "z9hG4bK2", "call_id": "c2"}
    desk = people["desk"].gets(people["alice"].calls("desk", **more), "INVITE")
    extra = "Contact: <sip:47-11@example.com;user=phone>\n"
    assert invites(people["desk"].says(desk, 302, extra=extra)) == ["192.0.2.50"]


def test_where_a_step_leads_its_time_goes_along(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted({"to": "desk", "ring": 7}, "voicemail"), follows=True)
    desk = people["desk"].gets(people["alice"].calls("sales"), "INVITE")
    sent = people["desk"].says(desk, 302, extra="Contact: <sip:mobile@example.com>\n")
    people["mobile"].says(people["mobile"].gets(sent, "INVITE"), 180)
    assert not invites(proxy.advance(6.9))
    assert invites(proxy.advance(0.3)) == [VOICEMAIL]


def test_of_a_contact_only_what_may_stand_in_a_request_line_is_used(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    """RFC 3261 §16.6 step 2: by a redirection, by a plan, by a registration."""
    odd = "sip:x@203.0.113.9;method=INVITE?Subject=a&Priority=urgent"
    again = Phone(proxy, "again", "203.0.113.9", register=False)
    contact = f"Contact: <{odd}>"
    more: dict[str, Any] = {"target": f"sip:again@{DOMAIN}", "call_id": "r", "extra": contact}
    ((_, ok),) = again.sends("REGISTER", f"sip:{DOMAIN}", **more)
    assert odd.encode() in ok, "it is kept as it came"
    row = {"name": "odd", "destinations": (odd,)}
    planned(proxy, row, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    found = people["desk"].says(desk, 302, extra=f"Contact: <{odd}>\n")
    for user in ("odd", "again"):
        found += people["alice"].calls(user, branch=f"z9hG4bK{user}", call_id=user)
    invites_there = [data for flow, data in found if flow.host == "203.0.113.9"]
    assert len(invites_there) == 3
    for invite in invites_there:
        assert invite.startswith(b"INVITE sip:x@203.0.113.9 SIP/2.0\r\n")


def test_contacts_that_cannot_be_read_are_passed_over(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    extra = "Contact: <sip:voicemail@example.com, sip:nobody@example.com\n"
    extra += "Contact: <sip:mobile@example.com>, <>\n"
    assert invites(people["desk"].says(desk, 302, extra=extra)) == [MOBILE]


def test_contacts_of_a_redirection_ring_by_their_q(proxy: Proxy, people: dict[str, Phone]) -> None:
    Phone(proxy, "alice", "192.0.2.50")
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    extra = "Contact: <sip:voicemail@example.com>;q=0.2, <sip:mobile@example.com>;q=0.8\n"
    extra += "Contact: <sip:x@203.0.113.9>;q=0.8, <sip:mobile@example.com>;q=0.1\n"
    sent = people["desk"].says(desk, 302, extra=extra)
    assert invites(sent) == [MOBILE, "203.0.113.9"]
    people["mobile"].says(people["mobile"].gets(sent, "INVITE"), 486)
    outside = Phone(proxy, "x", "203.0.113.9", register=False)
    sent = outside.says(outside.gets(sent, "INVITE"), 486)
    assert invites(sent) == [VOICEMAIL]
    sent = people["voicemail"].says(people["voicemail"].gets(sent, "INVITE"), 486)
    people["alice"].gets(sent, "486")


@pytest.mark.parametrize(
    ("auth", "trusted", "led"),
    [(True, "", True), (False, "", False), (False, DESK, True), (False, "192.0.2.66", True)],
)
def test_a_phone_forwards_to_a_number_that_a_plan_knows(
    *, auth: bool, trusted: str, led: bool
) -> None:
    """It is as if its user had dialled it; where nobody logs in it must be trusted, or the caller."""
    ours = [trusted or "192.0.2.250"]
    proxy = Proxy(users=["desk"], auth=auth, methods=["REGISTER"], trusted=ours)
    desk = Phone(proxy, "desk", DESK, register=not auth)
    more: dict[str, Any]
    if auth:
        where = f"sip:{DOMAIN}"
        more = {"target": f"sip:desk@{DOMAIN}", "branch": "", "cseq": 1}
        line = f"Contact: <{desk.contact}>\n"
        asked = desk.sends("REGISTER", where, extra=line, **more)
        shown = answer_challenge(asked[0][1], "REGISTER", where, "desk")
        more["cseq"] = 2
        ((_, ok),) = desk.sends("REGISTER", where, extra=f"{line}{shown}\n", **more)
        assert start(ok) == "200"
    planned(
        proxy,
        {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)},
        {"name": "back", "destinations": ("desk", {"to": "back", "expand": True})},
        gateways=[GATEWAY],
        follows=True,
    )
    stranger = Phone(proxy, "eve", "192.0.2.66", register=False)
    sent = desk.says(
        desk.gets(stranger.calls("desk"), "INVITE"), 302, extra="Contact: <sip:9123@example.com>\n"
    )
    assert invites(sent) == (["198.51.100.1"] if led else [])
    if not led:
        stranger.gets(sent, "302")
    more = {"branch": "z9hG4bK2", "call_id": "c2"}
    sent = stranger.calls("desk", **more)
    sent = desk.says(desk.gets(sent, "INVITE"), 302, extra="Contact: <sip:back@example.com>\n")
    stranger.gets(sent, "302")


def test_redirections_are_bounded(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, follows=True)
    sent = people["alice"].calls("desk")
    for number in range(5):
        desk = next(data for flow, data in sent if data.startswith(b"INVITE"))
        where = Phone(proxy, "x", sent[-1][0].host, register=False) if number else people["desk"]
        sent = where.says(desk, 302, extra=f"Contact: <sip:x@203.0.113.{number}>\n")
        assert invites(sent) == [f"203.0.113.{number}"]
    last = next(data for flow, data in sent if data.startswith(b"INVITE"))
    where = Phone(proxy, "x", "203.0.113.4", register=False)
    sent = where.says(last, 302, extra="Contact: <sip:x@203.0.113.99>\n")
    people["alice"].gets(sent, "302")
    assert not_followed(proxy) == ["5 redirections of this call were followed already"]


def not_followed(proxy: Proxy) -> list[str]:
    """Return why redirections were not followed, as `explain` tells it."""
    story = proxy.journal.story(b"call-1")
    return [facts[1] for _, rule, *facts in story if rule is Rule.NOT_FOLLOWED]


@pytest.mark.parametrize(
    ("status", "contact", "why"),
    [
        (302, "sip:desk@example.com", "it names no place that was not tried already"),
        (302, "sip:nobody@example.com", "no place it names can be called"),
        (302, "", "it names no place"),
        (305, "sip:mobile@example.com", "305 asks for something else than another place to call"),
        (380, "sip:mobile@example.com", "380 asks for something else than another place to call"),
    ],
)
def test_why_one_is_not_followed_is_told(
    proxy: Proxy, people: dict[str, Phone], status: int, contact: str, why: str
) -> None:
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    extra = f"Contact: <{contact}>\n" if contact else ""
    sent = people["desk"].says(desk, status, extra=extra)
    people["alice"].gets(sent, str(status))
    assert not_followed(proxy) == [why]


@pytest.mark.parametrize(("then", "heard"), [("486", "486"), ("silent", "408"), ("rings", "480")])
def test_of_a_redirection_that_was_followed_the_caller_hears_what_came_of_it(
    proxy: Proxy, people: dict[str, Phone], then: str, heard: str
) -> None:
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    sent = people["desk"].says(desk, 302, extra="Contact: <sip:mobile@example.com>\n")
    mobile = people["mobile"].gets(sent, "INVITE")
    if then == "486":
        sent = people["mobile"].says(mobile, 486)
    else:
        if then == "rings":
            people["mobile"].says(mobile, 180)
        sent = proxy.advance(70)
    first(people["alice"], sent, heard)


def test_a_redirection_after_the_caller_gave_up_is_not_followed(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    planned(proxy, follows=True)
    desk = people["desk"].gets(people["alice"].calls("desk"), "INVITE")
    people["desk"].says(desk, 180)
    people["alice"].sends("CANCEL", "sip:desk@example.com", branch="z9hG4bKcall")
    sent = people["desk"].says(desk, 302, extra="Contact: <sip:mobile@example.com>\n")
    assert not invites(sent)
    people["alice"].gets(sent, "487")


@pytest.mark.parametrize(("trusted", "led"), [(False, False), (True, True)])
def test_strangers_are_not_led_out_by_a_redirection(*, trusted: bool, led: bool) -> None:
    proxy = Proxy(users=["desk"], trusted=["192.0.2.66"] if trusted else [])
    planned(proxy, follows=True)
    desk = Phone(proxy, "desk", DESK)
    stranger = Phone(proxy, "eve", "192.0.2.66", register=False)
    sent = desk.says(
        desk.gets(stranger.calls("desk"), "INVITE"), 302, extra="Contact: <sip:x@203.0.113.9>\n"
    )
    assert bool(invites(sent)) is led
    if not led:
        stranger.gets(sent, "302")
