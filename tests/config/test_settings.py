"""Every model: what it accepts, what it refuses, and the contract of `spec/interface.md` §4."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from centrex.auth.settings import Credential
from centrex.auth.settings import Settings as AuthSettings
from centrex.base import ConfigError
from centrex.config.later import SiplogSettings
from centrex.config.load import load_text
from centrex.config.model import Config
from centrex.config.network import NetworkSettings
from centrex.guard.settings import Settings as GuardSettings
from centrex.media.settings import Settings as MediaSettings
from centrex.registrar.settings import Settings as RegistrarSettings
from centrex.routing.settings import Plan


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("phones", "phones"),
    ],
)
def test_a_domain_is_a_host_name_or_an_address(given: str, kept: str) -> None:
    assert NetworkSettings(domain=given).domain == kept


@pytest.mark.parametrize(
    "wrong", ["", "a b", "-a.example", "a..b", "192.0.2.300", "x" * 254, "ä/ö"]
)
def test_anything_else_is_no_domain(wrong: str) -> None:
    with pytest.raises(ValidationError):
        NetworkSettings(domain=wrong)


def test_networks_are_checked() -> None:
    assert GuardSettings(exempt=("10.0.0.0/8", "2001:db8::1")).exempt
    with pytest.raises(ValidationError, match="is no network"):
        GuardSettings(exempt=("10.0.0.0/99",))


def test_a_router_address_is_an_address_or_nothing() -> None:
    assert NetworkSettings(domain="x", router_address="").router_address == ""
    assert NetworkSettings(domain="x", router_address="192.168.1.1").router_address
    with pytest.raises(ValidationError):
        NetworkSettings(domain="x", router_address="router")


@pytest.mark.parametrize("bits", ["0" * 31, "g" * 32, "0" * 64])
def test_an_md5_hash_has_32_hexadecimal_digits(bits: str) -> None:
    with pytest.raises(ValidationError, match="32 hexadecimal digits"):
        Credential(login="a", ha1_md5=SecretStr(bits))


def test_hashes_are_kept_in_lower_case_and_never_shown() -> None:
    row = Credential(login="a", ha1_sha256=SecretStr("AB" * 32))
    assert row.ha1_sha256.get_secret_value() == "ab" * 32
    assert "abab" not in repr(row)


def test_methods_are_tokens_that_can_be_challenged() -> None:
    assert AuthSettings(methods=("invite", "X-NEW")).methods == ("INVITE", "X-NEW")
    for wrong in ("ACK", "cancel", "in vite"):
        with pytest.raises(ValidationError):
            AuthSettings(methods=(wrong,))


def test_trusted_are_networks_or_host_names() -> None:
    assert AuthSettings(trusted=("10.0.0.0/8", "gw.example", "::1")).trusted
    for wrong in ("10.0.0.0/99", "gw:5060", "300.1.1.1", ""):
        with pytest.raises(ValidationError):
            AuthSettings(trusted=(wrong,))


def test_a_realm_can_stand_in_quotes() -> None:
    for wrong in ('a"b', "a:b", "a\\b", "a\nb"):
        with pytest.raises(ValidationError):
            AuthSettings(realm=wrong)


def test_a_plan_has_a_name_or_a_pattern() -> None:
    assert Plan(pattern="9(.*)", destinations=("\\1",)).pattern
    for wrong in ({}, {"name": "a", "pattern": "b"}, {"pattern": "("}):
        with pytest.raises(ValidationError):
            Plan.model_validate(wrong)


def test_far_addresses_have_their_form() -> None:
    assert MediaSettings(rtpengine=("udp:127.0.0.1:2223",)).rtpengine
    with pytest.raises(ValidationError):
        MediaSettings(rtpengine=("127.0.0.1",))
    with pytest.raises(ValidationError):
        MediaSettings(rtpengine=("udp:127.0.0.1:70000",))
    with pytest.raises(ValidationError):
        SiplogSettings(hep="tcp:x")


def test_an_rtpengine_may_be_switched_off() -> None:
    one, off = "udp:127.0.0.1:2223", {"address": "udp:127.0.0.1:2224", "enabled": False}
    settings = MediaSettings.model_validate({"rtpengine": (one, off)})
    assert settings.rtpengines == (one,)
    assert len(settings.rtpengine) == 2


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError):
        RegistrarSettings().name = "x"  # type: ignore[misc]  # the point of the test


def test_a_call_plan_with_times_of_its_own_loads() -> None:
    text = (
        '[network]\ndomain = "x"\n[[routing.plans]]\nname = "100"\n'
        'destinations = ["1001", {to = "1002", ring = 15}]\n'
    )
    plan = load_text(text, file=Path("x.toml")).config.routing.plans[0]
    assert plan.destinations[0] == "1001"
    with pytest.raises(ConfigError) as caught:
        load_text(text.replace('"1001"', "5").replace('"1002"', "6"), file=Path("x.toml"))
    assert [problem.key for problem in caught.value.problems] == [
        "routing.plans[0].destinations[0]",
        "routing.plans[0].destinations[1].to",
    ]


def test_the_tables_stand_in_the_order_of_the_dialogs() -> None:
    assert list(Config.model_fields) == [
        "basic",
        "network",
        "timeouts",
        "directory",
        "routing",
        "inet",
        "media",
        "registrar",
        "events",
        "wan",
        "plugins",
        "siplog",
        "auth",
        "metrics",
    ]
