"""Requests that are no calls, to a name or number that has no phone of its own but a plan."""

import pytest

from centrex.proxy.patience import Patience
from centrex.trace import Rule
from centrex.trace.explain import explain
from tests.support.calling import Phone, Sent, answer_challenge, names, quiet, rules, start
from tests.support.hunting import hunted, phones, planned
from tests.support.proxy import DOMAIN, Proxy
from tests.support.strict_gateway import StrictGateway

DESK, MOBILE, VOICEMAIL = "192.0.2.8", "192.0.2.9", "192.0.2.10"
SALES = f"sip:sales@{DOMAIN}"
GATEWAY = {
    "name": "pstn",
    "addresses": ("sip:198.51.100.1", "sip:198.51.100.2"),
    "check_interval": 0,
}
OUT = {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}


@pytest.fixture
def proxy() -> Proxy:
    patience = Patience(start_response_s=5, rollover_s=20, final_answer_s=60)
    users = ["alice", "desk", "mobile", "voicemail", "carol"]
    return Proxy(users=users, patience=patience, trusted=["192.0.2.7"])


@pytest.fixture
def people(proxy: Proxy) -> dict[str, Phone]:
    return phones(proxy)


def went(sent: Sent, method: str = "MESSAGE") -> list[str]:
    """Return whom requests of a method went to, by the address."""
    return [flow.host for flow, data in sent if start(data) == method]


@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "REFER", "NOTIFY", "PUBLISH", "NEWS"])
def test_the_plans_destinations_get_it_until_one_takes_it(
    proxy: Proxy, people: dict[str, Phone], method: str
) -> None:
    planned(proxy, hunted("carol", "desk", "mobile", "voicemail"))
    sent = people["alice"].sends(method, SALES)
    assert went(sent, method) == [DESK], "one after the other; who has no phone is passed over"
    sent = people["desk"].says(people["desk"].gets(sent, method), 405)
    assert went(sent, method) == [MOBILE]
    sent = people["mobile"].says(people["mobile"].gets(sent, method), 200)
    assert b";tag=mobile" in people["alice"].gets(sent, "200")
    assert {Rule.PLAN, Rule.PLAN_SKIPPED} <= set(rules(proxy))
    assert "the routing plan sales decides" in str(
        explain(b"call-1", proxy.journal.story(b"call-1"), str)
    )
    proxy.advance(120)
    assert quiet(proxy)


def test_who_is_silent_does_not_hold_it_up(proxy: Proxy, people: dict[str, Phone]) -> None:
    """The sender gives up after 32 s (timer F): the next one has it before that, and the last its time."""
    planned(proxy, hunted("desk", "mobile"))
    desk = people["desk"].gets(people["alice"].sends("MESSAGE", SALES), "MESSAGE")
    assert MOBILE not in went(proxy.advance(4.9))
    assert MOBILE in went(proxy.advance(0.2))
    assert Rule.TARGET_SILENT in rules(proxy)
    assert "200" in names(people["desk"].says(desk, 200)), "it may still take it"
    proxy.advance(120)
    assert quiet(proxy)


def test_where_the_last_one_is_silent_nothing_is_said(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    """RFC 4320 §4.2: it would come too late."""
    planned(proxy, hunted("desk", "mobile"))
    people["alice"].sends("MESSAGE", SALES)
    assert not {"408", "480"} & set(names(proxy.advance(120)))
    assert quiet(proxy)


def test_where_nobody_takes_it_the_last_one_speaks(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "mobile"))
    sent = people["alice"].sends("MESSAGE", SALES)
    sent = people["desk"].says(people["desk"].gets(sent, "MESSAGE"), 603)
    sent = people["mobile"].says(people["mobile"].gets(sent, "MESSAGE"), 415)
    people["alice"].gets(sent, "415")


def test_a_users_own_phones_come_before_his_plan(proxy: Proxy, people: dict[str, Phone]) -> None:
    """A plan says where his calls go; what is written to him is for his phones, if he has any."""
    planned(proxy, hunted("mobile"), {"name": "desk", "destinations": ("voicemail",)},
            {"name": "carol", "destinations": ("voicemail",)})  # fmt: skip
    assert went(people["alice"].sends("MESSAGE", f"sip:desk@{DOMAIN}", call_id="a")) == [DESK]
    assert went(people["alice"].sends("MESSAGE", f"sip:carol@{DOMAIN}", call_id="b")) == [VOICEMAIL]
    assert went(people["alice"].calls("desk"), "INVITE") == [VOICEMAIL]


def test_a_plan_that_is_not_in_force_or_leads_nowhere(proxy: Proxy) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    planned(proxy, hunted("carol"), {**hunted("alice", times=("2020-01-01",)), "name": "fair"})
    (_, data), = alice.sends("MESSAGE", SALES, call_id="a")  # fmt: skip
    assert (start(data), b"none of the plan's destinations" in data) == ("480", True)
    (_, data), = alice.sends("MESSAGE", f"sip:fair@{DOMAIN}", call_id="b")  # fmt: skip
    assert (start(data), b"not in force now" in data) == ("480", True)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "PRACK"])
def test_what_can_begin_nothing_goes_by_no_plan(
    proxy: Proxy, people: dict[str, Phone], method: str
) -> None:
    planned(proxy, hunted("desk"))
    assert names(people["alice"].sends(method, SALES)) == ["404"]
    assert names(people["alice"].sends("MESSAGE", SALES, to_tag="x", call_id="c")) == ["404"]


def test_to_a_gateway_as_calls_do(proxy: Proxy) -> None:
    """With its login, to its next address; and no stranger by a pattern."""
    row = {**GATEWAY, "login": "us", "password": "secret"}
    planned(proxy, OUT, gateways=[row])
    alice = Phone(proxy, "alice", "192.0.2.7")
    where = f"sip:9123@{DOMAIN}"
    gateway = StrictGateway(proxy, "198.51.100.1")
    sent = gateway.takes(alice.sends("MESSAGE", where), "MESSAGE")
    alice.gets(gateway.takes(sent, "MESSAGE"), "200")
    assert [one[2] for one in gateway.log] == [407, 200]
    sent = alice.sends("MESSAGE", where, call_id="c2")
    assert went(gateway.says(gateway.gets(sent, "MESSAGE"), 503)) == ["198.51.100.2"]
    alice.sends("MESSAGE", where, call_id="c4")
    assert "198.51.100.2" in went(proxy.advance(5.1)), "before its sender gives up"
    stranger = Phone(proxy, "eve", "192.0.2.66", register=False)
    assert names(stranger.sends("MESSAGE", where, call_id="c3")) == ["480"]


def test_a_gateway_that_is_slow_with_a_message_is_still_there_for_calls(proxy: Proxy) -> None:
    """What is no call has 32 s for its answer, and nothing need be said before."""
    planned(proxy, OUT, gateways=[{**GATEWAY, "check_interval": 30}])
    alice = Phone(proxy, "alice", "192.0.2.7")
    alice.sends("MESSAGE", f"sip:9123@{DOMAIN}")
    assert "198.51.100.2" in went(proxy.advance(5.1))
    assert not proxy.core.gateways.gone
    sent = alice.calls("9123", call_id="c2")
    assert went(sent, "INVITE") == ["198.51.100.1"]
    assert "198.51.100.2" in went(proxy.advance(5.1), "INVITE")
    assert [probe.address for probe in proxy.core.gateways.gone] == ["sip:198.51.100.1"]


def test_whoever_writes_shows_who_he_is() -> None:
    proxy = Proxy(users=["alice", "bob"], auth=True)
    planned(proxy, hunted("bob"))
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    ((_, challenge),) = alice.sends("MESSAGE", SALES)
    assert start(challenge) == "407"
    line = answer_challenge(challenge, "MESSAGE", SALES, "alice")
    assert names(alice.sends("MESSAGE", SALES, cseq=2, extra=line)) == ["480"], "bob has no phone"
