"""STUN as far as it takes to learn under which address one is seen (RFC 8489): a question, and its answer.

Neither sockets nor repetition are its business.
"""

import ipaddress
import struct
from typing import Final

from centrex.base import PeerError

PORT: Final = 3478
_HEADER: Final = struct.Struct(">HHI12s")
_ATTRIBUTE: Final = struct.Struct(">HH")
_COOKIE: Final = 0x2112A442
_REQUEST, _SUCCESS = 0x0001, 0x0101
_MAPPED, _XOR_MAPPED = 0x0001, 0x0020
_IPV4: Final = 0x01
_RULE: Final = "RFC 8489 §14"


def question(transaction: bytes) -> bytes:
    """Return a Binding request; `transaction` is its twelve random octets."""
    return _HEADER.pack(_REQUEST, 0, _COOKIE, transaction)


def mapped(data: bytes, transaction: bytes) -> str:
    """Return the IPv4 address that an answer tells.

    Raises:
        PeerError: It is no success, no answer to that question, or tells no such address.
    """
    if len(data) < _HEADER.size:
        raise PeerError("the answer is too short", rule="RFC 8489 §5")
    kind, length, cookie, told = _HEADER.unpack_from(data)
    if told != transaction or cookie != _COOKIE or len(data) != _HEADER.size + length:
        raise PeerError("that answers something else", rule="RFC 8489 §6.3")
    if kind != _SUCCESS:
        raise PeerError("it refuses to tell", rule="RFC 8489 §6.3.4")
    found = _attributes(data[_HEADER.size :])
    value = found.get(_XOR_MAPPED) or found.get(_MAPPED)
    if value is None or len(value) != 8 or value[1] != _IPV4:
        raise PeerError("it tells no IPv4 address", rule=_RULE)
    (number,) = struct.unpack_from(">I", value, 4)
    return str(ipaddress.IPv4Address(number ^ _COOKIE if _XOR_MAPPED in found else number))


def _attributes(data: bytes) -> dict[int, bytes]:
    """Return the first attribute of each kind."""
    found: dict[int, bytes] = {}
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if at + length > len(data):
            raise PeerError("an attribute ends beyond the message", rule=_RULE)
        found.setdefault(kind, data[at : at + length])
        at += length + -length % 4
    return found
