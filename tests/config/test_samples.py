import datetime as dt
import shutil
from pathlib import Path

import pytest

from centrex.config.keys import find
from centrex.config.load import ConfigSource, load_text
from centrex.config.relay import load_relay
from centrex.routing.plans import Plans

SAMPLES = Path(__file__).parents[2] / "sample-configs"


RELAYS = sorted(SAMPLES.glob("relay*.toml"))
PROXIES = sorted(path for path in SAMPLES.glob("*.toml") if path not in RELAYS)


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


@pytest.mark.parametrize("path", RELAYS, ids=lambda path: path.stem)
def test_the_sample_of_a_relay_loads(path: Path) -> None:
    config = load_relay(path)
    pairs = (config.port_range[1] + 1 - config.port_range[0]) // 2
    assert config.max_sessions <= pairs // 2, "its ports are enough for its calls"


def test_the_samples_are_there() -> None:
    assert {path.stem for path in SAMPLES.glob("*.toml")} >= {
        "office",
        "behind-nat",
        "private",
        "several-proxies",
        "relay-of-several",
        "pstn-gateway",
        "isp",
        "tls",
        "relay",
    }


def test_the_sample_of_several_proxies_and_that_of_their_relays_agree() -> None:
    proxy = load_text(
        (SAMPLES / "several-proxies.toml").read_text(), file=SAMPLES / "x.toml"
    ).config
    relay = load_relay(SAMPLES / "relay-of-several.toml")
    assert {one.secret for one in relay.proxies} == {proxy.media.secret}
    assert {one.port for one in relay.proxies} == {proxy.media.control_port}


def test_what_is_commented_out_in_it_is_a_key_that_will_be() -> None:
    text = (SAMPLES / "several-proxies.toml").read_text()
    for name in ("store", "database"):
        assert f"\n#{name} = " in text
        assert find(f"registrar.{name}") is not None


def test_the_patterns_of_the_gateway_catch_what_they_should() -> None:
    file = SAMPLES / "pstn-gateway.toml"
    plans = Plans(load_text(file.read_text(), file=file).config.routing.plans, str.lower)
    noon = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)

    def target(number: str) -> str:
        match = plans.find(number, lambda: noon)
        return "" if match is None else match.filled(match.rule.steps[0].to)

    assert target("9030123456") == "030123456@pstn"
    assert target("112") == "112@pstn"
    assert target("412") == "sip:412@branch.example.org"
    assert target("912") == ""
    assert target("201") == ""


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
