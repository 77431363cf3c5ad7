import pytest

from centrex.config.keys import (
    catalogue,
    find,
    generic,
    join,
    nearest_choice,
    nearest_key,
    split,
    tables,
)


def test_every_key_says_what_it_is_for() -> None:
    for key in catalogue().values():
        assert key.description.endswith("."), key.name
        assert key.calls, key.name


def test_a_key_carries_what_a_form_needs() -> None:
    port = catalogue()["network.port"]
    assert (port.kind, port.default, port.minimum, port.maximum) == ("integer", 5060, 0, 65535)
    assert (port.effect, port.form, port.required) == ("restart", "port", False)
    assert catalogue()["network.domain"].required
    assert catalogue()["network.transports"].choices == ("udp", "tcp", "tls")
    assert catalogue()["media.mode"].choices == ("auto", "always", "never")
    assert catalogue()["auth.credentials[].ha1_md5"].kind == "secret"
    assert catalogue()["auth.credentials"].kind == "rows"
    assert catalogue()["plugins.settings"].kind == "map"
    assert catalogue()["network.guard.ban_seconds"].unit == "s"


def test_what_comes_later_says_so() -> None:
    assert not catalogue()["wan.method"].available
    assert not catalogue()["siplog.file"].available
    assert "later version" in catalogue()["wan.method"].calls
    assert catalogue()["network.port"].available


def test_tables_are_listed_with_nested_ones() -> None:
    assert {"network", "network.guard", "auth"} <= set(tables())
    assert "auth.credentials" not in tables()


@pytest.mark.parametrize(
    ("dotted", "path"),
    [
        ("network.port", ("network", "port")),
        ("auth.credentials[12].login", ("auth", "credentials", 12, "login")),
        ("a..b", ()),
        ("a[x]", ()),
        ("", ()),
    ],
)
def test_paths_are_split(dotted: str, path: tuple[str | int, ...]) -> None:
    assert split(dotted) == path
    if path:
        assert join(path) == dotted


def test_rows_are_found_by_their_kind() -> None:
    assert generic("auth.credentials[3].login") == "auth.credentials[].login"
    found = find("auth.credentials[3].login")
    assert found is not None
    assert found.name == "auth.credentials[].login"
    assert find("auth.nothing") is None


def test_the_nearest_is_found_or_nothing() -> None:
    assert nearest_key("network.prt") == "network.port"
    assert nearest_key("auth.credentials[0].logn") == "auth.credentials[].login"
    assert nearest_key("network.max_contacts") == "registrar.max_contacts"
    assert nearest_key("zzz") == ""
    assert nearest_choice("sha256", ("SHA-256", "MD5")) == "SHA-256"
    assert nearest_choice("xxxxx", ("udp", "tcp")) == ""


def test_what_waits_for_a_restart_says_so_first_and_nothing_else_does() -> None:
    for key in catalogue().values():
        waits = key.effect == "restart"
        assert key.calls.startswith("waits for a restart") is waits, key.name
        assert not (waits and not key.available), key.name
