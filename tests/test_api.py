"""What the faces may use is there, and is loaded no sooner than it is used."""

import subprocess
import sys

import pytest

from centrex import api


@pytest.mark.parametrize("name", api.__all__)
def test_each_name_offered_is_there(name: str) -> None:
    assert getattr(api, name) is getattr(api, name)


def test_another_name_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'engine'"):
        _ = api.engine


@pytest.mark.parametrize(
    ("loaded", "not_yet"),
    [
        ("centrex.api", ("pydantic", "tomlkit", "centrex.config.model", "centrex.runtime.engine")),
        ("cli.main", ("textual", "tomlkit", "dns", "centrex.config.model")),
        ("tui.run", ("pydantic", "tomlkit", "dns", "centrex.config.model", "tui.screens.config")),
    ],
)
def test_who_starts_waits_for_nothing_that_is_not_needed_yet(
    loaded: str, not_yet: tuple[str, ...]
) -> None:
    code = f"import sys, {loaded}; print([one for one in {not_yet!r} if one in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20
    )
    assert done.stdout.strip() == "[]"
