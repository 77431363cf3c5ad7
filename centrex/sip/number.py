"""Numbers in headers: digits only, with a bound, never negative (RFC 3261 §25.1).

Python reads `+5`, ` 5 ` and `5_0` as numbers; SIP does not.
"""

import re
from typing import Final

from centrex.base import PeerError

MAX_DELTA: Final = 2**32 - 1
"""The largest delta-seconds (RFC 3261 §20.19)."""

_DIGITS: Final = re.compile(rb"0*([0-9]{1,10})")


def parse_number(value: bytes, bound: int, *, rule: str = "RFC 3261 §25.1") -> int:
    """Read a number of `1*DIGIT`.

    Args:
        value: The value, stripped.
        bound: The largest that is allowed, at most ten digits.
        rule: What the error cites.

    Raises:
        PeerError: It is no number, or beyond the bound.
    """
    match = _DIGITS.fullmatch(value)
    if match is None:
        raise PeerError("a number is malformed or too large", rule=rule)
    number = int(match[1])
    if number > bound:
        raise PeerError(f"a number is larger than {bound}", rule=rule)
    return number


def parse_delta(value: bytes) -> int | None:
    """Read delta-seconds; None where they are malformed, to be treated as the default.

    RFC: 3261 §10.2.1.1, §20.19 (malformed values are equal to 3600).
    """
    match = _DIGITS.fullmatch(value)
    if match is None:
        return None
    seconds = int(match[1])
    return seconds if seconds <= MAX_DELTA else None
