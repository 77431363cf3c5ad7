import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.runtime.relay.netlink import attribute, grouped, nest, text
from centrex.runtime.relay.nftables_counts import Counts
from centrex.runtime.relay.nftables_elements import ELEMENTS, V4, V6, Counted, Layout


def row(
    layout: Layout,
    index: int,
    *,
    comment: str = "",
    packets_first: bool = False,
    leaving: bool = False,
) -> bytes:
    """An element as the kernel lists it: its counter comes before its comment."""
    octets = attribute(1, struct.pack(">Q", index * 200))
    packets = attribute(2, struct.pack(">Q", index))
    counter = packets + octets if packets_first else octets + packets
    note = attribute(6, bytes((0, len(comment) + 1)) + comment.encode() + b"\0") if comment else b""
    return nest(
        1,
        nest(1, attribute(1, key(layout, index))),
        nest(2, attribute(1, bytes(layout.width if leaving else layout.length))),
        nest(7, text(1, "counter"), nest(2, counter)),
        note,
    )


def key(layout: Layout, index: int) -> bytes:
    return index.to_bytes(layout.length, "big")


def listing(*rows: bytes) -> bytes:
    return grouped(1, text(1, "table"), text(2, "map"), nest(ELEMENTS, *rows))


def expected(layout: Layout, count: int) -> dict[bytes, Counted]:
    return {key(layout, index): Counted(index, index * 200) for index in range(count)}


@pytest.mark.parametrize("layout", [V4, V6])
def test_all_counters_are_read(layout: Layout) -> None:
    comments = ("", "8000 Hz", "90000 Hz")
    rows = [row(layout, index, comment=comments[index % 3]) for index in range(300)]
    counts = Counts(layout)
    for _ in range(2):
        assert counts.read([listing(*rows[:150]), listing(*rows[150:])]) == expected(layout, 300)


@pytest.mark.parametrize("layout", [V4, V6])
def test_those_of_the_leaving_map_too(layout: Layout) -> None:
    rows = [row(layout, index, leaving=True) for index in range(20)]
    assert Counts(layout, leaving=True).read([listing(*rows)]) == expected(layout, 20)


def test_one_of_another_form_is_read_too() -> None:
    rows = [row(V4, index, packets_first=index in {0, 7}) for index in range(10)]
    assert Counts(V4).read([listing(*rows)]) == expected(V4, 10)


def test_one_without_a_counter_has_counted_nothing() -> None:
    bare = nest(1, nest(1, attribute(1, key(V4, 1))))
    assert Counts(V4).read([listing(row(V4, 0), bare)]) == {
        key(V4, 0): Counted(0, 0),
        key(V4, 1): Counted(0, 0),
    }


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_left(data: bytes) -> None:
    counts = Counts(V4)
    counts.read([listing(row(V4, 1))])
    counts.read([data, listing(data), listing(nest(1, data)), listing(row(V4, 1), data)])
    assert counts.read([listing(row(V4, 0))]) == expected(V4, 1)
