from pathlib import Path

from centrex.config.keys import catalogue
from centrex.config.load import load_text
from centrex.config.values import MASK, by_name, effective, flatten

HASH = "0" * 32
TEXT = f"""\
[network]
domain = "example.com"
[[auth.credentials]]
login = "1001"
ha1_md5 = "{HASH}"
[[auth.credentials]]
login = "1002"
note = "x"
[[routing.plans]]
pattern = "[0-9]+"
destinations = ["a", {{to = "b"}}]
"""


def test_everything_is_shown_but_secrets() -> None:
    values = flatten(load_text(TEXT, file=Path("x.toml")).config)
    assert values["network.port"] == 5060
    assert values["network.address"] == ["0.0.0.0"]
    assert values["auth.credentials[0].ha1_md5"] == MASK
    assert values["auth.credentials[0].ha1_sha256"] == ""
    assert values["directory.entries"] == []
    assert values["routing.plans[0].destinations"] == [
        "a",
        {"to": "b", "ring": 0, "expand": False},
    ]
    assert HASH not in repr(values)
    plain = {name for name, key in catalogue().items() if "[]" not in name and key.kind != "rows"}
    assert plain <= set(values)


def test_origins_reach_into_rows() -> None:
    loaded = load_text(TEXT, file=Path("x.toml"), overrides=["basic.theme=nord"])
    told = effective(loaded.config, loaded.origins)
    assert told["auth.credentials[1].note"] == {"value": "x", "origin": "file"}
    assert told["auth.credentials[0].note"]["origin"] == "default"
    assert told["basic.theme"] == {"value": "nord", "origin": "--set"}


def test_rows_are_named_by_what_identifies_them() -> None:
    named = by_name({"a[0].login": "x", "a[0].n": 1, "a[1].n": 2, "b": 3, "p[0].pattern": "[0]+"})
    assert named == {"a[x].login": "x", "a[x].n": 1, "a[1].n": 2, "b": 3, "p[0+].pattern": "[0]+"}
