"""CSeq numbers towards a gateway go up by one at each request, whatever the caller's are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.proxy.context import Context
from centrex.proxy.gateway_numbers import (
    TOO_HIGH,
    GatewayNumbers,
    Mark,
    both,
    mint,
    number_of,
    read,
)
from centrex.routing.target import Amendment
from centrex.sip.message import parse
from tests.support.proxy import FakeFlows, request

FLOW = FakeFlows().get("192.0.2.7", 5060)
MARK = Mark("pstn", "198.51.100.1", 1, 1000)


def asked(method: str, cseq: int, *, to_tag: str = "b", extra: str = "", tag: str = "a") -> Context:
    message = parse(request(method, "sip:1@198.51.100.1", FLOW, cseq=cseq, extra=extra))
    ctx = Context(method.encode(), message.uri, FLOW, b"call-1", [])
    ctx.message, ctx.from_tag, ctx.to_tag = message, tag.encode(), to_tag.encode()
    return ctx


def numbers(now: float = 1000.0, **more: Any) -> GatewayNumbers:
    made = GatewayNumbers(**more)
    made.begin(now)
    return made


def sent(known: GatewayNumbers, ctx: Context, now: float = 1001.0, mark: Mark = MARK) -> int:
    amendment = known.within(ctx, mark, now)
    return number_of(ctx) if amendment is None else amendment.number


def test_a_mark_is_read_as_it_was_written() -> None:
    for host in ("198.51.100.1", "2001:db8::7"):
        told = mint("pstn-1_a", host, 2, 1000.9)
        mark = Mark("pstn-1_a", host, 2, 1000)
        assert read(both(told, b""), from_caller=True) == mark
        assert read(both(told, b""), from_caller=False) is None
        assert read(both(b"", told), from_caller=False) == mark
        assert read(both(b"", told), from_caller=True) is None
        other = mint("other", "192.0.2.66", 0, 7.0)
        assert read(both(told, other), from_caller=True) == mark
        assert read(both(told, other), from_caller=False) == Mark("other", "192.0.2.66", 0, 7)
    assert mint("no name", "198.51.100.1", 0, 1.0) == b"", "nothing that would not fit a parameter"
    for other in (b"", b"pstn", b"pstn.1.3e8", b"pstn.1.3e8.host>", b"a.b.c.d", b"x" * 9999):
        assert read(other, from_caller=True) is None


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=30), st.integers(0, 3))
def test_numbers_always_go_up(steps: list[tuple[int, int]], shift: int) -> None:
    """The caller leaves some out, and each request may be asked for credentials a few times."""
    known, mark = numbers(), MARK._replace(shift=shift)
    own, highest = 1, 1 + shift
    for leap, challenges in steps:
        own += leap
        ctx = asked("INFO", own)
        number = sent(known, ctx, mark=mark)
        for _ in range(challenges):
            assert number > highest
            highest = number
            number = known.again(ctx, Amendment(number))
        assert number > highest
        highest = number


def test_acks_and_racks_have_the_number_of_their_invite() -> None:
    known = numbers()
    assert known.of_ack(asked("ACK", 1), MARK) is not None
    rack = "RAck: 776 1 INVITE"
    first = known.within(asked("PRACK", 2, extra=rack), MARK, 1001.0)
    assert first is not None
    assert (first.number, first.rack) == (3, b"RAck: 776 2 INVITE")
    again = asked("INVITE", 3)
    assert sent(known, again) == 4
    assert known.again(again, Amendment(4)) == 5
    ack = known.of_ack(asked("ACK", 3), MARK)
    assert ack is not None
    assert ack.number == 5
    second = known.within(asked("PRACK", 4, extra="rack : 7  3 INVITE"), MARK, 1001.0)
    assert second is not None
    assert second.rack == b"rack : 7  5 INVITE"
    third = known.within(asked("PRACK", 5, extra="RAck: nonsense"), MARK, 1001.0)
    assert third is not None
    assert third.rack == b""


def test_what_needs_no_change_has_none() -> None:
    known, mark = numbers(), MARK._replace(shift=0)
    assert known.within(asked("INFO", 2), mark, 1001.0) is None
    assert known.of_ack(asked("ACK", 1), mark) is None


def test_invites_are_remembered_up_to_a_bound() -> None:
    known = numbers()
    ctx = asked("INFO", 2)
    known.again(ctx, Amendment(sent(known, ctx)))
    for own in range(3, 20):
        sent(known, asked("INVITE", own))
    ack = known.of_ack(asked("ACK", 19), MARK)
    assert ack is not None
    assert ack.number == 21
    (dialog,) = known._dialogs.values()
    assert len(dialog.invites) == 8


@pytest.mark.parametrize(("began", "now"), [(2000.0, 2060.0), (50.0, 60.0)])
def test_dialogs_from_before_a_restart_leap_ahead(began: float, now: float) -> None:
    """The machine may have been started anew as well: its clock is then behind."""
    known = numbers(began)
    assert known.is_from_before(MARK, now)
    number = sent(known, asked("INFO", 2), now)
    assert number > 2 + 1 + 1000
    assert sent(known, asked("INFO", 3), now) == number + 1
    ack = known.of_ack(asked("ACK", 1), MARK)
    assert ack is not None
    assert ack.number == 2, "the first INVITE's number is known for certain"


def test_dialogs_are_remembered_up_to_a_bound() -> None:
    known = numbers(bound=2)
    for tag in ("a", "b"):
        sent(known, asked("INFO", 2, tag=tag))
    sent(known, asked("INFO", 3, tag="a"))
    sent(known, asked("INFO", 2, tag="c"))
    assert len(known) == 2
    assert not known.is_from_before(MARK, 1001.0)
    used = sent(known, asked("INFO", 3, tag="b"), 1010.0)
    assert used > 4 + 5, "the one that was forgotten leaps ahead"
    for tag in "bc":
        known.ended((b"call-1", tag.encode(), b"b"), 1020.0)
    known.tick(1083.0)
    assert len(known) == 2
    known.tick(1084.0)
    assert len(known) == 0


def test_each_dialog_of_a_call_counts_for_itself() -> None:
    """One call may have led to two gateways, of which one picked up too late and was hung up."""
    known, far = numbers(), MARK._replace(shift=3)
    assert sent(known, asked("BYE", 2)) == 3
    again = asked("INVITE", 2, to_tag="far")
    assert sent(known, again, mark=far) == 5
    assert known.again(again, Amendment(5)) == 6
    known.tick(2000.0)
    assert sent(known, asked("BYE", 3, to_tag="far"), mark=far) == 7


def test_there_is_a_highest_number() -> None:
    known = numbers()
    ctx = asked("INFO", TOO_HIGH - 1)
    assert sent(known, ctx) == TOO_HIGH - 1
    assert known.again(ctx, None) == 0
    assert known.again(asked("INVITE", TOO_HIGH - 1, to_tag=""), None) == 0
