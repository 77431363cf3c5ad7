import os
import stat
import tomllib
from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config.edit import Document, write_atomically

TEXT = """\
# The office
[network]  # network
domain = "x"   # the domain
# Port [0 to 65535]
#port = 5060

[auth]
# who
#port = 1
[[auth.credentials]]
login = "a"  # first
[[auth.credentials]]
login = "b"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(TEXT)
    return path


def test_a_key_is_changed_and_everything_else_stays(file: Path) -> None:
    document = Document(file)
    document.set(("network", "domain"), "y")
    document.save()
    assert file.read_text() == TEXT.replace('"x"', '"y"')


def test_a_default_that_is_commented_out_is_replaced_where_it_stands(file: Path) -> None:
    document = Document(file)
    document.set(("network", "port"), 5070)
    assert document.text == TEXT.replace("#port = 5060", "port = 5070")


def test_a_key_that_goes_leaves_its_default_where_a_remark_speaks_of_it(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    written = (
        '[basic]\n# What this server is for.\n#description = ""\nconfirm_exit = false\n\n'
        '[registrar]\nname = "r"\nmin_expires = 120 # my own remark\n'
    )
    path.write_text(written)
    document = Document(path)
    document.set(("basic", "description"), "x")
    document.unset(("basic", "description"), "")
    document.unset(("basic", "confirm_exit"), True)  # which no remark speaks of
    document.unset(("registrar", "min_expires"), 60)
    assert document.text == written.replace("confirm_exit = false\n", "").replace(
        "min_expires = 120", "#min_expires = 60"
    )
    document.set(("registrar", "min_expires"), 90)
    assert "\nmin_expires = 90 # my own remark\n" in document.text


def test_a_new_key_and_a_new_table_are_added(file: Path) -> None:
    document = Document(file)
    document.set(("network", "aliases"), ["a", "b"])
    document.set(("registrar", "name"), "r")
    document.set(("network", "guard", "burst"), 300)
    data = tomllib.loads(document.text)
    assert data["network"]["aliases"] == ["a", "b"]
    assert data["registrar"]["name"] == "r"
    assert data["network"]["guard"]["burst"] == 300
    assert "# first" in document.text


def test_rows_are_set_appended_and_removed(file: Path) -> None:
    document = Document(file)
    document.set(("auth", "credentials", 1, "note"), "n")
    document.append(("auth", "credentials"), {"login": "c", "users": ["*"]})
    document.remove(("auth", "credentials"), 0)
    rows = tomllib.loads(document.text)["auth"]["credentials"]
    assert rows == [{"login": "b", "note": "n"}, {"login": "c", "users": ["*"]}]
    document.remove(("auth", "credentials"), 0)
    document.remove(("auth", "credentials"), 0)
    assert "credentials" not in tomllib.loads(document.text)["auth"]


def test_rows_may_be_written_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('[auth]\ncredentials = [{login = "a"}]\n')
    document = Document(path)
    document.append(("auth", "credentials"), {"login": "b"})
    assert tomllib.loads(document.text)["auth"]["credentials"] == [{"login": "a"}, {"login": "b"}]


@pytest.mark.parametrize("text", ["", "[auth]\ncredentials = []\n"])
def test_the_first_row_makes_the_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text)
    document = Document(path)
    document.append(("auth", "credentials"), {"login": "b"})
    assert tomllib.loads(document.text) == {"auth": {"credentials": [{"login": "b"}]}}


def test_what_is_not_there_cannot_be_set_or_removed(file: Path) -> None:
    document = Document(file)
    with pytest.raises(IndexError):
        document.set(("auth", "credentials", 7, "note"), "n")
    with pytest.raises(IndexError):
        document.remove(("auth", "credentials"), 7)
    with pytest.raises(KeyError):
        document.set(("auth", "credentials", 0), "n")


def test_a_file_that_is_no_toml_is_refused(file: Path) -> None:
    file.write_text("[")
    with pytest.raises(ConfigError):
        Document(file)


def test_files_are_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "x.toml"
    write_atomically(path, "a")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    link = tmp_path / "link"
    link.symlink_to(path)
    write_atomically(link, "b")
    assert link.is_symlink()
    assert path.read_text() == "b"
    assert os.listdir(path.parent) == ["x.toml"]


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("old")
    with pytest.raises(TypeError):
        write_atomically(path, 5)  # type: ignore[arg-type]  # any failure will do
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.toml"]
