import json

import pytest

from centrex import api
from centrex.runtime.lock import InstanceLock
from cli import users as command
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

TEXT = '# mine\n[network]\ndomain = "example.com"\n'


@pytest.fixture(autouse=True)
def configuration(line: CommandLine) -> None:
    line.write(TEXT)


def logins(line: CommandLine) -> list[str]:
    return [user["login"] for user in line.json("user", "list")["users"]]


def test_a_login_is_added_with_a_generated_password(line: CommandLine) -> None:
    told = line.json("user", "add", "1001", "--note", "Reception", "--users", "1001, 1005")
    assert told["login"] == "1001"
    assert len(told["password"]) == 16
    assert told["reloaded"] is False
    (user,) = line.json("user", "list")["users"]
    assert (user["users"], user["note"]) == (["1001", "1005"], "Reception")
    assert user["algorithms"] == ["SHA-256", "MD5"]
    assert line.paths.config.read_text().startswith("# mine\n")


def test_a_password_from_standard_input_is_never_shown(line: CommandLine) -> None:
    result = line.run("user", "add", "1001", "--stdin", typed="secret word\n")
    assert result.exit_code == 0
    assert "secret" not in result.output
    result = line.run("user", "passwd", "1001", "--stdin", typed="other\n")
    row = api.ConfigSource(path=line.paths.config).load().auth.credentials[0]
    expected = api.credential("1001", "example.com", "other")
    assert row.ha1_md5.get_secret_value() == expected["ha1_md5"]


def test_no_password_is_no_password(line: CommandLine) -> None:
    assert line.run("user", "add", "1001", "--stdin", typed="\n").exit_code == 2
    assert line.run("user", "add", "1001", "--stdin", "--generate", typed="x\n").exit_code == 2
    assert logins(line) == []


def test_a_terminal_is_asked_twice(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sys:
        class stdin:
            isatty = staticmethod(lambda: True)

    monkeypatch.setattr(command, "sys", Sys)
    result = line.run("user", "add", "1001", typed="typed\ntyped\n")
    assert result.exit_code == 0, result.output
    assert "shown only now" not in result.output
    result = line.run("user", "add", "1002", typed="\n\n")
    assert "shown only now" in result.stdout


def test_logins_are_removed_and_unknown_ones_lead_to_near_ones(line: CommandLine) -> None:
    line.json("user", "add", "1001")
    result = line.run("user", "passwd", "1002")
    assert result.exit_code == 1
    assert "nearest: 1001" in result.stderr
    result = line.run("user", "remove", "1002", "--json")
    assert json.loads(result.stderr)["error"]["nearest"] == ["1001"]
    assert line.run("user", "add", "1001", "--generate").exit_code == 1
    assert line.run("user", "remove", "1001").exit_code == 0
    assert logins(line) == []
    assert "no logins" in line.run("user", "list").stdout


def test_a_table_shows_no_hashes(line: CommandLine) -> None:
    line.json("user", "add", "1001")
    row = api.ConfigSource(path=line.paths.config).load().auth.credentials[0]
    shown = line.run("user", "list").stdout
    assert "1001" in shown
    assert row.ha1_md5.get_secret_value() not in shown


@pytest.mark.wire
def test_a_running_instance_is_told(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"reload": {"changed": []}}) as instance:
        assert line.json("user", "add", "1001")["reloaded"] is True
    assert instance.asked == [("reload", {})]


@pytest.mark.wire
def test_a_password_is_shown_whatever_the_running_instance_says(line: CommandLine) -> None:
    refusal = {"code": "internal", "message": "the command failed"}
    with FakeInstance(line.paths.control, {"reload": refusal}):
        result = line.run("user", "add", "1001", "--generate")
        assert result.exit_code == 1
        assert "password (shown only now): " in result.stdout
        assert "the running instance has NOT taken it over" in result.stdout
        assert "the command failed" in result.stderr
        told = line.run("user", "passwd", "1001", "--json")
    assert len(json.loads(told.stdout)["password"]) == 16
    assert json.loads(told.stdout)["reloaded"] is False
    assert json.loads(told.stderr)["error"]["message"] == "the command failed"


@pytest.mark.wire
def test_one_that_starts_or_does_not_answer_is_not_said_not_to_run(line: CommandLine) -> None:
    line.paths.lock.parent.mkdir(parents=True)
    with InstanceLock(line.paths.lock):
        result = line.run("user", "add", "1001", "--generate")
    assert (result.exit_code, "NOT taken it over" in result.stdout) == (3, True)
    assert "password (shown only now): " in result.stdout
    assert "no instance is running" in line.run("user", "passwd", "1001").stdout


def test_who_may_not_even_look_whether_one_runs_is_shown_the_password(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(paths: api.InstancePaths) -> bool:
        raise api.Unavailable("cannot read the lock file")

    monkeypatch.setattr(api, "is_lock_free", refuse)
    result = line.run("user", "add", "1001", "--generate")
    assert (result.exit_code, "NOT taken it over" in result.stdout) == (3, True)
    assert "password (shown only now): " in result.stdout


@pytest.mark.wire
def test_the_phones_of_who_is_removed_are_signed_off(line: CommandLine) -> None:
    line.json("user", "add", "shop", "--users", "a%,c")
    nobody = {"code": "not-found", "message": "nobody is registered as c"}
    answers = {"reload": {"changed": []}, "registrations.remove": {"removed": 2}}
    with FakeInstance(line.paths.control, answers) as instance:
        assert line.json("user", "remove", "shop")["signed_off"] == 4
    assert instance.asked == [
        ("reload", {}),
        ("registrations.remove", {"aor": "sip:a%25@example.com"}),
        ("registrations.remove", {"aor": "sip:c@example.com"}),
    ]
    line.json("user", "add", "1001")
    with FakeInstance(line.paths.control, {**answers, "registrations.remove": nobody}):
        told = line.run("user", "remove", "1001")
        assert (told.exit_code, "signed off" in told.stdout) == (0, False)
    line.json("user", "add", "1001")
    failure = {"code": "internal", "message": "the command failed"}
    with FakeInstance(line.paths.control, {**answers, "registrations.remove": failure}):
        told = line.run("user", "remove", "1001")
        assert (told.exit_code, "removed 1001" in told.stdout) == (1, True)
    line.json("user", "add", "1001")
    assert line.json("user", "remove", "1001")["signed_off"] == 0, "none runs"
    line.write(TEXT.replace("example.com", "fd00::1"))
    line.json("user", "add", "1001")
    with FakeInstance(line.paths.control, answers) as instance:
        line.json("user", "remove", "1001")
    assert instance.asked[-1][1] == {"aor": "sip:1001@[fd00::1]"}


@pytest.mark.wire
def test_it_is_told_which_phones_of_who_is_removed_stay(line: CommandLine) -> None:
    stays = "phones it has registered stay so until that expires; `centrex registrations remove "
    line.json("user", "add", "1001")
    told = line.run("user", "remove", "1001").stdout
    assert f"{stays}sip:1001@example.com` ends them" in told, "none runs, but it had"
    line.json("user", "add", "desk", "--users", "1001,1002")
    line.json("user", "add", "1001")
    answers = {"reload": {"changed": []}, "registrations.remove": {"removed": 1}}
    with FakeInstance(line.paths.control, answers):
        told = line.run("user", "remove", "desk").stdout
        assert f"{stays}sip:1001@example.com` ends them" in told, "another login may be 1001"
        assert "stay" not in line.run("user", "remove", "1001").stdout


def test_an_invalid_configuration_is_not_edited(line: CommandLine) -> None:
    line.write(TEXT + "prt = 1\n")
    assert line.run("user", "add", "1001").exit_code == 2
    assert "1001" not in line.paths.config.read_text()
