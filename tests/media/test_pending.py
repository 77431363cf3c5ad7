from centrex.media.pending import Offer, Pending, Refused
from centrex.media.ways import CALLEE, CALLER, Before

HERS: Offer = (CALLER, False)
HER_UPDATE: Offer = (CALLER, True)
HIS: Offer = (CALLEE, False)


def at(number: int) -> Before:
    """How things stood at a time."""
    return {}, {str(number).encode(): None}  # type: ignore[dict-item]


def pending(*offers: Offer) -> Pending:
    made = Pending()
    for number, offer in enumerate(offers):
        made.add(offer, lambda number=number: at(number))  # type: ignore[misc]
    return made


def test_the_last_one_that_is_refused_takes_all_back() -> None:
    made = pending(HERS, HER_UPDATE)
    assert made.refuse(HER_UPDATE) == Refused(at(1), None)
    assert made.has(CALLER)
    assert made.refuse(HERS) == Refused(at(0), None)
    assert not made


def test_the_words_of_one_alone_are_taken_back_where_the_other_side_has_offered_since() -> None:
    made = pending(HERS, HIS)
    assert made.refuse(HERS) == Refused(at(0), CALLER)
    assert made.refuse(HIS) == Refused(at(0), None)


def test_one_in_whose_place_another_one_stands_takes_nothing_back() -> None:
    made = pending(HERS, HER_UPDATE)
    assert made.refuse(HERS) is None
    assert made.refuse(HER_UPDATE) == Refused(at(0), None)


def test_what_is_accepted_holds_whatever_becomes_of_those_before() -> None:
    made = pending(HIS, HERS, HER_UPDATE)
    made.accept(HER_UPDATE, lambda: at(9))
    assert HERS not in made
    assert made.refuse(HIS) == Refused(at(9), None)


def test_of_several_that_are_not_answered_the_first_tells_how_things_stand() -> None:
    made = pending(HERS, HIS, HER_UPDATE)
    assert list(made.stood()) == [(CALLER, at(2)), (CALLEE, at(1)), (CALLER, at(0))]
    made.answer(CALLER)
    assert list(made.stood()) == [(CALLEE, at(1))]


def test_the_same_one_again_changes_nothing() -> None:
    made = pending(HERS)
    made.answer(CALLER)
    made.add(HERS, lambda: at(5))
    assert list(made.stood()) == [(CALLER, at(0))]
