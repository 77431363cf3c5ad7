"""The table of one relay: its maps, its chains and their rules, as nf_tables wants to hear them.

The rules look only at whole UDP datagrams whose port is in the relay's range, and touch only those a
map knows. Packets pass like this:

- from outside: `arrives` (before routing) writes target and ports, and `leaves` (after routing) or
  `lands` (where the target is on this host) the source address;
- from an end on this host: `starts` writes all of it, and the packet is routed again.

Connection tracking is told to leave alone what a map knows, and nothing else.
"""

import struct
from collections.abc import Iterator
from typing import Final

from centrex.runtime.relay.netlink import CREATE, Batch, attribute, grouped, nest, number, text
from centrex.runtime.relay.nftables_elements import LAYOUTS, V4, V6, Layout

NEW_TABLE: Final = 0
GET_TABLE: Final = 1
DELETE_TABLE: Final = 2
NEW_CHAIN: Final = 3
NEW_RULE: Final = 6
NEW_SET: Final = 9
NEW_ELEMENTS: Final = 12
GET_ELEMENTS: Final = 13
DELETE_ELEMENTS: Final = 14
"""Kinds of messages within nf_tables."""

INET: Final = 1
"""The family of tables that see both IPv4 and IPv6."""
TABLE: Final = 1
NAME: Final = 2
USERDATA: Final = 6
"""Attributes that messages of this kind have: the table's name, the set's or chain's, and a table's remark."""

LAYOUT: Final = 1
"""Grows whenever maps or elements change so that an older process's cannot be read."""

ANY_LENGTH: Final = 65_535
"""Octets that no UDP datagram exceeds, with its headers."""

_NFPROTO_V4: Final = 2
_NFPROTO_V6: Final = 10
_UDP: Final = 17
_MAP: Final = 0x8
_TYPE_IP, _TYPE_IP6, _TYPE_PORT = 7, 8, 13
"""The nft tool's numbers of data types, by which it shows elements as people know them."""
_HOOKS: Final = {
    # name: type of chain, hook, priority
    "arrives": ("filter", 0, -290),
    "starts": ("route", 3, -290),
    "lands": ("filter", 1, 90),
    "leaves": ("filter", 4, 90),
}
"""-290 is after reassembly (-400) and what a host does first with whole packets (-300), and before
connection tracking (-200). 90 is after a host's filters (0), which so see who really sent a packet."""

_EQUAL, _DIFFERENT, _AT_MOST, _AT_LEAST = 0, 1, 3, 5
_NETWORK, _TRANSPORT = 1, 2
_META_FAMILY: Final = 15
_META_PROTOCOL: Final = 16
_REGISTER: Final = 8
"""The first of the registers of four octets each."""
_INTERNET_SUM: Final = 1
_PSEUDO_HEADER: Final = 1
_SUM_AT: Final = 6
"""Where UDP's checksum stands (RFC 768)."""
_DROP, _ACCEPT = 0, 1
_HEADER6: Final = 40
_CITED: Final = {V4: (8,), V6: (48, 56)}
"""Where a redirect cites a packet (RFC 792; RFC 4861 §4.5, without and with the link's address)."""
_APPEND: Final = 0x800
"""The flag that puts a rule behind those a chain has."""


def table_name(relay: str) -> str:
    """Return the table's name; what the nft tool would not read in a name is escaped."""
    safe = "".join(
        char if char.isascii() and (char.isalnum() or char in "-_.") else f"/{char.encode().hex()}"
        for char in relay
    )
    return f"centrex-{safe}"


def remark() -> str:
    """Return what a table says of itself, by which its layout is recognised."""
    return f"centrex media relay, layout {LAYOUT}"


def told(comment: str) -> bytes:
    """Write a comment as the nft tool keeps it in a table's or a rule's userdata."""
    value = comment.encode() + b"\0"
    return bytes((0, len(value))) + value


def describe(
    batch: Batch, name: str, *, ports: tuple[int, int], limit: int, mtu: int = ANY_LENGTH
) -> None:
    """Append what makes the table, without elements; it must not exist then.

    Args:
        batch: To what it is appended.
        name: The table's.
        ports: The first and the last port of the relay's range.
        limit: Elements of each map at most.
        mtu: Octets of the longest IP packet that is carried.
    """
    table = text(TABLE, name)
    batch.add(NEW_TABLE, CREATE, grouped(INET, table, attribute(USERDATA, told(remark()))))
    for id_, layout in ((1, V4), (3, V6)):
        batch.add(NEW_SET, CREATE, grouped(INET, table, *_arriving(layout, id_, limit)))
        batch.add(NEW_SET, CREATE, grouped(INET, table, *_leaving(layout, id_ + 1, limit)))
    for chain, (type_, hook, priority) in _HOOKS.items():
        where = nest(4, number(1, hook), number(2, priority & 0xFFFFFFFF))
        parts = (text(3, chain), text(7, type_), number(5, 1), where)
        batch.add(NEW_CHAIN, CREATE, grouped(INET, table, *parts))
    for chain, comment, expressions in _rules(ports, mtu):
        written = nest(4, *(nest(1, expression) for expression in expressions))
        note = attribute(7, told(comment))
        batch.add(
            NEW_RULE, CREATE | _APPEND, grouped(INET, table, text(NAME, chain), written, note)
        )


def _types(*kinds: int) -> int:
    joined = 0
    for kind in kinds:
        joined = joined << 6 | kind
    return joined


def _ends(layout: Layout) -> int:
    kind = _address_type(layout)
    return _types(kind, _TYPE_PORT, kind, _TYPE_PORT)


def _address_type(layout: Layout) -> int:
    return _TYPE_IP if layout is V4 else _TYPE_IP6


def _arriving(layout: Layout, id_: int, limit: int) -> tuple[bytes, ...]:
    data = (_ends(layout), layout.length)
    return _map(layout, layout.arriving, data, id_, limit)


def _leaving(layout: Layout, id_: int, limit: int) -> tuple[bytes, ...]:
    data = (_address_type(layout), layout.width)
    return _map(layout, layout.leaving, data, id_, limit)


def _map(
    layout: Layout, name: str, data: tuple[int, int], id_: int, limit: int
) -> tuple[bytes, ...]:
    return (
        text(NAME, name),
        number(3, _MAP),
        number(4, _ends(layout)),
        number(5, layout.length),
        number(6, data[0]),
        number(7, data[1]),
        number(10, id_),
        nest(9, number(1, limit)),
        nest(17, text(1, "counter"), nest(2)),
    )


def _rules(ports: tuple[int, int], mtu: int) -> Iterator[tuple[str, str, list[bytes]]]:
    for layout in LAYOUTS:
        family = "IPv4" if layout is V4 else "IPv6"
        for remark_, summed in _sums(layout):
            far = [
                *_whole_udp(layout),
                *_at_most(layout, mtu),
                *_between(2, ports),
                *_NO_REPORT,
                *summed,
                *_look_up(layout, layout.arriving),
                _expression("notrack"),
                *_write_far(layout, summed=summed is not _WITHOUT_SUM),
            ]
            yield "arrives", f"{family}{remark_}, to its target", [*far, _verdict(_ACCEPT)]
            as_us = _write_source(layout, _REGISTER + layout.width // 4 + 1)
            yield "starts", f"{family}{remark_}, of an end here", [*far, as_us, _verdict(_ACCEPT)]
        for cited in _CITED[layout]:
            redirect = [*_redirect(layout, ports, cited), _verdict(_DROP)]
            yield "starts", f"no {family} redirect, where both ends are on one link", redirect
        near = [*_whole_udp(layout), *_between(0, ports), *_look_up(layout, layout.leaving)]
        for chain in ("lands", "leaves"):
            yield chain, f"{family}, as from us", [*near, _write_source(layout, _REGISTER)]


def _sums(layout: Layout) -> list[tuple[str, list[bytes]]]:
    """Tell packets with a checksum from those without, whose zero must stay (RFC 768).

    IPv6 has none without (RFC 8200 §8.1).
    """
    if layout is V6:
        return [("", [])]
    return [("", _WITH_SUM), (" without checksum", _WITHOUT_SUM)]


def _whole_udp(layout: Layout) -> list[bytes]:
    """Let only UDP datagrams pass that are in one piece; IPv6 without extension headers."""
    if layout is V6:
        return [
            _meta(_META_FAMILY),
            _compare(_EQUAL, bytes((_NFPROTO_V6,))),
            _load(_NETWORK, 6, 1),
            _compare(_EQUAL, bytes((_UDP,))),
        ]
    return [
        _meta(_META_FAMILY),
        _compare(_EQUAL, bytes((_NFPROTO_V4,))),
        # neither more fragments to come, nor an offset (RFC 791 §3.1)
        _load(_NETWORK, 6, 2),
        _mask(b"\x3f\xff"),
        _compare(_EQUAL, bytes(2)),
        _meta(_META_PROTOCOL),
        _compare(_EQUAL, bytes((_UDP,))),
    ]


def _at_most(layout: Layout, mtu: int) -> list[bytes]:
    """Let only packets pass that do on their way on; IPv6 tells its length without its header."""
    if mtu >= ANY_LENGTH:
        return []
    at, longest = (2, mtu) if layout is V4 else (4, max(mtu - _HEADER6, 0))
    return [_load(_NETWORK, at, 2), _compare(_AT_MOST, struct.pack(">H", longest))]


def _between(offset: int, ports: tuple[int, int]) -> list[bytes]:
    low, high = ports
    return [
        _load(_TRANSPORT, offset, 2),
        _compare(_AT_LEAST, struct.pack(">H", low)),
        _compare(_AT_MOST, struct.pack(">H", high)),
    ]


def _look_up(layout: Layout, name: str) -> list[bytes]:
    words = layout.width // 4
    source, destination = _address_offsets(layout)
    return [
        _load(_NETWORK, source, layout.width, _REGISTER),
        _load(_TRANSPORT, 0, 2, _REGISTER + words),
        _load(_NETWORK, destination, layout.width, _REGISTER + words + 1),
        _load(_TRANSPORT, 2, 2, _REGISTER + 2 * words + 1),
        _expression("lookup", text(1, name), number(2, _REGISTER), number(3, _REGISTER)),
    ]


def _address_offsets(layout: Layout) -> tuple[int, int]:
    """Where source and destination stand (RFC 791 §3.1, RFC 8200 §3)."""
    return (12, 16) if layout is V4 else (8, 24)


def _write_far(layout: Layout, *, summed: bool) -> list[bytes]:
    """Write target and both ports from what the arriving map has said."""
    words = layout.width // 4
    return [
        _write_address(layout, _address_offsets(layout)[1], _REGISTER),
        _write_port(2, _REGISTER + words, summed=summed),
        _write_port(0, _REGISTER + 2 * words + 1, summed=summed),
    ]


def _write_source(layout: Layout, register: int) -> bytes:
    return _write_address(layout, _address_offsets(layout)[0], register)


def _write_address(layout: Layout, offset: int, register: int) -> bytes:
    # IPv4's header has a checksum of its own; IPv6's has none
    own = (
        (number(6, _INTERNET_SUM), number(7, 10)) if layout is V4 else (number(6, 0), number(7, 0))
    )
    return _store(_NETWORK, offset, layout.width, register, *own, number(8, _PSEUDO_HEADER))


def _write_port(offset: int, register: int, *, summed: bool) -> bytes:
    sums = (
        (number(6, _INTERNET_SUM), number(7, _SUM_AT)) if summed else (number(6, 0), number(7, 0))
    )
    return _store(_TRANSPORT, offset, 2, register, *sums)


def _redirect(layout: Layout, ports: tuple[int, int], cited: int) -> list[bytes]:
    """Recognise a redirect that cites a packet of ours, `cited` octets behind ICMP's beginning.

    Where both ends are on one link, the kernel would tell the one to speak to the other directly.
    """
    icmp, type_, protocol_at, header = (1, 5, 9, 20) if layout is V4 else (58, 137, 6, 40)
    return [
        _meta(_META_PROTOCOL),
        _compare(_EQUAL, bytes((icmp,))),
        _load(_TRANSPORT, 0, 1),
        _compare(_EQUAL, bytes((type_,))),
        _load(_TRANSPORT, cited + protocol_at, 1),
        _compare(_EQUAL, bytes((_UDP,))),
        *_between(cited + header, ports),
    ]


def _expression(name: str, *parts: bytes) -> bytes:
    return text(1, name) + nest(2, *parts)


def _meta(key: int) -> bytes:
    return _expression("meta", number(2, key), number(1, _REGISTER))


def _load(base: int, offset: int, length: int, register: int = _REGISTER) -> bytes:
    place = (number(2, base), number(3, offset), number(4, length))
    return _expression("payload", number(1, register), *place)


def _store(base: int, offset: int, length: int, register: int, *sums: bytes) -> bytes:
    place = (number(2, base), number(3, offset), number(4, length))
    return _expression("payload", number(5, register), *place, *sums)


def _compare(operation: int, value: bytes) -> bytes:
    wanted = nest(3, attribute(1, value))
    return _expression("cmp", number(1, _REGISTER), number(2, operation), wanted)


def _mask(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        number(1, _REGISTER),
        number(2, _REGISTER),
        number(3, len(mask)),
        nest(4, attribute(1, mask)),
        nest(5, attribute(1, bytes(len(mask)))),
    )


def _verdict(code: int) -> bytes:
    return _expression("immediate", number(1, 0), nest(2, nest(2, number(1, code))))


_WITH_SUM: Final = [_load(_TRANSPORT, _SUM_AT, 2), _compare(_DIFFERENT, bytes(2))]
_WITHOUT_SUM: Final = [_load(_TRANSPORT, _SUM_AT, 2), _compare(_EQUAL, bytes(2))]
_NO_REPORT: Final = [_load(_TRANSPORT, 9, 1), _mask(b"\xe0"), _compare(_DIFFERENT, b"\xc0")]
"""No RTCP on the port of RTP (RFC 5761 §4): our socket sends that on, and reads what it reports."""
