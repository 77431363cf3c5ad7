from pathlib import Path

import pytest

from tui.writing import usual_path, write_anew


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "here").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "home" / "here")
    return tmp_path / "home"


def test_the_usual_path_says_where_it_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usual_path("a.txt") == "~/here/a.txt"
    monkeypatch.chdir(tmp_path)
    assert usual_path("a.txt") == f"{tmp_path}/a.txt"


def test_a_folder_that_is_gone_is_none(home: Path) -> None:
    (home / "here").rmdir()
    assert usual_path("a.txt") == "a.txt"
    with pytest.raises(OSError, match="No such file"):
        write_anew("a.txt", b"x")


def test_a_file_is_its_owners_and_written_once(home: Path) -> None:
    path = write_anew("~/here/a.txt", b"one")
    assert path == home / "here" / "a.txt"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_anew("a.txt", b"two")
    assert path.read_bytes() == b"one"


def test_a_home_that_nobody_has_is_told(home: Path) -> None:
    with pytest.raises(OSError, match="no such home folder"):
        write_anew("~nobody-has-this-name/a.txt", b"x")
