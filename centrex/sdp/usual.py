"""Descriptions as phones usually write them: read by two expressions, written by their pieces.

One address for the session, one audio line, no attribute that matters to a relay but a direction that
is the usual one anyway. A phone describes all its calls alike, but for a number and a port, so that the
rest is looked at once. What does not match, for any reason, is read line by line in
`centrex.sdp.description`, with the same outcome.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

_LONGEST: Final = 2000
_SHAPES: Final = 512
"""What is remembered of descriptions."""
_BEGINS: Final = b"v=0\r\no="
_AUDIO: Final = b"\r\nm=audio "
_ZERO: Final = ord("0")
_OTHERS: Final = (
    rb"(?:[^acm\r\n][^\r\n]*+\r\n"
    rb"|a=(?!(?:rtcp(?:-mux)?|sendonly|recvonly|inactive|candidate|ice-ufrag|ice-pwd|ice-options"
    rb"|ice-lite|ice-mismatch|ice-pacing|remote-candidates|end-of-candidates)[ \t\v\f]*+[:\r])"
    rb"[^\r\n]*+\r\n)*"
)
"""Lines that say nothing of where media go."""
_BEFORE: Final = re.compile(
    rb"\r\n" + _OTHERS + rb"c=IN IP4 ([0-9]{1,3}(?:\.[0-9]{1,3}){3})\r\n" + _OTHERS
)
_BEHIND: Final = re.compile(rb" (RTP/AVP|RTP/SAVP)((?: [0-9]{1,3})+)\r\n" + _OTHERS)
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


class _Shape(NamedTuple):
    """What all descriptions of one phone have in common, but for whose sessions they are, and the port."""

    host: bytes
    host_at: tuple[int, int]
    """Behind the line of its origin."""
    proto: bytes
    formats: tuple[bytes, ...]
    clock_rate: int


def read(body: bytes) -> Usual | None:
    """Read a description; None where it is not a usual one."""
    if len(body) > _LONGEST or not body.startswith(_BEGINS):
        return None
    origin = body.find(b"\r", len(_BEGINS))
    media = body.find(_AUDIO)
    first = media + len(_AUDIO)
    last = body.find(b" ", first)
    if not 0 < origin <= media < last or body.find(b"\n", len(_BEGINS)) != origin + 1:
        return None
    digits = body[first:last]
    if not digits.isdigit() or len(digits) > 5 or digits[0] == _ZERO or int(digits) > 65535:
        return None
    shape = _shape(body[origin : media + 2], body[last:])
    if shape is None:
        return None
    host, (begins, ends), proto, formats, rate = shape
    return Usual(
        host, (origin + begins, origin + ends), int(digits), (first, last), proto, formats, rate
    )


@lru_cache(_SHAPES)
def _shape(before: bytes, behind: bytes) -> _Shape | None:
    """Return what a description says before its media line, and behind its port."""
    session, media = _BEFORE.fullmatch(before), _BEHIND.fullmatch(behind)
    if session is None or media is None:
        return None
    formats, ends = tuple(media[2].split()), media.end(2)
    rate, mapped = 0, b"\na=rtpmap:%b " % formats[0]
    at = behind.rfind(mapped, ends)
    if at >= 0:
        clock = _CLOCK.match(behind, at + len(mapped))
        if clock is None or behind.find(mapped, ends) != at:
            return None
        rate = int(clock[1]) or 8000
    return _Shape(session[1], session.span(1), media[1], formats, rate)
