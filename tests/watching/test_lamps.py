from centrex.watching import dialoginfo, lamps
from centrex.watching.lamps import Lamps

CALL, BOB, ALICE = b"call-1", b"bob", b"sip:alice@example.com"
AS = dialoginfo.RECIPIENT


def test_a_call_goes_forward_only() -> None:
    board = Lamps()
    assert board.show(CALL, BOB, AS, ALICE, dialoginfo.TRYING)
    assert not board.show(CALL, BOB, AS, ALICE, dialoginfo.TRYING)
    assert board.show(CALL, BOB, AS, ALICE, dialoginfo.CONFIRMED)
    assert not board.show(CALL, BOB, AS, ALICE, dialoginfo.EARLY)
    (lamp,) = board.of(BOB, 0.0)
    assert (lamp.state, lamp.remote) == (dialoginfo.CONFIRMED, ALICE)


def test_what_ended_is_kept_a_while_for_those_who_are_watched() -> None:
    board = Lamps()
    board.watch(BOB)
    for user in (BOB, b"carol"):
        board.show(CALL, user, AS, ALICE, dialoginfo.TRYING)
        assert board.end(CALL, user, AS, dialoginfo.CANCELLED, 10.0)
        assert not board.end(CALL, user, AS, dialoginfo.CANCELLED, 10.0)
    assert [(one.state, one.event) for one in board.of(BOB, 11.0)] == [
        (dialoginfo.TERMINATED, dialoginfo.CANCELLED)
    ]
    assert not board.of(b"carol", 11.0)
    assert not board.of(BOB, 60.0)
    assert not board.users_of(CALL)


def test_a_bounded_number_of_them() -> None:
    board = Lamps()
    board.watch(BOB)
    for number in range(50):
        call_id = b"%d" % number
        board.show(call_id, BOB, AS, ALICE, dialoginfo.TRYING)
        board.end(call_id, BOB, AS, dialoginfo.TIMEOUT, 1.0)
    told = board.of(BOB, 1.0)
    assert len(told) == lamps.MOST_ENDED
    assert told[-1].id == dialoginfo.lamp_id(b"49", AS)


def test_nobody_watches_any_more() -> None:
    board = Lamps()
    board.on = True
    board.watch(BOB)
    board.show(CALL, BOB, AS, ALICE, dialoginfo.TRYING)
    board.clear()
    assert not board.on
    assert not board.of(BOB, 0.0)
    assert not board.users_of(CALL)
