"""Entries as elements of nf_tables' maps, and back.

For each address family there are two maps. *Arriving* tells, by the four addresses and ports a packet
comes with, its target and the address and port it leaves from. *Leaving* tells the address it leaves
from by what the first has made of the packet, for that address can only be written once the packet
is routed: a packet that comes in from outside with an address of this host as its source is dropped.
No packet mark takes part.
"""

import socket
import struct
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final, NamedTuple

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Carried, Entry
from centrex.runtime.relay.netlink import Octets, attribute, attributes, first, nest, text

ELEMENTS: Final = 3
"""The attribute of a message that holds the elements."""

_KEY: Final = 1
_DATA: Final = 2
_USERDATA: Final = 6
_EXPRESSION: Final = 7
_EXPRESSIONS: Final = 11
_COUNTER_OCTETS: Final = 1
_COUNTER_PACKETS: Final = 2
_COMMENT: Final = 0
"""The userdata that the nft tool shows as a comment."""
_PORT: Final = struct.Struct(">HH")
_CHUNK: Final = 48 << 10
"""Octets of elements in one message: an attribute is less than 64 KiB long."""


class Layout(NamedTuple):
    """How the elements of one address family look."""

    family: int
    """`AF_INET` or `AF_INET6`."""
    width: int
    """Octets of an address."""
    headers: int
    """Octets of a packet's IP and UDP headers, which are no payload."""
    arriving: str
    """The name of the map of what comes in."""
    leaving: str
    """The name of the map of what goes on."""

    @property
    def length(self) -> int:
        """Octets of a key: two addresses, each followed by a port, in words of four octets."""
        return 2 * self.width + 8


V4: Final = Layout(socket.AF_INET, 4, 28, "arriving_ip", "leaving_ip")
V6: Final = Layout(socket.AF_INET6, 16, 48, "arriving_ip6", "leaving_ip6")
LAYOUTS: Final = (V4, V6)


class Counted(NamedTuple):
    """What nf_tables counts: octets with their headers."""

    packets: int = 0
    octets: int = 0

    def plus(self, other: "Counted") -> "Counted":
        """Add two counts."""
        return Counted(self.packets + other.packets, self.octets + other.octets)

    def carried(self, layout: Layout) -> Carried:
        """Return it as figures of UDP payload."""
        return Carried(self.packets, max(0, self.octets - self.packets * layout.headers))


class Element(NamedTuple):
    """One element of a map."""

    key: bytes
    data: bytes = b""
    comment: str = ""
    counted: Counted | None = None


class Encoded(NamedTuple):
    """An entry as the two maps have it."""

    layout: Layout
    arriving: Element
    leaving: Element


def encode(entry: Entry) -> Encoded:
    """Write an entry as elements.

    Raises:
        Unavailable: It is of two families, or an address is not numeric, not one host's, or of one
            link, which the address does not tell.
    """
    layout = V6 if ":" in entry.source.host else V4
    source, arrives, leaves, target = (
        _octets(layout, address)
        for address in (entry.source, entry.arrives, entry.leaves, entry.target)
    )
    far = target + _PORT.pack(entry.target.port, 0)
    from_port = _PORT.pack(entry.leaves.port, 0)
    comment = f"{entry.clock_rate} Hz" if entry.clock_rate else ""
    return Encoded(
        layout,
        Element(
            source + _PORT.pack(entry.source.port, 0) + arrives + _PORT.pack(entry.arrives.port, 0),
            far + leaves + from_port,
            comment,
        ),
        Element(source + from_port + far, leaves),
    )


def decode(layout: Layout, element: Element) -> Entry:
    """Return the entry of an element of the arriving map.

    Raises:
        ValueError: It is none of ours.
    """
    source, arrives = _addresses(layout, element.key)
    target, leaves = _addresses(layout, element.data)
    rate = element.comment.removesuffix(" Hz")
    clock_rate = int(rate) if rate.isdecimal() else 0
    return Entry(source, arrives, leaves, target, clock_rate)


def write(elements: Iterable[Element]) -> Iterator[bytes]:
    """Write elements as attributes, of which each fits into one message."""
    pending: list[bytes] = []
    size = 0
    for one in elements:
        written = nest(1, *_parts(one))
        if size + len(written) > _CHUNK:
            yield nest(ELEMENTS, *pending)
            pending, size = [], 0
        pending.append(written)
        size += len(written)
    if pending:
        yield nest(ELEMENTS, *pending)


def read(body: Octets) -> Iterator[Element]:
    """Read the elements of a message; `body` begins with nfnetlink's own four octets."""
    for kind, row in attributes(first(body[4:], ELEMENTS)):
        if kind == 1:
            yield element(row)


def element(row: Octets) -> Element:
    """Read the attributes of one element."""
    key = data = b""
    comment = ""
    counted: Counted | None = None
    for kind, value in attributes(row):
        if kind == _KEY:
            key = bytes(first(value, 1))
        elif kind == _DATA:
            data = bytes(first(value, 1))
        elif kind == _USERDATA:
            comment = _comment(bytes(value))
        elif kind == _EXPRESSION:
            counted = _counted(value)
        elif kind == _EXPRESSIONS:
            counted = _counted(first(value, 1))
    return Element(key, data, comment, counted)


def _octets(layout: Layout, address: Address) -> bytes:
    try:
        packed = socket.inet_pton(layout.family, address.host)
    except (OSError, ValueError):
        raise Unavailable(f"{address.host} is not of the stream's address family") from None
    if not 0 < address.port < 65536:
        raise Unavailable(f"{address.port} is no port")
    if not _of_one_host(layout, packed):
        raise Unavailable(f"{address.host} is not the address of one host on any link")
    return packed


def _of_one_host(layout: Layout, packed: bytes) -> bool:
    """Refuse groups, the unspecified address, and those of one link (RFC 4291 §2.5.6, §2.7)."""
    if layout is V4:
        return 0 < packed[0] < 224
    link = packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    return any(packed) and packed[0] != 0xFF and not link


def _addresses(layout: Layout, packed: bytes) -> tuple[Address, Address]:
    half = layout.width + 4
    if len(packed) != layout.length:
        raise ValueError("an element of another layout")
    return _address(layout, packed[:half]), _address(layout, packed[half:])


def _address(layout: Layout, packed: bytes) -> Address:
    host = socket.inet_ntop(layout.family, packed[: layout.width])
    return Address(host, _PORT.unpack_from(packed, layout.width)[0])


@cache
def _heads(kind: int, length: int) -> bytes:
    """Return what precedes a value: the heads of two attributes. Lengths are those of the layouts."""
    return nest(kind, attribute(1, bytes(length)))[:8]


def _parts(element: Element) -> Iterator[bytes]:
    yield _heads(_KEY, len(element.key)) + element.key
    if element.data:
        yield _heads(_DATA, len(element.data)) + element.data
    if element.comment:
        value = element.comment.encode() + b"\0"
        yield attribute(_USERDATA, bytes((_COMMENT, len(value))) + value)
    if element.counted is not None:
        yield nest(
            _EXPRESSION,
            text(1, "counter"),
            nest(
                2,
                attribute(_COUNTER_OCTETS, element.counted.octets.to_bytes(8, "big")),
                attribute(_COUNTER_PACKETS, element.counted.packets.to_bytes(8, "big")),
            ),
        )


def _comment(userdata: bytes) -> str:
    if len(userdata) < 2 or userdata[0] != _COMMENT:
        return ""
    return userdata[2 : 2 + userdata[1]].rstrip(b"\0").decode(errors="replace")


def _counted(expression: Octets) -> Counted | None:
    if bytes(first(expression, 1)) != b"counter\0":
        return None
    packets = octets = 0
    for kind, value in attributes(first(expression, 2)):
        if kind == _COUNTER_PACKETS:
            packets = int.from_bytes(value, "big")
        elif kind == _COUNTER_OCTETS:
            octets = int.from_bytes(value, "big")
    return Counted(packets, octets)
