import hashlib
import sys
from pathlib import Path

import pytest

from centrex import api
from cli import init as command
from tests.support.command_line import CommandLine


def test_a_secure_configuration_is_written_and_the_phones_are_told(line: CommandLine) -> None:
    told = line.json("init", "--domain", "example.com", "--user", "1001", "--user", "1002")
    file = Path(told["file"])
    assert file == line.paths.config
    assert file.stat().st_mode & 0o777 == 0o600
    assert (told["domain"], told["port"], told["transports"]) == (
        "example.com",
        5060,
        ["UDP", "TCP"],
    )
    loaded = api.ConfigSource(path=file).read()
    assert loaded.warnings == ()
    for phone, row in zip(told["phones"], loaded.config.auth.credentials, strict=True):
        text = f"{phone['login']}:example.com:{phone['password']}".encode()
        assert row.login == phone["login"]
        assert row.ha1_sha256.get_secret_value() == hashlib.sha256(text).hexdigest()
        assert phone["password"] not in file.read_text()


def test_flags_end_in_the_file(line: CommandLine) -> None:
    arguments = ("--address", "127.0.0.1", "--address", "::1", "--port", "5070")
    told = line.json("init", "--domain", "X.example", *arguments)
    config = api.ConfigSource(path=line.paths.config).load()
    assert config.network.domain == told["domain"] == "x.example"
    assert config.network.address == ("127.0.0.1", "::1")
    assert config.network.port == told["port"] == 5070
    assert told["server"] == "127.0.0.1"


def test_what_to_type_into_a_phone_is_shown(line: CommandLine) -> None:
    result = line.run("init", "--domain", "example.com", "--address", "127.0.0.1", "--user", "1001")
    assert result.exit_code == 0
    for words in ("example.com", "127.0.0.1", "5060", "UDP or TCP", "1001", "shown only now"):
        assert words in result.stdout


def test_nothing_is_overwritten_without_force(line: CommandLine) -> None:
    file = line.write("mine")
    result = line.run("init", "--domain", "example.com")
    assert result.exit_code == 4
    assert "--force" in result.stderr
    assert file.read_text() == "mine"
    assert line.run("init", "--domain", "example.com", "--force").exit_code == 0
    assert "example.com" in file.read_text()


def test_a_domain_is_needed_where_nobody_can_be_asked(line: CommandLine) -> None:
    result = line.run("init")
    assert result.exit_code == 2
    assert "--domain" in result.stderr


@pytest.mark.parametrize(
    "wrong",
    [("--domain", "a b"), ("--domain", "x", "--port", "99999"), ("--domain", "x", "--user", "a b")],
)
def test_what_cannot_be_is_refused_and_nothing_written(
    wrong: tuple[str, ...], line: CommandLine
) -> None:
    assert line.run("init", *wrong).exit_code == 2
    assert not line.paths.config.exists()


def test_a_terminal_is_asked(line: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sys:
        class stdin:
            isatty = staticmethod(lambda: True)

    monkeypatch.setattr(command, "sys", Sys)
    result = line.run("init", typed="example.com\n127.0.0.1\n\n101, 102\n")
    assert result.exit_code == 0, result.output
    config = api.ConfigSource(path=line.paths.config).load()
    assert config.network.address == ("127.0.0.1",)
    assert [row.login for row in config.auth.credentials] == ["101", "102"]
    assert sys.stdin is not Sys.stdin
