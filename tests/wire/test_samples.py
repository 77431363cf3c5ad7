"""Every sample is started, as it stands but for addresses and ports that are free here."""

import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.certificates import Certificates
from tests.support.ports import free_port, loopback
from tests.support.server import COMMAND, READY_S, ROOT

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]

SAMPLES = ROOT / "sample-configs"
RELAYS = sorted(path.name for path in SAMPLES.glob("relay*.toml"))
PROXIES = sorted(path.name for path in SAMPLES.glob("*.toml") if path.name not in RELAYS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    for sample in folder.iterdir():
        sample.chmod(0o600)
    return folder


def runs_until_told_to_stop(root: Path, *arguments: str) -> None:
    reader, writer = os.pipe()
    log = root / "log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*COMMAND, *arguments, "--ready-fd", str(writer)],
            pass_fds=(writer,),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            env={**os.environ, "CENTREX_ROOT": str(root)},
            cwd=ROOT,
        )
    os.close(writer)
    try:
        end, said = time.monotonic() + READY_S, b""
        while b"ready\n" not in said:
            ready, _, _ = select.select([reader], [], [], max(0.0, end - time.monotonic()))
            more = os.read(reader, 64) if ready else b""
            assert more, f"not ready: {log.read_text()}"
            said += more
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    finally:
        os.close(reader)
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("name", PROXIES)
def test_a_server_starts(name: str, folder: Path, tmp_path: Path) -> None:
    host = loopback()
    port = free_port(host, run=4)
    made = Certificates.make(tmp_path / "tls", host, "secure.example.com")
    shutil.copy(made.certificate, folder / "fullchain.pem")
    shutil.copy(made.key, folder / "privkey.pem")
    free = {
        "network.address": host,
        "network.port": port,
        "network.tls_port": port + 1,
        "media.control_address": host,
        "media.control_port": port + 2,
    }
    overrides = [word for key, value in free.items() for word in ("--set", f"{key}={value}")]
    runs_until_told_to_stop(tmp_path, "--config", str(folder / name), "start", *overrides)


@pytest.mark.parametrize("name", RELAYS)
def test_a_relay_starts(name: str, folder: Path, tmp_path: Path) -> None:
    file, host = folder / name, loopback()
    text = file.read_text()
    for address in ("192.0.2.50", "192.0.2.51", "192.0.2.10", "192.0.2.11", "192.0.2.12"):
        text = text.replace(f'"{address}"', f'"{host}"')
    assert "192.0.2" not in text
    file.write_text(text.replace("[30000, 39999]", "[30000, 30999]"))
    runs_until_told_to_stop(tmp_path, "relay", "start", "--config", str(file))
