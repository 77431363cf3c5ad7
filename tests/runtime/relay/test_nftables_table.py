import json
import shutil
from collections.abc import Iterator

import pytest

from centrex.runtime.relay.netlink import NETFILTER, NFTABLES, Batch, Netlink, first, grouped, text
from centrex.runtime.relay.nftables_table import (
    INET,
    TABLE,
    describe,
    remark,
    table_name,
    told,
)
from tests.support.relay_lab import Namespace

PORTS = (30000, 39999)
GET_RULES = 7
EXPRESSIONS = 4

IN_WORDS = """
    table inet words {
        comment "centrex media relay, layout 1"
        map arriving_ip {
            type ipv4_addr . inet_service . ipv4_addr . inet_service : ipv4_addr . inet_service . ipv4_addr . inet_service
            size 50
            counter
        }
        map leaving_ip {
            type ipv4_addr . inet_service . ipv4_addr . inet_service : ipv4_addr
            size 50
            counter
        }
        map arriving_ip6 {
            type ipv6_addr . inet_service . ipv6_addr . inet_service : ipv6_addr . inet_service . ipv6_addr . inet_service
            size 50
            counter
        }
        map leaving_ip6 {
            type ipv6_addr . inet_service . ipv6_addr . inet_service : ipv6_addr
            size 50
            counter
        }
        chain arrives { type filter hook prerouting priority -290; policy accept; }
        chain starts {
            type route hook output priority -290; policy accept;
            meta l4proto icmp @th,0,8 5 @th,136,8 17 @th,224,16 30000-39999 drop
            meta l4proto 58 @th,0,8 137 @th,432,8 17 @th,704,16 30000-39999 drop
            meta l4proto 58 @th,0,8 137 @th,496,8 17 @th,768,16 30000-39999 drop
        }
        chain lands {
            type filter hook input priority 90; policy accept;
            ip frag-off & 0x3fff == 0 udp sport 30000-39999 ip saddr set ip saddr . udp sport . ip daddr . udp dport map @leaving_ip
            ip6 nexthdr udp udp sport 30000-39999 ip6 saddr set ip6 saddr . udp sport . ip6 daddr . udp dport map @leaving_ip6
        }
        chain leaves {
            type filter hook postrouting priority 90; policy accept;
            ip frag-off & 0x3fff == 0 udp sport 30000-39999 ip saddr set ip saddr . udp sport . ip daddr . udp dport map @leaving_ip
            ip6 nexthdr udp udp sport 30000-39999 ip6 saddr set ip6 saddr . udp sport . ip6 daddr . udp dport map @leaving_ip6
        }
    }
"""
"""What can be said of it in the language of nft, which cannot write several fields from one map."""


def test_a_name_the_nft_tool_would_not_read_is_escaped() -> None:
    assert table_name("relay-1.north_a") == "centrex-relay-1.north_a"
    names = ("a b", "a/20b", "ä", "a;b", "a\0b")
    assert len({table_name(name) for name in names}) == len(names)
    for name in names:
        assert set(table_name(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/.")


def test_a_remark_is_kept_as_the_nft_tool_keeps_comments() -> None:
    assert told("8000") == b"\x00\x058000\x00"
    assert told(remark()) == b"\x00\x1ecentrex media relay, layout 1\x00"


@pytest.fixture
def both() -> Iterator[tuple[Namespace, Netlink]]:
    """A namespace with the table as we make it, and as the nft tool makes it from words."""
    if not shutil.which("nft"):
        pytest.skip("no nft to compare with")
    try:
        room = Namespace()
    except PermissionError:
        pytest.skip("no right to make network namespaces")
    with room.inside(), Netlink(NETFILTER) as netlink:
        batch = Batch()
        describe(batch, "ours", ports=PORTS, limit=50)
        netlink.commit(batch)
        room.run("nft", "-f", "-", given=IN_WORDS)
        yield room, netlink
    room.close()


def rules(netlink: Netlink, table: str, chain: str) -> list[bytes]:
    bodies = netlink.listing(
        NFTABLES << 8 | GET_RULES, grouped(INET, text(TABLE, table), text(2, chain))
    )
    return [bytes(first(body[4:], EXPRESSIONS)) for body in bodies]


@pytest.mark.peer
def test_the_kernel_has_the_rules_that_nft_makes_from_words(
    both: tuple[Namespace, Netlink],
) -> None:
    _, netlink = both
    for chain in ("lands", "leaves"):
        assert rules(netlink, "ours", chain) == rules(netlink, "words", chain) != []
    ours = rules(netlink, "ours", "starts")
    assert len(ours) == 6
    assert [rule for rule in rules(netlink, "words", "starts") if rule not in ours] == []


@pytest.mark.peer
def test_nft_reads_maps_and_chains_as_if_it_had_made_them(both: tuple[Namespace, Netlink]) -> None:
    room, _ = both

    def listed(table: str) -> list[object]:
        rows = json.loads(room.run("nft", "-j", "list", "table", "inet", table))["nftables"]
        return [
            (kind, {name: told for name, told in row.items() if name not in {"handle", "table"}})
            for one in rows
            for kind, row in one.items()
            if kind in {"map", "chain"}
        ]

    assert listed("ours") == listed("words") != []


@pytest.mark.peer
def test_nft_lists_all_of_it_without_complaint(both: tuple[Namespace, Netlink]) -> None:
    room, _ = both
    with room.inside():
        listed = room.run("nft", "list", "table", "inet", "ours")
    assert 'comment "centrex media relay, layout 1"' in listed
    assert 'comment "IPv4, of an end here"' in listed
    assert listed.count("notrack") == 6
