from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config import checks
from centrex.config.load import load_text

NETWORK = '[network]\ndomain = "example.com"\n'
HASH = "0" * 32


def keys_of_problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, file=folder / "x.toml")
    return [problem.key for problem in caught.value.problems]


def keys_of_warnings(text: str, folder: Path) -> list[str]:
    return [one.key for one in load_text(text, file=folder / "x.toml").warnings]


def test_tls_needs_files_that_can_be_read(tmp_path: Path) -> None:
    text = NETWORK + 'transports = ["tls"]\ntls_key = "key.pem"\n'
    assert keys_of_problems(text, tmp_path) == ["network.tls_certificate", "network.tls_key"]
    (tmp_path / "key.pem").mkdir()
    (tmp_path / "cert.pem").write_text("x")
    text += 'tls_certificate = "cert.pem"\n'
    assert keys_of_problems(text, tmp_path) == ["network.tls_key"]


def test_tcp_and_tls_cannot_share_a_port(tmp_path: Path) -> None:
    for name in ("k", "c"):
        (tmp_path / name).write_text("x")
    text = (
        NETWORK + 'transports = ["tcp", "tls"]\nport = 5061\ntls_key = "k"\ntls_certificate = "c"\n'
    )
    assert keys_of_problems(text, tmp_path) == ["network.tls_port"]


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ("min_expires = 100\nmax_expires = 90", "registrar.min_expires"),
        ("default_expires = 30", "registrar.default_expires"),
        ("default_expires = 100000", "registrar.default_expires"),
        ('store = "database"', "registrar.store"),
    ],
)
def test_the_registrar_agrees_with_itself(lines: str, key: str, tmp_path: Path) -> None:
    assert keys_of_problems(f"{NETWORK}[registrar]\n{lines}\n", tmp_path) == [key]


def test_a_burst_below_the_rate_makes_no_sense(tmp_path: Path) -> None:
    text = NETWORK + "[network.guard]\nburst = 10\n"
    assert keys_of_problems(text, tmp_path) == ["network.guard.burst"]


def test_an_address_is_named_once(tmp_path: Path) -> None:
    assert keys_of_problems(NETWORK + 'address = ["0.0.0.0", "127.0.0.1"]\n', tmp_path) == [
        "network.address"
    ]
    assert keys_of_problems(NETWORK + 'address = ["::1", "::1"]\n', tmp_path) == ["network.address"]


def test_logins_are_unique(tmp_path: Path) -> None:
    row = f'[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    assert keys_of_problems(NETWORK + row + row, tmp_path) == ["auth.credentials[1].login"]


def test_files_named_must_be_there(tmp_path: Path) -> None:
    text = NETWORK + '[auth]\ncredentials_file = "none"\n[events]\nfile = "none/log"\n'
    assert keys_of_problems(text, tmp_path) == ["events.file", "auth.credentials_file"]
    (tmp_path / "log").mkdir()
    assert keys_of_problems(NETWORK + '[events]\nfile = "log"\n', tmp_path) == ["events.file"]


def test_a_log_file_may_be_new_or_there(tmp_path: Path) -> None:
    text = NETWORK + '[events]\nfile = "log"\n'
    load_text(text, file=tmp_path / "x.toml")
    (tmp_path / "log").write_text("")
    load_text(text, file=tmp_path / "x.toml")


def test_what_is_hardly_meant_is_warned_of(tmp_path: Path) -> None:
    assert keys_of_warnings(NETWORK, tmp_path) == ["auth.credentials"]
    assert keys_of_warnings(NETWORK + "[auth]\nenabled = false\n", tmp_path) == ["auth.enabled"]
    text = (
        NETWORK
        + '[auth]\nalgorithms = ["SHA-256"]\ntrusted = ["0.0.0.0/0", "gateway.example"]\n'
        + f'[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    )
    assert keys_of_warnings(text, tmp_path) == ["auth.credentials[0]", "auth.trusted[0]"]


def test_a_public_address_that_nobody_looks_for_is_warned_of(tmp_path: Path) -> None:
    off = NETWORK + "[auth]\nenabled = false\n[wan]\nenabled = false\n"
    assert keys_of_warnings(off, tmp_path) == ["auth.enabled"]
    on = off.replace("[wan]\nenabled = false", "[wan]\nenabled = true")
    assert keys_of_warnings(on, tmp_path) == ["auth.enabled", "wan.enabled"]


@pytest.mark.parametrize(
    ("domain", "address", "told"),
    [
        ("::1", '["0.0.0.0"]', "is an IPv6 address, and network.address has none"),
        ("2001:db8::1", '["192.0.2.1", "127.0.0.1"]', "is an IPv6 address, and network.address"),
        ("192.0.2.1", '["::"]', "is an IPv4 address, and network.address has none"),
        ("[::1]", '["0.0.0.0", "::"]', ""),
        ("192.0.2.1", '["0.0.0.0"]', ""),
        ("example.com", '["::1"]', ""),
    ],
)
def test_a_domain_that_is_an_address_of_a_version_nobody_listens_by(
    domain: str, address: str, told: str, tmp_path: Path
) -> None:
    text = f'[network]\ndomain = "{domain}"\naddress = {address}\n'
    text += f'[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    found = load_text(text, file=tmp_path / "x.toml").warnings
    assert [one.key for one in found] == ["network.domain"] * bool(told)
    assert all(told in one.message for one in found)


@pytest.mark.parametrize(
    ("methods", "told"),
    [
        ('["*"]', []),
        ('["register", "Invite"]', []),
        ('["*", "INVITE", "PRACK"]', []),
        (
            '["INVITE"]',
            ["leaves out REGISTER: anybody can register as anybody, without a password"],
        ),
        (
            '["REGISTER"]',
            ["leaves out INVITE: anybody can call users here as anybody, without a pass"],
        ),
        ("[]", ["leaves out REGISTER: anybody", "leaves out INVITE: anybody"]),
        (
            '["REGISTER", "INVTE"]',
            ["leaves out INVITE: ", "INVTE is no known method; did you mean INV"],
        ),
        ('["*", "XYZZY"]', ["XYZZY is no known method, and never comes from a usual phone"]),
        ('["*"]\nenabled = false', None),
        ('["BYE"]\nenabled = false', None),
    ],
)
def test_methods_that_are_left_out_or_unknown(
    methods: str, told: list[str] | None, tmp_path: Path
) -> None:
    text = f'{NETWORK}[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    found = load_text(f"{text}[auth]\nmethods = {methods}\n", file=tmp_path / "x.toml").warnings
    if told is None:
        assert [one.key for one in found] == ["auth.enabled"]
        return
    assert len(found) == len(told)
    for one, words in zip(found, told, strict=True):
        assert one.message.startswith(words), one.message
        assert one.key.startswith("auth.methods")


@pytest.mark.parametrize(
    ("plan", "warned"),
    [
        (r"pattern = '9(\d+)'" + "\ndestinations = ['\\1@pstn']", True),
        (r"pattern = '4\d\d'" + "\ndestinations = ['sip:\\0@branch.example.net']", True),
        (r"pattern = '4\d\d'" + "\ndestinations = ['sip:\\0@example.com', 'desk']", False),
        (r"pattern = '9(\d+)'" + "\nstrangers = true\ndestinations = ['\\1@pstn']", False),
        ('name = "desk"\ndestinations = ["1@pstn"]', False),
    ],
)
def test_ways_out_where_nobody_logs_in(plan: str, warned: bool, tmp_path: Path) -> None:
    text = f"{NETWORK}[[routing.gateways]]\nname = 'pstn'\naddresses = ['sip:192.0.2.60']\n"
    text += f"[[routing.plans]]\n{plan}\n[auth]\n"
    for auth, where in (
        ("enabled = false\n", "where nobody is"),
        ('enabled = false\ntrusted = ["192.0.2.0/24"]\n', "may use it"),
    ):
        found = load_text(text + auth, file=tmp_path / "x.toml").warnings
        told = [one.message for one in found if "auth.trusted" in one.message]
        assert len(told) == warned
        assert all(one.endswith(where) for one in told)


def test_a_gateway_that_would_be_asked_for_a_password(tmp_path: Path) -> None:
    login = f'[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    gateway = '[[routing.gateways]]\nname = "pstn"\naddresses = ["sip:192.0.2.60"]\n'
    told = ["routing.gateways[0].addresses"]
    assert keys_of_warnings(NETWORK + login + gateway, tmp_path) == told
    trusted = '[auth]\ntrusted = ["192.0.2.0/24"]\n'
    assert keys_of_warnings(NETWORK + trusted + login + gateway, tmp_path) == []
    ours = 'login = "a"\npassword = "b"\n'
    assert keys_of_warnings(NETWORK + login + gateway + ours, tmp_path) == []


def test_a_sound_configuration_has_no_errors(tmp_path: Path) -> None:
    text = f'{NETWORK}[[auth.credentials]]\nlogin = "a"\nha1_md5 = "{HASH}"\n'
    loaded = load_text(text, file=tmp_path / "x.toml")
    assert checks.errors(loaded.config) == ()
    assert loaded.warnings == ()


def test_more_than_one_worker_is_refused_plainly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(NETWORK + "workers = 2\n", file=tmp_path / "x.toml")
    (problem,) = caught.value.problems
    assert problem.key == "network.workers"
    assert problem.message == "more than one worker comes with a later version; use 1"


@pytest.mark.parametrize(
    ("media", "words"),
    [
        ("", ""),
        ("embedded = false", "no relay can log in"),
        ('embedded = false\nmode = "never"', ""),
        ('embedded = false\nbackend = "rtpengine"\nrtpengine = ["udp:192.0.2.1:2223"]', ""),
        ('secret = "fifteen letters"', "16 characters or more"),
        ('embedded = false\nsecret = "sixteen letters!"', ""),
    ],
)
def test_relays_that_nobody_can_bring_and_secrets_that_are_guessed(
    media: str, words: str, tmp_path: Path
) -> None:
    text = f"{NETWORK}[auth]\nenabled = false\n[media]\n{media}\n"
    found = {one.key: one.message for one in load_text(text, file=tmp_path / "x.toml").warnings}
    assert words in found.get("media.secret", "")
    assert ("media.secret" in found) == bool(words)


@pytest.mark.parametrize(
    ("rtpengine", "key", "words"),
    [
        ("[]", "media.rtpengine", "one control address"),
        ('[{address = "udp:a:1", enabled = false}]', "media.rtpengine", "one that is enabled"),
        (
            '["udp:a:1", {address = "udp:a:1", enabled = false}]',
            "media.rtpengine[1]",
            "named twice",
        ),
    ],
)
def test_rtpengines_are_there_and_each_is_named_once(
    rtpengine: str, key: str, words: str, tmp_path: Path
) -> None:
    text = f'{NETWORK}[media]\nbackend = "rtpengine"\nrtpengine = {rtpengine}\n'
    with pytest.raises(ConfigError) as caught:
        load_text(text, file=tmp_path / "x.toml")
    (problem,) = caught.value.problems
    assert problem.key == key
    assert words in problem.message
    assert problem.line == text.count("\n")
