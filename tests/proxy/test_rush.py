"""Messages that wait for ports: not too many, and not for long."""

from typing import Any

from centrex.proxy import rush
from centrex.proxy.rush import Rush, Waiting


def _message(number: int = 0) -> Waiting:
    branch: Any = None
    return Waiting(branch, b"z9hG4bK%d" % number, b"INVITE", 10.0)


def test_in_the_order_they_came_and_once() -> None:
    queue = Rush()
    for number in range(3):
        queue.add(_message(number))
    assert [one.token[-1:] for one in queue.take()] == [b"0", b"1", b"2"]
    assert not len(queue)
    assert not queue.take()


def test_not_for_long() -> None:
    queue = Rush()
    assert queue.may_wait(_message(), 9.9)
    assert not queue.may_wait(_message(), 10.0)


def test_not_too_many() -> None:
    queue = Rush()
    for number in range(rush.MOST):
        assert queue.may_wait(_message(number), 0.0)
        queue.add(_message(number))
    assert not queue.may_wait(_message(), 0.0)
