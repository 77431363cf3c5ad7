"""Watchers of registrations: SUBSCRIBE, NOTIFY, and everything that may come between (RFC 6665, 3680)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.events import Kind
from centrex.proxy.subscribe import ALLOW_EVENTS
from centrex.registrar.register import Options
from centrex.sip.message import parse
from centrex.trace import Rule
from centrex.watching.notifier import Notifier
from centrex.watching.roll import Standing
from tests.support.calling import Phone, answer_challenge, quiet, rules, start
from tests.support.hunting import hunted, planned
from tests.support.proxy import DOMAIN, Proxy, request
from tests.support.sipmessage import Message, parameter
from tests.support.watcher import REGISTRAR, Watcher, registry_view, wait

BOB = f"sip:bob@{DOMAIN}"


def office(**more: object) -> Proxy:
    return Proxy(users=["alice", "bob", "wanda"], trusted=["192.0.2.77"], **more)  # type: ignore[arg-type]


def test_a_watcher_gets_everything_at_once_and_then_what_changes() -> None:
    proxy = office()
    phone = Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    answer = watcher.subscribe("bob")
    assert (answer.status, answer.get("expires")) == (200, "3600")
    first = watcher.last
    assert first.start == f"NOTIFY {watcher.contact} SIP/2.0"
    assert first.get("event") == "reg"
    assert first.get("subscription-state") == "active;expires=3600"
    assert first.get("content-type") == "application/reginfo+xml"
    assert 'version="0" state="full"' in first.body
    assert watcher.view() == {BOB: [phone.contact]}
    watcher.wait(5)
    assert len(watcher.notifies) == 1
    other = Phone(proxy, "bob", "192.0.2.9")
    watcher.wait(2)
    assert 'version="1" state="partial"' in watcher.last.body
    assert watcher.view() == {BOB: sorted([phone.contact, other.contact])}


def test_a_notify_belongs_to_the_dialog_that_the_subscribe_began() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    answer = watcher.subscribe("bob", "reg;id=7")
    notify = watcher.last
    assert notify.get("from") == answer.get("to")
    assert parameter(notify.get("from"), "tag")
    assert notify.get("to") == answer.get("from")
    assert notify.get("contact") == answer.get("contact")
    assert notify.get("event") == "reg;id=7"
    assert notify.get("max-forwards") == "70"
    numbers = [notify.cseq]
    Phone(proxy, "bob", "192.0.2.8")
    watcher.wait(2)
    numbers.append(watcher.last.cseq)
    assert numbers[1] == numbers[0] + 1
    assert watcher.notifies[0].branch != watcher.last.branch


def test_record_routes_are_answered_and_followed() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    routes = "Record-Route: <sip:192.0.2.77;lr>\nRecord-Route: <sip:10.1.1.1;lr>\n"
    answer = watcher.subscribe("bob", extra=routes)
    assert answer.all("record-route") == ["<sip:192.0.2.77;lr>", "<sip:10.1.1.1;lr>"]
    assert watcher.last.all("route") == ["<sip:192.0.2.77;lr>", "<sip:10.1.1.1;lr>"]


@pytest.mark.parametrize("value", ["", ",", "<>", "x", "<tel:1>", "<sip:[::1>", "<sip:x;lr>,"])
def test_record_routes_that_lead_nowhere_are_refused(value: str) -> None:
    proxy = office()
    assert Watcher(proxy).subscribe("bob", extra=f"Record-Route: {value}\n").status == 400
    assert len(proxy.core.watchers) == 0


def test_a_route_that_is_not_ours_is_not_passed_by() -> None:
    proxy = office()
    flow = proxy.flows.get("192.0.2.77", 5060)
    lines = "Event: reg\nContact: <sip:wanda@192.0.2.77>\nRoute: <sip:192.0.2.200;lr>"
    ((to, data),) = proxy.receive(
        request("SUBSCRIBE", BOB, flow, sender="wanda", extra=lines), flow
    )
    assert (to.host, start(data)) == ("192.0.2.200", "SUBSCRIBE")


def test_a_watcher_behind_nat_is_told_by_the_way_it_came() -> None:
    proxy = office()
    watcher = Watcher(proxy, port=40123)
    via = "Via: SIP/2.0/UDP 10.0.0.5:5060;rport;branch=z9hG4bKnat"
    watcher.subscribe("bob", contact="sip:wanda@10.0.0.5:5060", via=via)
    assert watcher.last.uri == "sip:wanda@10.0.0.5:5060"


def test_a_stranger_is_told_where_he_asked_from_and_gets_no_addresses() -> None:
    proxy = Proxy(users=["bob"])
    phone = Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    watcher.subscribe("bob", contact="sip:victim@203.0.113.9")
    assert watcher.view() == {BOB: [BOB]}
    assert phone.contact not in watcher.last.body


def test_the_whole_domain_is_watched_at_the_registrars_name() -> None:
    proxy = office()
    directory = {
        b"reception": Standing(b"Reception", b""),
        b"fax": Standing(b"", b"sip:fax@192.0.2.200"),
    }
    proxy.core.watchers.configure(DOMAIN.encode(), directory, proxy.now)
    Phone(proxy, "alice", "192.0.2.7")
    watcher = Watcher(proxy)
    watcher.subscribe()
    watcher.wait(2)
    assert watcher.view() == registry_view(proxy)
    assert watcher.view()[f"sip:reception@{DOMAIN}"] == [f"sip:reception@{DOMAIN}"]
    assert watcher.view()[f"sip:fax@{DOMAIN}"] == ["sip:fax@192.0.2.200"]
    assert "<display-name>Reception</display-name>" in "".join(n.body for n in watcher.notifies)
    Phone(proxy, "bob", "192.0.2.8")
    watcher.wait(2)
    assert watcher.view() == registry_view(proxy)
    assert len(watcher.view()) == 4


def test_a_document_that_does_not_fit_is_continued_as_it_is_answered() -> None:
    proxy = office()
    for number in range(60):
        Phone(proxy, f"u{number}", "192.0.3.1", 6000 + number)
    watcher = Watcher(proxy)
    watcher.subscribe()
    watcher.wait(10)
    assert watcher.view() == registry_view(proxy)
    assert all(len(one.raw) <= 1300 for one in watcher.notifies)
    assert [one.body.count('state="full"') for one in watcher.notifies][:2] == [1, 0]
    stream = Watcher(proxy, port=6000, transport=Transport.TCP, call_id="watch-2")
    stream.subscribe()
    assert len(stream.notifies) == 1
    assert stream.view() == registry_view(proxy)


def test_changes_to_the_directory_are_told() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe()
    core = proxy.core
    core.watchers.configure(DOMAIN.encode(), {b"fax": Standing(b"", b"sip:f@192.0.2.9")}, proxy.now)
    watcher.wait(2)
    assert watcher.view() == {f"sip:fax@{DOMAIN}": ["sip:f@192.0.2.9"]}
    core.watchers.configure(DOMAIN.encode(), {b"fax": Standing(b"Fax", b"")}, proxy.now)
    watcher.wait(2)
    assert watcher.view() == {f"sip:fax@{DOMAIN}": [f"sip:fax@{DOMAIN}"]}
    core.watchers.configure(DOMAIN.encode(), {}, proxy.now)
    watcher.wait(2)
    assert watcher.view() == {}
    assert watcher.events[-1] == ("terminated", "deactivated")


def test_signing_off_is_told() -> None:
    proxy = office()
    phone = Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    phone.sends(
        "REGISTER", f"sip:{DOMAIN}", target=BOB, cseq=2, call_id="reg-bob-192.0.2.8-5060",
        extra=f"Contact: <{phone.contact}>\nExpires: 0",
    )  # fmt: skip
    watcher.wait(2)
    assert watcher.view() == {}
    assert watcher.events == [("active", "registered"), ("terminated", "unregistered")]
    assert watcher.states[BOB] == "terminated"


def test_a_registration_that_expires_is_told() -> None:
    proxy = office()
    Phone(proxy, "bob", "192.0.2.8", extra="Expires: 60")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    watcher.wait(62)
    for user, binding in proxy.registry.expire(proxy.now):
        proxy.core.watchers.expired(user, binding, proxy.now)
    watcher.wait(2)
    assert watcher.view() == {}
    assert watcher.events[-1] == ("terminated", "expired")


def test_what_the_operator_removes_is_told() -> None:
    proxy = office()
    Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    proxy.core.watchers.removed(b"bob", proxy.registry.remove(b"bob"), proxy.now)
    watcher.wait(2)
    assert watcher.events[-1] == ("terminated", "deactivated")


def test_an_expiry_that_is_noticed_late_does_not_end_what_came_back() -> None:
    proxy = office()
    phone = Phone(proxy, "bob", "192.0.2.8", extra="Expires: 60")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    proxy.now += 61
    proxy.register("bob", phone.flow)
    for user, binding in proxy.registry.expire(proxy.now):
        proxy.core.watchers.expired(user, binding, proxy.now)
    watcher.wait(2)
    assert watcher.view() == registry_view(proxy) == {BOB: [phone.contact]}


def test_that_a_phone_stays_is_told_in_time_but_not_at_once() -> None:
    proxy = office()
    phone = Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    watcher.wait(2)
    for cseq in (2, 3):
        phone.sends(
            "REGISTER", f"sip:{DOMAIN}", target=BOB, cseq=cseq,
            call_id="reg-bob-192.0.2.8-5060", extra=f"Contact: <{phone.contact}>",
        )  # fmt: skip
    watcher.wait(5)
    assert len(watcher.notifies) == 1
    watcher.wait(30)
    assert len(watcher.notifies) == 2
    assert watcher.events[-1] == ("active", "refreshed")


def test_at_most_one_notify_a_second_and_one_unanswered() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    for number in range(10):
        Phone(proxy, "bob", f"192.0.2.{100 + number}")
        watcher.wait(0.2)
    assert len(watcher.notifies) <= 3
    watcher.wait(2)
    assert watcher.view() == registry_view(proxy)
    watcher.answers = 0
    count = len(watcher.notifies)
    for number in range(5):
        proxy.core.watchers.removed(b"bob", proxy.registry.remove(b"bob"), proxy.now)
        Phone(proxy, "bob", f"192.0.2.{150 + number}")
        watcher.wait(2)
    assert len(watcher.notifies) == count + 1


def test_a_refresh_prolongs_and_tells_everything() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob", expires=100)
    watcher.wait(90)
    assert watcher.subscribe("bob", expires=100).status == 200
    assert 'version="1" state="full"' in watcher.last.body
    watcher.wait(90)
    assert watcher.state.startswith("active")
    watcher.wait(20)
    assert watcher.state == "terminated;reason=timeout"
    assert len(proxy.core.watchers) == 0


def test_a_refresh_comes_from_where_the_watcher_now_is() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    watcher.flow = proxy.flows.get("192.0.2.77", 41000)
    watcher.contact = "sip:wanda@192.0.2.77:41000"
    watcher.subscribe("bob")
    assert watcher.last.uri == "sip:wanda@192.0.2.77:41000"


def test_unsubscribing_ends_it() -> None:
    proxy = office()
    Phone(proxy, "bob", "192.0.2.8")
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    assert watcher.subscribe("bob", expires=0).get("expires") == "0"
    assert watcher.state == "terminated;reason=timeout"
    assert watcher.view() == {BOB: ["sip:bob@192.0.2.8:5060"]}
    assert watcher.subscribe("bob").status == 481
    proxy.advance(200)
    assert quiet(proxy)


def test_a_poll_is_answered_once() -> None:
    proxy = office()
    for number in range(60):
        Phone(proxy, f"u{number}", "192.0.3.1", 6000 + number)
    watcher = Watcher(proxy)
    assert watcher.subscribe(expires=0).status == 200
    assert len(watcher.notifies) == 1
    assert watcher.state == "terminated;reason=timeout"
    assert watcher.view() == registry_view(proxy)
    proxy.advance(200)
    assert quiet(proxy)
    assert not list(proxy.core.watchers.roll)


def test_without_expires_it_lives_as_long_as_its_package_says() -> None:
    proxy = office()
    assert Watcher(proxy).subscribe("bob", expires=None).get("expires") == "3761"
    lamp = Watcher(proxy, call_id="watch-2")
    assert lamp.subscribe("bob", "dialog", expires=None).get("expires") == "3600"


def test_too_short_a_life_is_refused_and_too_long_a_one_cut() -> None:
    proxy = office(options=Options(min_expires=60, max_expires=7200))
    watcher = Watcher(proxy)
    answer = watcher.subscribe("bob", expires=59)
    assert (answer.status, answer.get("min-expires")) == (423, "60")
    assert Rule.SUBSCRIPTION_TOO_BRIEF in rules(proxy, "watch-1")
    assert watcher.subscribe("bob", expires=100_000).get("expires") == "7200"


@pytest.mark.parametrize("event", ["presence", "", "dialog", "message-summary", ";;"])
def test_what_the_server_does_not_serve_is_refused_with_what_it_does(event: str) -> None:
    proxy = office()
    answer = Watcher(proxy).subscribe(REGISTRAR, event)
    assert (answer.status, answer.get("allow-events")) == (489, "reg")
    assert Rule.BAD_EVENT in rules(proxy, "watch-1")


@pytest.mark.parametrize("event", ["presence", "message-summary", "x-unknown", "dialog;call-id=x"])
def test_what_a_phone_serves_goes_to_the_phone(event: str) -> None:
    proxy = office()
    phone = Phone(proxy, "bob", "192.0.2.8")
    sent = Phone(proxy, "wanda", "192.0.2.77").sends(
        "SUBSCRIBE", BOB, extra=f"Event: {event}\nContact: <sip:wanda@192.0.2.77>\nExpires: 60"
    )
    assert [(to, start(data)) for to, data in sent] == [(phone.flow, "SUBSCRIBE")]


def test_accept_must_name_the_type_of_the_documents() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    assert watcher.subscribe("bob", extra="Accept: application/pidf+xml\n").status == 406
    assert watcher.subscribe("bob", extra="Accept: text/plain, application/*\n").status == 200


def test_a_contact_is_needed() -> None:
    proxy = office()
    assert Watcher(proxy).subscribe("bob", contact="").status == 400
    assert Watcher(proxy, call_id="w2").subscribe("bob", contact="tel:+4312345").status == 400


def test_an_unknown_user_cannot_be_watched_where_users_log_in() -> None:
    proxy = Proxy(auth=True, users=["bob"], trusted=["192.0.2.77"])
    assert Watcher(proxy).subscribe("nobody").status == 404
    assert Watcher(proxy).subscribe("bob").status == 200


def test_the_name_of_a_plan_can_be_watched() -> None:
    proxy = Proxy(auth=True, users=["bob"], trusted=["192.0.2.77"])
    planned(proxy, hunted("bob"))
    assert Watcher(proxy).subscribe("sales", "dialog").status == 200


def test_credentials_are_asked_for_as_for_all_methods() -> None:
    proxy = Proxy(auth=True, users=["bob", "wanda"])
    watcher = Watcher(proxy)
    answer = watcher.subscribe()
    assert answer.status == 401
    line = answer_challenge(answer.raw, "SUBSCRIBE", REGISTRAR, "wanda")
    assert watcher.subscribe(extra=line).status == 200
    assert [sub.owner for sub in proxy.core.watchers.notifier] == [b"wanda"]
    other = Watcher(proxy, call_id="watch-2")
    answer = other.subscribe("bob")
    assert answer.status == 407
    line = answer_challenge(answer.raw, "SUBSCRIBE", BOB, "wanda")
    assert other.subscribe("bob", extra=line).status == 200


def test_after_a_restart_a_refresh_is_told_to_subscribe_anew() -> None:
    proxy = office()
    for uri in ("sip:192.0.2.1:5060", BOB):
        watcher = Watcher(proxy, call_id=f"old-{uri}")
        assert watcher.subscribe(uri, to_tag="gone").status == 481
    assert len(proxy.core.watchers) == 0


def test_an_old_subscribe_is_refused() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    watcher.cseq = 0
    assert watcher.subscribe("bob").status == 500


def test_a_dialog_is_about_one_event() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    assert watcher.subscribe("bob", "dialog").status == 489


@pytest.mark.parametrize("status", [481, 404, 405, 489, 603])
def test_a_watcher_that_refuses_is_told_no_more(status: int) -> None:
    proxy = office()
    watcher = Watcher(proxy, answers=status)
    watcher.subscribe("bob")
    assert len(proxy.core.watchers) == 0
    assert Rule.SUBSCRIPTION_ENDED in rules(proxy, "watch-1")


def test_a_watcher_in_trouble_is_told_everything_again_later() -> None:
    proxy = office()
    watcher = Watcher(proxy, answers=500)
    watcher.subscribe("bob")
    watcher.answers = 200
    watcher.wait(20)
    assert len(watcher.notifies) == 1
    watcher.wait(15)
    assert len(watcher.notifies) == 2
    assert 'state="full"' in watcher.last.body


def test_a_watcher_that_is_silent_is_told_no_more() -> None:
    proxy = office()
    watcher = Watcher(proxy, answers=0)
    watcher.subscribe("bob")
    watcher.wait(40)
    assert len(proxy.core.watchers) == 0
    proxy.advance(100)
    assert quiet(proxy)


def test_a_watcher_whose_connection_is_gone_is_told_no_more() -> None:
    proxy = office()
    watcher = Watcher(proxy, port=41000, transport=Transport.TCP)
    watcher.flow.inbound = True
    watcher.subscribe("bob")
    watcher.flow.open = False
    Phone(proxy, "bob", "192.0.2.8")
    watcher.wait(2)
    assert len(proxy.core.watchers) == 0
    assert len(watcher.notifies) == 1


def test_bounds() -> None:
    proxy = office()
    proxy.core.watchers.notifier = Notifier(most=3, most_of_one=2)
    for number in range(2):
        assert Watcher(proxy, call_id=f"w{number}").subscribe("bob").status == 200
    assert Watcher(proxy, call_id="w2").subscribe("bob").status == 403
    assert Watcher(proxy, host="192.0.2.78", call_id="w3").subscribe("bob").status == 200
    answer = Watcher(proxy, host="192.0.2.79", call_id="w4").subscribe("bob")
    assert (answer.status, answer.get("retry-after")) == (503, "60")
    drops = proxy.statistics.drops
    assert (drops["too-many-subscriptions"], drops["subscriptions-full"]) == (1, 1)


def test_a_reload_ends_what_has_lost_its_object_or_its_right() -> None:
    proxy = Proxy(auth=True, users=["bob", "wanda"])
    watchers = proxy.core.watchers
    watcher = Watcher(proxy)
    line = answer_challenge(watcher.subscribe("bob").raw, "SUBSCRIBE", BOB, "wanda")
    watcher.subscribe("bob", extra=line)
    proxy.core.knows_user = lambda user: False
    watchers.configure(DOMAIN.encode(), {}, proxy.now)
    watcher.wait(2)
    assert watcher.state == "terminated;reason=noresource"
    proxy.core.knows_user = lambda user: True
    for change, reason in ((b"registrar", "rejected"), (b"other", "deactivated")):
        watcher = Watcher(proxy, call_id=f"watch-{reason}")
        line = answer_challenge(watcher.subscribe().raw, "SUBSCRIBE", REGISTRAR, "wanda")
        watcher.subscribe(extra=line)
        known = proxy.gate.logins._by_name
        if reason == "rejected":
            proxy.gate.logins._by_name = {}
        proxy.core.places.registrar_name = change
        watchers.configure(DOMAIN.encode(), {}, proxy.now)
        proxy.gate.logins._by_name = known
        watcher.wait(2)
        assert watcher.state == f"terminated;reason={reason}"


def test_a_server_that_stops_has_its_watchers_subscribe_anew() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    proxy.core.drain()
    assert Watcher(proxy, call_id="watch-2").subscribe("bob").status == 503
    proxy.core.abort(proxy.now)
    watcher.take(proxy.taken())
    assert watcher.state == "terminated;reason=deactivated"


def test_events_tell_of_subscriptions_that_begin_and_end() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe("bob")
    watcher.subscribe("bob", expires=0)
    told = [one for one in proxy.core.events if one.kind is Kind.SUBSCRIPTIONS]
    assert [one.name for one in told] == ["subscription.started", "subscription.ended"]
    assert told[0].fields["target"] == BOB.encode()
    assert told[1].fields["why"] == "timeout"
    seen = rules(proxy, "watch-1")
    for rule in (Rule.SUBSCRIBED, Rule.SUBSCRIPTION_ENDED):
        assert rule in seen


def test_hostile_names_are_escaped() -> None:
    proxy = office()
    flow = proxy.flows.get("192.0.2.8", 5060)
    evil = "sip:%3Cx%3E%00%22&'@192.0.2.8:5060"
    user = "%3Cscript%3E&%00'"
    data = request(
        "REGISTER", f"sip:{DOMAIN}", flow, sender=user, target=f"sip:{user}@{DOMAIN}",
        extra=f"Contact: <{evil}>",
    )  # fmt: skip
    assert Message(proxy.receive(data, flow)[0][1]).status == 200
    watcher = Watcher(proxy)
    watcher.subscribe()
    (contacts,) = watcher.view().values()
    assert contacts == [evil]


def test_what_nobody_watches_any_more_is_forgotten() -> None:
    proxy = office()
    one, other = Watcher(proxy), Watcher(proxy, call_id="watch-2")
    one.subscribe()
    other.subscribe("bob")
    Phone(proxy, "bob", "192.0.2.8")
    Phone(proxy, "alice", "192.0.2.7")
    wait(proxy, 2, one, other)
    one.subscribe(expires=0)
    assert list(proxy.core.watchers.roll.names) == [b"bob"]
    other.subscribe("bob", expires=0)
    assert not list(proxy.core.watchers.roll)
    assert not proxy.core.watchers.registers


def test_users_who_came_and_went_are_forgotten_once_all_were_told() -> None:
    proxy = office()
    watcher = Watcher(proxy)
    watcher.subscribe()
    for number in range(50):
        user = f"u{number}"
        Phone(proxy, user, "192.0.2.9", 6000 + number)
        gone = proxy.registry.remove(user.encode())
        proxy.core.watchers.removed(user.encode(), gone, proxy.now)
        watcher.wait(0.3)
    watcher.wait(20)
    assert watcher.view() == {}
    assert not list(proxy.core.watchers.roll)


def test_options_tell_the_events() -> None:
    proxy = office()
    flow = proxy.flows.get("192.0.2.8", 5060)
    ((_, data),) = proxy.receive(request("OPTIONS", f"sip:{DOMAIN}", flow), flow)
    assert ALLOW_EVENTS in data


odd = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40) | st.sampled_from(
    ["", ",", "<>", "<sip:>", "<sip:x;lr>", "<sip:x>,", "sip:[::1", "0", "-1", "4294967296", "reg;id=",
     "dialog;id=\"", "*", "*/*", "<sip:a@192.0.2.9:0>", "<sips:a@b>", "<tel:1>"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    odd,
    odd | st.just("<sip:wanda@192.0.2.77>"),
    odd | st.none(),
    odd,
    st.sampled_from(["bob", ""]),
    st.booleans(),
)
def test_whatever_a_subscribe_holds_it_gets_an_answer(
    event: str, contact: str, route: str | None, other: str, target: str, known: bool
) -> None:
    proxy = office()
    flow = proxy.flows.get("192.0.2.77", 5060)
    lines = f"Event: {'reg' if known else event}\nContact: {contact}\n"
    lines += "" if route is None else f"Record-Route: {route}\n"
    lines += f"Expires: {other}\nAccept: {other}\n"
    uri = f"sip:{target}@{DOMAIN}" if target else REGISTRAR
    data = request("SUBSCRIBE", uri, flow, sender="wanda", extra=lines)
    sent = proxy.receive(data, flow)
    assert sent[0][1].startswith(b"SIP/2.0 ")
    for to, notify in sent[1:]:
        assert notify.startswith(b"NOTIFY ")
        assert to.host
        assert parse(notify).fault is None
    proxy.advance(50)
