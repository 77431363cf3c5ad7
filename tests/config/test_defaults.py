import tomllib
from pathlib import Path

from centrex.config.defaults import default_text
from centrex.config.keys import catalogue
from centrex.config.load import load_text
from centrex.config.model import Config
from centrex.config.network import NetworkSettings
from centrex.config.users import credential
from centrex.config.values import flatten

FILE = Path("x.toml")


def test_the_default_file_sets_only_what_it_is_told() -> None:
    text = default_text({"network.domain": "example.com"}, [credential("a", "example.com", "pw")])
    loaded = load_text(text, file=FILE)
    assert loaded.warnings == ()
    assert {key for key, origin in loaded.origins.items() if origin == "file"} == {
        "network.domain",
        "auth.credentials[0].login",
        "auth.credentials[0].ha1_md5",
        "auth.credentials[0].ha1_sha256",
    }


def test_its_remarks_are_true_defaults() -> None:
    text = default_text({"network.domain": "example.com"})
    lines = []
    in_example = False
    for line in text.splitlines():
        in_example = (in_example or line.startswith("#[[")) and bool(line)
        if line.startswith("#") and line[1:2].islower() and not in_example:
            line = line[1:]
        lines.append(line)
    written = "\n".join(lines)
    assert flatten(load_text(written, file=FILE).config) == flatten(
        Config(network=NetworkSettings(domain="example.com"))
    )
    assert len(tomllib.loads(written)["network"]) > 10


def test_every_key_stands_in_it() -> None:
    text = default_text({"network.domain": "x"})
    for key in catalogue().values():
        leaf = key.name.rpartition(".")[2]
        if key.kind not in ("rows", "map"):
            assert f"#{leaf} = " in text or f"\n{leaf} = " in text, key.name


def test_what_has_no_effect_yet_says_so() -> None:
    text = default_text({"network.domain": "x"})
    assert "Takes effect with a later version.\n[wan]" in text
    assert "(with a later version)\n#call_maximum" not in text
    for switch in ("plugins", "inet", "database"):
        assert f"(with a later version)\n#{switch} = true" in text


def test_what_has_an_effect_says_nothing_of_later_versions() -> None:
    text = default_text({"network.domain": "x"})
    for switch in ("calls = true", "network = true", "sip_summary = false"):
        assert f"(with a later version)\n#{switch}" not in text
        assert f"\n#{switch}" in text
