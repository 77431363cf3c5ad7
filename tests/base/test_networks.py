import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import networks as module
from centrex.base.networks import Networks


@pytest.mark.parametrize(
    ("texts", "host", "inside"),
    [
        (["10.0.0.0/8"], "10.255.255.255", True),
        (["10.0.0.0/8"], "11.0.0.0", False),
        (["10.1.2.3/8"], "10.9.9.9", True),  # host bits may be set
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["192.0.2.7", "198.51.100.0/24"], "198.51.100.9", True),
        (["0.0.0.0/0"], "203.0.113.1", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["2001:db8::/32"], "2001:db8:0:0::7", True),
        (["2001:db8::7"], "2001:DB8::0007", True),
        (["2001:db8::/32"], "2001:db9::7", False),
        (["::/0"], "192.0.2.7", False),
        ([], "192.0.2.7", False),
        (["10.0.0.0/8"], "phone.example.com", False),
        (["10.0.0.0/8"], "", False),
        (["0.0.0.0/0"], "010.0.0.1", False),
    ],
)
def test_an_address_is_inside_or_not(texts: list[str], host: str, inside: bool) -> None:
    networks = Networks(texts)
    assert [host in networks for _ in range(2)] == [inside, inside], "asked again"


@pytest.mark.parametrize("text", ["phone.example.com", "10.0.0.0/33", "10.0.0", "", "::g"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        Networks(["10.0.0.0/8", text])


def test_none_are_false() -> None:
    assert not Networks()
    assert Networks(["192.0.2.7"])


@given(
    st.ip_addresses(v=4),
    st.integers(0, 32),
    st.lists(st.ip_addresses(v=4), min_size=1, max_size=5),
)
def test_it_agrees_with_the_arithmetic(
    address: ipaddress.IPv4Address, prefix: int, hosts: list[ipaddress.IPv4Address]
) -> None:
    networks = Networks([f"{address}/{prefix}"])
    shift = 32 - prefix
    for host in hosts:
        assert (str(host) in networks) == (int(host) >> shift == int(address) >> shift)


def test_answers_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MEMO_BOUND", 3)
    looked: list[str] = []
    look = Networks._look

    def noted(networks: Networks, host: str) -> bool:
        looked.append(host)
        return look(networks, host)

    monkeypatch.setattr(Networks, "_look", noted)
    networks = Networks(["192.0.2.0/30"])
    hosts = [f"192.0.2.{number}" for number in range(5)]
    for host in hosts[:3] * 4:
        assert host in networks
    assert looked == hosts[:3]
    for host in hosts * 2:
        assert (host in networks) == (host != "192.0.2.4")
    assert len(networks._memo) <= 3
