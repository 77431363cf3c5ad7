from pathlib import Path

import pytest

from centrex import api
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

TEXT = '# mine\n[network]\ndomain = "example.com"\n'


@pytest.fixture
def file(line: CommandLine, tmp_path: Path) -> Path:
    line.write(TEXT)
    file = tmp_path / "b.tar.gz"
    assert line.json("backup", str(file))["holds"] == {"config.toml": len(TEXT)}
    return file


def test_a_backup_is_written_once(line: CommandLine, file: Path) -> None:
    before = file.read_bytes()
    result = line.run("backup", str(file))
    assert (result.exit_code, file.read_bytes()) == (4, before)
    assert "--force" in result.stderr
    assert "bytes" in line.run("backup", str(file), "--force").stdout


def test_it_is_named_after_instance_and_time(
    line: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.write(TEXT)
    monkeypatch.chdir(tmp_path)
    told = line.json("backup")
    assert told["file"].startswith("centrex-default-")
    assert (tmp_path / told["file"]).exists()


def test_a_dry_run_shows_the_difference_and_changes_nothing(line: CommandLine, file: Path) -> None:
    now = TEXT + "[timeouts]\nrollover = 9\n"
    config = line.write(now)
    result = line.run("restore", str(file), "--dry-run")
    assert result.exit_code == 0
    assert "timeouts.rollover: 9 becomes 20" in result.stdout
    assert "nothing was written" in result.stdout
    assert config.read_text() == now
    told = line.json("restore", str(file), "--dry-run")
    assert (told["restored"], told["changed"][0]["key"]) == (False, "timeouts.rollover")


def test_it_is_restored_and_what_was_there_is_kept(line: CommandLine, file: Path) -> None:
    config = line.write(TEXT + "[timeouts]\nrollover = 9\n")
    result = line.run("restore", str(file))
    assert result.exit_code == 0
    assert config.read_text() == TEXT
    assert "what was there stays in" in result.stdout
    assert "`centrex start`" in result.stdout
    assert len(list(config.parent.iterdir())) == 2
    assert "nothing had to be changed" in line.run("restore", str(file)).stdout


def test_where_nothing_is_yet_it_is_restored_too(line: CommandLine, file: Path) -> None:
    line.paths.config.unlink()
    assert line.json("restore", str(file))["restored"]
    assert line.paths.config.read_text() == TEXT
    told = line.json("--instance", "branch", "restore", str(file))
    assert told["files"][0]["path"].endswith("branch.toml")


def test_how_to_start_with_it_is_told(line: CommandLine, file: Path, tmp_path: Path) -> None:
    result = line.run("--instance", "branch", "restore", str(file))
    assert "`centrex start --instance branch` starts with it" in result.stdout
    there = tmp_path / "a place" / "x.toml"
    there.parent.mkdir()
    result = line.run("--config", str(there), "restore", str(file))
    assert f"`centrex start --config '{there}'` starts with it" in result.stdout
    line.write(TEXT + 'address = "192.0.2.1"\n')
    line.run("backup", str(file), "--force")
    result = line.run("--instance", "other", "restore", str(file))
    assert "192.0.2.1 is no address of this machine" in result.stderr
    assert "put that right, and `centrex start --instance other` starts" in result.stdout


@pytest.mark.parametrize("data", [b"", b"text", b"\x1f\x8b\x08"])
def test_what_is_no_backup_is_refused(line: CommandLine, file: Path, data: bytes) -> None:
    file.write_bytes(data)
    result = line.run("restore", str(file))
    assert result.exit_code == 4
    assert "nothing was changed" in result.stderr
    assert line.paths.config.read_text() == TEXT


def test_a_running_instance_takes_it_over_if_told_to(line: CommandLine, file: Path) -> None:
    line.write(TEXT + "[timeouts]\nrollover = 9\n")
    with FakeInstance(line.paths.control, {"reload": {"changed": [], "waiting": []}}) as running:
        told = line.json("restore", str(file), "--reload")
    assert told["reloaded"]
    assert [command for command, _ in running.asked] == ["reload"]


def test_what_was_replaced_is_told_where_the_running_instance_refuses_it(
    line: CommandLine, file: Path
) -> None:
    line.write(TEXT + "[timeouts]\nrollover = 9\n")
    refusal = {"code": "invalid", "message": "there is no certificate"}
    with FakeInstance(line.paths.control, {"reload": refusal}):
        result = line.run("restore", str(file), "--reload")
    assert result.exit_code == 2
    assert "what was there stays in" in result.stdout
    assert "and the running instance knows" not in result.stdout
    assert "there is no certificate" in result.stderr


def test_without_an_instance_there_is_nothing_to_reload(line: CommandLine, file: Path) -> None:
    line.write(TEXT + "[timeouts]\nrollover = 9\n")
    told = line.json("restore", str(file), "--reload")
    assert (told["restored"], told["reloaded"]) == (True, False)


def test_an_unconfirmed_change_is_rolled_back_before_a_start(line: CommandLine) -> None:
    source = api.ConfigSource(path=line.write(TEXT))
    assert api.ready_source(source) is source


def test_who_backs_up_is_told_which_files_to_copy_himself(
    line: CommandLine, tmp_path: Path
) -> None:
    config = line.write(TEXT + 'tls_certificate = "cert.pem"\ntls_key = "key.pem"\n')
    for name in ("cert.pem", "key.pem"):
        (config.parent / name).write_text("not looked into")
    result = line.run("backup", str(tmp_path / "b.tar.gz"))
    assert result.exit_code == 0
    assert "copy it yourself" in result.stderr
    assert f"{config.parent / 'key.pem'} (network.tls_key)" in result.stderr.replace("\n", "")
    told = line.json("backup", str(tmp_path / "c.tar.gz"))
    assert set(told["left_out"]) == {"network.tls_certificate", "network.tls_key"}
