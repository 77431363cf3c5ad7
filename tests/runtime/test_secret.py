import stat
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.runtime.secret import load_secret


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    secret = load_secret(path)
    assert len(secret) == 32
    assert load_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_half_of_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"short")
    assert load_secret(path) != b"short"
    assert len(path.read_bytes()) == 32


def test_two_instances_have_two(tmp_path: Path) -> None:
    assert load_secret(tmp_path / "a") != load_secret(tmp_path / "b")


def test_why_there_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"secret.*No such file"):
        load_secret(tmp_path / "no" / "secret")
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable, match="Is a directory"):
        load_secret(tmp_path / "folder")
