"""`centrex relays`: the table, one relay in full, the calls that found none."""

from typing import Any

from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

FIGURES: dict[str, Any] = {
    "sessions": 3, "peak": 9, "total": 40, "refused": 1, "ports_used": 12, "ports_leased": 1000,
    "ports_spare": 8, "ports_free": 900, "drops": {"\x1b[2J": 4}, "dropped": 4,
    "proxies": [{"name": "office", "connected": True, "sessions": 2}],
}  # fmt: skip
ROW: dict[str, Any] = {
    "name": "one", "state": "available", "why": "no right", "path": "userspace",
    "path_why": "no right", "version": "1", "source": "192.0.2.1:4000", "sessions": 2,
    "capacity": 500, "packets_per_s": 30, "octets_per_s": 90, "heard_s": 3.1, "since_s": 3,
    "addresses": {}, "figures": FIGURES,
}  # fmt: skip
OTHER: dict[str, Any] = {**ROW, "name": "two", "capacity": None, "figures": {"packetrate": 5}}


def test_the_table_tells_ports_of_calls_and_what_is_left(line: CommandLine) -> None:
    answer = {"relays": [ROW, OTHER], "unrelayed": 3}
    with FakeInstance(line.paths.control, {"relays": answer}):
        said = line.run("relays").stdout.splitlines()
        assert said[0].split()[:9] == [
            "RELAY", "STATE", "CALLS", "CAPACITY", "PORTS", "FREE", "PACKETS/S", "AS", "OF",
        ]  # fmt: skip
        assert said[1].split()[:7] == ["one", "available", "2", "500", "12", "1908", "30"]
        assert "  30         3 s ago  userspace  " in said[1]
        assert said[2].split()[:7] == ["two", "available", "2", "-", "-", "-", "30"]
        assert said[3] == "3 times there was no relay for a call"
        assert line.json("relays") == answer
    with FakeInstance(line.paths.control, {"relays": {"relays": [ROW]}}):
        assert len(line.run("relays").stdout.splitlines()) == 2, "an older instance"


def test_all_that_is_known_of_one(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"relays": {"relays": [ROW, OTHER], "unrelayed": 0}}):
        said = line.run("relays", "show", "one").stdout
        assert "data path:       userspace: no right" in said
        assert "figures:         as of 3 s ago, when it last told them" in said
        free = "1908 free (1000 of them leased ahead, 8 open for the next calls)"
        assert f"12 used by calls, {free}" in said, "the same figure as in the table"
        assert "proxy office:    connected, 2 calls" in said
        assert "\\x1b[2J 4" in said
        assert line.json("relays", "show", "one") == ROW
        failed = line.run("relays", "show", "three")
        assert failed.exit_code == 1
        assert "there is no relay three" in failed.stderr


def test_what_rtpengine_does_not_tell_is_a_dash(line: CommandLine) -> None:
    end: dict[str, Any] = {
        "signalled": "192.0.2.7:4000", "learned": "", "packets": 9, "lost": None, "jitter_ms": None,
        "drops": {}, "kernel": None,
    }  # fmt: skip
    call = {"call_id": "abc", "streams": [[end, {**end, "kernel": True, "lost": 2}], None]}
    answer = {"relays.calls": [call], "total": 1}
    with FakeInstance(line.paths.control, {"relays.calls": answer}):
        said = [row.split() for row in line.run("relays", "calls", "one").stdout.splitlines()]
    assert said[1][4:] == ["9", "-", "-", "-", "0", "-"]
    assert said[2][4:] == ["9", "2", "-", "-", "0", "yes"]
