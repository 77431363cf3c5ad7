"""Bencode, the form in which rtpengine is spoken to: integers, byte strings, lists, dictionaries.

It bounds how deep and how long what comes in may be; it refuses to know what any of it means.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from centrex.base import PeerError

Value: TypeAlias = int | bytes | list["Value"] | dict[bytes, "Value"]
Encodable: TypeAlias = int | str | bytes | Sequence["Encodable"] | Mapping[str, "Encodable"]

LONGEST: Final = 65_507
"""Octets of the longest text that is read: a UDP datagram's."""
_DEEPEST: Final = 24
_INTEGER: Final = re.compile(rb"i(-?[0-9]{1,20})e")
_STRING: Final = re.compile(rb"([0-9]{1,6}):")
_RULE: Final = "bencode"


def encode(value: Encodable) -> bytes:
    """Return a value as it is sent; text as UTF-8."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, Mapping):
        pairs = (encode(name) + encode(one) for name, one in value.items())
        return b"d%be" % b"".join(pairs)
    return b"l%be" % b"".join(map(encode, value))


def decode(text: bytes) -> Value:
    """Return what a text says.

    Raises:
        PeerError: It is no bencode, is too long or too deep, or something follows it.
    """
    if len(text) > LONGEST:
        raise _wrong("it is too long")
    value, end = _decode(text, 0, 0)
    if end != len(text):
        raise _wrong("something follows its end")
    return value


def _decode(text: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > _DEEPEST:
        raise _wrong("it is nested too deeply")
    kind = text[at : at + 1]
    if kind == b"i":
        number = _INTEGER.match(text, at)
        if number is None:
            raise _wrong("a number is malformed")
        return int(number[1]), number.end()
    if kind == b"l":
        return _list(text, at + 1, depth)
    if kind == b"d":
        return _dictionary(text, at + 1, depth)
    return _string(text, at)


def _string(text: bytes, at: int) -> tuple[bytes, int]:
    length = _STRING.match(text, at)
    if length is None:
        raise _wrong("a string is malformed")
    end = length.end() + int(length[1])
    if end > len(text):
        raise _wrong("a string is cut off")
    return text[length.end() : end], end


def _list(text: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    while text[at : at + 1] != b"e":
        value, at = _decode(text, at, depth + 1)
        values.append(value)
    return values, at + 1


def _dictionary(text: bytes, at: int, depth: int) -> tuple[dict[bytes, Value], int]:
    values: dict[bytes, Value] = {}
    while text[at : at + 1] != b"e":
        name, at = _string(text, at)
        values[name], at = _decode(text, at, depth + 1)
    return values, at + 1


def _wrong(what: str) -> PeerError:
    return PeerError(what, rule=_RULE)
