"""Descriptions as phones usually write them: read by one expression, written by their pieces.

One address for the session, one audio line, no attribute that matters to a relay but a direction that
is the usual one anyway. What does not match, for any reason, is read line by line in
`centrex.sdp.description`, with the same outcome.
"""

import re
from typing import Final, NamedTuple

_LONGEST: Final = 2000
_OTHERS: Final = (
    rb"(?:[^acm\r\n][^\r\n]*+\r\n"
    rb"|a=(?!(?:rtcp(?:-mux)?|sendonly|recvonly|inactive|candidate|ice-ufrag|ice-pwd|ice-options"
    rb"|ice-lite|ice-mismatch|ice-pacing|remote-candidates|end-of-candidates)[ \t\v\f]*+[:\r])"
    rb"[^\r\n]*+\r\n)*"
)
"""Lines that say nothing of where media go."""
_USUAL: Final = re.compile(
    rb"v=[^\r\n]*+\r\n" + _OTHERS + rb"c=IN IP4 ([0-9]{1,3}(?:\.[0-9]{1,3}){3})\r\n" + _OTHERS
    + rb"m=audio ([1-9][0-9]{0,4}) (RTP/AVP|RTP/SAVP)((?: [0-9]{1,3})+)\r\n" + _OTHERS
)  # fmt: skip
_CLOCK: Final = re.compile(rb" *[^/ \r]{1,64}/([0-9]{1,7})(?![0-9])")


class Usual(NamedTuple):
    """What a usual description says, and where."""

    host: bytes
    host_at: tuple[int, int]
    port: int
    port_at: tuple[int, int]
    proto: bytes
    formats: tuple[bytes, ...]
    clock_rate: int
    """That of the first format, where the description says it; 0 where it does not."""


def read(body: bytes) -> Usual | None:
    """Read a description; None where it is not a usual one."""
    if len(body) > _LONGEST:
        return None
    found = _USUAL.fullmatch(body)
    if found is None:
        return None
    host, digits, proto, listed = found.groups()
    port, formats = int(digits), tuple(listed.split())
    if port > 65535:
        return None
    rate, mapped = 0, b"\na=rtpmap:%b " % formats[0]
    at = body.rfind(mapped, found.end(4))
    if at >= 0:
        clock = _CLOCK.match(body, at + len(mapped))
        if clock is None or body.find(mapped, found.end(4)) != at:
            return None
        rate = int(clock[1]) or 8000
    return Usual(host, found.span(1), port, found.span(2), proto, formats, rate)
