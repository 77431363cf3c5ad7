import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from centrex.auth import Login
from centrex.config import htdigest

MD5, SHA = "0" * 32, "1" * 64
TEXT = f"# logins\na:r:{MD5}\na:r:{SHA}\nb:r:{MD5}\na:other:{MD5}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "logins"
    path.write_text(TEXT)
    return path


def test_logins_are_listed_by_realm(file: Path) -> None:
    found, problems = htdigest.logins(file, "r")
    assert found == {"a": ("SHA-256", "MD5"), "b": ("MD5",)}
    assert problems == ()


def test_a_wrong_line_is_told(file: Path) -> None:
    file.write_text(f"nonsense\n{TEXT}")
    found, problems = htdigest.logins(file, "r")
    assert set(found) == {"a", "b"}
    assert [problem.line for problem in problems] == [1]


def test_a_login_is_replaced_where_it_stands(file: Path) -> None:
    htdigest.replace(file, "a", "r", ("2" * 32,))
    assert file.read_text() == f"# logins\na:r:{'2' * 32}\nb:r:{MD5}\na:other:{MD5}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_new_login_comes_last_and_none_removes_it(file: Path) -> None:
    htdigest.replace(file, "c", "r", (MD5, SHA))
    assert file.read_text() == f"{TEXT}\nc:r:{MD5}\nc:r:{SHA}\n"
    htdigest.replace(file, "c", "r", ())
    assert file.read_text() == f"{TEXT}\n"


def test_bytes_of_other_lines_survive(file: Path) -> None:
    file.write_bytes(b"\xff:r:" + MD5.encode() + b"\n")
    htdigest.replace(file, "c", "r", (MD5,))
    assert file.read_bytes() == b"\xff:r:" + MD5.encode() + f"\nc:r:{MD5}\n".encode()


def test_a_line_ends_where_it_ends_for_who_reads_them(file: Path) -> None:
    file.write_text(f"# odd:\x85 \u2028 ones\n\n{TEXT}\n", encoding="utf-8")
    htdigest.replace(file, "c", "r", (MD5,))
    assert file.read_text(encoding="utf-8") == f"# odd:\x85 \u2028 ones\n\n{TEXT}\nc:r:{MD5}\n"


def test_several_at_once_lose_nobodys_login(file: Path) -> None:
    names = [f"u{number}" for number in range(60)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda name: htdigest.replace(file, name, "r", (MD5,)), names))
    found, problems = htdigest.logins(file, "r")
    assert set(found) == {"a", "b", *names}
    assert problems == ()


def test_what_has_become_of_the_logins_is_told() -> None:
    def rows(*names: str, digit: bytes = b"0") -> list[Login]:
        return [Login(name.encode(), digit * 32, b"") for name in names]

    assert htdigest.changed(rows("a"), rows("a"), "x") is None
    assert htdigest.changed([], [], "x") is None
    told = htdigest.changed(rows("a", "b"), [*rows("a", digit=b"1"), *rows("c", "d")], "x")
    assert told is not None
    assert (told.key, told.old, told.new, told.effect) == (
        "auth.credentials_file", "2 logins", "3 logins", "live",
    )  # fmt: skip
    assert told.calls == (
        "gone: b; new: c, d; with another password: a; phones it has registered stay so until that "
        "expires; `centrex registrations remove sip:b@x` ends them"
    )
    told = htdigest.changed(rows(*"abcdefgh"), [Login(b"\xff", b"0" * 32, b"")], "x")
    assert told is not None
    assert (told.old, told.new) == ("8 logins", "1 login")
    assert told.calls.startswith("gone: a, b, c, d, e and 3 more; new: \\xff; phones it has")
    assert "remove ADDRESS`" in told.calls
