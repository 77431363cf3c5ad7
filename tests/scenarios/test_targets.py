"""Several targets: groups in turn, forks at once, who wins, what is chosen (RFC 3261 §16.5 to §16.7)."""

import pytest

from centrex.proxy.patience import Patience
from centrex.sip.message import parse
from centrex.sip.names import PROXY_AUTHENTICATE, RETRY_AFTER, WWW_AUTHENTICATE
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, find, names, quiet, rules, start, values
from tests.support.hunting import hunted, planned
from tests.support.proxy import DOMAIN, Proxy

ELSEWHERE = b'Reason: SIP;cause=200;text="Call completed elsewhere"'


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


def desks(proxy: Proxy, *qs: float) -> list[Phone]:
    """Bob's phones, in the order of these q values."""
    return [
        Phone(proxy, "bob", f"192.0.2.{20 + number}", params=f";q={q}")
        for number, q in enumerate(qs)
    ]


def hang_up_the_rest(proxy: Proxy, alice: Phone) -> None:
    alice.sends("ACK", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", to_tag="x")
    proxy.advance(200)
    assert not proxy.core.layer.servers
    assert not proxy.core.layer.clients
    assert not len(proxy.core.layer.timers)


def gone(sent: Sent, *phones: Phone) -> list[str]:
    """Return what went to each of these phones."""
    return [" ".join(names([one for one in sent if one[0] is phone.flow])) for phone in phones]


def test_groups_are_tried_one_after_another(proxy: Proxy, alice: Phone) -> None:
    one, two, three = desks(proxy, 1.0, 0.5, 0.2)
    sent = alice.calls("bob")
    assert gone(sent, one, two, three) == ["INVITE", "", ""]
    invite = one.gets(sent, "INVITE")
    sent = one.says(invite, 486)
    assert gone(sent, one, two, three, alice) == ["ACK", "INVITE", "", ""]
    invite = two.gets(sent, "INVITE")
    sent = two.says(invite, 404)
    assert gone(sent, one, two, three, alice) == ["", "ACK", "INVITE", ""]
    sent = three.says(three.gets(sent, "INVITE"), 480)
    assert gone(sent, three, alice) == ["ACK", "486"], "the first of the lowest class"
    hang_up_the_rest(proxy, alice)


def test_rollover_and_start_response_lead_to_the_next_group(proxy: Proxy, alice: Phone) -> None:
    one, two, three = desks(proxy, 1.0, 0.5, 0.2)
    rang = one.gets(alice.calls("bob"), "INVITE")
    one.says(rang, 180)
    assert proxy.advance(19.9) == []
    sent = proxy.advance(0.2)
    assert gone(sent, one, two, alice) == ["CANCEL", "INVITE", ""]
    one.says(one.gets(sent, "CANCEL"), 200)
    sent = proxy.advance(5.1)
    assert "INVITE" in gone(sent, three), "the second said nothing in 5 s"
    # the first picks up just as it is being cancelled: it is the first 2xx, so it wins
    sent = one.says(rang, 200)
    assert gone(sent, alice, one, two, three) == ["200", "", "", ""], "nobody else was heard yet"
    hang_up_the_rest(proxy, alice)


def test_a_603_stops_everything(proxy: Proxy, alice: Phone) -> None:
    one, two, three = desks(proxy, 1.0, 1.0, 0.5)
    sent = alice.calls("bob")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    one.says(first, 180)
    sent = two.says(second, 603)
    assert gone(sent, one, two, three, alice) == ["CANCEL", "ACK", "", ""]
    one.says(one.gets(sent, "CANCEL"), 200)
    sent = one.says(first, 487)
    assert gone(sent, one, three, alice) == ["ACK", "", "603"]
    hang_up_the_rest(proxy, alice)


def test_a_2xx_after_a_6xx_still_wins(proxy: Proxy, alice: Phone) -> None:
    one, two = desks(proxy, 1.0, 1.0)
    sent = alice.calls("bob")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    one.says(first, 180)
    two.says(second, 600)
    assert gone(one.says(first, 200), alice) == ["200"]


def test_equal_q_rings_together_and_the_first_2xx_wins(proxy: Proxy, alice: Phone) -> None:
    one, two, three = desks(proxy, 1.0, 1.0, 1.0)
    sent = alice.calls("bob")
    assert gone(sent, one, two, three) == ["INVITE"] * 3
    invites = [phone.gets(sent, "INVITE") for phone in (one, two, three)]
    assert len(set(invites)) == 3
    assert gone(one.says(invites[0], 180), alice) == ["180"]
    assert gone(two.says(invites[1], 180), alice) == ["180"]
    sent = one.says(invites[0], 200)
    assert gone(sent, alice, one, two, three) == ["200", "", "CANCEL", ""]
    assert ELSEWHERE in parse(two.gets(sent, "CANCEL")).lines
    assert gone(two.says(invites[1], 487), two, alice) == ["ACK", ""]
    # the third was lost on its way and is heard of only now
    assert gone(three.says(invites[2], 180), three, alice) == ["CANCEL", ""]
    hang_up_the_rest(proxy, alice)


def test_the_reason_is_given_also_to_who_is_heard_late(proxy: Proxy, alice: Phone) -> None:
    """Without it the phone lists a missed call (RFC 3326)."""
    one, two = desks(proxy, 1.0, 1.0)
    sent = alice.calls("bob")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    one.says(first, 200)
    sent = two.says(second, 180)
    assert ELSEWHERE in parse(two.gets(sent, "CANCEL")).lines


def test_whoever_picks_up_second_is_the_callers_affair(proxy: Proxy, alice: Phone) -> None:
    one, two = desks(proxy, 1.0, 1.0)
    sent = alice.calls("bob")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    two.says(second, 180)
    assert gone(one.says(first, 200, tag="t1"), alice) == ["200"]
    for _ in range(2):  # each repetition, too, until the caller acknowledges it
        assert gone(two.says(second, 200, tag="t2"), one, two, alice) == ["", "", "200"]
    (call,) = proxy.core.calls
    assert call.callee_tag == b"t1"


def test_whoever_picks_up_second_is_hung_up_where_a_plan_decides(
    proxy: Proxy, alice: Phone
) -> None:
    planned(proxy, hunted("bob"))
    one, two = desks(proxy, 1.0, 1.0)
    sent = alice.calls("sales")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    two.says(second, 180)
    assert gone(one.says(first, 200, tag="t1"), alice) == ["200"]
    sent = two.says(second, 200, tag="t2")
    two.gets(sent, "ACK")
    assert gone(sent, alice) == [""]
    two.says(two.gets(sent, "BYE"), 200)
    (call,) = proxy.core.calls
    assert call.callee_tag == b"t1"


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ((404, 486), "404"),
        ((486, 302), "302"),
        ((500, 486), "486"),
        ((503, 500), "500"),
        ((408, 486), "486"),
        ((404, 407), "407"),
        ((486, 401), "401"),
        ((404, 415), "415"),
        ((404, 420), "420"),
        ((404, 484), "484"),
        ((486, 603), "603"),
        ((503, 404), "404"),
        ((503, 503), "500"),
    ],
)
def test_the_best_response_is_chosen(
    proxy: Proxy, alice: Phone, statuses: tuple[int, int], chosen: str
) -> None:
    phones = desks(proxy, 1.0, 0.5)
    sent = alice.calls("bob")
    for phone, status in zip(phones, statuses, strict=True):
        sent = phone.says(phone.gets(sent, "INVITE"), status, extra="Retry-After: 5\n")
        if status >= 600:
            break
    answer = find(sent, chosen, alice.flow)
    if set(statuses) == {503}:
        assert not parse(answer).at[RETRY_AFTER], "it speaks of the target, not of us"
    hang_up_the_rest(proxy, alice)


def test_all_challenges_reach_the_caller(proxy: Proxy, alice: Phone) -> None:
    one, two, three = desks(proxy, 1.0, 1.0, 1.0)
    sent = alice.calls("bob")
    invites = [phone.gets(sent, "INVITE") for phone in (one, two, three)]
    one.says(invites[0], 401, extra='WWW-Authenticate: Digest realm="one", nonce="1"\n')
    two.says(
        invites[1],
        407,
        extra='Proxy-Authenticate: Digest realm="two", nonce="2"\nWWW-Authenticate: Digest realm="three"\n',
    )
    sent = three.says(invites[2], 486)
    answer = alice.gets(sent, "401")
    assert len(values(answer, WWW_AUTHENTICATE)) >= 2
    assert b'WWW-Authenticate: Digest realm="one", nonce="1"' in answer
    assert b'WWW-Authenticate: Digest realm="three"' in answer
    assert b'Proxy-Authenticate: Digest realm="two", nonce="2"' in answer
    assert parse(answer).at[PROXY_AUTHENTICATE]


def test_all_silent_ends_in_one_408(proxy: Proxy, alice: Phone) -> None:
    desks(proxy, 1.0, 1.0, 0.5)
    alice.calls("bob")
    sent = proxy.advance(5.1)
    assert "408" not in names(sent)
    sent = proxy.advance(5.1)
    assert len({data for _, data in sent if data.startswith(b"SIP/2.0 408")}) == 1
    hang_up_the_rest(proxy, alice)
    assert quiet(proxy)


def test_cancel_reaches_all_forks_and_the_next_group_is_not_tried(
    proxy: Proxy, alice: Phone
) -> None:
    one, two, three = desks(proxy, 1.0, 1.0, 0.5)
    sent = alice.calls("bob")
    first, second = one.gets(sent, "INVITE"), two.gets(sent, "INVITE")
    one.says(first, 180)
    two.says(second, 100)
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    assert gone(sent, alice, one, two, three) == ["200", "CANCEL", "CANCEL", ""]
    one.says(first, 487)
    sent = two.says(second, 487)
    assert gone(sent, alice, three) == ["487", ""]
    hang_up_the_rest(proxy, alice)
    assert quiet(proxy)


def test_a_target_of_its_own_patience_rings_that_long(proxy: Proxy, alice: Phone) -> None:
    proxy.core.patience = Patience(rollover_s=7.5, start_response_s=3)
    one, two = desks(proxy, 1.0, 0.5)
    one.says(one.gets(alice.calls("bob"), "INVITE"), 180)
    assert proxy.advance(7.4) == []
    sent = proxy.advance(0.2)
    assert gone(sent, one, two) == ["CANCEL", "INVITE"]


def test_a_non_invite_request_forks_too_and_is_answered_once(proxy: Proxy, alice: Phone) -> None:
    one, two = desks(proxy, 1.0, 1.0)
    sent = alice.sends("MESSAGE", f"sip:bob@{DOMAIN}")
    first, second = one.gets(sent, "MESSAGE"), two.gets(sent, "MESSAGE")
    sent = one.says(first, 200)
    assert gone(sent, alice, two) == ["200", ""], "only an INVITE can be cancelled (§9.1)"
    assert two.says(second, 200) == []
    hang_up_the_rest(proxy, alice)


def test_a_device_with_two_flows_gets_the_call_once_by_a_plan_too(
    proxy: Proxy, alice: Phone
) -> None:
    """The one that answers, if it is known that the other does not."""
    params = ';+sip.instance="<urn:uuid:1>";reg-id='
    one = Phone(proxy, "bob", "192.0.2.20", params=params + "1;q=0.9")
    two = Phone(proxy, "bob", "192.0.2.21", params=params + "2;q=0.1")
    other = Phone(proxy, "bob", "192.0.2.22")
    planned(proxy, {"name": "n", "destinations": ("bob",)})
    sent = alice.calls("n")
    assert sorted(flow.host for flow, data in sent if start(data) == "INVITE") == [
        one.flow.host,
        other.flow.host,
    ]
    other.says(other.gets(sent, "INVITE"), 486)
    proxy.advance(40)
    sent = alice.calls("n", branch="z9hG4bK2", call_id="c2")
    assert {flow.host for flow, data in sent if start(data) == "INVITE"} == {
        two.flow.host,
        other.flow.host,
    }


def test_a_device_with_two_flows_gets_the_call_once(proxy: Proxy, alice: Phone) -> None:
    """RFC 5626 §7: flows of one instance are tried in turn, never at once."""
    params = ';+sip.instance="<urn:uuid:1>";reg-id='
    one = Phone(proxy, "bob", "192.0.2.20", params=params + "1")
    two = Phone(proxy, "bob", "192.0.2.21", params=params + "2")
    sent = alice.calls("bob")
    told = gone(sent, one, two)
    assert sorted(told) == ["", "INVITE"]
    second = two if told[0] else one
    sent = proxy.advance(5.1)
    assert names(sent)[-1] == "INVITE"
    assert sent[-1][0] is second.flow


def test_every_target_tried_is_in_the_journal(proxy: Proxy, alice: Phone) -> None:
    one, _ = desks(proxy, 1.0, 0.5)
    one.says(one.gets(alice.calls("bob"), "INVITE"), 486, "Busy Here")
    told = rules(proxy)
    assert told.count(Rule.TARGET_TRIED) == 2
    assert Rule.TARGET_REFUSED in told


def test_rollover_may_be_shorter_than_start_response(proxy: Proxy, alice: Phone) -> None:
    proxy.core.patience = Patience(rollover_s=2, start_response_s=5, final_answer_s=3)
    one, two = desks(proxy, 1.0, 0.5)
    alice.calls("bob")
    assert "INVITE" not in gone(proxy.advance(1.9), two)
    assert "INVITE" in gone(proxy.advance(0.2), two), "a silent target has its ring time, no longer"
    assert gone(proxy.advance(3.1), alice) == ["408"]
    assert gone(proxy.advance(100), one) == [""]
    assert quiet(proxy)
