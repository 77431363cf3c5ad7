"""What was said of media lines, put back side by side."""

import pytest

from centrex.media.terms import Address, End, Slot
from centrex.media.ways import CALLEE, CALLER, GONE, NOTHING, UNSAID, Line, Way, other_side
from centrex.sdp import parse
from tests.support.relays import offer

SLOTS = Slot("192.0.2.1", "192.0.2.1", 30000), Slot("192.0.2.1", "192.0.2.1", 30002)
MORE = Slot("192.0.2.1", "192.0.2.1", 30004), Slot("192.0.2.1", "192.0.2.1", 30006)


def at(port: int) -> End:
    return End(rtp=Address("192.0.2.7", port))


def way(*lines: Line | None) -> Way:
    made = Way(4)
    made.lines = list(lines)
    return made


def test_the_other_side_of_the_other_side() -> None:
    assert [other_side(CALLER), other_side(CALLEE)] == [CALLEE, CALLER]


def test_words_are_taken_back_for_both_sides_or_one() -> None:
    line = Line(SLOTS)
    line.ends, line.muxes = [at(4000), at(5000)], [True, False]
    before = way(line, None).stands
    for sides, ports, muxes in (
        ((CALLER, CALLEE), [4000, 5000], [True, False]),
        ((CALLER,), [4000, 5555], [True, True]),
        ((CALLEE,), [4444, 5000], [False, False]),
    ):
        line.ends, line.muxes = [at(4444), at(5555)], [False, True]
        one = way(line, None)
        one.stand(before, None if len(sides) > 1 else sides[0])
        assert line.ends == [at(port) for port in ports]
        assert line.muxes == muxes


def test_what_stood_before_does_not_follow_what_is_said_now() -> None:
    line = Line(SLOTS)
    before = way(line).stands
    line.ends[CALLER] = at(4444)
    assert before.lines == [([End(), End()], [False, False])]


def test_of_lines_that_came_since_nothing_is_said() -> None:
    old, new = Line(SLOTS), Line(SLOTS)
    old.ends = [at(4000), at(5000)]
    one = way(old)
    before = one.stands
    one.lines.append(new)
    new.ends = [at(4002), at(5002)]
    one.declined, one.aside, one.heard = frozenset({2}), frozenset({3}), b"b"
    one.stand(before, None)
    assert old.ends == [at(4000), at(5000)]
    assert new.ends == [End(), End()]
    assert (one.declined, one.aside, one.heard) == (frozenset(), frozenset(), b"")
    assert one.slots == [*SLOTS, *SLOTS], "their ports stay"
    one.stand(NOTHING, None)
    assert old.ends == [End(), End()]


def test_who_answers_is_heard_in_place_of_others() -> None:
    one, none, two = Line(SLOTS), None, Line(SLOTS)
    one.ends, two.ends = [at(4000), at(5000)], [at(4002), at(5002)]
    way(one, none, two).hear([(at(6000), True)])
    assert (one.ends, one.muxes) == ([at(4000), at(6000)], [False, True])
    assert two.ends == [at(4002), End()]


@pytest.mark.parametrize(
    ("ends", "vacant"),
    [
        ([at(4000), at(5000)], False),
        ([at(4000), GONE], True),
        ([GONE, at(5000)], True),
        ([UNSAID, UNSAID], True),
        ([at(4000), UNSAID], False),
        ([End(sends=False, receives=False, source="192.0.2.7"), at(5000)], False),
    ],
)
def test_a_line_is_vacant_that_is_declined_or_undescribed(ends: list[End], vacant: bool) -> None:
    line = Line(SLOTS)
    line.ends = ends
    assert line.is_vacant is vacant


def test_vacant_lines_go_and_one_stays() -> None:
    one, gone, other = Line(SLOTS), Line(MORE), Line(SLOTS)
    one.ends, gone.ends, other.ends = [at(4000), at(5000)], [at(4002), GONE], [GONE, GONE]
    made = way(one, None, gone)
    assert made.vacate() == list(MORE)
    assert made.lines == [one, None, None]
    assert made.vacate() == []
    made = way(None, gone, other)
    assert made.vacate() == list(SLOTS)
    assert made.lines == [None, gone, None]
    assert way(None).vacate() == []


def test_what_is_offered_anew_may_be_taken() -> None:
    one, other = Line(SLOTS), Line(MORE)
    one.ends, other.ends = [at(4000), GONE], [at(4002), GONE]
    medias = parse(offer("192.0.2.7", 4000, "m=video 0 RTP/AVP 99").encode()).media
    way(one, other).offered(CALLER, medias)
    assert one.ends == [at(4000), UNSAID]
    assert other.ends[CALLEE] is GONE
