from pathlib import Path

import pytest

from centrex.base import ConfigError
from centrex.config.paths import instance_of, instance_paths


def test_root_has_the_places_of_the_system() -> None:
    paths = instance_paths("office", env={}, uid=0)
    assert paths.config == Path("/etc/centrex/office.toml")
    assert paths.state == Path("/var/lib/centrex/office")
    assert paths.control == Path("/run/centrex/office/control.sock")
    assert paths.lock == Path("/run/centrex/office/lock")
    assert paths.log == Path("/var/log/centrex/office")


def test_others_have_the_places_of_xdg() -> None:
    env = {
        "HOME": "/home/me",
        "XDG_RUNTIME_DIR": "/run/user/7",
        "XDG_CONFIG_HOME": "/c",
        "XDG_STATE_HOME": "/s",
    }
    paths = instance_paths(env=env, uid=7)
    assert paths.instance == "default"
    assert paths.config == Path("/c/centrex/default.toml")
    assert paths.state == paths.log == Path("/s/centrex/default")
    assert paths.run == Path("/run/user/7/centrex/default")


def test_without_a_runtime_folder_the_socket_lies_in_the_state_folder() -> None:
    paths = instance_paths(env={"HOME": "/home/me"}, uid=4_000_000)
    assert paths.config == Path("/home/me/.config/centrex/default.toml")
    assert paths.run == Path("/home/me/.local/state/centrex/default/run")


def test_a_state_folder_of_its_own_does_not_move_the_socket() -> None:
    paths = instance_paths(state_dir="/srv/state", env={"HOME": "/home/me"}, uid=4_000_000)
    assert paths.state == Path("/srv/state")
    assert paths.run == Path("/home/me/.local/state/centrex/default/run")


def test_one_folder_for_everything() -> None:
    paths = instance_paths("a", env={"CENTREX_ROOT": "/r"}, uid=0)
    assert (paths.config, paths.run) == (Path("/r/etc/a.toml"), Path("/r/run/a"))
    assert (paths.state, paths.log) == (Path("/r/state/a"), Path("/r/log/a"))


def test_an_instance_is_named_after_its_file() -> None:
    assert instance_of(Path("/srv/office.toml")) == "office"
    assert instance_of(Path("./a b ü.toml")) == "a-b--"
    assert instance_of(Path("....")) == "default"
    paths = instance_paths(config_file=Path("x/office.toml"), env={}, uid=0)
    assert (paths.instance, paths.config) == ("office", Path("x/office.toml"))


def test_a_file_may_run_under_another_name() -> None:
    assert instance_paths("b", Path("a.toml"), env={}, uid=0).run == Path("/run/centrex/b")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b", "x" * 65])
def test_names_cannot_lead_out_of_the_folder(name: str) -> None:
    with pytest.raises(ConfigError, match="no instance name"):
        instance_paths(name, env={}, uid=0)
