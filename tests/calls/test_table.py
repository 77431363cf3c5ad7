"""The calls that are seen."""

import pytest

from centrex.base import Flow
from centrex.calls import Call, CallState, CallTable
from centrex.calls.table import FORGOTTEN_AFTER
from tests.support.proxy import FakeFlows

FLOW = FakeFlows().get("192.0.2.7", 5060)


def begin(table: CallTable, call_id: bytes, now: float = 0.0, flow: Flow = FLOW) -> Call | None:
    return table.begin(call_id, b"sip:a@x", b"sip:b@x", b"ta", flow, now)


def test_a_call_is_entered_once() -> None:
    table = CallTable()
    call = begin(table, b"1")
    assert call is not None
    assert call.state is CallState.CALLING
    assert table.get(b"1") is call
    assert begin(table, b"1") is None, "a spiral"
    assert len(table) == 1
    assert list(table) == [call]


def test_a_call_ends_once() -> None:
    table = CallTable()
    call = begin(table, b"1")
    assert call is not None
    assert table.end(call)
    assert not table.end(call)
    again = begin(table, b"1")
    assert again is not None
    assert not table.end(call), "another call of the same Call-ID is not its own"
    assert table.get(b"1") is again


def test_a_full_table_says_so() -> None:
    table = CallTable(bound=2)
    assert begin(table, b"1")
    assert begin(table, b"2")
    assert begin(table, b"3") is None
    assert (len(table), table.unwatched) == (2, 1)


@pytest.mark.parametrize(
    ("tag", "other", "same"),
    [
        (b"ta", b"tb", True),
        (b"tb", b"ta", True),
        (b"ta", b"ta", False),
        (b"ta", b"", False),
        (b"", b"ta", False),
        (b"x", b"tb", False),
    ],
)
def test_its_dialog_is_known_by_both_tags(tag: bytes, other: bytes, same: bool) -> None:
    call = begin(CallTable(), b"1")
    assert call is not None
    assert not call.has_dialog(tag, other), "not before it is answered"
    call.callee_tag = b"tb"
    assert call.has_dialog(tag, other) is same


@pytest.mark.parametrize(
    ("tag", "other", "host"),
    [
        (b"ta", b"tb", "192.0.2.20"),
        (b"tb", b"ta", "192.0.2.7"),
        (b"ta", b"ta", ""),
        (b"ta", b"x", ""),
        (b"x", b"ta", ""),
        (b"", b"tb", ""),
    ],
)
def test_the_way_to_an_end_is_known_by_both_tags(tag: bytes, other: bytes, host: str) -> None:
    call = begin(CallTable(), b"1")
    assert call is not None
    call.callee_tag, call.callee_flow = b"tb", FakeFlows().get("192.0.2.20", 5060)
    way = call.way(tag, other)
    assert (way.host if way is not None else "") == host


def test_until_it_is_answered_any_tag_is_that_of_who_rings() -> None:
    call = begin(CallTable(), b"1")
    assert call is not None
    assert call.way(b"ta", b"any") is None, "nobody rings yet"
    call.callee_flow = ringing = FakeFlows().get("192.0.2.20", 5060)
    assert call.way(b"ta", b"any") is ringing
    assert call.way(b"any", b"ta") is FLOW
    assert call.way(b"x", b"y") is None


def test_what_nobody_speaks_of_is_forgotten() -> None:
    table = CallTable()
    call, fresh = begin(table, b"1"), begin(table, b"2", 10.0)
    assert call is not None
    assert fresh is not None
    assert table.forgotten(FORGOTTEN_AFTER) == []
    assert table.forgotten(FORGOTTEN_AFTER + 5) == [call]
    call.seen = 100.0
    assert table.forgotten(FORGOTTEN_AFTER + 20) == [fresh]


def test_it_may_change_while_it_is_walked() -> None:
    table = CallTable()
    for number in range(3):
        begin(table, b"%d" % number)
    for call in table:
        table.end(call)
    assert not len(table)
