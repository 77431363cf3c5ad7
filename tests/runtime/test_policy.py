import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from centrex.base import ConfigError
from centrex.config.load import load_text
from centrex.config.model import Config
from centrex.events import Kind
from centrex.guard.guard import Guard
from centrex.runtime.policy import Policy, make_policy, without
from centrex.runtime.reload import Tickets


def config(lines: str = "") -> Config:
    text = f'network.domain = "voip.test"\n{lines}\n'
    return load_text(text, file=Path("/nowhere/test.toml")).config


def policy(lines: str = "") -> Policy:
    wanted = config(lines)
    tickets = Tickets(wanted)
    return make_policy(wanted, tickets.nonces, tickets.window)


def ha1(user: str, realm: str = "voip.test") -> str:
    return hashlib.md5(f"{user}:{realm}:secret".encode(), usedforsecurity=False).hexdigest()


def test_the_defaults_ask_everybody_and_say_that_nobody_can_log_in() -> None:
    made = policy()
    assert made.access.enabled
    assert made.access.covers(b"REGISTER")
    assert "127.0.0.1" not in made.access.trusted
    assert (made.logins, made.users) == (0, frozenset())
    assert "no logins" in made.warnings[0]


def test_users_exist_by_login_by_group_and_by_directory() -> None:
    made = policy(
        f'[[auth.credentials]]\nlogin = "Anna"\nha1_md5 = "{ha1("Anna")}"\n'
        f'[[auth.credentials]]\nlogin = "team"\nha1_md5 = "{ha1("team")}"\nusers = ["2001", "*"]\n'
        '[[directory.entries]]\nname = "Door"\n'
        '[[directory.entries]]\nname = "Gone"\nenabled = false\n'
    )
    assert made.users == {b"anna", b"2001", b"door"}
    assert made.logins == 2
    assert made.warnings == ()


def test_where_case_counts_users_keep_theirs() -> None:
    made = policy(
        "registrar.case_sensitive = true\n"
        f'[[auth.credentials]]\nlogin = "Anna"\nha1_md5 = "{ha1("Anna")}"\n'
    )
    assert made.users == {b"Anna"}


def test_a_file_of_credentials_is_read_and_its_faults_are_told(tmp_path: Path) -> None:
    file = tmp_path / "htdigest"
    file.write_text(f"1001:voip.test:{ha1('1001')}\nnonsense\n")
    made = policy(f'auth.credentials_file = "{file}"')
    assert made.logins == 1
    assert len(made.warnings) == 1
    row = f'[[auth.credentials]]\nlogin = "1001"\nha1_md5 = "{ha1("1001")}"\n'
    twice = policy(f'auth.credentials_file = "{file}"\n{row}')
    assert twice.logins == 1
    assert f"1001 also in {file}; what auth.credentials says counts" in twice.warnings[1]
    wanted = config(f'auth.credentials_file = "{file}"')
    file.unlink()
    tickets = Tickets(wanted)
    with pytest.raises(ConfigError) as caught:
        make_policy(wanted, tickets.nonces, tickets.window)
    (problem,) = caught.value.problems
    assert problem.key == "auth.credentials_file"


def test_trusted_hosts_may_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, *_: Any, **__: Any) -> list[Any]:
        if host == "gateway.test":
            return [(2, 2, 17, "", (address, 0)) for address in ("192.0.2.9", "192.0.2.9")]
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    made = policy('auth.trusted = ["gateway.test", "gone.test", "198.51.100.0/24"]')
    assert "192.0.2.9" in made.access.trusted
    assert "198.51.100.3" in made.access.trusted
    assert "192.0.2.8" not in made.access.trusted
    assert any("gone.test cannot be resolved" in warning for warning in made.warnings)


def test_events_are_switched_on_by_kind() -> None:
    made = policy("events.calls = false")
    assert Kind.CALLS not in made.kinds
    assert {Kind.SERVER, Kind.ERRORS} <= made.kinds


@pytest.mark.parametrize(
    ("networks", "outside", "inside", "out"),
    [
        (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.0", "10.0.0.2", "10.255.0.1"], ["10.0.0.1"]),
        (["10.0.0.1"], "10.0.0.1", [], ["10.0.0.1"]),
        (["0.0.0.0/0", "::/0"], "10.0.0.1", ["10.0.0.2", "2001:db8::1"], ["10.0.0.1"]),
        (["2001:db8::/32"], "2001:db8::1", ["2001:db8::2"], ["2001:db8::1"]),
        (["10.0.0.7/8"], "192.0.2.1", ["10.0.0.7"], ["192.0.2.1"]),
        (["10.0.0.0/8"], "", ["10.0.0.1"], []),
    ],
)
def test_one_address_is_taken_out_of_networks(
    networks: list[str], outside: str, inside: list[str], out: list[str]
) -> None:
    from centrex.base.networks import Networks  # noqa: PLC0415 - the guard has its own of that name

    left = Networks(without(networks, outside))
    assert all(host in left for host in inside)
    assert not any(host in left for host in out)


def test_what_the_router_sends_is_neither_trusted_nor_spared() -> None:
    lines = 'network.guard.exempt = ["10.0.0.0/8"]\nauth.trusted = ["10.0.0.0/8"]\n'
    made = policy(lines + 'network.router_address = "10.0.0.1"')
    assert "10.0.0.2" in made.access.trusted
    assert "10.0.0.1" not in made.access.trusted
    guard = Guard(**made.guard | {"burst": 1, "requests_per_second": 1})
    assert all(guard.admit("10.0.0.2", 5.0) for _ in range(9))
    assert [guard.admit("10.0.0.1", 5.0) for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "spelled"), [("Door", b"door"), ("T\u00dcR", "t\u00dcr".encode())]
)
def test_a_fixed_contact_is_found_as_the_registry_spells_names(name: str, spelled: bytes) -> None:
    rows = f'[[directory.entries]]\nname = "{name}"\ncontact = "sip:door@192.0.2.9"'
    assert policy(rows).routes.fixed == {spelled: b"sip:door@192.0.2.9"}


def test_of_a_fixed_contact_is_called_what_may_stand_in_a_request_line() -> None:
    rows = 'directory.entries = [{name = "a", contact = "sip:door@192.0.2.9?Subject=x"}]'
    assert policy(rows).routes.fixed == {b"a": b"sip:door@192.0.2.9"}
