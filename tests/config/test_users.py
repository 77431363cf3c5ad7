import hashlib
from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config.load import ConfigSource
from centrex.config.users import UserError, Users, generate_password, ha1

TEXT = """\
# kept
[network]
domain = "example.com"
[[auth.credentials]]
login = "1001"
note = "x"  # kept too
"""


@pytest.fixture
def source(tmp_path: Path) -> ConfigSource:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    return ConfigSource(path=path)


@pytest.fixture
def filed(tmp_path: Path) -> ConfigSource:
    (tmp_path / "logins").write_text(f"500:example.com:{'0' * 32}\n")
    path = tmp_path / "y.toml"
    path.write_text('[network]\ndomain = "example.com"\n[auth]\ncredentials_file = "logins"\n')
    return ConfigSource(path=path)


def test_ha1_is_the_hash_of_login_realm_and_password() -> None:
    text = b"a:r:p"
    assert ha1("a", "r", "p") == (
        hashlib.md5(text, usedforsecurity=False).hexdigest(),
        hashlib.sha256(text).hexdigest(),
    )


def test_generated_passwords_differ_and_can_be_typed() -> None:
    made = {generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(one) == 16 and one.isalnum() and one.islower() for one in made)


def test_a_login_is_added_and_comments_stay(source: ConfigSource) -> None:
    assert Users(source).add("1002", "secret", users=["*"], note="n") == source.path
    row = source.load().auth.credentials[1]
    assert row.ha1_md5.get_secret_value() == ha1("1002", "example.com", "secret")[0]
    assert (row.users, row.note) == (("*",), "n")
    assert "# kept too" in source.path.read_text()
    assert "secret" not in source.path.read_text()


def test_a_password_is_changed(source: ConfigSource) -> None:
    Users(source).change_password("1001", "new")
    row = source.load().auth.credentials[0]
    assert row.ha1_sha256.get_secret_value() == ha1("1001", "example.com", "new")[1]
    assert row.note == "x"


def test_a_login_is_removed(source: ConfigSource) -> None:
    Users(source).remove("1001")
    assert source.load().auth.credentials == ()


def test_logins_are_listed(source: ConfigSource) -> None:
    Users(source).add("1002", "p")
    assert [(user.login, user.algorithms) for user in Users(source).list()] == [
        ("1001", ()),
        ("1002", ("SHA-256", "MD5")),
    ]


def test_what_is_there_already_or_is_not_there_is_refused(source: ConfigSource) -> None:
    before = source.path.read_text()
    with pytest.raises(UserError, match="already"):
        Users(source).add("1001", "p")
    with pytest.raises(UserError) as caught:
        Users(source).remove("1010")
    assert caught.value.nearest == ("1001",)
    with pytest.raises(UserError):
        Users(source).change_password("x", "p")
    with pytest.raises(ConfigError):
        Users(source).add("a b", "p")
    assert source.path.read_text() == before


def test_a_credentials_file_is_edited_where_the_login_lives_there(filed: ConfigSource) -> None:
    file = filed.path.parent / "logins"
    assert Users(filed).change_password("500", "p") == file
    md5, sha256 = ha1("500", "example.com", "p")
    assert file.read_text() == f"500:example.com:{md5}\n500:example.com:{sha256}\n"
    assert Users(filed).add("501", "p") == file
    assert [user.login for user in Users(filed).list()] == ["500", "501"]
    assert Users(filed).remove("500") == file
    assert [user.login for user in Users(filed).list()] == ["501"]


def test_what_a_credentials_file_cannot_hold_goes_to_the_configuration(filed: ConfigSource) -> None:
    assert Users(filed).add("502", "p", users=["*"]) == filed.path
    assert [user.login for user in Users(filed).list()] == ["502", "500"]


def test_whom_only_one_login_may_be(source: ConfigSource, filed: ConfigSource) -> None:
    logins = Users(source)
    assert logins.alone("1001") == ("1001",)
    logins.add("shop", "p", users=["1002", "1003", "ADA"])
    logins.add("desk", "p", users=["1003", "shop"])
    logins = Users(source)
    assert logins.alone("shop") == ("1002", "ADA")
    assert logins.alone("desk") == ("shop",), "the login of that name is somebody else"
    logins.add("Ada", "p")
    assert Users(source).alone("shop") == ("1002",), "phones write it either way"
    Users(source).add("all", "p", users=["*"])
    assert Users(source).alone("1001") == (), "they may be the group's phones"
    assert Users(source).alone("all") == ()
    assert Users(filed).alone("500") == ("500",)
    with pytest.raises(UserError, match="no login"):
        Users(source).alone("1009")


def test_who_edits_the_file_meanwhile_moves_no_password_to_another_login(
    source: ConfigSource,
) -> None:
    for login in ("1002", "1003"):
        Users(source).add(login, "theirs")
    asked = Users(source)  # and a password is typed, slowly
    Users(source).remove("1001")
    asked.change_password("1002", "new")
    rows = {row.login: row.ha1_md5.get_secret_value() for row in source.load().auth.credentials}
    assert rows == {
        "1002": ha1("1002", "example.com", "new")[0],
        "1003": ha1("1003", "example.com", "theirs")[0],
    }
    asked = Users(source)
    Users(source).remove("1002")
    with pytest.raises(UserError, match="there is no login '1002'"):
        asked.remove("1002")
    asked = Users(source)
    Users(source).add("1004", "theirs")
    with pytest.raises(UserError, match="there is a login '1004' already"):
        asked.add("1004", "mine")
    assert [row.login for row in source.load().auth.credentials] == ["1003", "1004"]
