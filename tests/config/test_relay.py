"""`relay.toml`: what it may say, and how it is told what is wrong."""

from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config.relay import load_relay, relay_warnings

LEAST = '[[proxies]]\naddress = "192.0.2.1"\nsecret = "hush"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "relay.toml"


def test_a_proxy_and_its_secret_are_enough(file: Path) -> None:
    file.write_text(LEAST)
    config = load_relay(file)
    assert (config.name, config.port_range, config.max_sessions) == ("relay", (30000, 39999), 3000)
    assert (config.offload, config.silence_timeout, config.address) == ("auto", 60, ())
    assert config.proxies[0].port == 5090
    assert config.proxies[0].secret.get_secret_value() == "hush"
    assert "hush" not in repr(config)


def test_one_address_or_several(file: Path) -> None:
    file.write_text(f'address = "192.0.2.9"\n{LEAST}')
    assert load_relay(file).address == ("192.0.2.9",)
    file.write_text(f'address = ["192.0.2.9", "2001:db8::9"]\nadvertise = "198.51.100.1"\n{LEAST}')
    assert load_relay(file).address == ("192.0.2.9", "2001:db8::9")
    file.write_text(f'address = "2001:DB8:0::9"\n{LEAST}')
    assert load_relay(file).address == ("2001:db8::9",), "as the ports there are asked for"


@pytest.mark.parametrize(
    ("advertise", "four", "other", "six"),
    [
        ('""', "192.0.2.9", "192.0.2.8", "2001:db8::9"),
        ('"203.0.113.5"', "203.0.113.5", "203.0.113.5", "2001:db8::9"),
        ('"2001:DB8:0::5"', "192.0.2.9", "192.0.2.8", "2001:db8::5"),
        ('["203.0.113.5", "2001:db8::5"]', "203.0.113.5", "203.0.113.5", "2001:db8::5"),
        ('{"192.0.2.9" = "203.0.113.5"}', "203.0.113.5", "192.0.2.8", "2001:db8::9"),
    ],
)
def test_what_is_advertised_stands_for_addresses_of_its_own_family(
    file: Path, advertise: str, four: str, other: str, six: str
) -> None:
    file.write_text(f"advertise = {advertise}\n{LEAST}")
    config = load_relay(file)
    hosts = ("192.0.2.9", "192.0.2.8", "2001:db8::9")
    assert [config.shown(host) for host in hosts] == [four, other, six]


@pytest.mark.parametrize("advertise", ['"203.0.113.5"', '["203.0.113.5", "2001:db8::5"]', '"auto"'])
def test_no_router_leads_to_a_loopback_address_that_nobody_has_named(
    file: Path, advertise: str
) -> None:
    """It is one of the machine's, but only for what runs there."""
    wan = '[wan]\nenabled = true\nmethod = "dns"\nhost = "office.example"\n' * ("auto" in advertise)
    file.write_text(f"advertise = {advertise}\n{LEAST}{wan}")
    for host in ("127.0.0.1", "::1"):
        assert load_relay(file).shown(host, "203.0.113.5") == host
    file.write_text(f'address = ["127.0.0.1", "::1"]\nadvertise = {advertise}\n{LEAST}{wan}')
    assert load_relay(file).shown("127.0.0.1", "203.0.113.5") == "203.0.113.5"


@pytest.mark.parametrize(
    "advertise", ['"auto"', '["auto", "2001:db8::5"]', '{"10.0.0.5" = "auto"}']
)
def test_what_is_found_stands_for_addresses_that_are_not_public(file: Path, advertise: str) -> None:
    wan = '[wan]\nenabled = true\nmethod = "dns"\nhost = "office.example"\n'
    file.write_text(f"advertise = {advertise}\n{LEAST}{wan}")
    config = load_relay(file)
    assert config.is_auto
    assert config.shown("10.0.0.5", "203.0.113.5") == "203.0.113.5"
    assert config.shown("10.0.0.5") == "", "it is not known yet"
    assert config.shown("8.8.8.8", "203.0.113.5") == "8.8.8.8"
    six = "2001:db8::5" if "2001" in advertise else "2001:db8::9"
    assert config.shown("2001:db8::9", "203.0.113.5") == six
    assert relay_warnings(file, config)[0].key != "wan"


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("", "proxies", "must be set"),
        ("proxies = []", "proxies", "at least 1"),
        (f'name = "a b"\n{LEAST}', "name", "is no name"),
        (f'address = "0.0.0.0"\n{LEAST}', "address", "no single address"),
        (f'address = ["192.0.2.9", "192.0.2.9"]\n{LEAST}', "address", "twice"),
        (f'address = ["2001:db8::9", "2001:DB8:0::9"]\n{LEAST}', "address", "twice"),
        (f'address = "here"\n{LEAST}', "address", "IPv4 or IPv6"),
        (f"port_range = [40000, 30000]\n{LEAST}", "port_range", "the lower one first"),
        (f"port_range = [80, 90]\n{LEAST}", "port_range.0", "1024"),
        (f"port_range = [40000]\n{LEAST}", "port_range.1", "must be set"),
        (f'advertise = "auto"\n{LEAST}', "advertise", "needs [wan]"),
        (f'advertise = {{"2001:db8::1" = "auto"}}\n{LEAST}', "advertise", "finds IPv4"),
        (f'advertise = "auto"\n{LEAST}[wan]\nenabled = true', "wan.stun_servers", "must be set"),
        (
            f'advertise = "auto"\n{LEAST}[wan]\nenabled = true\nmethod = "dns"',
            "wan.host",
            "must be set",
        ),
        (
            f'advertise = "auto"\n{LEAST}[wan]\nenabled = true\nmethod = "static"\naddress = "me"',
            "wan.address",
            "no IPv4 address",
        ),
        (
            f'advertise = "auto"\n{LEAST}[wan]\nenabled = true\nmethod = "http"\nurl = "file:///x"',
            "wan.url",
            "http://",
        ),
        (
            f'advertise = "auto"\n{LEAST}[wan]\nenabled = true\nstun_servers = ["stun:x:y"]',
            "wan.stun_servers",
            "no host:port",
        ),
        (
            f'advertise = "auto"\n{LEAST}[wan]\nenabled = true\nstun_servers = ["stun:70000"]',
            "wan.stun_servers",
            "no host:port",
        ),
        (f'advertise = "me"\n{LEAST}', "advertise", "no IP address"),
        (f"advertise = 7\n{LEAST}", "advertise", "must be an address"),
        (f"advertise = [7]\n{LEAST}", "advertise", "no IP address"),
        (f'advertise = ["192.0.2.1", "192.0.2.2"]\n{LEAST}', "advertise", "two addresses of one"),
        (f'advertise = {{"192.0.2.1" = "2001:db8::1"}}\n{LEAST}', "advertise", "not of one family"),
        (f'advertise = {{"me" = "192.0.2.1"}}\n{LEAST}', "advertise", "IPv4 or IPv6"),
        (
            f'address = "192.0.2.9"\nadvertise = "2001:db8::1"\n{LEAST}',
            "advertise",
            "2001:db8::1 stands for no address",
        ),
        (f'offload = "fast"\n{LEAST}', "offload", "auto"),
        ('[[proxies]]\naddress = "192.0.2.1"', "proxies.0.secret", "must be set"),
        (f"{LEAST}prt = 1", "proxies.0.prt", "unknown key"),
        (f"{LEAST}[wan]\nenabled = true", "wan.enabled", 'unless advertise is "auto"'),
        (f"{LEAST}[wan]\nenabld = true", "wan.enabld", "unknown key"),
        (f"{LEAST}[wan]\nmethod = 'x'", "wan.method", "dns"),
        ("=", "TOML", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(file: Path, text: str, key: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_relay(file)
    problem = caught.value.problems[0]
    assert problem.key == key
    assert words in problem.message
    assert problem.file == str(file)


def test_everything_at_once_with_lines_and_nearest_names(file: Path) -> None:
    file.write_text(f'max_session = 5\nsilence_timeout = "long"\n{LEAST}prot = 1\n')
    with pytest.raises(ConfigError) as caught:
        load_relay(file)
    found = {problem.key: problem for problem in caught.value.problems}
    assert set(found) == {"max_session", "silence_timeout", "proxies.0.prot"}
    assert found["max_session"].nearest == "max_sessions"
    assert found["proxies.0.prot"].nearest == "port"
    assert found["silence_timeout"].line == 2


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_relay(file)


def test_what_works_but_is_hardly_meant_so(file: Path) -> None:
    file.write_text(f"{LEAST}[wan]\ninterval = 30\n")
    file.chmod(0o644)
    found = [str(problem) for problem in relay_warnings(file, load_relay(file))]
    assert found == [
        f"{file}: (file): holds a secret that others on this machine can read; chmod 600",
        f"{file}: wan: is not acted upon, for it is not enabled",
        f"{file}: proxies.0.secret: is short and may be guessed; use 16 characters or more",
    ]
    file.write_text(LEAST.replace("hush", "a secret of some length"))
    file.chmod(0o600)
    config = load_relay(file)
    assert relay_warnings(file, config) == ()
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        relay_warnings(file, config)
