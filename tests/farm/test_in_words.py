"""What is known of a relay, as lines for people."""

from typing import Any

from centrex.farm.in_words import free_ports, in_words

ROW: dict[str, Any] = {
    "name": "one",
    "state": "available",
    "why": "",
    "path": "userspace",
    "path_why": "no right",
    "addresses": {"192.0.2.1": "203.0.113.1", "2001:db8::1": "2001:db8::1"},
    "sessions": 2,
    "capacity": 500,
    "heard_s": 4.2,
    "figures": {
        "sessions": 3,
        "peak": 9,
        "total": 40,
        "refused": 1,
        "ports_used": 12,
        "ports_leased": 1024,
        "ports_spare": 8,
        "ports_free": 8956,
        "packets_per_s": 300,
        "octets_out_per_s": 51_000,
        "packets": 7000,
        "packets_out": 6990,
        "drops": {"no-session": 4, "empty": 6},
        "dropped": 10,
        "cpu_ms": 1250,
        "relearned": 5,
        "unlearned_one": 1,
        "proxies": [
            {"name": "office", "connected": True, "sessions": 2},
            {"name": "192.0.2.9:5090", "connected": False, "sessions": 1},
        ],
    },
}


def test_all_that_a_relay_of_ours_tells() -> None:
    told = dict(in_words(ROW))
    assert told["data path"] == "userspace: no right"
    assert told["addresses"] == "192.0.2.1, told as 203.0.113.1; 2001:db8::1"
    assert told["calls of ours"] == "2 of 500"
    assert told["calls of all"] == "3 now, 9 at most, 40 in all"
    assert told["ports"].startswith(
        "12 used by calls, 9988 free (1024 of them leased ahead, 8 open"
    )
    assert told["figures"] == "as of 4 s ago, when it last told them"
    assert told["in"].startswith("300 packets/s, 0 octets/s; 7000 packets, ")
    assert told["out"].startswith("0 packets/s, 51000 octets/s; 6990 packets, ")
    assert told["dropped"] == "10: empty 6, no-session 4"
    assert told["learned anew"] == "5"
    assert told["processor"] == "1.2 s"
    assert told["proxy office"] == "connected, 2 calls"
    assert told["proxy 192.0.2.9:5090"] == "not connected, 1 calls"


def test_one_that_tells_little() -> None:
    rtpengine = {
        "name": "udp:192.0.2.5:2223",
        "state": "gone",
        "why": "it does not answer",
        "path": "rtpengine",
        "sessions": 0,
        "capacity": None,
        "heard_s": 4.2,
        "packets_per_s": 5,
        "octets_per_s": 860,
        "figures": {"packetrate": 5, "byterate": 860},
    }
    assert list(in_words(rtpengine)) == [
        ("state", "gone, it does not answer"),
        ("data path", "rtpengine"),
        ("calls of ours", "0"),
        ("relayed", "5 packets/s, 860 octets/s"),
    ]


def test_ports_that_a_call_could_have() -> None:
    assert free_ports({"ports_free": 5, "ports_leased": 3, "ports_spare": 2, "ports_used": 9}) == 10
    assert free_ports({"ports_free": 5}) == 5
    assert free_ports({}) is None
