import os
from pathlib import Path

import pytest

from centrex.base import ConfigError, Problem
from centrex.config.keys import find
from centrex.config.load import ConfigSource, load_text, parse_value, put, read_text

MINIMAL = '[network]\ndomain = "example.com"\n'
FILE = Path("/etc/centrex/x.toml")


def problems_of(text: str, *overrides: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, file=FILE, overrides=overrides)
    return caught.value.problems


def test_a_file_with_only_a_domain_is_complete() -> None:
    config = load_text(MINIMAL, file=FILE).config
    assert config.network.domain == "example.com"
    assert config.realm == "example.com"
    assert config.network.address == ("0.0.0.0",)
    assert config.events.sip_summary is False


def test_all_problems_are_told_at_once_in_the_file_and_in_the_options() -> None:
    text = """\
[netwrok]
x = 1
[network]
port = "5060"
prot = 1
transports = ["upd"]
[network.guard]
burst = 0
[[auth.credentials]]
login = "a"
[[auth.credentials]]
login = "b:"
ha1_md5 = "00"
"""
    found = problems_of(text, "network.workers=0", "netwok.x=1", "network=3", "network.port")
    told = {(problem.file, problem.key): problem for problem in found}
    file = str(FILE)
    assert told[file, "network.domain"].message == "is required"
    assert told[file, "network.port"].line == 4
    assert told[file, "network.port"].message == "must be a whole number, without quotes"
    assert told[file, "network.prot"].nearest == "network.port"
    assert told[file, "network.transports[0]"].nearest == "udp"
    assert told[file, "network.guard.burst"].line == 8
    assert told[file, "auth.credentials[1].login"].line == 12
    assert told[file, "auth.credentials[1].ha1_md5"].line == 13
    assert told[file, "netwrok"].nearest == "network"
    assert told["--set", "network.workers"].message == "must be at least 1"
    assert told["--set", "netwok.x"].message == "unknown key"
    assert "is a table" in told["--set", "network"].message
    assert "needs a value" in told["--set", "network.port"].message


def test_a_known_name_in_the_wrong_table_leads_to_the_right_one() -> None:
    (problem,) = problems_of(MINIMAL + 'realm = "x"\n')
    assert problem.nearest == "auth.realm"


def test_a_syntax_error_names_its_line() -> None:
    (problem,) = problems_of("[network]\ndomain = \n")
    assert problem.line == 2
    assert "cannot be read" in problem.message


def test_overrides_are_typed_and_win() -> None:
    loaded = load_text(
        MINIMAL + "port = 5080\n",
        file=FILE,
        overrides=[
            "network.port=5070",
            "network.transports=udp,tcp",
            'network.aliases=["a.example", "b.example"]',
            "auth.realm=12345",
            "network.guard.enabled=false",
            "basic.description='quoted'",
        ],
    )
    config = loaded.config
    assert config.network.port == 5070
    assert config.network.transports == ("udp", "tcp")
    assert config.network.aliases == ("a.example", "b.example")
    assert config.auth.realm == "12345"
    assert config.network.guard.enabled is False
    assert config.basic.description == "quoted"
    assert loaded.origins["network.port"] == "--set"
    assert loaded.origins["network.domain"] == "file"
    assert loaded.origins["network.workers"] == "default"


def test_an_override_reaches_into_a_row_or_is_refused() -> None:
    text = MINIMAL + '[[auth.credentials]]\nlogin = "1001"\n'
    config = load_text(text, file=FILE, overrides=["auth.credentials[0].enabled=false"]).config
    assert config.auth.credentials[0].enabled is False
    (problem,) = problems_of(text, "auth.credentials[1].enabled=false")
    assert problem.message == "there is no such row"


def test_addresses_may_be_one_text_or_a_list() -> None:
    one = load_text(MINIMAL + 'address = "::1"\n', file=FILE).config
    two = load_text(MINIMAL + 'address = ["0.0.0.0", "::"]\n', file=FILE).config
    assert one.network.address == ("::1",)
    assert two.network.address == ("0.0.0.0", "::")
    assert problems_of(MINIMAL + 'address = "nowhere"\n')[0].key == "network.address[0]"
    assert problems_of(MINIMAL + "address = []\n")[0].message == "must not be empty"
    assert problems_of(MINIMAL + "address = 5\n")[0].message == "must be a list in brackets"


def test_files_count_from_the_folder_of_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    (tmp_path / "logins").write_text("")
    text = MINIMAL + '[auth]\ncredentials_file = "logins"\n'
    config = load_text(text, file=file).config
    assert config.auth.credentials_file == str(tmp_path / "logins")


def test_files_of_an_override_count_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "logins").write_text("")
    monkeypatch.chdir(tmp_path)
    overrides = ["auth.credentials_file=logins"]
    config = load_text(MINIMAL, file=FILE, overrides=overrides).config
    assert config.auth.credentials_file == str(tmp_path / "logins")


def test_a_secret_never_shows_in_a_problem() -> None:
    text = MINIMAL + '[[auth.credentials]]\nlogin = "a"\nha1_md5 = "hunter2"\n'
    assert "hunter2" not in str(problems_of(text)[0])


def test_a_source_reads_again_and_tells_where_values_come_from(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(MINIMAL)
    source = ConfigSource(path=file, overrides=("network.port=5070",))
    assert source.load().network.port == 5070
    assert source.provenance()["network.port"] == "--set"
    file.write_text(MINIMAL.replace("example.com", "example.org"))
    assert source.load().network.domain == "example.org"


def test_hashes_that_others_can_read_are_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(MINIMAL + f'[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{"0" * 32}"\n')
    file.chmod(0o644)
    assert ["chmod 600" in str(one) for one in ConfigSource(path=file).read().warnings] == [True]
    file.chmod(0o600)
    assert ConfigSource(path=file).read().warnings == ()


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_text(file)
    assert caught.value.problems[0].file == str(file)


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_text(tmp_path)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("network.port", "5070", 5070),
        ("network.port", "many", "many"),
        ("auth.enabled", "false", False),
        ("auth.realm", "a b", "a b"),
        ("auth.realm", '"a b"', "a b"),
        ("network.aliases", "a, b", ["a", "b"]),
        ("network.aliases", "", []),
        ("network.aliases", "[", "["),
        ("routing.plans[0].times", "mon,wed 08:00-12:00; sat", ["mon,wed 08:00-12:00", "sat"]),
        ("registrar.database", "sqlite:///x", "sqlite:///x"),
    ],
)
def test_values_are_read_as_typed(key: str, text: str, value: object) -> None:
    known = find(key)
    assert known is not None
    assert parse_value(known, text) == value


def test_put_refuses_paths_that_lead_nowhere() -> None:
    data: dict[str, object] = {"a": {"b": 1}, "rows": [{}]}
    assert put(data, ("a", "c"), 2)
    assert not put(data, ("a", "b", "c"), 2)
    assert not put(data, ("rows", 1, "x"), 2)
    assert not put(data, ("a", 0, "x"), 2)
    assert put(data, ("rows", 0, "x"), 2)
    assert not put(data, ("rows", 0), 2)
    assert data == {"a": {"b": 1, "c": 2}, "rows": [{"x": 2}]}


def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    file = tmp_path / "x.toml"
    file.write_text(MINIMAL)
    file.chmod(0)
    with pytest.raises(ConfigError, match="Permission denied"):
        read_text(file)
