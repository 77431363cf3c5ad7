"""Before a relay is started anew: would the next one begin?"""

import sys
from pathlib import Path

import pytest

from centrex.base import ConfigError, Problem, Unavailable
from centrex.config.relay import RelayConfig, relay_of
from centrex.runtime.lock import InstanceLock
from centrex.runtime.relay import anew
from centrex.runtime.relay.anew import again, objections
from centrex.runtime.relay.offload import Offload
from tests.support.fake_kernel import FakeKernel
from tests.support.ports import loopback

LEAST = '[[proxies]]\naddress = "192.0.2.1"\nsecret = "hush"\n'
PLAIN = Offload("userspace", "no right", None)


def config(text: str = "") -> RelayConfig:
    return relay_of(f"{text}\n{LEAST}", "relay.toml")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ("centrex relay start --ready-fd 4 -c r.toml", "centrex relay start -c r.toml"),
        ("centrex relay start -c r.toml --ready-fd=4", "centrex relay start -c r.toml"),
        ("centrex relay start --ready-fd", "centrex relay start"),
        ("python -m centrex.runtime.relay --lock l", "python -m centrex.runtime.relay --lock l"),
    ],
)
def test_nobody_is_told_twice_that_it_is_ready(given: str, left: str) -> None:
    assert again(given.split()) == left.split()


def test_this_process_could_begin_again() -> None:
    assert again(sys.orig_argv) == sys.orig_argv


def test_each_problem_of_the_file_is_told() -> None:
    problems = (
        Problem(file="r.toml", key="nam", message="unknown key", line=3),
        Problem(file="r.toml", key="offload", message="no such"),
    )

    def read() -> RelayConfig:
        raise ConfigError(problems)

    found = objections(read, config(), PLAIN, "me")
    assert found == ["r.toml:3: nam: unknown key", "r.toml: offload: no such"]


def test_an_address_that_is_not_here() -> None:
    wanted = config(f'address = ["{loopback()}", "192.0.2.77", "2001:db8::77"]')
    found = objections(lambda: wanted, config(), PLAIN, "me")
    assert len(found) == 2
    assert found[0].startswith("address: no port at 192.0.2.77: ")
    assert not objections(config, config(), PLAIN, "me")


def test_a_kernel_that_is_known_not_to_carry() -> None:
    wanted = config('offload = "kernel"')
    assert objections(lambda: wanted, config(), PLAIN, "me") == ["offload: no right"]
    there = Offload("fake", "", FakeKernel())
    assert not objections(lambda: wanted, config(), there, "me")


@pytest.mark.parametrize("refuses", [False, True])
def test_a_kernel_that_was_not_wanted_before_is_tried(
    monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    kernel, tried = FakeKernel(), []

    def opened(wanted: RelayConfig, name: str) -> Offload:
        tried.append(name)
        if refuses:
            raise Unavailable("not today")
        return Offload("fake", "", kernel)

    monkeypatch.setattr(anew, "open_offload", opened)
    present = config('offload = "userspace"')
    wanted = config('offload = "kernel"')
    found = objections(lambda: wanted, present, Offload("userspace", "as configured", None), "me")
    assert found == (["offload: not today"] if refuses else [])
    assert tried == ["me-trial"]
    assert kernel.closed is (None if refuses else False)


def test_a_folder_for_what_it_carries_is_looked_at(tmp_path: Path) -> None:
    there, blocked = tmp_path / "there", tmp_path / "blocked"
    blocked.write_text("")

    def found(folder: Path, present: str = "") -> list[str]:
        wanted = config(f'state_dir = "{folder}"')
        return list(objections(lambda: wanted, config(present), PLAIN, "me"))

    assert found(there) == []
    assert there.stat().st_mode & 0o077 == 0
    assert found(blocked) == [f"state_dir: {blocked}: File exists"]
    with InstanceLock(there / "relay.lock"):
        assert found(there) == [f"state_dir: another relay holds {there / 'relay.lock'}"]
        assert found(there, f'state_dir = "{there}"') == [], "it is its own"
