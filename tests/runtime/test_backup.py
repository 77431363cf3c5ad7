from pathlib import Path

import pytest

from centrex.base import ConfigError, Unavailable
from centrex.config.archive import CONFIG, CREDENTIALS, REGISTRATIONS, RELAY, unpack
from centrex.runtime.backup import back_up, name_now
from tests.support.backups import IMAGE, Site

TEXT = """\
# mine
[network]
domain = "example.com"
[auth]
credentials_file = "logins"
[[directory.entries]]
name = "door"
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "a", TEXT)
    site.add_logins("1001")
    site.add_relay()
    site.add_registrations()
    return site


def test_it_holds_everything_as_it_is(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "b.tar.gz"
    told = back_up(site.source, site.paths, file, version="1.2", registrations=True)
    archive = unpack(file.read_bytes())
    assert archive.files[CONFIG] == TEXT.encode()
    assert archive.files[CREDENTIALS] == (site.folder / "logins").read_bytes()
    assert archive.files[REGISTRATIONS] == IMAGE
    assert told["holds"] == {name: len(data) for name, data in archive.files.items()}
    assert (archive.instance, archive.version) == ("default", "1.2")
    assert file.stat().st_mode & 0o777 == 0o600


def test_registrations_are_only_there_if_asked_for(site: Site, tmp_path: Path) -> None:
    archive = unpack(site.back_up(tmp_path / "b").read_bytes())
    assert set(archive.files) == {CONFIG, CREDENTIALS, RELAY}


def test_what_is_not_there_is_left_out(tmp_path: Path) -> None:
    site = Site(tmp_path / "a", '[network]\ndomain = "x"\n')
    archive = unpack(site.back_up(tmp_path / "b", registrations=True).read_bytes())
    assert set(archive.files) == {CONFIG}


def test_the_state_folder_may_stand_elsewhere(site: Site, tmp_path: Path) -> None:
    site.write(f'basic.state_dir = "{tmp_path}"\n{TEXT}')
    (tmp_path / "registrations").write_bytes(b"elsewhere")
    archive = unpack(site.back_up(tmp_path / "b", registrations=True).read_bytes())
    assert archive.files[REGISTRATIONS] == b"elsewhere"


def test_what_could_not_be_restored_is_not_backed_up(site: Site, tmp_path: Path) -> None:
    site.write("[")
    with pytest.raises(ConfigError):
        site.back_up(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_place_that_cannot_be_written_is_told(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot write"):
        site.back_up(tmp_path / "none" / "b")


def test_a_name_tells_instance_and_time() -> None:
    assert name_now("office").startswith("centrex-office-2")
    assert name_now("office").endswith("Z.tar.gz")


def test_files_that_no_backup_holds_are_named(tmp_path: Path) -> None:
    site = Site(tmp_path / "a", '[network]\ndomain = "x"\n')
    assert back_up(site.source, site.paths, tmp_path / "b", version="1")["left_out"] == {}
    for name in ("cert.pem", "key.pem"):
        (site.folder / name).write_text("not looked into")
    keys = 'tls_certificate = "cert.pem"\ntls_key = "key.pem"\n'
    site.write(f'[network]\ndomain = "x"\ntransports = ["udp", "tls"]\n{keys}')
    told = back_up(site.source, site.paths, tmp_path / "b", version="1")
    assert {key: Path(file) for key, file in told["left_out"].items()} == {
        "network.tls_certificate": site.folder / "cert.pem",
        "network.tls_key": site.folder / "key.pem",
    }
    assert set(unpack((tmp_path / "b").read_bytes()).files) == {CONFIG}
