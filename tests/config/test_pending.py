from pathlib import Path

import pytest

from centrex.config import pending

OLD, NEW = "old = 1\n", "new = 1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.toml"
    path.write_text(OLD)
    change = pending.Unconfirmed(former=OLD, made=NEW, confirm_by="2026-01-01T00:00:00Z")
    pending.begin(path, change)
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_what_was_not_confirmed_is_put_back_and_kept_aside(file: Path) -> None:
    file.write_text(NEW)
    outcome = pending.roll_back(file)
    assert outcome.undone
    assert "was not confirmed by 2026-01-01" in outcome.words
    assert file.read_text() == OLD
    assert pending.discarded_of(file).read_text() == NEW
    assert names(file.parent) == {"x.toml", "x.toml.rolled-back"}
    assert file.stat().st_mode & 0o777 == 0o600
    assert pending.roll_back(file) == pending.Outcome(words="")


def test_what_was_confirmed_stays(file: Path) -> None:
    file.write_text(NEW)
    pending.confirm(file)
    assert pending.roll_back(file) == pending.Outcome(words="")
    assert file.read_text() == NEW


def test_what_was_never_written_needs_nothing(file: Path) -> None:
    assert pending.roll_back(file) == pending.Outcome(words="")
    assert names(file.parent) == {"x.toml"}


def test_what_somebody_asked_for_is_told_as_such(file: Path) -> None:
    file.write_text(NEW)
    words = pending.roll_back(file, asked=True).words
    assert "was rolled back on request" in words
    assert "2026" not in words


def test_what_was_edited_since_elsewhere_stays(file: Path) -> None:
    file.write_text(f"theirs = 1\n{NEW}")
    outcome = pending.roll_back(file)
    assert outcome.undone
    assert "edited since stays" in outcome.words
    assert file.read_text() == f"theirs = 1\n{OLD}"
    assert names(file.parent) == {"x.toml", "x.toml.rolled-back"}


def test_what_was_edited_since_at_the_same_key_is_left_alone_and_said(file: Path) -> None:
    file.write_text("new = 2\n")
    outcome = pending.roll_back(file)
    assert not outcome.undone
    assert "NOT rolled back" in outcome.words
    assert "(new)" in outcome.words
    assert file.read_text() == "new = 2\n"
    assert names(file.parent) == {"x.toml", "x.toml.former"}
    assert pending.former_of(file).read_text() == OLD
    assert pending.former_of(file).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 2}', '{"version": 2, "former": 5}'])
def test_a_record_that_is_none_counts_as_none(file: Path, text: str) -> None:
    file.write_text(NEW)
    pending.record_of(file).write_text(text)
    assert pending.find(file) is None
    assert pending.roll_back(file) == pending.Outcome(words="")
    assert file.read_text() == NEW


def test_a_link_stays_one_and_its_target_is_put_back(tmp_path: Path, file: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    file.write_text(NEW)
    assert pending.roll_back(link).words
    assert link.is_symlink()
    assert file.read_text() == OLD


def test_a_change_that_waits_forbids_others(file: Path) -> None:
    with pytest.raises(pending.Waiting, match="2026-01-01"):
        pending.check(file)
    pending.confirm(file)
    pending.check(file)


def test_a_record_is_its_owners_only(file: Path) -> None:
    assert pending.record_of(file).stat().st_mode & 0o777 == 0o600
