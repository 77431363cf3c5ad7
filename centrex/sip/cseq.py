"""CSeq: the sequence number and method of a request (RFC 3261 §20.16)."""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip.tokens import TOKEN

_BOUND: Final = 2**31
_CSEQ: Final = re.compile(rb"0*([0-9]{1,10})[ \t]++(" + TOKEN + rb")")


def parse_cseq(value: bytes) -> tuple[int, bytes]:
    """Return the number, 0 to 2**31 - 1, and the method as written.

    Raises:
        PeerError: It is malformed, or the number is 2**31 or more (§8.1.1.5).
    """
    match = _CSEQ.fullmatch(value)
    if match is None:
        raise PeerError("a CSeq is malformed or too large", rule="RFC 3261 §20.16")
    number = int(match[1])
    if number >= _BOUND:
        raise PeerError("the number of a CSeq is 2**31 or more", rule="RFC 3261 §8.1.1.5")
    return number, match[2]
