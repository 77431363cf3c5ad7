import fcntl
import json
import time
from typing import Any

import pytest

from centrex import api
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

STATUS: dict[str, Any] = {
    "instance": "default",
    "version": "0.1.0",
    "pid": 7,
    "domain": "example.com",
    "state": "running",
    "started_at": "2026-01-01T00:00:00Z",
    "uptime_s": 90061,
    "config_file": "/etc/centrex/default.toml",
    "listeners": [
        {"transport": "UDP", "host": "0.0.0.0", "port": 5060},
        {"transport": "TCP", "host": "::", "port": 5060},
    ],
    "registrar": {"name": "registrar", "store": "memory", "users": 2, "bindings": 3},
    "auth": {"enabled": True, "realm": "example.com", "logins": 2},
    "warnings": ["beware\x1b[2J"],
    "statistics": {
        "registrations": {
            "now": 3,
            "peak": 4,
            "total": 9,
            "per_second": 0.1,
            "per_minute": 6,
            "refused": 1,
        },
        "calls": {"now": 1, "peak": 2, "total": 5, "failed": 1, "per_second": 0, "per_minute": 2},
        "messages": {"in": 10, "out": 11},
        "challenges": {"sent": 2, "refused": 1},
        "transactions": {"server": 1, "client": 1},
        "drops": {"guard": 3, "malformed": 0},
        "media_amiss": {"media-deadlock": 2},
    },
}


@pytest.mark.wire
def test_status_is_shown_for_people_and_for_programs(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"status": STATUS}):
        shown = line.run("status")
        assert line.json("status") == STATUS
    assert shown.exit_code == 0
    assert "udp 0.0.0.0:5060, tcp [::]:5060" in shown.stdout
    assert "1 d 01:01:01" in shown.stdout
    assert "2 users, 3 phones (memory)" in shown.stdout
    assert "3 guard" in shown.stdout
    (dropped,) = (line for line in shown.stdout.splitlines() if "dropped" in line)
    assert "media-deadlock" not in dropped, "nothing was dropped"
    assert "2 media-deadlock" in shown.stdout
    assert "malformed" not in shown.stdout
    assert "precedence" not in shown.stdout
    with FakeInstance(line.paths.control, {"status": {**STATUS, "precedence": "refused"}}):
        assert "no right to it (LimitNICE=-10)" in line.run("status").stdout
    assert "warning: beware\\x1b[2J" in shown.stderr
    assert "confirmed" not in shown.stderr
    waiting = {**STATUS, "confirm_by": "2026-11-27T04:39:35Z", "confirm_left_s": 41.6}
    with FakeInstance(line.paths.control, {"status": waiting}):
        shown = line.run("status")
    assert "wait to be confirmed until 2026-11-27T04:39:35Z (in 42 s), by K" in shown.stderr


def test_an_instance_that_does_not_run_is_unreachable(line: CommandLine) -> None:
    for verb in ("status", "stop", "reload", "calls", "registrations", "bans"):
        result = line.run(verb)
        assert result.exit_code == 3, verb
        assert "centrex start" in result.stderr
        assert result.stdout == ""
    told = json.loads(line.run("status", "--json").stderr)
    assert told["error"]["code"] == "unavailable"


@pytest.mark.wire
def test_stop_waits_for_the_end(line: CommandLine) -> None:
    answers = {"stop": {"stopping": True}, "status": STATUS}
    with FakeInstance(line.paths.control, answers) as instance:
        result = line.run("stop", "--grace", "1")
    assert (result.exit_code, result.stdout) == (0, "stopped\n")
    assert instance.asked[0] == ("stop", {"grace_s": 1})


@pytest.mark.wire
def test_stop_waits_for_the_lock_too(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    with (
        FakeInstance(line.paths.control, {"stop": {"stopping": True}}),
        line.paths.lock.open("w") as held,
    ):
        fcntl.flock(held, fcntl.LOCK_EX)

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                fcntl.flock(held, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", nap)
        assert line.json("stop") == {"stopping": True, "ended": True}
    assert len(naps) == 3


@pytest.mark.wire
def test_stop_need_not_wait(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"stop": {"stopping": True}}):
        assert line.json("stop", "--no-wait") == {"stopping": True, "ended": False}


@pytest.mark.wire
def test_reload_tells_what_changed(line: CommandLine) -> None:
    change = {"key": "auth.nonce_life", "old": 300, "new": 60, "effect": "live"}
    with FakeInstance(line.paths.control, {"reload": {"changed": [change]}}):
        result = line.run("reload")
        assert line.json("reload") == {"changed": [change], "waiting": []}
    assert "auth.nonce_life: 300 -> 60" in result.stdout
    assert "waiting" not in result.stdout
    with FakeInstance(line.paths.control, {"reload": {"changed": []}}):
        assert line.run("reload").stdout == "nothing has changed\n"
    renewed = "the TLS certificate was read anew\n"
    with FakeInstance(line.paths.control, {"reload": {"changed": [], "renewed": True}}):
        assert line.run("reload").stdout == renewed
    with FakeInstance(line.paths.control, {"reload": {"changed": [change], "renewed": True}}):
        assert line.run("reload").stdout == result.stdout + renewed


@pytest.mark.wire
def test_a_reload_that_changes_very_much_tells_how_much(line: CommandLine) -> None:
    changes = [
        {"key": f"directory.entries[n{number}].name", "old": None, "new": "x", "effect": "live"}
        for number in range(3000)
    ]
    with FakeInstance(line.paths.control, {"reload": {"changed": changes}}):
        told = line.run("reload").stdout.splitlines()
        assert len(line.json("reload")["changed"]) == 3000
    assert len(told) == 201
    assert told[-1] == "… and 2900 more"


@pytest.mark.wire
def test_reload_tells_what_waits_for_a_restart(line: CommandLine) -> None:
    change = {"key": "network.port", "old": 5060, "new": 5070, "effect": "restart"}
    answer = {"changed": [change], "waiting": ["network.port", "basic.state_dir"]}
    with FakeInstance(line.paths.control, {"reload": answer}):
        result = line.run("reload")
        assert line.json("reload") == answer
    assert "waits for a restart" in result.stdout
    assert "waiting for a restart: network.port, basic.state_dir\n" in result.stdout


@pytest.mark.wire
def test_a_bad_file_is_refused_with_its_problems(line: CommandLine) -> None:
    problem = {
        "file": "x",
        "key": "network.prt",
        "message": "unknown key",
        "nearest": "network.port",
    }
    error = {"code": "invalid", "message": "no", "problems": [{**problem, "line": 3}]}
    with FakeInstance(line.paths.control, {"reload": error}):
        result = line.run("reload")
    assert result.exit_code == 2
    assert "x:3: network.prt: unknown key (did you mean network.port?)" in result.stderr


@pytest.mark.wire
@pytest.mark.parametrize(
    ("code", "status"),
    [("not-found", 1), ("internal", 1), ("invalid", 2), ("unavailable", 3), ("refused", 4)],
)
def test_refusals_have_their_exit_codes(code: str, status: int, line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"status": {"code": code, "message": "why"}}):
        result = line.run("status")
    assert result.exit_code == status
    assert result.stderr == "error: why\n"


def test_start_passes_overrides_and_the_ready_descriptor(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.write('[network]\ndomain = "x"\n')
    seen: list[tuple[int, str, int | None]] = []

    def serve(source: api.ConfigSource, *, instance: str, ready_fd: int | None) -> int:
        seen.append((source.load().network.port, instance, ready_fd))
        return 0

    monkeypatch.setattr(api, "serve", serve)
    assert line.run("start", "--set", "network.port=5070", "--ready-fd", "5").exit_code == 0
    assert seen == [(5070, "default", 5)]


def test_start_needs_a_configuration_that_can_be_used(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(source: api.ConfigSource, **_: object) -> int:
        source.load()
        return 0

    monkeypatch.setattr(api, "serve", serve)
    assert line.run("start").exit_code == 2
    line.write('[network]\ndomain = "x"\n')
    result = line.run("start", "--set", "network.prt=1")
    assert result.exit_code == 2
    assert "--set: network.prt: unknown key (did you mean network.port?)" in result.stderr
