import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import typer

from centrex import api
from cli import dashboard
from cli import main as command
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

VERBS = [
    ["attach"],
    ["init"],
    ["start"],
    ["stop"],
    ["reload"],
    ["status"],
    ["user"],
    ["user", "add"],
    ["user", "remove"],
    ["user", "list"],
    ["user", "passwd"],
    ["config"],
    ["config", "show"],
    ["config", "check"],
    ["config", "diff"],
    ["config", "set"],
    ["config", "schema"],
    ["registrations"],
    ["registrations", "remove"],
    ["calls"],
    ["explain"],
    ["bans"],
    ["bans", "release"],
]


@pytest.mark.parametrize("verb", [[], *VERBS], ids=" ".join)
def test_every_command_has_help_with_one_example(verb: list[str], line: CommandLine) -> None:
    result = line.run(*verb, "--help")
    assert result.exit_code == 0
    assert result.stdout.count("Example: ") == 1
    assert "centrex" in result.stdout.partition("Example: ")[2]


def test_the_version_is_told(line: CommandLine) -> None:
    result = line.run("--version")
    assert (result.exit_code, result.stdout) == (0, f"centrex {api.version()}\n")


@pytest.fixture
def shut_out(line: CommandLine) -> Iterator[None]:
    """An operator who may not search the instance's folder."""
    folder, user = line.paths.run, os.geteuid()
    folder.mkdir(parents=True)
    folder.chmod(0)
    if user == 0:
        os.seteuid(65534)
    yield
    os.seteuid(user)
    folder.chmod(0o700)


@pytest.mark.usefixtures("shut_out")
@pytest.mark.parametrize("verb", ["status", "reload", "calls", "log"])
def test_who_may_not_search_the_folder_is_told_whose_it_is(verb: str, line: CommandLine) -> None:
    result = line.run(verb)
    path = line.paths.control
    told = f"error: no permission to open {path}: be root or in the group that owns it\n"
    assert (result.exit_code, result.stderr) == (3, told)
    assert line.run(verb, "--json").exit_code == 3


@pytest.mark.parametrize("wrong", [["nonsense"], ["status", "--nonsense"], ["explain"]])
def test_wrong_usage_exits_2(wrong: list[str], line: CommandLine) -> None:
    assert line.run(*wrong).exit_code == 2


def test_a_bare_centrex_without_a_terminal_writes_a_secure_configuration_and_starts(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[api.ConfigSource] = []

    def serve(source: api.ConfigSource, *, instance: str, ready_fd: int | None) -> int:
        assert (instance, ready_fd) == ("default", None)
        started.append(source)
        return 0

    monkeypatch.setattr(api, "serve", serve)
    result = line.run()
    assert result.exit_code == 0, result.output
    config = started[0].load()
    assert config.auth.enabled
    assert config.auth.credentials == ()
    assert line.paths.config.stat().st_mode & 0o777 == 0o600
    assert "centrex user add" in result.stdout
    written = line.paths.config.read_text()
    assert line.run().exit_code == 0
    assert line.paths.config.read_text() == written


def _at_a_terminal(monkeypatch: pytest.MonkeyPatch, module: ModuleType = command) -> None:
    class Terminal:
        def __init__(self, stream: object) -> None:
            self._stream = stream

        def isatty(self) -> bool:
            return True

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

    class Sys:
        @property
        def stdin(self) -> Terminal:
            return Terminal(sys.stdin)

        @property
        def stdout(self) -> Terminal:
            return Terminal(sys.stdout)

    monkeypatch.setattr(module, "sys", Sys())


def _opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Note how the dashboard would be opened, in place of opening it."""
    opened: list[dict[str, Any]] = []

    def run(paths: api.InstancePaths, **wishes: Any) -> int:
        opened.append({"paths": paths, **wishes})
        return 0

    monkeypatch.setattr("tui.run.run", run)
    return opened


def test_at_a_terminal_the_dashboard_opens_and_asks_for_a_first_configuration(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_a_terminal(monkeypatch)
    opened = _opened(monkeypatch)
    assert line.run().exit_code == 0
    (wishes,) = opened
    assert wishes["source"]().path == line.paths.config
    told = wishes["writer"](
        {"domain": "sip.example.com", "address": ["0.0.0.0"], "port": 5070, "users": ["1001"]}
    )
    assert told["phones"][0]["login"] == "1001"
    assert told["phones"][0]["password"]
    config = wishes["source"]().load()
    assert (config.network.domain, config.network.port) == ("sip.example.com", 5070)


def test_where_there_is_a_configuration_nothing_is_asked(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _at_a_terminal(monkeypatch)
    opened = _opened(monkeypatch)
    line.write('[network]\ndomain = "x"\n')
    assert line.run().exit_code == 0
    assert opened[0]["writer"] is None


def test_attach_needs_a_terminal_and_an_instance(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line.run("attach").exit_code == 4
    _at_a_terminal(monkeypatch)
    _at_a_terminal(monkeypatch, dashboard)
    opened = _opened(monkeypatch)
    result = line.run("attach", "--read-only")
    assert result.exit_code == 3
    assert "centrex start" in result.stderr
    line.paths.control.parent.mkdir(parents=True, exist_ok=True)
    with FakeInstance(line.paths.control, {"snapshot": {"at": ""}}):
        assert line.run("attach", "--read-only").exit_code == 0
    assert opened[0]["read_only"] is True
    assert "source" not in opened[0]


def test_a_start_that_fails_is_a_failure_not_an_unreachable_instance(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(source: api.ConfigSource, **_: object) -> int:
        raise api.Unavailable("port 5060 is taken")

    monkeypatch.setattr(api, "serve", serve)
    line.write('[network]\ndomain = "x"\n')
    result = line.run("start")
    assert result.exit_code == 1
    assert "cannot start: port 5060 is taken" in result.stderr


def test_options_may_stand_before_the_verb(line: CommandLine) -> None:
    file = line.write('[network]\ndomain = "x"\n').rename(line.root / "own.toml")
    assert line.run("--config", str(file), "config", "check").exit_code == 0
    assert line.run("-i", "nobody", "config", "check").exit_code == 2


def test_a_reader_that_goes_away_is_no_failure(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(typer, "echo", gone)
    result = line.run("config", "schema")
    assert "error" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("centrex re", ["registrations", "relay", "relays", "reload", "restore"]),
        ("centrex config s", ["schema", "set", "show"]),
        ("centrex explain -Xabc --j", ["--json"]),
    ],
)
def test_a_shell_can_complete_it(typed: str, expected: list[str]) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from cli.main import main; main()"],
        env={
            **os.environ,
            "_CENTREX_COMPLETE": "complete_bash",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(result.stdout.split()) == expected


@pytest.mark.slow
def test_the_command_line_loads_no_textual() -> None:
    code = "import sys, cli.main; print([m for m in sys.modules if m.startswith('textual')])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


@pytest.mark.slow
def test_checking_a_configuration_loads_no_engine() -> None:
    code = (
        "import sys, cli.main; print([m for m in ('anyio', 'uvloop', 'dns') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"
