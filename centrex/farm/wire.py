"""The lines of the control link: one JSON object each, bounded and checked before anybody uses them.

It knows how a message and a session look; what they bring about is for both sides of the link.
Fields that are not known are left out, so that a newer peer may send more.
"""

import ipaddress
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final, TypeAlias

from centrex.base import PeerError
from centrex.media.terms import Address, End, Session, Slot, Stream

VERSION: Final = 1
"""The protocol's version; peers of different ones do not talk."""
LINE_LIMIT: Final = 1_048_576
"""Octets of the longest line."""
LOGIN_LIMIT: Final = 32_768
"""The same of whoever has not logged in."""
_PART: Final = 131_072
"""Octets of rows that go into one line, unless one row alone is longer."""
_RULE: Final = "media relay link"
_MAX_STREAMS: Final = 64
"""Those of 32 media lines, for phones of IPv4 and of IPv6."""
_MAX_TEXT: Final = 262_144
"""A Call-ID may be as long as a message, and so may both tags be, which a proxy has kept here."""

_WRONG_TYPE: Final = "a field is of the wrong type"
_SESSION: Final[list[type]] = [str, str, int, bool, list, str]
_SLOT: Final[list[type]] = [str, str, int]
_END: Final[list[type]] = [str, bool, bool, bool, int, int]
"""The types of an end's fields behind its addresses, but for the last."""

_WRITTEN: Final = json.JSONEncoder(separators=(",", ":")).encode

Message: TypeAlias = dict[str, Any]


def encode(kind: str, /, **fields: Any) -> bytes:
    """Return a message as a line."""
    return _WRITTEN({"t": kind, **fields}).encode() + b"\n"


def in_parts(told: Iterable[Any], most: int) -> Iterator[list[Any]]:
    """Yield rows, as many at a time as go into one line.

    Args:
        told: The rows.
        most: How many go there at most.
    """
    part: list[Any] = []
    octets = 0
    for row in told:
        size = len(_WRITTEN(row))
        if part and (len(part) == most or octets + size > _PART):
            yield part
            part, octets = [], 0
        part.append(row)
        octets += size
    if part:
        yield part


def decode(line: bytes) -> Message:
    """Read a line.

    Raises:
        PeerError: It is no message.
    """
    if len(line) > LINE_LIMIT:
        raise PeerError("a line is too long", rule=_RULE)
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise PeerError("a line is no JSON", rule=_RULE) from None
    if not isinstance(message, dict) or not isinstance(message.get("t"), str):
        raise PeerError("a line is no message", rule=_RULE)
    return message


def text(message: Message, name: str, *, longest: int = 256, default: str | None = None) -> str:
    """Return a field that holds text.

    Raises:
        PeerError: It is missing, no text, or too long.
    """
    value = message.get(name, default)
    if not isinstance(value, str) or len(value) > longest:
        raise PeerError(f"{name} is no text, or too long", rule=_RULE)
    return value


def number(message: Message, name: str, *, most: int = 2**53, default: int | None = None) -> int:
    """Return a field that holds a whole number from 0 on.

    Raises:
        PeerError: It is missing, no such number, or too large.
    """
    value = message.get(name, default)
    if type(value) is not int or not 0 <= value <= most:
        raise PeerError(f"{name} is no number, or too large", rule=_RULE)
    return value


def rows(message: Message, name: str, *, most: int) -> list[Any]:
    """Return a field that holds a list.

    Raises:
        PeerError: It is missing, no list, or too long.
    """
    value = message.get(name)
    if not isinstance(value, list) or len(value) > most:
        raise PeerError(f"{name} is no list, or too long", rule=_RULE)
    return value


# sessions: what they are, as lists of values, short since they are sent for every call


def to_session(value: Any) -> Session:
    """Read a session.

    Raises:
        PeerError: It is none.
    """
    if not isinstance(value, list) or len(value) < 6:
        raise PeerError("a session is malformed", rule=_RULE)
    value = value[:6]
    name, call_id, revision, answered, streams, memo = value
    _expect(value, _SESSION)
    if len(name) > 256 or len(call_id) > _MAX_TEXT or len(memo) > _MAX_TEXT:
        raise PeerError("a session has too long a name", rule=_RULE)
    if len(streams) > _MAX_STREAMS:
        raise PeerError("a session has too many streams", rule=_RULE)
    told = tuple(None if stream is None else _to_stream(stream) for stream in streams)
    return Session(name, call_id, revision, answered, told, memo)


def _to_stream(value: Any) -> Stream:
    slots, ends = _pair(value)
    first, second = _pair(slots)
    caller, callee = _pair(ends)
    return Stream((to_slot(first), to_slot(second)), (_to_end(caller), _to_end(callee)))


def to_slot(value: Any) -> Slot:
    """Read a slot.

    Raises:
        PeerError: It is none.
    """
    if not isinstance(value, list) or len(value) != 3:
        raise PeerError("a slot is malformed", rule=_RULE)
    _expect(value, _SLOT)
    host, shown, port = value
    if not 0 < port < 65535:
        raise PeerError("a slot's port is beyond all ports", rule=_RULE)
    return Slot(_host(host), _host(shown), port)


def _to_end(value: Any) -> End:
    if not isinstance(value, list) or len(value) < 8:
        raise PeerError("an end is malformed", rule=_RULE)
    rtp, rtcp, source, natted, sends, receives, payload, rate = value[:8]
    _expect(value[2:8], _END)
    if not 0 <= payload < 128 or not 0 < rate <= 10_000_000:
        raise PeerError("an end's payload is beyond all payloads", rule=_RULE)
    if source:
        source = _host(source)
    is_rtp = len(value) == 8 or value[8]  # one without is of an older proxy
    if type(is_rtp) is not bool:
        raise PeerError(_WRONG_TYPE, rule=_RULE)
    return End(
        _to_address(rtp), _to_address(rtcp), source, natted, sends, receives, payload, rate, is_rtp
    )


def _to_address(value: Any) -> Address | None:
    if value is None:
        return None
    host, port = _pair(value)
    if type(port) is not int or not 0 < port < 65536:
        raise PeerError("an address is malformed", rule=_RULE)
    return Address(_host(host), port)


def _host(value: Any) -> str:
    """Return a numeric address in its usual spelling."""
    if not isinstance(value, str) or len(value) > 64:
        raise PeerError("an address is malformed", rule=_RULE)
    try:
        return _spelled(value)
    except ValueError:
        raise PeerError("an address is not numeric", rule=_RULE) from None


@lru_cache(4096)
def _spelled(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, list) or len(value) != 2:
        raise PeerError("a pair is malformed", rule=_RULE)
    return value[0], value[1]


def _expect(values: list[Any], types: list[type]) -> None:
    if [*map(type, values)] != types:
        raise PeerError(_WRONG_TYPE, rule=_RULE)
