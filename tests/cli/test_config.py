import json

import pytest

from centrex import api
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

TEXT = f"""\
# mine
[network]
domain = "example.com"  # ours
[[auth.credentials]]
login = "1001"
ha1_md5 = "{"a" * 32}"
"""


@pytest.fixture(autouse=True)
def configuration(line: CommandLine) -> None:
    line.write(TEXT)


def test_values_are_shown_with_their_origin_and_secrets_masked(line: CommandLine) -> None:
    result = line.run("config", "show", "--set", "network.port=5070")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert 'network.domain = "example.com"  # file' in lines
    assert "network.port = 5070  # --set" in lines
    assert "network.workers = 1  # default" in lines
    assert 'auth.credentials[0].ha1_md5 = "***"  # file' in lines
    assert 'wan.method = "stun"  # default; takes effect with a later version' in lines
    assert "a" * 32 not in result.stdout


def test_one_key_or_one_table_is_shown(line: CommandLine) -> None:
    assert set(line.json("config", "show", "network.port")["values"]) == {"network.port"}
    assert len(line.json("config", "show", "network.guard")["values"]) == 6
    told = line.json("config", "show", "auth.credentials")["values"]
    assert told["auth.credentials[0].login"] == {
        "value": "1001",
        "origin": "file",
        "available": True,
    }


def test_an_unknown_key_leads_to_the_nearest(line: CommandLine) -> None:
    for arguments in (("show", "network.prt"), ("set", "network.prt", "1")):
        result = line.run("config", *arguments)
        assert result.exit_code == 2
        assert "network.port" in result.stderr


def test_a_sound_configuration_passes(line: CommandLine) -> None:
    result = line.run("config", "check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert line.json("config", "check")["ok"] is True


def test_all_problems_are_listed_with_nearest_names(line: CommandLine) -> None:
    file = line.write('[network]\nport = 0.5\nprt = 1\n[registrar]\nstore = "memry"\n')
    result = line.run("config", "check")
    assert result.exit_code == 2
    assert f"{file}:1: network.domain: is required" in result.stderr
    assert f"{file}:2: network.port: must be a whole number" in result.stderr
    assert f"{file}:3: network.prt: unknown key (did you mean network.port?)" in result.stderr
    assert "(did you mean memory?)" in result.stderr
    told = line.json("config", "check", code=2)
    assert told["ok"] is False
    assert {problem["key"] for problem in told["problems"]} == {
        "network.domain",
        "network.port",
        "network.prt",
        "registrar.store",
    }


def test_warnings_do_not_fail(line: CommandLine) -> None:
    line.write('[network]\ndomain = "x"\n[auth]\ncredentials_file = "logins"\n')
    (line.paths.config.parent / "logins").write_text("nonsense\n")
    result = line.run("config", "check")
    assert result.exit_code == 0
    assert "logins:1: auth.credentials_file" in result.stderr
    assert len(line.json("config", "check")["warnings"]) == 1


def test_a_credentials_file_that_is_empty_is_a_warning_where_there_are_no_other_logins(
    line: CommandLine,
) -> None:
    text = '[network]\ndomain = "x"\n[auth]\ncredentials_file = "logins"\n'
    line.write(text)
    file = line.paths.config.parent / "logins"
    file.write_text("# none yet\n")
    (told,) = line.json("config", "check")["warnings"]
    assert (told["file"], told["key"]) == (str(file), "auth.credentials_file")
    assert told["message"].startswith("holds no logins, and there are no others: no phone can reg")
    line.write(f'{text}[[auth.credentials]]\nlogin = "1"\nha1_sha256 = "{"a" * 64}"\n')
    assert "holds no logins" not in line.run("config", "check").stderr
    line.write(f"{text}enabled = false\n")
    assert "holds no logins" not in line.run("config", "check").stderr


def test_logins_that_stand_in_two_places_are_told(line: CommandLine) -> None:
    line.write(
        '[network]\ndomain = "x"\n[auth]\ncredentials_file = "logins"\n'
        + "".join(f'[[auth.credentials]]\nlogin = "{user}"\n' for user in ("1001", "1002"))
    )
    line.paths.config.chmod(0o600)
    file = line.paths.config.parent / "logins"
    file.write_text(f"1001:x:{'a' * 32}\n1003:x:{'b' * 32}\n")
    result = line.run("config", "check")
    assert result.exit_code == 0
    assert f"1001 also in {file}; what auth.credentials says counts" in result.stderr
    told = line.json("config", "check")["warnings"]
    assert [one["key"] for one in told if "also in" in one["message"]] == ["auth.credentials"]


def test_a_missing_file_says_what_to_do(line: CommandLine) -> None:
    line.paths.config.unlink()
    result = line.run("config", "show")
    assert result.exit_code == 2
    assert "centrex init" in result.stderr


def test_two_files_are_compared(line: CommandLine) -> None:
    other = line.root / "other.toml"
    other.write_text(TEXT.replace("a" * 32, "b" * 32).replace("ours", "theirs") + 'note = "n"\n')
    told = line.json("config", "diff", str(other), code=1)["changed"]
    assert {change["key"] for change in told} == {
        "auth.credentials[1001].ha1_md5",
        "auth.credentials[1001].note",
    }
    assert {change["effect"] for change in told} == {"live"}
    result = line.run("config", "diff", str(other))
    assert result.exit_code == 1
    assert "applies at once" in result.stdout
    other.write_text(TEXT)
    assert line.run("config", "diff", str(other)).stdout == "nothing would change\n"


@pytest.mark.wire
def test_the_file_is_compared_with_the_running_instance(line: CommandLine) -> None:
    loaded = api.ConfigSource(path=line.paths.config).read()
    values = api.effective(loaded.config, loaded.origins)
    values["network.port"]["value"] = 5080
    with FakeInstance(line.paths.control, {"config": {"file": "x", "values": values}}):
        (change,) = line.json("config", "diff", code=1)["changed"]
    assert (change["key"], change["old"], change["new"]) == ("network.port", 5080, 5060)


def test_without_an_instance_there_is_nothing_to_compare_with(line: CommandLine) -> None:
    assert line.run("config", "diff").exit_code == 3


def test_a_key_is_set_and_comments_stay(line: CommandLine) -> None:
    result = line.run("config", "set", "network.port", "5070")
    assert result.exit_code == 0
    assert "5060 -> 5070" in result.stdout
    assert "restart" in result.stdout
    text = line.paths.config.read_text()
    assert text.startswith('# mine\n[network]\ndomain = "example.com"  # ours\nport = 5070\n')
    assert line.run("config", "set", "network.port", "5070").stdout == (
        "network.port has that value already\n"
    )


def test_set_tells_what_it_does_in_json(line: CommandLine) -> None:
    (change,) = line.json("config", "set", "auth.nonce_life", "60")["changed"]
    assert (change["old"], change["new"], change["effect"]) == (300, 60, "live")
    line.json("config", "set", "auth.credentials[0].note", "x y")
    assert api.ConfigSource(path=line.paths.config).load().auth.credentials[0].note == "x y"


@pytest.mark.parametrize(
    ("key", "value"),
    [("network.port", "many"), ("network.domain", ""), ("auth.credentials[5].note", "x")],
)
def test_nothing_is_written_that_would_not_load(key: str, value: str, line: CommandLine) -> None:
    assert line.run("config", "set", key, value).exit_code == 2
    assert line.paths.config.read_text() == TEXT


@pytest.mark.parametrize("table", ["registrar", "network.guard"])
def test_a_table_is_no_key_and_is_not_what_was_meant(table: str, line: CommandLine) -> None:
    result = line.run("config", "set", table, "5")
    assert result.exit_code == 2
    assert f"{table} is a table; set one of its keys" in result.stderr
    assert "did you mean" not in result.stderr
    assert f"`centrex config show {table}`" in result.stderr


def test_the_schema_is_json(line: CommandLine) -> None:
    schema = json.loads(line.run("config", "schema").stdout)
    assert schema["title"] == "Centrex configuration"


def test_a_table_has_a_help_page(line: CommandLine) -> None:
    assert "Network Configuration" in line.run("config", "help").stdout
    page = line.run("config", "help", "registrar").stdout
    assert page.startswith("Registrar\n\nHow phones that register are kept.")
    for inside in ("registrar.min_expires", "registrar"):
        assert line.run("config", "help", inside).stdout == page
    assert line.run("config", "help", "network.guard").stdout.startswith("Network Configuration")
    result = line.run("config", "help", "registar")
    assert result.exit_code == 2
    assert "registrar" in result.stderr
