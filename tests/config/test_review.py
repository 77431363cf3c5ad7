import hashlib
from pathlib import Path
from typing import Any

import pytest

from centrex.base import ConfigError
from centrex.config import pending
from centrex.config.edit import Changed
from centrex.config.load import ConfigSource
from centrex.config.review import apply, changed_at, opened, review

TEXT = f"""\
# mine
[network]
domain = "example.com"  # ours

# calls
[routing]
[[routing.plans]]
name = "1"
destinations = ["2"]
[[routing.plans]]
name = "3"

[[auth.credentials]]
login = "1001"
ha1_md5 = "{"a" * 32}"
"""


@pytest.fixture
def source(tmp_path: Path) -> ConfigSource:
    file = tmp_path / "x.toml"
    file.write_text(TEXT)
    file.chmod(0o600)
    return ConfigSource(path=file)


def seen(source: ConfigSource) -> str:
    return str(opened(source)["fingerprint"])


def told(source: ConfigSource, *changes: dict[str, Any]) -> dict[str, Any]:
    return review(source, seen(source), list(changes)).told()


def test_a_configuration_is_opened_as_it_is_written(source: ConfigSource) -> None:
    answer = opened(ConfigSource(path=source.path, overrides=("network.port=5070",)))
    values = answer["values"]
    assert values["network"]["port"] == 5060
    assert answer["origins"]["network.port"] == "--set"
    assert values["network"]["guard"]["burst"] == 200
    assert values["network"]["address"] == ["0.0.0.0"]
    assert values["routing"]["plans"][1] == {
        "name": "3",
        "pattern": "",
        "destinations": [],
        "times": [],
        "strangers": False,
        "enabled": True,
        "note": "",
    }
    assert values["auth"]["credentials"][0]["ha1_md5"] == "***"
    assert values["auth"]["credentials"][0]["ha1_sha256"] == ""
    assert "a" * 32 not in str(answer)


def test_names_of_files_are_shown_as_written(source: ConfigSource) -> None:
    (source.path.parent / "logins").touch()
    source.path.write_text(TEXT.replace("[[auth", '[auth]\ncredentials_file = "logins"\n[[auth', 1))
    assert opened(source)["values"]["auth"]["credentials_file"] == "logins"


@pytest.mark.parametrize("text", ["[", '[network]\nprt = 1\ndomain = "x"\n'])
def test_a_file_that_cannot_be_used_is_refused(source: ConfigSource, text: str) -> None:
    source.path.write_text(text)
    with pytest.raises(ConfigError):
        opened(source)
    with pytest.raises(ConfigError):
        review(source, "", [])


def test_what_changes_is_told_with_its_effect(source: ConfigSource) -> None:
    answer = told(
        source,
        {"op": "set", "key": "network.port", "value": 5070},
        {"op": "set", "key": "media.mode", "value": "never"},
        {"op": "set", "key": "auth.nonce_life", "value": 60},
    )
    effects = {one["key"]: (one["old"], one["new"], one["effect"]) for one in answer["effects"]}
    assert effects == {
        "network.port": (5060, 5070, "restart"),
        "media.mode": ("auto", "never", "new-calls"),
        "auth.nonce_life": (300, 60, "live"),
    }
    assert all(one["words"] for one in answer["effects"])
    assert "+port = 5070\n" in answer["diff"]
    assert answer["problems"] == []
    assert source.path.read_text() == TEXT, "nothing is written by looking"


def test_what_is_wrong_is_told_at_its_field(source: ConfigSource) -> None:
    answer = told(
        source,
        {"op": "set", "key": "network.port", "value": 70_000},
        {"op": "set", "key": "registrar.store", "value": "memry"},
        {"op": "update", "list": "routing.plans", "index": 1, "value": {"pattern": "("}},
        {"op": "delete", "list": "routing.plans", "index": 5},
    )
    assert [one["key"] for one in answer["problems"]] == ["routing.plans[5]"]
    answer = told(
        source,
        {"op": "set", "key": "network.port", "value": 70_000},
        {"op": "set", "key": "registrar.store", "value": "memry"},
        {"op": "add", "list": "routing.plans", "value": {"pattern": "("}},
    )
    assert [(one["key"], one["nearest"]) for one in answer["problems"]] == [
        ("network.port", ""),
        ("routing.plans[2].pattern", ""),
        ("registrar.store", "memory"),
    ]
    assert answer["effects"] == []


def test_rows_that_change_places_are_told(source: ConfigSource) -> None:
    answer = told(source, {"op": "move", "list": "routing.plans", "index": 0, "to": 1})
    (change,) = answer["effects"]
    assert (change["key"], change["old"], change["new"]) == (
        "routing.plans",
        ["1", "3"],
        ["3", "1"],
    )


def test_a_key_that_the_command_line_overrules_is_told(source: ConfigSource) -> None:
    overruled = ConfigSource(path=source.path, overrides=("network.port=5070",))
    answer = told(overruled, {"op": "set", "key": "network.port", "value": 5080})
    (change,) = answer["effects"]
    assert (change["key"], change["new"]) == ("network.port", 5080)
    assert "--set" in change["words"]


def test_two_editors_do_not_overwrite_each_other(source: ConfigSource) -> None:
    fingerprint = seen(source)
    apply(source, fingerprint, [{"op": "set", "key": "network.port", "value": 5070}])
    written = source.path.read_text()
    with pytest.raises(Changed) as caught:
        apply(source, fingerprint, [{"op": "set", "key": "network.port", "value": 5080}])
    assert caught.value.fingerprint == seen(source)
    assert source.path.read_text() == written


def test_who_writes_between_looking_and_saving_is_not_overwritten(source: ConfigSource) -> None:
    reviewed = review(source, "", [{"op": "set", "key": "network.port", "value": 5070}])
    theirs = TEXT.replace("# mine", "# theirs")
    source.path.write_text(theirs)
    with pytest.raises(Changed):
        reviewed.save()
    assert source.path.read_text() == theirs


def test_remarks_and_order_are_kept(source: ConfigSource) -> None:
    change = {"op": "update", "list": "routing.plans", "index": 0, "value": {"note": "n"}}
    answer = apply(source, seen(source), [change])
    assert source.path.read_text() == TEXT.replace(
        'destinations = ["2"]\n', 'destinations = ["2"]\nnote = "n"\n'
    )
    assert answer["fingerprint"] == seen(source)
    assert source.path.stat().st_mode & 0o777 == 0o600


def test_a_password_is_hashed_for_the_realm_to_be_and_told_once(source: ConfigSource) -> None:
    changes: list[dict[str, Any]] = [
        {"op": "password", "login": "1001", "password": None},
        {"op": "password", "login": "1002", "users": ["*"], "password": "typed"},
        {"op": "set", "key": "auth.realm", "value": "new"},
    ]
    assert "passwords" not in told(source, *changes)
    answer = apply(source, seen(source), changes)
    assert set(answer["passwords"]) == {"1001"}
    rows = source.load().auth.credentials
    for login, password in (("1001", answer["passwords"]["1001"]), ("1002", "typed")):
        (row,) = (one for one in rows if one.login == login)
        text = f"{login}:new:{password}".encode()
        assert row.ha1_sha256.get_secret_value() == hashlib.sha256(text).hexdigest()
    assert rows[1].users == ("*",)
    assert answer["passwords"]["1001"] not in source.path.read_text()
    assert "typed" not in source.path.read_text()


def test_a_login_of_the_credentials_file_is_not_shadowed(source: ConfigSource) -> None:
    (source.path.parent / "logins").write_text(f"filed:example.com:{'0' * 32}\n")
    source.path.write_text(TEXT.replace("[[auth", '[auth]\ncredentials_file = "logins"\n[[auth', 1))
    answer = told(source, {"op": "password", "login": "filed", "password": "x"})
    (problem,) = answer["problems"]
    assert problem["key"] == "auth.credentials_file"
    assert "centrex user passwd filed" in problem["message"]
    row = {"op": "add", "list": "auth.credentials", "at": None, "value": {"login": "filed"}}
    answer = told(source, row, {"op": "password", "login": "filed", "password": "x"})
    assert [problem["key"] for problem in answer["problems"]] == ["auth.credentials_file"]


def test_nothing_is_changed_while_a_change_waits(source: ConfigSource) -> None:
    waiting = pending.Unconfirmed(former=TEXT, made="0", confirm_by="later")
    pending.begin(source.path, waiting)
    with pytest.raises(pending.Waiting, match="later"):
        apply(source, "", [{"op": "set", "key": "network.port", "value": 5070}])
    assert source.path.read_text() == TEXT


def test_a_file_of_an_odd_layout_is_edited_or_refused_but_never_spoilt(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(
        'network.domain = "x"\nauth = {realm = "r", credentials = [{login = "a"}]}\n'
        'routing.plans = [{name = "1"}]\n'
    )
    source = ConfigSource(path=file)
    apply(
        source,
        "",
        [
            {"op": "set", "key": "network.port", "value": 5070},
            {"op": "set", "key": "auth.nonce_life", "value": 60},
            {"op": "add", "list": "routing.plans", "at": 0, "value": {"name": "0"}},
            {"op": "move", "list": "routing.plans", "index": 0, "to": 1},
            {"op": "password", "login": "a", "password": "p"},
        ],
    )
    config = source.load()
    assert (config.network.port, config.auth.nonce_life, config.realm) == (5070, 60, "r")
    assert [plan.name for plan in config.routing.plans] == ["1", "0"]
    assert config.auth.credentials[0].ha1_md5.get_secret_value()


def test_what_is_left_with_nothing_in_it_is_no_obstacle(source: ConfigSource) -> None:
    changes = [
        {"op": "delete", "list": "auth.credentials", "index": 0},
        {"op": "delete", "list": "routing.plans", "index": 1},
        {"op": "delete", "list": "routing.plans", "index": 0},
        {"op": "unset", "key": "network.guard.burst"},
    ]
    apply(source, seen(source), changes)
    assert source.path.read_text() == (
        '# mine\n[network]\ndomain = "example.com"  # ours\n\n# calls\n[routing]\n'
    )


def test_when_a_file_was_written_is_told(source: ConfigSource) -> None:
    assert changed_at(source.path).endswith("Z")
    assert changed_at(source.path.parent / "nowhere") == ""


HASHED = TEXT.replace("a" * 32, "b" * 32) + 'note = "hall"\n'


@pytest.mark.parametrize(
    "changes",
    [
        [{"op": "update", "list": "auth.credentials", "index": 0, "value": {"login": "1009"}}],
        [{"op": "set", "key": "auth.credentials[0].login", "value": "1009"}],
    ],
)
def test_a_login_is_not_renamed_without_a_password(
    source: ConfigSource, changes: list[dict[str, Any]]
) -> None:
    source.path.write_text(HASHED)
    (problem,) = told(source, *changes)["problems"]
    assert problem["key"] == "auth.credentials[0].login"
    assert "1009 needs a password" in problem["message"]
    with pytest.raises(ConfigError, match="needs a password"):
        apply(source, seen(source), changes)
    assert source.path.read_text() == HASHED
    password = {"op": "password", "login": "1009", "users": None, "password": "fresh"}
    answer = apply(source, seen(source), [*changes, password])
    assert "auth.credentials[1009].login" in {one["key"] for one in answer["changed"]}
    (row,) = source.load().auth.credentials
    md5 = hashlib.md5(b"1009:example.com:fresh").hexdigest()
    assert row.ha1_md5.get_secret_value() == md5
    assert row.note == "hall"


def test_rows_of_logins_change_places_and_notes_without_passwords(source: ConfigSource) -> None:
    other = '[[auth.credentials]]\nlogin = "1002"\nha1_md5 = "' + "c" * 32 + '"\n'
    source.path.write_text(HASHED + other)
    move = {"op": "move", "list": "auth.credentials", "index": 0, "to": 1}
    note = {"op": "update", "list": "auth.credentials", "index": 0, "value": {"note": "new"}}
    assert told(source, move, note)["problems"] == []
