"""A backup put back: here, on another machine, interrupted, spoilt."""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centrex.base import ConfigError, Unavailable
from centrex.config import pending
from centrex.config.archive import (
    CONFIG,
    CREDENTIALS,
    REGISTRATIONS,
    RELAY,
    Archive,
    BadArchive,
    pack,
    unpack,
)
from centrex.runtime import restore as room
from centrex.runtime.atomic_file import replace_file
from centrex.runtime.editing import before_start
from centrex.runtime.lock import AlreadyRunning, InstanceLock
from centrex.runtime.restore import Plan, is_interrupted, plan, read_archive, recover, restore
from tests.support.backups import IMAGE, Site

TEXT = """\
# mine
[network]
domain = "example.com"
[auth]
credentials_file = "logins"
[[routing.plans]]
name = "1"
destinations = ["2"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "a", TEXT)
    site.add_logins("1001", "1002")
    site.add_relay()
    site.add_registrations()
    return site


@pytest.fixture
def file(site: Site, tmp_path: Path) -> Path:
    return site.back_up(tmp_path / "b.tar.gz", registrations=True)


def planned(file: Path, site: Site) -> Plan:
    return plan(read_archive(file), site.paths)


def with_files(file: Path, files: dict[str, bytes]) -> Archive:
    archive = read_archive(file)
    return replace(archive, files={**archive.files, **files})


def change(site: Site) -> None:
    site.write(
        TEXT.replace('destinations = ["2"]', 'destinations = ["3"]\n[timeouts]\nrollover = 9')
    )
    site.add_logins("1002", "1003", "1004")
    site.add_registrations(b"later ones")


def test_everything_is_as_it_was(site: Site, file: Path) -> None:
    before = site.contents()
    change(site)
    kept = restore(planned(file, site), site.paths)
    after = site.contents()
    assert {name: data for name, data in after.items() if name in before} == before
    assert len(kept) == 3
    assert all(Path(path).stat().st_mode & 0o777 == 0o600 for path in kept.values())
    assert b"rollover = 9" in Path(kept[str(site.paths.config)]).read_bytes()
    assert site.paths.config.stat().st_mode & 0o777 == 0o600
    assert restore(planned(file, site), site.paths) == {}, "there is nothing more to do"


def test_the_difference_is_told_in_words_and_nothing_written(site: Site, file: Path) -> None:
    change(site)
    before = site.contents()
    told = planned(file, site).told()
    words = "\n".join(told["words"])
    assert "of instance default" in words
    assert "routing.plans[1].destinations: ['3'] becomes ['2']" in words
    assert "timeouts.rollover: 9 becomes 20" in words
    assert "2 logins: 1 new, 2 gone, 0 with another password" in words
    assert f"{site.folder / 'relay.toml'} stays as it is" in words
    assert {one["name"]: one["does"] for one in told["files"]} == {
        CONFIG: "is replaced",
        CREDENTIALS: "is replaced",
        RELAY: "stays as it is",
        REGISTRATIONS: "is replaced",
    }
    assert site.contents() == before


def test_another_machine_gets_all_of_it(file: Path, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", name="branch")
    restore(planned(file, other), other.paths)
    config = other.source.load()
    assert config.auth.credentials_file == str(other.folder / "logins")
    assert (other.paths.state / "registrations").read_bytes() == IMAGE
    assert (other.folder / "relay.toml").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root restores for somebody else")
def test_what_root_restores_belongs_to_whom_the_folder_belongs(
    site: Site, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = 65534
    other = Site(tmp_path / "other", name="branch")
    other.paths.state.rmdir()
    for folder in (other.folder, other.paths.state.parent):
        os.chown(folder, nobody, nobody)
    restore(planned(file, other), other.paths)
    made = [other.folder / name for name in ("branch.toml", "logins", "relay.toml")]
    made += [other.paths.state, other.paths.state / "registrations"]
    assert {path.stat().st_uid for path in made} == {nobody}
    change(other)
    for path in made:
        os.chown(path, nobody, nobody)
    with monkeypatch.context() as patch:
        patch.setattr(room, "replace_file", failing_at(6, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            restore(planned(file, other), other.paths)
    left = [path for path in other.folder.iterdir() if path not in made]
    assert len(left) == 3, "the list, and two dated copies"
    assert {path.stat().st_uid for path in left} == {nobody}, "whose server undoes it"


def test_one_that_cannot_be_used_is_not_compared_and_that_is_told(site: Site, file: Path) -> None:
    site.write(TEXT + "wrong = 1\n")
    wanted = planned(file, site)
    (remark,) = (one for one in wanted.remarks if "nothing is compared" in one)
    assert str(site.paths.config) in remark
    assert "wrong" in remark
    other = planned(file, Site(site.folder.parent / "new", name="new"))
    assert not any("nothing is compared" in one for one in other.remarks)


def test_a_credentials_file_of_any_place_is_put_beside_the_configuration(
    site: Site, tmp_path: Path
) -> None:
    elsewhere = site.add_logins("1001", name="../logins-elsewhere")
    site.write(TEXT.replace('"logins"', f'"{elsewhere}"  # large'))
    file = site.back_up(tmp_path / "c.tar.gz")
    elsewhere_was = elsewhere.read_bytes()
    elsewhere.write_text("")
    restore(planned(file, site), site.paths)
    assert elsewhere.read_bytes() == elsewhere_was, "where it is now, it stays"
    other = Site(tmp_path / "other", name="branch")
    wanted = planned(file, other)
    assert any("beside the configuration" in remark for remark in wanted.remarks)
    elsewhere.unlink()
    restore(wanted, other.paths)
    assert not elsewhere.exists(), "an archive does not choose where files go"
    assert other.source.load().auth.credentials_file == str(other.folder / "branch.htdigest")
    assert "# large" in other.paths.config.read_text()


def test_what_the_other_machine_lacks_is_told(site: Site, tmp_path: Path) -> None:
    for name in ("chain.pem", "key.pem"):
        (site.folder / name).touch()
    tls = 'transports = ["tls"]\ntls_certificate = "chain.pem"\ntls_key = "key.pem"\n'
    assert planned(site.back_up(tmp_path / "b.tar.gz"), site).starts
    strange = TEXT.replace('domain = "', 'address = ["127.0.0.9", "192.0.2.1"]\ndomain = "', 1)
    site.write(strange.replace("[auth]", f"{tls}[events]\nfile = '{site.folder}/log'\n[auth]"))
    file = site.back_up(tmp_path / "c.tar.gz")
    site.folder.rename(tmp_path / "gone")
    other = Site(tmp_path / "other")
    wanted = planned(file, other)
    assert [remark.split(":")[0] for remark in wanted.remarks] == [
        "network.tls_certificate",
        "network.tls_key",
        "events.file",
        "network.address",
    ]
    assert "192.0.2.1" in wanted.remarks[-1]
    assert not wanted.starts
    restore(wanted, other.paths)
    assert other.paths.config.exists()


def test_a_configuration_that_cannot_work_is_refused(site: Site, tmp_path: Path) -> None:
    before = site.contents()
    bad = tmp_path / "bad"
    for text, error in (("[network]\nport = 1\n", ConfigError), ("\xff", ConfigError)):
        bad.write_bytes(pack("a", "1", "now", {CONFIG: text.encode()}))
        with pytest.raises(error):
            planned(bad, site)
    for files in (
        {CONFIG: b"\xff"},
        {CONFIG: TEXT.encode(), CREDENTIALS: b"", RELAY: b"\xff"},
    ):
        bad.write_bytes(pack("a", "1", "now", files))
        with pytest.raises(BadArchive):
            planned(bad, site)
    bad.write_bytes(pack("a", "1", "now", {CONFIG: TEXT.encode(), RELAY: b"name = 5\n"}))
    with pytest.raises(ConfigError):
        planned(bad, site)
    assert site.contents() == before


def test_a_running_instance_keeps_its_registrations(site: Site, file: Path) -> None:
    change(site)
    with InstanceLock(site.paths.lock):
        wanted = planned(file, site)
        assert wanted.running
        assert any("registrations are left out" in remark for remark in wanted.remarks)
        restore(wanted, site.paths)
    assert (site.paths.state / "registrations").read_bytes() == b"later ones"
    assert site.paths.config.read_text() == TEXT


def test_an_instance_that_starts_meanwhile_is_left_alone(site: Site, file: Path) -> None:
    change(site)
    wanted = planned(file, site)
    before = site.contents()
    with InstanceLock(site.paths.lock):
        with pytest.raises(AlreadyRunning):
            restore(wanted, site.paths)
        now = {name: data for name, data in site.contents().items() if "lock" not in name}
    assert now == {name: data for name, data in before.items() if "lock" not in name}


def test_nothing_is_restored_over_a_change_that_waits_or_came_meanwhile(
    site: Site, file: Path
) -> None:
    change(site)
    wanted = planned(file, site)
    site.write(TEXT + "# theirs\n")
    with pytest.raises(BadArchive, match="somebody else"):
        restore(wanted, site.paths)
    waiting = pending.Unconfirmed(former="", made="", confirm_by="then")
    pending.begin(site.paths.config, waiting)
    with pytest.raises(pending.Waiting):
        restore(planned(file, site), site.paths)
    assert site.paths.config.read_text() == TEXT + "# theirs\n"


def failing_at(number: int, error: BaseException) -> Callable[[Path, bytes], None]:
    left = [number]

    def fail(path: Path, data: bytes) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise error
        replace_file(path, data)

    return fail


def live(site: Site) -> dict[str, bytes]:
    """What counts: all files but locks and dated copies."""
    return {
        name: data
        for name, data in site.contents().items()
        if "lock" not in name and not name.endswith("Z")
    }


# the list of files, three dated copies, three files
@pytest.mark.parametrize("number", range(1, 8))
def test_a_disk_that_is_full_leaves_everything_as_it_was(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    change(site)
    before = live(site)
    wanted = planned(file, site)
    error = OSError(28, "No space left on device", "x")
    monkeypatch.setattr(room, "replace_file", failing_at(number, error))
    with pytest.raises(Unavailable, match="everything is as it was"):
        restore(wanted, site.paths)
    assert live(site) == before


@pytest.mark.parametrize("number", range(1, 8))
def test_who_is_killed_in_the_middle_finds_everything_as_it_was(
    site: Site, file: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    change(site)
    (site.folder / "relay.toml").unlink()
    before = live(site)
    wanted = planned(file, site)
    with monkeypatch.context() as patch:
        patch.setattr(room, "replace_file", failing_at(number, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            restore(wanted, site.paths)
    assert is_interrupted(site.paths.config) == (number > 1)
    if number > 1:
        with pytest.raises(Unavailable, match="interrupted"):
            recover(site.paths, dry_run=True)
        assert "has been undone" in before_start(site.source, site.paths.lock)
    assert live(site) == before
    recover(site.paths, dry_run=False)
    restore(planned(file, site), site.paths)
    assert site.paths.config.read_text() == TEXT


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_a_list_that_cannot_be_read_stops_the_start(site: Site, text: str) -> None:
    site.paths.config.with_name("default.toml.restoring").write_text(text)
    with pytest.raises(Unavailable, match="cannot be read"):
        before_start(site.source, site.paths.lock)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_spoilt_archive_is_refused_or_restores_the_same(
    site: Site, file: Path, data: st.DataObject
) -> None:
    sound = file.read_bytes()
    spoilt = bytearray(sound)
    if data.draw(st.booleans()):
        del spoilt[data.draw(st.integers(0, len(sound) - 1)) :]
    else:
        spoilt[data.draw(st.integers(0, len(sound) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    change(site)
    before = live(site)
    bad = file.with_name("spoilt")
    bad.write_bytes(spoilt)
    try:
        wanted = planned(bad, site)
    except BadArchive:
        assert live(site) == before
        return
    assert wanted.archive == unpack(sound)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (REGISTRATIONS, b"garbage\n", "no recovery file"),
        (REGISTRATIONS, b"", "no recovery file"),
        (CREDENTIALS, b"\xffnope\n", "credentials cannot be used"),
    ],
)
def test_contents_that_are_of_no_use_are_refused(
    site: Site, file: Path, name: str, data: bytes, words: str
) -> None:
    """Though the sums are right: somebody made a backup of what was damaged already."""
    archive = with_files(file, {name: data})
    before = site.contents()
    with pytest.raises(BadArchive, match=words):
        plan(archive, site.paths)
    assert site.contents() == before


def test_damage_that_spares_the_rest_is_told(site: Site, file: Path) -> None:
    files = read_archive(file).files
    damage = {REGISTRATIONS: b"0123456789abcdef []\n", CREDENTIALS: b"nope\n"}
    archive = with_files(file, {name: files[name] + more for name, more in damage.items()})
    remarks = plan(archive, site.paths).remarks
    assert "damaged lines of the registrations: 1; the others are used" in remarks
    assert any(one.startswith("credentials") and "login:realm:HA1" in one for one in remarks)


def test_what_cannot_be_read_at_all_is_told(site: Site, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(Unavailable, match="cannot read"):
        read_archive(tmp_path / "none")
    big = tmp_path / "big"
    big.write_bytes(b"12345")
    monkeypatch.setattr(room, "MAX_ARCHIVE", 4)
    with pytest.raises(BadArchive, match="too large"):
        read_archive(big)


def test_what_comes_by_a_pipe_is_bounded_too(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, pipe = file.read_bytes(), tmp_path / "pipe"
    os.mkfifo(pipe)
    for most in (len(data), len(data) - 1):
        monkeypatch.setattr(room, "MAX_ARCHIVE", most)
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        try:
            if most == len(data):
                assert CONFIG in read_archive(pipe).files
            else:
                with pytest.raises(BadArchive, match="too large"):
                    read_archive(pipe)
        finally:
            writer.join(10)
