import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.guard.sources import Networks, key_of


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:2::1", "2001:db8:1:2::/64"),
        ("2001:db8::1", "2001:db8:0:0::/64"),
        ("2001:db8::/64", "2001:db8:0:0::/64"),
        ("::1", "0:0:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"),
        ("::", "0:0:0:0::/64"),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.1"),
        ("somewhere", "somewhere"),
        ("no:address.at all", "no:address.at all"),
    ],
)
def test_a_source_is_an_address_or_a_network_of_64_bits(host: str, key: str) -> None:
    assert key_of(host) == key


@given(st.integers(0, 2**128 - 1))
def test_the_key_is_the_network_and_is_its_own_key(number: int) -> None:
    address = ipaddress.IPv6Address(number)
    key = key_of(str(address))
    assert key_of(key) == key
    if "." not in str(address) and address.ipv4_mapped is None:
        assert ipaddress.ip_network(key) == ipaddress.ip_network((number, 64), strict=False)


@given(st.text(alphabet="0123456789abcdef:./%g ", max_size=60))
def test_no_host_is_too_odd(host: str) -> None:
    assert isinstance(key_of(host), str)
    assert Networks(("10.0.0.0/8", "fd00::/8")).hold(host) in (True, False)


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ("192.0.2.200", True),
        ("192.0.3.1", False),
        ("::ffff:192.0.2.1", True),
        ("2001:db8:ffff::1", True),
        ("2001:db8:5:6::/64", True),
        ("2001:db9::1", False),
        ("198.51.100.1", True),
        ("198.51.100.2", False),
        ("somewhere", False),
        ("10.0.0", False),
    ],
)
def test_networks_hold_addresses(host: str, held: bool) -> None:
    networks = Networks(("192.0.2.77/24", "2001:db8::/32", "198.51.100.1"))
    assert networks.hold(host) is held


def test_an_empty_list_holds_nothing() -> None:
    assert not Networks(()).hold("127.0.0.1")


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"300\.0\.0\.0"):
        Networks(("300.0.0.0/8",))
