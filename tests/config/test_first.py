import hashlib
from pathlib import Path
from typing import Any

import pytest

from centrex import api
from centrex.base import ConfigError
from centrex.config.first import Wanted, answered, compose, questions
from centrex.config.keys import catalogue
from centrex.config.load import load_text

FILE = Path("x.toml")


def test_the_defaults_of_the_questions_make_a_configuration_that_works() -> None:
    asked = questions("192.0.2.7")
    made = compose(answered({one["name"]: one["default"] for one in asked}), FILE, "192.0.2.7")
    loaded = load_text(made.text, file=FILE)
    assert loaded.warnings == ()
    assert (made.domain, made.server, made.port) == ("192.0.2.7", "192.0.2.7", 5060)
    assert set(made.passwords) == {"1001", "1002"}
    assert all(one["key"] in catalogue() and one["help"] for one in asked)


def test_passwords_are_told_once_and_only_their_hashes_written() -> None:
    made = compose(Wanted(domain="Example.com", logins=("a", "b")), FILE, "192.0.2.7")
    told = made.told(FILE)
    for phone in told["phones"]:
        assert phone["password"] not in made.text
        text = f"{phone['login']}:example.com:{phone['password']}".encode()
        assert hashlib.sha256(text).hexdigest() in made.text
    assert told["domain"] == "example.com"


def test_an_address_of_its_own_is_what_phones_are_told() -> None:
    made = compose(Wanted(domain="x", address=("127.0.0.2", "::1"), port=5070), FILE, "192.0.2.7")
    assert (made.server, made.port) == ("127.0.0.2", 5070)
    assert load_text(made.text, file=FILE).config.network.address == ("127.0.0.2", "::1")


@pytest.mark.parametrize("domain", ["[::1]", "2001:db8::1"])
@pytest.mark.parametrize("address", [(), ("0.0.0.0",)])
def test_where_the_domain_is_an_ipv6_address_it_is_listened_to(
    domain: str, address: tuple[str, ...]
) -> None:
    made = compose(Wanted(domain=domain, address=address, logins=("1",)), FILE, "192.0.2.7")
    loaded = load_text(made.text, file=FILE)
    assert loaded.config.network.address == ("0.0.0.0", "::")
    assert loaded.warnings == ()
    assert made.domain == made.server == domain.strip("[]")
    told = made.told(FILE)
    assert told["domain"] == told["server"] == f"[{made.domain}]"


def test_addresses_that_were_asked_for_stay_whatever_the_domain_is() -> None:
    made = compose(Wanted(domain="::1", address=("127.0.0.2",)), FILE, "192.0.2.7")
    assert load_text(made.text, file=FILE).config.network.address == ("127.0.0.2",)
    assert made.server == "127.0.0.2"


@pytest.mark.parametrize(
    ("answers", "keys"),
    [
        ({}, ["network.domain"]),
        ({"domain": " "}, ["network.domain"]),
        ({"domain": "x", "port": "5060"}, ["network.port"]),
        (
            {"domain": "x", "address": "0.0.0.0", "users": [1]},
            ["network.address", "auth.credentials"],
        ),
        ({"domain": "x", "user": []}, ["user"]),
    ],
)
def test_answers_of_no_sound_form_are_told(answers: dict[str, Any], keys: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        answered(answers)
    assert [problem.key for problem in caught.value.problems] == keys


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(domain="a b"),
        Wanted(domain="x", address=("here",)),
        Wanted(domain="x", port=70_000),
        Wanted(domain="x", logins=("a", "a")),
        Wanted(domain="x", logins=("a:b",)),
        Wanted(domain="x", logins=("1001", "<b>")),
        Wanted(domain="x", logins=("a@b",)),
        Wanted(domain="x", logins=("a\x07",)),
    ],
)
def test_what_cannot_be_is_refused(wanted: Wanted) -> None:
    with pytest.raises(ConfigError):
        compose(wanted, FILE, "192.0.2.7")


def test_names_that_no_phone_can_register_as_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        compose(Wanted(domain="x", logins=("10", "<b>", 'c"d')), FILE, "192.0.2.7")
    (problem,) = caught.value.problems
    assert problem.key == "auth.credentials"
    assert '<b> and c"d are no names a phone can register as' in problem.message
    assert compose(
        Wanted(domain="x", logins=("jürgen", "03!!", "*97")), FILE, "192.0.2.7"
    ).passwords


def test_a_dashboard_can_look_before_it_writes(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    told = api.setup({"domain": "x", "users": ["1"]}, file, write=False)
    assert not file.exists()
    assert "domain = " in told["text"]
    api.setup({"domain": "x"}, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(api.Refused, match="there already"):
        api.setup({"domain": "y"}, file)
    api.setup({"domain": "y"}, file, force=True)
    assert api.ConfigSource(path=file).load().network.domain == "y"
