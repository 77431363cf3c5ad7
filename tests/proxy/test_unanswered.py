"""Descriptions that cannot pass through the relay of their call: nobody is shown an address for them."""

from typing import Any

import pytest

from centrex.events import Kind
from centrex.proxy.relaying import Relaying
from centrex.proxy.unanswered import with_content
from centrex.sip.message import parse
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, names, rules
from tests.support.proxy import Proxy, respond
from tests.support.relays import FakeFarm, described, line, offer, relayed
from tests.support.rtpengine_asked import HOST, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB = "192.0.2.7", "192.0.2.8"
RELAY = "198.51.100.1"
FILM = "m=video 4002 RTP/AVP 99"
BROKEN = (
    f"v=0\r\no=bob 7 8 IN IP4 {BOB}\r\ns=-\r\nc=IN IP4 {BOB}\r\nt=0 0\r\nm=audio x RTP/AVP 8\r\n"
)
PARTS = (
    f"--x\r\nContent-Type: application/sdp\r\n\r\n{BROKEN}\r\n--x\r\n\r\nhello\r\n--x--\r\n",
    "multipart/mixed;boundary=x",
)
ENCRYPTED = "multipart/encrypted;boundary=x;protocol=a"
WIRED = (
    "--x\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--x--\r\n",
    "multipart/mixed;boundary=x",
)


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def call(alice: Phone, *more: str) -> Sent:
    return alice.calls("bob", body=offer(ALICE, 4000, *more), extra=SDP)


def says(phone: Phone, request: bytes, status: int, body: str, kind: str, **more: Any) -> Sent:
    extra = f"Contact: <{phone.contact}>\nContent-Type: {kind}\n{more.pop('extra', '')}"
    data = respond(request, status, "X", to_tag=phone.name, extra=extra, body=body)
    return phone.proxy.receive(data, phone.flow)


@pytest.mark.parametrize(
    ("body", "kind", "coded"),
    [
        (BROKEN, "application/sdp", ""),
        (*PARTS, ""),
        (*WIRED, ""),
        (offer(BOB, 5000), "application/sdp", "Content-Encoding: gzip\n"),
        (BROKEN.replace("v=0", "v=0\r"), "application/sdp", ""),
    ],
)
def test_an_answer_that_cannot_be_read_declines(
    proxy: Proxy, alice: Phone, bob: Phone, body: str, kind: str, coded: str
) -> None:
    proxy.core.wanted = frozenset({Kind.MEDIA})
    relayed(proxy)
    invite = bob.gets(call(alice, FILM), "INVITE")
    ok = alice.gets(says(bob, invite, 200, body, kind, extra=coded), "200")
    told = described(ok)
    assert [(one.kind, one.port, one.formats) for one in told.media] == [
        (b"audio", 0, (b"8", b"0", b"101")),
        (b"video", 0, (b"99",)),
    ]
    assert b"Content-Type: application/sdp\r\n" in ok
    assert b"ncoding" not in ok
    assert f"c=IN IP4 {BOB}".encode() not in ok
    assert Rule.MEDIA_UNFIT in rules(proxy)
    (event,) = [one for one in proxy.core.events if one.name == "media.declined"]
    assert event.fields["what"] == "audio, video"
    bob.gets(Talk.standing(alice, bob, invite, ok).from_caller("ACK"), "ACK")


def test_the_origin_of_whoever_answers_stays(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    ok = alice.gets(says(bob, invite, 200, BROKEN, "application/sdp"), "200")
    assert f"\r\no=bob 7 8 IN IP4 {BOB}\r\n".encode() in ok


def test_it_is_said_again_to_who_missed_it(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    first = alice.gets(says(bob, invite, 200, BROKEN, "application/sdp"), "200")
    assert alice.gets(says(bob, invite, 200, BROKEN, "application/sdp"), "200") == first
    assert rules(proxy).count(Rule.MEDIA_UNFIT) == 1


def test_who_picks_up_second_answers_nothing(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    mobile = Phone(proxy, "bob", "192.0.2.9")
    sent = call(alice)
    first, second = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    alice.gets(bob.says(first, 200, body=offer(BOB, 5000)), "200")
    ok = alice.gets(says(mobile, second, 200, BROKEN, "application/sdp"), "200")
    assert not parse(ok).body


def test_what_rings_only_rings(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """Nobody waits for an answer in a provisional response, unless it is sent reliably."""
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    early = alice.gets(says(bob, invite, 183, BROKEN, "application/sdp"), "183")
    assert early.endswith(b"Content-Length: 0\r\n\r\n")
    assert not parse(early).body
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == RELAY


def test_what_is_sent_reliably_answers(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    early = says(bob, invite, 183, BROKEN, "application/sdp", extra="Require: 100rel\nRSeq: 1\n")
    assert line(alice.gets(early, "183")).port == 0


def test_what_describes_nothing_is_left_alone(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    alice.gets(bob.says(invite, 183, body=offer(BOB, 5000), extra="Require: 100rel\n"), "183")
    for kind, body in (
        ("application/xml", "<a/>"),
        ("multipart/mixed;boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"),
    ):
        assert alice.gets(says(bob, invite, 200, body, kind), "200").endswith(body.encode())
    assert Rule.MEDIA_UNFIT not in rules(proxy)


def test_where_the_offer_was_not_relayed_it_passes(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    invite = bob.gets(call(alice), "INVITE")
    ok = alice.gets(says(bob, invite, 200, BROKEN, "application/sdp"), "200")
    assert ok.endswith(BROKEN.encode())


def test_within_a_call(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """And the call goes on with the next offer."""
    relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    again = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    assert line(alice.gets(says(bob, again, 200, BROKEN, "application/sdp"), "200")).port == 0
    third = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    assert line(third).host == RELAY
    assert line(alice.gets(bob.says(third, 200, body=offer(BOB, 5000)), "200")).host == RELAY


def test_the_answer_in_an_ack_is_left_out(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == RELAY
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=BROKEN, extra=SDP), "ACK")
    assert not parse(ack).body
    assert b"Content-Type" not in ack
    assert Rule.MEDIA_UNFIT in rules(proxy)


# offers


WAYS = ["relay", "rtpengine"]
GZIP = "Content-Encoding: gzip\n"


def standing(proxy: Proxy, alice: Phone, bob: Phone, way: str) -> Talk:
    """A call that is up and relayed, by a relay of ours or by rtpengine."""
    engine = FakeRtpengine(proxy) if way == "rtpengine" else None
    if engine is None:
        relayed(proxy)
    sent = call(alice)
    invite = bob.gets(sent if engine is None else engine.answers(), "INVITE")
    sent = bob.says(invite, 200, body=offer(BOB, 5000))
    ok = alice.gets(sent if engine is None else engine.answers(), "200")
    assert line(ok).host == (RELAY if engine is None else HOST)
    return Talk.standing(alice, bob, invite, ok)


def proxy_farm(proxy: Proxy) -> FakeFarm:
    """The farm of a proxy whose calls our own relays carry."""
    assert isinstance(proxy.core.relaying, Relaying)
    farm = proxy.core.relaying._farm
    assert isinstance(farm, FakeFarm)
    return farm


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("callee", [False, True])
@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (BROKEN, SDP),
        (PARTS[0], f"Content-Type: {PARTS[1]}\n"),
        (WIRED[0], f"Content-Type: {WIRED[1]}\n"),
        (offer(ALICE, 4444), SDP + GZIP),
        (offer(ALICE, 4444), ""),
    ],
)
def test_an_offer_within_a_call_that_cannot_be_read_is_refused(
    proxy: Proxy,
    alice: Phone,
    bob: Phone,
    way: str,
    method: str,
    callee: bool,
    body: str,
    extra: str,
) -> None:
    """RFC 3261 §14.1, RFC 3311 §5.2: the session goes on as it was."""
    proxy.core.wanted = frozenset({Kind.MEDIA})
    talk = standing(proxy, alice, bob, way)
    before = proxy_farm(proxy).only if way == "relay" else None
    sent = (talk.from_callee if callee else talk.from_caller)(method, body=body, extra=extra)
    refusal = (bob if callee else alice).gets(sent, "488")
    assert b"what is offered cannot be read" in refusal
    assert method not in names(sent)
    assert Rule.MEDIA_OFFER_UNREAD in rules(proxy)
    assert proxy.statistics.amiss["media-offer-unread"] == 1
    (event,) = [one for one in proxy.core.events if one.name == "media.unrelayed"]
    assert event.fields["refused"] is True
    if before is not None:
        assert proxy_farm(proxy).only == before
        third = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
        assert line(third).host == RELAY


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "ACK", "PRACK"])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("secret", "application/pkcs7-mime;smime-type=enveloped-data"),
        ("--x\r\nContent-Type: application/octet-stream\r\n\r\n?\r\n--x--\r\n", ENCRYPTED),
        ("<a/>", "application/xml"),
    ],
)
def test_what_is_encrypted_or_no_description_passes(
    proxy: Proxy, alice: Phone, bob: Phone, way: str, method: str, body: str, kind: str
) -> None:
    talk = standing(proxy, alice, bob, way)
    sent = talk.from_caller(method, body=body, extra=f"Content-Type: {kind}\n")
    assert bob.gets(sent, method).endswith(body.encode())
    assert not proxy.statistics.amiss


@pytest.mark.parametrize("way", WAYS)
def test_an_update_without_a_description_passes(
    proxy: Proxy, alice: Phone, bob: Phone, way: str
) -> None:
    assert names(standing(proxy, alice, bob, way).from_caller("UPDATE")) == ["UPDATE"]


def test_a_call_that_is_not_relayed_keeps_what_it_offers(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relayed(proxy, mode="auto", refuse=True)
    talk = Talk(alice, bob, body=offer(ALICE, 4000), extra=SDP)
    again = bob.gets(talk.from_caller("INVITE", body=BROKEN, extra=SDP), "INVITE")
    assert again.endswith(BROKEN.encode())


@pytest.mark.parametrize("refuse", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("coded", ["", GZIP])
def test_a_call_that_begins_so_is_refused_only_where_none_is_to_go_unrelayed(
    proxy: Proxy, alice: Phone, bob: Phone, way: str, coded: str, refuse: bool
) -> None:
    if way == "relay":
        relayed(proxy, refuse=refuse)
    else:
        FakeRtpengine(proxy, refuse=refuse)
    sent = alice.calls("bob", body=BROKEN, extra=SDP + coded)
    if refuse:
        assert names(sent) == ["100", "488"]
        assert b"what is offered cannot be read" in alice.gets(sent, "488")
        assert Rule.MEDIA_OFFER_UNREAD in rules(proxy)
        proxy.advance(40)
        assert not len(proxy.core.calls)
        return
    invite = bob.gets(sent, "INVITE")
    assert invite.endswith(BROKEN.encode())
    assert Rule.MEDIA_UNRELAYED in rules(proxy)
    assert proxy.statistics.amiss["media-unrelayed"] == 1
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB, "not half of it"


@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_at_all_who_are_called(
    proxy: Proxy, alice: Phone, bob: Phone, way: str
) -> None:
    Phone(proxy, "bob", "192.0.2.9")
    if way == "relay":
        relayed(proxy, refuse=True)
    else:
        FakeRtpengine(proxy, refuse=True)
    assert names(alice.calls("bob", body=BROKEN, extra=SDP)) == ["100", "488"]
    assert bob.name == "bob"


@pytest.mark.parametrize("refuse", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_is_not_relayed_though_it_should_be(
    proxy: Proxy, alice: Phone, bob: Phone, way: str, refuse: bool
) -> None:
    """It began where there was no relay; what it offers now should go through one, and cannot."""
    talk = Talk(alice, bob, body=offer(ALICE, 4000), extra=SDP)
    if way == "relay":
        relayed(proxy, refuse=refuse)
    else:
        FakeRtpengine(proxy, refuse=refuse)
    sent = talk.from_caller("UPDATE", body=BROKEN, extra=SDP)
    assert names(sent) == (["488"] if refuse else ["UPDATE"])
    told = Rule.MEDIA_OFFER_UNREAD if refuse else Rule.MEDIA_UNRELAYED
    assert told in rules(proxy)


@pytest.mark.parametrize("way", WAYS)
def test_the_answer_in_a_prack_is_left_out(
    proxy: Proxy, alice: Phone, bob: Phone, way: str
) -> None:
    """RFC 3262 §3: a PRACK cannot be refused for what it describes."""
    proxy.core.wanted = frozenset({Kind.MEDIA})
    engine = FakeRtpengine(proxy) if way == "rtpengine" else None
    if engine is None:
        relayed(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    reliable = "Require: 100rel\nRSeq: 1\n"
    sent = bob.says(invite, 183, body=offer(BOB, 5000), extra=reliable)
    early = alice.gets(sent if engine is None else engine.answers(), "183")
    assert line(early).host == (RELAY if engine is None else HOST)
    talk = Talk.standing(alice, bob, invite, early)
    prack = bob.gets(talk.from_caller("PRACK", body=BROKEN, extra=SDP), "PRACK")
    assert not parse(prack).body
    assert b"Content-Type" not in prack
    assert Rule.MEDIA_UNFIT in rules(proxy)
    assert proxy.statistics.amiss["media-unfit"] == 1
    assert [one.name for one in proxy.core.events].count("media.declined") == 1
    bob.says(prack, 200)


# rtpengine


def test_rtpengine_is_told_what_is_said_instead(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy)
    call(alice)
    invite = bob.gets(engine.answers(), "INVITE")
    says(bob, invite, 200, *PARTS)
    told = alice.gets(engine.answers(), "200")
    assert line(told).port == 0
    assert b"m=audio 0 RTP/AVP 8 0 101\r\n" in bytes(engine.told[-1].fields["sdp"])  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", [False, True])
def test_where_rtpengine_fails_it_declines_too(
    proxy: Proxy, alice: Phone, bob: Phone, broken: bool
) -> None:
    engine = FakeRtpengine(proxy)
    call(alice)
    invite = bob.gets(engine.answers(), "INVITE")
    says(bob, invite, 200, BROKEN if broken else offer(BOB, 5000), "application/sdp")
    engine.failing = "Unknown call-id"
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).port == 0
    assert BOB.encode() not in ok.partition(b"c=IN")[2]


def test_rtpengine_fails_with_the_answer_in_a_prack(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 183, body=offer(BOB, 5000), extra="Require: 100rel\nRSeq: 1\n")
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "183"))
    assert not talk.from_caller("PRACK", body=offer(ALICE, 4000), extra=SDP)
    engine.failing = "Unknown call-id"
    assert not parse(bob.gets(engine.answers(), "PRACK")).body


def test_rtpengine_and_the_answer_in_an_ack(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).host == HOST
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=BROKEN, extra=SDP), "ACK")
    assert not parse(ack).body
    engine.failing = "Unknown call-id"
    assert not talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP)
    assert not parse(bob.gets(engine.answers(), "ACK")).body


def test_all_that_tells_of_a_body_is_replaced() -> None:
    data = (
        b"SIP/2.0 200 X\r\nVia: a\r\nl: 3\r\nc: multipart/mixed\r\n ;boundary=x\r\ne: gzip\r\n"
        b"Content-Encoding: gzip\r\nX: y\r\n\r\nabc"
    )
    assert with_content(parse(data), b"application/sdp", b"v=0\r\n") == (
        b"SIP/2.0 200 X\r\nVia: a\r\nX: y\r\nContent-Length: 5\r\nContent-Type: application/sdp"
        b"\r\n\r\nv=0\r\n"
    )


# offers in responses, to an INVITE that makes none


@pytest.mark.parametrize("status", [183, 200])
def test_a_late_offer_that_cannot_be_read_passes_and_so_does_its_answer(
    proxy: Proxy, alice: Phone, bob: Phone, status: int
) -> None:
    farm = relayed(proxy)
    left = farm.relays[0].left
    invite = bob.gets(alice.calls("bob"), "INVITE")
    told = alice.gets(says(bob, invite, status, BROKEN, "application/sdp"), str(status))
    assert told.endswith(BROKEN.encode())
    ok = told if status == 200 else alice.gets(bob.says(invite, 200), "200")
    ack = Talk.standing(alice, bob, invite, ok).from_caller(
        "ACK", body=offer(ALICE, 4000), extra=SDP
    )
    assert line(bob.gets(ack, "ACK")).host == ALICE, "one side alone by the relay hears nobody"
    assert rules(proxy).count(Rule.MEDIA_UNRELAYED) == 1
    assert isinstance(proxy.core.relaying, Relaying)
    assert not len(proxy.core.relaying)
    assert farm.relays[0].left == left


def test_a_call_that_begins_with_it_is_refused_where_that_is_wanted(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, refuse=True)
    left = farm.relays[0].left
    invite = bob.gets(alice.calls("bob"), "INVITE")
    sent = says(bob, invite, 200, BROKEN, "application/sdp")
    assert names(sent) == ["503", "ACK", "BYE"]
    assert Rule.MEDIA_OFFER_UNREAD in rules(proxy), "a relay that is there is of no help"
    assert farm.relays[0].left == left


@pytest.mark.parametrize("refuse", [False, True])
def test_within_a_relayed_call_such_an_offer_ends_the_relaying(
    proxy: Proxy, alice: Phone, bob: Phone, refuse: bool
) -> None:
    farm = relayed(proxy, refuse=refuse)
    invite = bob.gets(call(alice), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    bob.gets(talk.from_caller("ACK"), "ACK")
    assert farm.only
    again = bob.gets(talk.from_caller("INVITE"), "INVITE")
    told = alice.gets(says(bob, again, 200, BROKEN, "application/sdp"), "200")
    assert told.endswith(BROKEN.encode())
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == ALICE
    assert [reason for _, reason in farm.ended] == ["what is offered cannot be read"]
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY, "the next offer that can be read is relayed again"


@pytest.mark.parametrize("status", [183, 200])
def test_rtpengine_has_no_part_in_a_late_offer_that_cannot_be_read(
    proxy: Proxy, alice: Phone, bob: Phone, status: int
) -> None:
    engine = FakeRtpengine(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    told = alice.gets(says(bob, invite, status, BROKEN, "application/sdp"), str(status))
    assert told.endswith(BROKEN.encode())
    ok = told if status == 200 else alice.gets(bob.says(invite, 200), "200")
    ack = Talk.standing(alice, bob, invite, ok).from_caller(
        "ACK", body=offer(ALICE, 4000), extra=SDP
    )
    assert line(bob.gets(ack, "ACK")).host == ALICE
    assert rules(proxy).count(Rule.MEDIA_UNRELAYED) == 1
    assert not len(engine.media)
    assert not engine.waiting


def test_rtpengine_and_a_call_that_begins_with_it_and_is_refused(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    alice.calls("bob")
    invite = bob.gets(engine.answers(), "INVITE")
    sent = says(bob, invite, 200, BROKEN, "application/sdp")
    assert names(sent) == ["503", "ACK", "BYE"]
    assert not len(engine.media)


def test_what_cannot_be_read_waits_behind_what_can(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    alice.calls("bob")
    invite = bob.gets(engine.answers(), "INVITE")
    assert not bob.says(invite, 183, body=offer(BOB, 5000))
    assert not says(bob, invite, 200, BROKEN, "application/sdp")
    assert names(engine.answers()) == ["183", "503", "ACK", "BYE"]
    assert not len(engine.media)
    assert not engine.media._queues


@pytest.mark.parametrize("refuse", [False, True])
def test_within_a_call_of_rtpengine_such_an_offer_ends_the_relaying(
    proxy: Proxy, alice: Phone, bob: Phone, refuse: bool
) -> None:
    engine = FakeRtpengine(proxy, refuse=refuse)
    call(alice)
    invite = bob.gets(engine.answers(), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))
    bob.gets(talk.from_caller("ACK"), "ACK")
    again = bob.gets(talk.from_caller("INVITE"), "INVITE")
    told = alice.gets(says(bob, again, 200, BROKEN, "application/sdp"), "200")
    assert told.endswith(BROKEN.encode())
    engine.answers()
    assert engine.commands()[-1] == "delete"
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == ALICE
    talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP)
    assert line(bob.gets(engine.answers(), "INVITE")).host == HOST
