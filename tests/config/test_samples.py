import shutil
from pathlib import Path

import pytest

from centrex.config.load import ConfigSource

SAMPLES = Path(__file__).parents[2] / "sample-configs"


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.toml")))
def test_every_sample_loads_with_no_problem(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    for sample in folder.iterdir():
        sample.chmod(0o600)
    for pem in ("fullchain.pem", "privkey.pem"):
        (folder / pem).write_text("")
    loaded = ConfigSource(path=folder / name).read()
    assert loaded.warnings == ()


def test_the_samples_are_there() -> None:
    assert {path.stem for path in SAMPLES.glob("*.toml")} >= {"office", "isp", "tls", "behind-nat"}
