import shutil
from pathlib import Path

import pytest

from centrex.config.keys import find
from centrex.config.load import ConfigSource
from centrex.config.relay import load_relay

SAMPLES = Path(__file__).parents[2] / "sample-configs"


RELAY = SAMPLES / "relay.toml"
PROXIES = sorted(path for path in SAMPLES.glob("*.toml") if path != RELAY)


@pytest.mark.parametrize("name", [path.name for path in PROXIES])
def test_every_sample_loads_with_no_problem(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    for sample in folder.iterdir():
        sample.chmod(0o600)
    for pem in ("fullchain.pem", "privkey.pem"):
        (folder / pem).write_text("")
    loaded = ConfigSource(path=folder / name).read()
    assert loaded.warnings == ()


def test_the_sample_of_a_relay_loads() -> None:
    config = load_relay(RELAY)
    pairs = (config.port_range[1] + 1 - config.port_range[0]) // 2
    assert config.max_sessions <= pairs // 2, "its ports are enough for its calls"


def test_the_samples_are_there() -> None:
    assert {path.stem for path in SAMPLES.glob("*.toml")} >= {"office", "isp", "tls", "behind-nat"}


def test_samples_tell_what_comes_later() -> None:
    """Where a key without effect is set, a remark above it, or above its table, says so."""
    met = 0
    for path in PROXIES:
        table, above, remark = "", "", ""
        for line in path.read_text(encoding="utf-8").splitlines():
            name, assigned, _ = line.partition(" = ")
            if line.startswith("#"):
                remark += line
                continue
            if line.startswith("["):
                table, above = line.strip("[]"), remark
            key = find(f"{table}.{name}") if assigned else None
            if key is not None and not key.available:
                met += 1
                assert "later version" in above + remark, f"{path.name}: {line}"
            remark = ""
    assert met
