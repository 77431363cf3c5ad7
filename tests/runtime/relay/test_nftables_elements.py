import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Carried, Entry
from centrex.runtime.relay.netlink import grouped, nest, text
from centrex.runtime.relay.nftables_elements import (
    ELEMENTS,
    V4,
    V6,
    Counted,
    Element,
    decode,
    element,
    encode,
    read,
    write,
)

ENTRY = Entry(
    Address("10.0.0.1", 4000),
    Address("10.0.0.2", 30000),
    Address("10.0.0.2", 30002),
    Address("10.0.0.3", 5000),
    8000,
)
ENTRY6 = Entry(
    Address("fd00::1", 4000),
    Address("fd00::2", 30000),
    Address("fd00::2", 30002),
    Address("fd00::3", 5000),
)

OF_THE_TOOL = bytes.fromhex(
    "4400038040000180"
    "18000180140001000a0000010fa000000a00000275300000"
    "18000280140001000a000003138800000a00000275320000"
    "0b0006000005383030300000"
)
"""What nft 1.0.6 sends for `10.0.0.1 . 4000 . 10.0.0.2 . 30000 comment "8000" : 10.0.0.3 . 5000 .
10.0.0.2 . 30002`."""


def test_an_element_is_written_as_the_nft_tool_writes_it() -> None:
    written = list(write([encode(ENTRY).arriving._replace(comment="8000")]))
    assert written == [OF_THE_TOOL]


@pytest.mark.parametrize(("entry", "layout"), [(ENTRY, V4), (ENTRY6, V6)])
def test_an_entry_comes_back_as_it_was(entry: Entry, layout: object) -> None:
    encoded = encode(entry)
    assert encoded.layout is layout
    (body,) = (grouped(1, written) for written in write([encoded.arriving]))
    assert [decode(encoded.layout, one) for one in read(body)] == [entry]


def test_the_way_on_is_found_by_what_the_way_in_has_made_of_the_packet() -> None:
    leaving = encode(ENTRY).leaving
    assert leaving.key == bytes((10, 0, 0, 1, 0x75, 0x32, 0, 0, 10, 0, 0, 3, 0x13, 0x88, 0, 0))
    assert leaving.data == bytes((10, 0, 0, 2))


def test_counters_are_written_and_read() -> None:
    one = Element(bytes(16), bytes(16), "8000 Hz", Counted(5, 1 << 40))
    (body,) = (grouped(1, written) for written in write([one]))
    assert list(read(body)) == [one]


def test_a_counter_among_several_expressions_is_read() -> None:
    counter = nest(1, text(1, "counter"), nest(2))
    assert element(nest(11, counter)).counted == Counted(0, 0)
    assert element(nest(7, text(1, "quota"), nest(2))).counted is None


def test_other_userdata_is_no_comment() -> None:
    assert element(b"\x07\0\x06\0\x05\x01x\0").comment == ""
    assert element(b"\x05\0\x06\0\0\0\0\0").comment == ""


def test_many_elements_become_several_messages() -> None:
    many = [Element(number.to_bytes(40, "big"), bytes(40)) for number in range(2000)]
    written = list(write(many))
    assert len(written) > 1
    assert all(len(part) < 65536 for part in written)
    assert [one for part in written for one in read(grouped(1, part))] == many
    assert list(write([])) == []


def test_octets_are_those_of_udps_payload() -> None:
    assert Counted(3, 600).carried(V4) == Carried(3, 600 - 3 * 28)
    assert Counted(3, 600).carried(V6) == Carried(3, 600 - 3 * 48)
    assert Counted(3, 0).carried(V4) == Carried(3, 0)


@pytest.mark.parametrize(
    ("host", "port", "why"),
    [
        ("relay.example", 1, "family"),
        ("fd00::1", 1, "family"),
        ("10.0.0.1\0", 1, "family"),
        ("10.0.0.1", 0, "no port"),
        ("10.0.0.1", 65536, "no port"),
        ("0.0.0.0", 1, "one host"),
        ("224.0.0.1", 1, "one host"),
        ("255.255.255.255", 1, "one host"),
    ],
)
def test_what_is_no_hosts_address_is_refused(host: str, port: int, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        encode(ENTRY._replace(target=Address(host, port)))


@pytest.mark.parametrize("host", ["::", "ff02::1", "fe80::1", "fe80::1%lo", "febf::1", "10.0.0.1"])
def test_what_is_no_hosts_address_is_refused_in_ip6(host: str) -> None:
    with pytest.raises(Unavailable):
        encode(ENTRY6._replace(target=Address(host, 1)))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_left(data: bytes) -> None:
    for one in [*read(data), element(data), *read(grouped(1, nest(ELEMENTS, nest(1, data))))]:
        for layout in (V4, V6):
            try:
                decode(layout, one)
            except ValueError:
                continue


def test_an_element_of_another_length_is_none_of_ours() -> None:
    with pytest.raises(ValueError, match="another layout"):
        decode(V4, Element(bytes(16), bytes(40)))
