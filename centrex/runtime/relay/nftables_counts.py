"""The counters in a listing of a map, read fast: there are thousands, and once a second.

Elements of one map differ in their values only. So the first is read attribute by attribute, and
serves as the pattern of those that follow; one that differs from it is read as the first was.
"""

import struct
from collections.abc import Iterable
from typing import Final

from centrex.runtime.relay.netlink import first
from centrex.runtime.relay.nftables_elements import ELEMENTS, Counted, Layout, element

_HEADER: Final = struct.Struct("=HH")
_COUNTER: Final = "24sQ4sQ"
"""The heads of expression, name and counter; its octets; a head; its packets."""


class Counts:
    """Reads listings of a layout's arriving map, or of its leaving one."""

    def __init__(self, layout: Layout, *, leaving: bool = False) -> None:
        # each value follows the heads of two attributes
        data = layout.width if leaving else layout.length
        self._row = struct.Struct(f">8s{layout.length}s8s{data}s{_COUNTER}")
        self._pattern: tuple[bytes, ...] = ()

    def read(self, bodies: Iterable[bytes]) -> dict[bytes, Counted]:
        """Return what elements have counted, by their keys.

        Args:
            bodies: Messages without their headers, each beginning with nfnetlink's four octets.
        """
        found: dict[bytes, Counted] = {}
        for body in bodies:
            self._rows(bytes(first(body[4:], ELEMENTS)), found)
        return found

    def _rows(self, rows: bytes, found: dict[bytes, Counted]) -> None:
        at, end, least = 0, len(rows), self._row.size + 4
        while at + 4 <= end:
            length, _ = _HEADER.unpack_from(rows, at)
            if not 4 <= length <= end - at:
                return
            if length >= least:
                a, key, b, _, c, octets, d, packets = self._row.unpack_from(rows, at + 4)
                if (a, b, c, d) == self._pattern:
                    found[key] = Counted(packets, octets)
                    at += length + 3 & ~3
                    continue
            self._slowly(rows[at + 4 : at + length], found)
            at += length + 3 & ~3

    def _slowly(self, row: bytes, found: dict[bytes, Counted]) -> None:
        read = element(row)
        counted = read.counted or Counted()
        found[read.key] = counted
        if len(row) < self._row.size:
            return
        a, key, b, data, c, octets, d, packets = self._row.unpack_from(row)
        if (key, data, octets, packets) == (read.key, read.data, counted.octets, counted.packets):
            self._pattern = a, b, c, d
