"""A relay's table in the kernel: made, changed and read by netlink, each change in one transaction.

Knows tables, maps and elements; what they mean for streams is not its business.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from centrex.base import Unavailable
from centrex.runtime.relay.netlink import (
    CREATE,
    ECHO,
    NFTABLES,
    Batch,
    Message,
    Netlink,
    first,
    grouped,
    text,
)
from centrex.runtime.relay.nftables_counts import Counts
from centrex.runtime.relay.nftables_elements import LAYOUTS, Counted, Element, Layout, read, write
from centrex.runtime.relay.nftables_table import (
    ANY_LENGTH,
    DELETE_ELEMENTS,
    DELETE_TABLE,
    GET_ELEMENTS,
    GET_TABLE,
    INET,
    NAME,
    NEW_ELEMENTS,
    NEW_TABLE,
    TABLE,
    USERDATA,
    describe,
    remark,
    table_name,
    told,
)

_PROOF: Final = Counted(1, 2)
"""What the element that proves that maps work has counted."""


class Maps:
    """The maps of one relay's table. Every method raises `OSError` where the kernel refuses.

    Args:
        relay: The relay's name.
        ports: The first and the last port of its range.
        limit: Elements of each map at most.
        netlink: A socket for netfilter; closed with this.

    Attributes:
        mtu: Octets of the longest IP packet that is carried, from when the table is made next.
    """

    def __init__(self, relay: str, *, ports: tuple[int, int], limit: int, netlink: Netlink) -> None:
        self._table = table_name(relay)
        self._ports = ports
        self._limit = limit
        self.mtu = ANY_LENGTH
        self._netlink = netlink
        self._counts = [(layout.arriving, Counts(layout)) for layout in LAYOUTS]
        self._left = [(layout.leaving, Counts(layout, leaving=True)) for layout in LAYOUTS]

    def close(self) -> None:
        """Let go of the socket; the table stays."""
        self._netlink.close()

    def known(self) -> bool:
        """Whether the table is there, and has the maps that this version makes."""
        try:
            answer = self._ask(GET_TABLE, text(TABLE, self._table))
        except FileNotFoundError:
            return False
        return bytes(first(answer[4:], USERDATA)) == told(remark())

    def make(self, arriving: Iterable[Element], leaving: Iterable[Element]) -> None:
        """Make the table anew with these elements, in the place of one that is there."""
        batch = Batch()
        self._clear(batch)
        describe(batch, self._table, ports=self._ports, limit=self._limit, mtu=self.mtu)
        self._add(batch, arriving, leaving)
        self._netlink.commit(batch)

    def exchange(
        self,
        *,
        off: tuple[Iterable[bytes], Iterable[bytes]],
        on: tuple[Iterable[Element], Iterable[Element]],
    ) -> Mapping[bytes, Counted]:
        """Take elements off and put others on, of the arriving and the leaving map in that order.

        Returns what those of the arriving map had counted to the end, by their keys.
        """
        batch = Batch()
        arriving, leaving = ([Element(key) for key in keys] for keys in off)
        for layout in LAYOUTS:
            self._change(batch, DELETE_ELEMENTS, ECHO, layout, layout.arriving, arriving)
            self._change(batch, DELETE_ELEMENTS, 0, layout, layout.leaving, leaving)
        self._add(batch, *on)
        echoed = _elements(self._netlink.commit(batch))
        return {element.key: element.counted or Counted() for element in echoed}

    def elements(self) -> Iterator[tuple[Layout, Element]]:
        """Read all elements of the arriving maps."""
        for layout in LAYOUTS:
            for answer in self._listing(layout.arriving):
                for element in read(answer):
                    yield layout, element

    def counted(self) -> Mapping[bytes, Counted]:
        """Read what all elements of the arriving maps have counted, by their keys."""
        return self._read(self._counts)

    def all_left(self) -> Mapping[bytes, Counted]:
        """Read what all elements of the leaving maps have counted, by their keys."""
        return self._read(self._left)

    def _read(self, maps: Iterable[tuple[str, Counts]]) -> Mapping[bytes, Counted]:
        counted: dict[bytes, Counted] = {}
        for name, counts in maps:
            counted.update(counts.read(self._listing(name)))
        return counted

    def left(self, layout: Layout, key: bytes) -> Counted | None:
        """Read what an element of the leaving map has counted; None where it is not there."""
        element = self._element(layout.leaving, key)
        return element and element.counted

    def prove(self) -> None:
        """Put an element that no packet matches into each map, read it, and take it off again.

        Raises:
            Unavailable: What comes back is not what was put in.
        """
        for layout in LAYOUTS:
            key = bytes(layout.length)
            for name, data in ((layout.arriving, key), (layout.leaving, key[: layout.width])):
                element = Element(key, data, counted=_PROOF)
                batch = Batch()
                self._change(batch, NEW_ELEMENTS, CREATE, layout, name, [element])
                self._netlink.commit(batch)
                seen = self._element(name, key)
                batch = Batch()
                self._change(batch, DELETE_ELEMENTS, ECHO, layout, name, [Element(key)])
                echoed = list(_elements(self._netlink.commit(batch)))
                if seen != element or echoed != [element]:
                    raise Unavailable("nf_tables does not give back what was put into its maps")

    def remove(self) -> None:
        """Remove the table, if it is there."""
        batch = Batch()
        self._clear(batch)
        self._netlink.commit(batch)

    def _clear(self, batch: Batch) -> None:
        # made first, for only what is there can be deleted
        body = grouped(INET, text(TABLE, self._table))
        batch.add(NEW_TABLE, CREATE, body)
        batch.add(DELETE_TABLE, 0, body)

    def _add(self, batch: Batch, arriving: Iterable[Element], leaving: Iterable[Element]) -> None:
        arriving, leaving = list(arriving), list(leaving)
        for layout in LAYOUTS:
            self._change(batch, NEW_ELEMENTS, CREATE, layout, layout.leaving, leaving)
            self._change(batch, NEW_ELEMENTS, CREATE, layout, layout.arriving, arriving)

    def _change(
        self,
        batch: Batch,
        kind: int,
        flags: int,
        layout: Layout,
        name: str,
        elements: Iterable[Element],
    ) -> None:
        of_layout = [element for element in elements if len(element.key) == layout.length]
        for written in write(of_layout) if of_layout else ():
            batch.add(kind, flags, grouped(INET, *self._map(name), written))

    def _listing(self, name: str) -> Iterable[bytes]:
        body = grouped(INET, *self._map(name))
        return self._netlink.listing(NFTABLES << 8 | GET_ELEMENTS, body)

    def _map(self, name: str) -> tuple[bytes, bytes]:
        return text(TABLE, self._table), text(NAME, name)

    def _ask(self, kind: int, *parts: bytes) -> bytes:
        return self._netlink.ask(NFTABLES << 8 | kind, 0, grouped(INET, *parts))

    def _element(self, name: str, key: bytes) -> Element | None:
        try:
            answer = self._ask(GET_ELEMENTS, *self._map(name), *write([Element(key)]))
        except FileNotFoundError:
            return None
        return next(read(answer), None)


def _elements(messages: Iterable[Message]) -> Iterator[Element]:
    for message in messages:
        if message.kind == NFTABLES << 8 | DELETE_ELEMENTS:
            yield from read(message.body)
