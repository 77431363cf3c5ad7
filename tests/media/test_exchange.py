"""Descriptions that pass, and what the relay is told because of them."""

from itertools import count

import pytest

from centrex.base import PeerError
from centrex.media.exchange import (
    CALLEE,
    CALLER,
    Exchange,
    Family,
    NoSlot,
    Where,
    restored,
)
from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.sdp import parse
from tests.support.relays import offer

A = Where("192.0.2.7", "192.0.2.1", natted=False)
B = Where("192.0.2.8", "192.0.2.1", natted=False)
_ports = count(30000, 2)


def slot(family: Family, near: str) -> Slot | None:
    host = near if near.startswith("192") else "2001:db8::1" if family == 6 else "198.51.100.1"
    return Slot(host, "203.0.113.5", next(_ports))


@pytest.fixture
def exchange() -> Exchange:
    return Exchange("s1", b"c1", b"a", slot)


def test_the_far_side_is_shown_what_the_relay_shows(exchange: Exchange) -> None:
    out = exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    assert b"c=IN IP4 203.0.113.5\r\n" in out
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    assert session.streams[0].slots[0].host == "192.0.2.1"


def test_told_once(exchange: Exchange) -> None:
    for revision in (1, 2):
        exchange.describe(CALLER, parse(offer("192.0.2.7", 4000 + revision).encode()), A, B)
        session = exchange.session()
        assert session is not None
        assert session.revision == revision
        assert exchange.session() is None
        exchange.describe(CALLER, parse(offer("192.0.2.7", 4000 + revision).encode()), A, B)
        assert exchange.session() is None


def test_a_line_that_goes_and_comes_back_keeps_its_ports(exchange: Exchange) -> None:
    film = "m=video 4002 RTP/AVP 99"
    first = parse(offer("192.0.2.7", 4000, film).encode())
    ports = [media.port for media in parse(exchange.describe(CALLER, first, A, B)).media]
    gone = parse(offer("192.0.2.7", 4000, "m=video 0 RTP/AVP 99").encode())
    assert parse(exchange.describe(CALLER, gone, A, B)).media[1].port == 0
    session = exchange.session()
    assert session is not None
    assert session.streams[1] is not None
    assert session.streams[1].ends[0] == End(sends=False, receives=False)
    again = exchange.describe(CALLER, first, A, B)
    assert [media.port for media in parse(again).media] == ports


def test_fewer_lines_than_before(exchange: Exchange) -> None:
    two = parse(offer("192.0.2.7", 4000, "m=video 4002 RTP/AVP 99").encode())
    exchange.describe(CALLER, two, A, B)
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    session = exchange.session()
    assert session is not None
    assert session.streams[1] is not None
    assert session.streams[1].ends[0].rtp is None


def test_what_no_relay_can_carry_is_left_alone(exchange: Exchange) -> None:
    text = offer("192.0.2.7", 4000, "m=message 7000 TCP/MSRP *")
    out = exchange.describe(CALLER, parse(text.encode()), A, B)
    assert b"m=message 7000 TCP/MSRP *" in out
    session = exchange.session()
    assert session is not None
    assert session.streams[1] is None


def test_a_name_s_address_is_learned_only(exchange: Exchange) -> None:
    exchange.describe(CALLER, parse(offer("phone.example.com", 4000).encode()), A, B)
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    end = session.streams[0].ends[0]
    assert (end.rtp, end.natted, end.source) == (None, True, "192.0.2.7")


@pytest.mark.parametrize("host", ["127.0.0.1", "255.255.255.255", "::1"])
def test_the_relay_sends_to_no_address_that_only_it_can_mean(exchange: Exchange, host: str) -> None:
    exchange.describe(
        CALLER, parse(offer(host, 4000, "a=rtcp:5000 IN IP4 127.0.0.2").encode()), A, B
    )
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    assert session.streams[0].ends[0].rtp is None
    assert session.streams[0].ends[0].rtcp is None


def test_nor_for_rtcp_but_a_phone_on_this_host_may(exchange: Exchange) -> None:
    text = parse(offer("192.0.2.7", 4000, "a=rtcp:5000 IN IP4 127.0.0.2").encode())
    exchange.describe(CALLER, text, A, B)
    here = Where("127.0.0.5", "127.0.0.1", natted=False)
    exchange.describe(CALLEE, parse(offer("127.0.0.6", 4000).encode()), here, A)
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    caller, callee = session.streams[0].ends
    assert caller.rtcp == Address("192.0.2.7", 5000)
    assert callee.rtp == Address("127.0.0.6", 4000)


def test_no_slot_and_nothing_noted() -> None:
    made = Exchange("s", b"c", b"a", lambda family, near: None)
    with pytest.raises(NoSlot):
        made.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    assert made.is_empty


def test_restored_as_it_was(exchange: Exchange) -> None:
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000, "a=rtcp-mux").encode()), A, B)
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000, "a=rtcp-mux").encode()), B, A)
    exchange.answered, exchange.callee_tag = True, b"b\xff"
    session = exchange.session()
    assert session is not None
    again = restored(session, slot)
    assert (again.call_id, again.caller_tag, again.callee_tag) == (b"c1", b"a", b"b\xff")
    assert again.session() is None, "nothing has changed"
    again.describe(CALLEE, parse(offer("192.0.2.8", 5001, "a=rtcp-mux").encode()), B, A)
    changed = again.session()
    assert changed is not None
    assert changed.revision == session.revision + 1
    assert changed.streams[0] is not None
    assert changed.streams[0].ends[1].rtcp == Address("192.0.2.8", 5001)


def test_restored_with_the_versions_that_the_phones_were_told(exchange: Exchange) -> None:
    exchange.later = 2
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A)
    exchange.answer(b"b", 4)
    session = exchange.session()
    assert session is not None
    again = restored(session, slot)
    told = again.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    assert b"o=- 1 3 IN" in told
    assert again.session() is None, "nothing has changed"


def test_what_was_declined_before_a_restart_is_free_after_the_next_exchange(
    exchange: Exchange,
) -> None:
    film, none = "m=video 4002 RTP/AVP 99", "m=video 0 RTP/AVP 99"
    asked = parse(offer("192.0.2.7", 4000, film).encode())
    declined = parse(offer("192.0.2.8", 5000, none).encode())
    exchange.describe(CALLER, asked, A, B)
    exchange.describe(CALLEE, declined, B, A, answers=True)
    session = exchange.session()
    assert session is not None
    assert None not in session.streams
    again = restored(session, slot)
    again.answer(b"b", 4)
    told = again.session()
    assert told is not None
    assert told.streams == (session.streams[0], None)
    assert again.spare() == [], "the relay frees them"


def _callee(exchange: Exchange) -> tuple[Address | None, Address | None]:
    """Where the callee wants RTP and RTCP, as the relay is told."""
    stream = _stream(exchange)
    return stream.ends[1].rtp, stream.ends[1].rtcp


def _stream(exchange: Exchange) -> Stream:
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    return session.streams[0]


def _called(exchange: Exchange, *said: tuple[bytes, str, int]) -> list[int]:
    """The caller offers, and several who are called describe themselves; return the ports shown."""
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    return [
        parse(exchange.describe(CALLEE, parse(offer(host, port).encode()), B, A, tag=tag))
        .media[0]
        .port
        for tag, host, port in said
    ]


FIRST, SECOND = (b"x", "192.0.2.8", 5000), (b"y", "192.0.2.18", 6000)


def test_the_latest_early_description_counts_until_the_answer(exchange: Exchange) -> None:
    ports = _called(exchange, FIRST, SECOND)
    assert ports[0] == ports[1]
    assert _callee(exchange)[0] == Address("192.0.2.18", 6000)
    _called(exchange, FIRST)
    assert _callee(exchange)[0] == Address("192.0.2.8", 5000)


def test_who_answers_gets_the_call_though_another_spoke_last(exchange: Exchange) -> None:
    _called(exchange, FIRST, SECOND)
    exchange.answer(b"x", 4)
    assert _callee(exchange) == (Address("192.0.2.8", 5000), Address("192.0.2.8", 5001))


def test_who_answers_without_having_described_anything_gets_nobody_else_s(
    exchange: Exchange,
) -> None:
    _called(exchange, FIRST)
    exchange.answer(b"y", 4)
    assert _callee(exchange) == (None, None)


def test_after_the_answer_others_change_nothing(exchange: Exchange) -> None:
    exchange.answer(b"x", 4)
    ports = _called(exchange, FIRST)
    before = _stream(exchange)
    assert exchange.is_foreign(b"y")
    assert _called(exchange, SECOND) == ports, "it is rewritten all the same"
    assert exchange.session() is None
    film = parse(
        offer("192.0.2.18", 6000, "m=video 6002 RTP/AVP 99", "m=message 1 TCP/MSRP *").encode()
    )
    shown = parse(exchange.describe(CALLEE, film, B, A, tag=b"y"))
    assert [media.port for media in shown.media] == [ports[0], 0, 1]
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4444).encode()), A, B, tag=b"y")
    assert exchange.session() is None
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4444).encode()), A, B, tag=b"x")
    assert _stream(exchange).ends[0] != before.ends[0]


SIX = Where("2001:db8::8", "2001:db8:5::1", natted=False)


def _shown(out: bytes) -> list[tuple[str, int]]:
    return [(media.host, media.port) for media in parse(out).media]


def test_two_versions_have_ports_of_their_own_until_one_answers(exchange: Exchange) -> None:
    sdp = parse(offer("192.0.2.7", 4000).encode())
    four, six = (exchange.describe(CALLER, sdp, A, there) for there in (B, SIX))
    assert _shown(four) != _shown(six)
    assert len(exchange.slots) == 4
    assert len(exchange.answer(b"x", 6)) == 2, "of no use any more"
    assert len(exchange.slots) == 2
    for there in (B, SIX):
        assert _shown(exchange.describe(CALLER, sdp, A, there, tag=b"x")) == _shown(six)
    session = exchange.session()
    assert session is not None
    assert len(session.streams) == 1


def test_one_that_has_ended_gives_no_ports_back_once_more(exchange: Exchange) -> None:
    """They were given back with its end, and may be other calls' by now."""
    sdp = parse(offer("192.0.2.7", 4000).encode())
    for there in (B, SIX):
        exchange.describe(CALLER, sdp, A, there)
    exchange.ended = True
    assert exchange.answer(b"x", 6) == []
    assert exchange.spare() == []
    more = parse(offer("192.0.2.7", 4000, "m=video 4002 RTP/AVP 99").encode())
    before = exchange.slots
    assert [port for _, port in _shown(exchange.describe(CALLER, more, A, B))][1] == 0
    assert exchange.slots == before


def test_or_they_share_what_there_is(exchange: Exchange) -> None:
    sdp = parse(offer("192.0.2.7", 4000).encode())
    four = exchange.describe(CALLER, sdp, A, B)
    assert exchange.share(6) == 4
    assert exchange.describe(CALLER, sdp, A, SIX) == four
    assert exchange.answer(b"x", 6) == []
    assert exchange.share(6) == 4, "too late, and of no harm"
    assert exchange.describe(CALLER, sdp, A, SIX, tag=b"x") == four
    assert len(exchange.slots) == 2


def test_who_was_given_up_may_still_answer(exchange: Exchange) -> None:
    _called(exchange, FIRST)
    exchange.forget()
    assert _callee(exchange) == (None, None)
    _called(exchange, SECOND)
    exchange.answer(b"x", 4)
    assert _callee(exchange)[0] == Address("192.0.2.8", 5000)


def test_only_so_many_who_are_called_are_remembered(exchange: Exchange) -> None:
    for number in range(20):
        _called(exchange, (b"%d" % number, "192.0.2.8", 5000 + 2 * number))
    exchange.answer(b"3", 4)
    assert _callee(exchange) == (None, None)


def test_a_refused_update_before_the_answer_is_forgotten(exchange: Exchange) -> None:
    _called(exchange, FIRST, SECOND)
    exchange.save(CALLER)
    _called(exchange, (b"x", "192.0.2.8", 5555))
    exchange.revert(CALLER)
    assert _callee(exchange)[0] == Address("192.0.2.18", 6000)
    exchange.answer(b"x", 4)
    assert _callee(exchange)[0] == Address("192.0.2.8", 5000)


class _Few:
    """A relay with so many slots."""

    def __init__(self, left: int) -> None:
        self.left = left

    def slot(self, family: Family, near: str) -> Slot | None:
        self.left -= 1
        return slot(family, near) if self.left >= 0 else None


FILM = "m=video {} RTP/AVP 99"


def test_a_new_line_without_ports_is_declined_on_both_sides() -> None:
    exchange = Exchange("s", b"c", b"a", _Few(2).slot)
    ports = _called(exchange, FIRST)
    two = parse(offer("192.0.2.7", 4000, FILM.format(4002)).encode())
    out = exchange.describe(CALLER, two, A, B)
    audio, film = parse(out).media
    assert (audio.host, film.port) == ("203.0.113.5", 0)
    assert exchange.declined == {1}
    wrong = parse(offer("192.0.2.8", 5000, FILM.format(5002)).encode())
    answer = parse(exchange.describe(CALLEE, wrong, B, A, answers=True)).media
    assert [media.port for media in answer] == [ports[0], 0]
    session = exchange.session()
    assert session is not None
    assert session.streams[0] is not None
    assert session.streams[0].ends[1].rtp == Address("192.0.2.8", 5000)
    assert session.streams[1:] == (None,)


def test_a_declined_line_is_tried_again_with_the_next_offer() -> None:
    few = _Few(2)
    exchange = Exchange("s", b"c", b"a", few.slot)
    _called(exchange, FIRST)
    two = parse(offer("192.0.2.7", 4000, FILM.format(4002)).encode())
    exchange.describe(CALLER, two, A, B)
    few.left = 2
    assert parse(exchange.describe(CALLER, two, A, B)).media[1].port
    assert not exchange.declined


def test_or_nothing_changes_where_all_is_wanted() -> None:
    exchange = Exchange("s", b"c", b"a", _Few(3).slot)
    _called(exchange, FIRST)
    assert exchange.session() is not None
    two = parse(offer("192.0.2.7", 4444, FILM.format(4002)).encode())
    with pytest.raises(NoSlot):
        exchange.describe(CALLER, two, A, B, whole=True)
    assert len(exchange.spare()) == 1
    assert exchange.session() is None


@pytest.mark.parametrize(
    "memo",
    [
        "", "[]", "{}", "[1, 2, 3]", '["a", "b", 5]', '["a", "b", []]', "[" * 16_000,
        '["a", "b", [null], true]', '["a", "b", [null], -1]', '["a", "b", [null], 1, 1]',
    ],
)  # fmt: skip
def test_a_foreign_memo(memo: str) -> None:
    with pytest.raises(PeerError):
        restored(Session("s", "c", 1, True, (None,), memo), slot)


def test_an_offer_counts_once_it_is_answered(exchange: Exchange) -> None:
    """RFC 3264 §8.3.1: until then its sender is where it was; a line it adds has its ports already."""
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    exchange.answer(b"b", 4)
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, answers=True)
    before = exchange.session()
    assert before is not None
    film = "m=video 4446 RTP/AVP 96"
    exchange.save(CALLER)
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4444, film).encode()), A, B)
    during = exchange.session()
    assert during is not None
    assert during.streams[0] == before.streams[0]
    assert during.streams[1] is not None
    assert during.streams[1].ends[1] == End()
    exchange.settle(CALLER)
    after = exchange.session()
    assert after is not None
    assert after.streams[0] is not None
    assert after.streams[0].ends[0].rtp == Address("192.0.2.7", 4444)
    assert restored(after, slot).session() is None


def test_an_answer_before_the_2xx_counts_until_that_is_none(exchange: Exchange) -> None:
    first = parse(offer("192.0.2.7", 4000).encode())
    exchange.describe(CALLER, first, A, B)
    exchange.answer(b"b", 4)
    before = exchange.session()
    assert before is not None
    exchange.save(CALLER)
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4444).encode()), A, B)
    assert exchange.session() is None
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, answers=True)
    during = exchange.session()
    assert during is not None
    assert during.streams != before.streams
    exchange.revert(CALLER)
    after = exchange.session()
    assert after is not None
    assert after.streams == before.streams


HERE_6 = Where("2001:db8::7", "2001:db8::1", natted=False)


def _moving(exchange: Exchange, *, early: bool) -> Session:
    """A call that is up, whose caller then offers its media at an IPv6 address."""
    _called(exchange, FIRST)
    exchange.answer(b"b", 4)
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, answers=True)
    before = exchange.session()
    assert before is not None
    exchange.save(CALLER)
    exchange.describe(CALLER, parse(offer("2001:db8::7", 4000).encode()), HERE_6, B)
    if early:
        exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, HERE_6, answers=True)
    return before


@pytest.mark.parametrize("early", [False, True])
def test_the_ports_before_a_move_serve_again_if_it_is_refused(
    exchange: Exchange, *, early: bool
) -> None:
    """An early answer may yet come to nothing."""
    before = _moving(exchange, early=early)
    during = exchange.session()
    assert during is not None
    assert before.streams[0] is not None
    slots = [stream.slots for stream in during.streams if stream is not None]
    assert len(slots) == 2
    assert before.streams[0].slots in slots
    exchange.revert(CALLER)
    after = exchange.session()
    assert after is not None
    assert after.streams == before.streams


def test_they_are_free_once_a_move_in_a_late_offer_is_answered(exchange: Exchange) -> None:
    """Nothing is pending of it: it came in a 2xx, and is answered in the ACK (RFC 3264 §4)."""
    _moving(exchange, early=True)
    exchange.settle(CALLER)
    assert exchange.session() is not None
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    during = exchange.session()
    assert during is not None
    assert len(during.streams) == 2
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, answers=True)
    after = exchange.session()
    assert after is not None
    (stream,) = after.streams
    assert stream is not None
    assert stream.ends[0].rtp == Address("192.0.2.7", 4000)
