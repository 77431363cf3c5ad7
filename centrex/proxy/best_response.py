"""Which of several final responses the caller gets (RFC 3261 §16.7 steps 6 and 7)."""

from collections.abc import Sequence
from typing import Final

from centrex.base import LocalError
from centrex.sip.message import Message
from centrex.sip.names import PROXY_AUTHENTICATE, WWW_AUTHENTICATE

_TELLING: Final = (401, 407, 415, 420, 484)


def best_response(finals: Sequence[Message]) -> Message:
    """Choose the one final response to send upstream when every target has failed.

    Args:
        finals: Every branch's final response, in arrival order; at least one, none of them 2xx.

    Raises:
        LocalError: `finals` is empty.
    RFC: 3261 §16.7 step 6: any 6xx, else the lowest class, and in it 401, 407, 415, 420, 484 first;
    a 503 is the last choice, since it speaks of the target and not of us.
    """
    if not finals:
        raise LocalError("no final response to choose from")
    return min(finals, key=_rank)


def _rank(response: Message) -> tuple[int, int]:
    status = response.status
    if status >= 600:
        return (0, status)
    if status == 503:
        return (9, 0)
    if status in _TELLING:
        return (status // 100, _TELLING.index(status) - len(_TELLING))
    return (status // 100, 1 if status == 408 else 0)


def merge_challenges(best: Message, finals: Sequence[Message]) -> None:
    """Add the challenges of all other 401 and 407 responses to a 401 or 407 (§16.7 step 7)."""
    if best.status not in (401, 407):
        return
    added = [
        other.lines[index]
        for other in finals
        if other is not best and other.status in (401, 407)
        for number in (WWW_AUTHENTICATE, PROXY_AUTHENTICATE)
        for index in other.indices(number)
    ]
    if added:
        best.lines += added
        best.rescan()
