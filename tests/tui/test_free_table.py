"""A free table at the keys, and on a real file: only what was changed is written."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex import api
from tests.support.pretend import FORBIDDEN, HOSTILE, Pretend
from tests.support.screens import dashboard, text
from tui.free_table import LONGEST, as_toml, read
from tui.screens.free_table import FreeTable
from tui.values import Objection

NAMES = st.text(max_size=8).filter(lambda one: "\r" not in one)
LEAVES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
)
TABLES = st.dictionaries(
    NAMES,
    st.dictionaries(
        NAMES,
        LEAVES
        | st.lists(LEAVES, max_size=3)
        | st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, max_size=2), max_size=2),
        max_size=4,
    ),
    max_size=3,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@given(TABLES)
def test_what_is_shown_is_read_back_as_it_was(tables: dict[str, Any]) -> None:
    assert read(as_toml(tables)) == tables


def test_it_looks_as_one_would_type_it() -> None:
    tables = {"recorder": {"folder": "/srv", "days": 5, "for": ["a"], "deep": {"on": True}}}
    assert as_toml(tables) == (
        '[recorder]\nfolder = "/srv"\ndays = 5\nfor = ["a"]\n\n[recorder.deep]\non = true\n'
    )


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("x = 1", "a line \\[NAME\\] comes first"),
        ("[a]\nx = ", "Invalid value"),
        ("[a]\nx = 2026-01-01", "quotation marks"),
        ("[a]\nx = inf", "no number"),
        ("[a]\nx = 9223372036854775808", "too large"),
        ("[a.b.c.d.e.f]\nx = 1", "too deeply"),
        ("[a]\nx = " + "[" * 5000, "too deeply|Invalid value"),
        ("#" * (LONGEST + 1), "longer than"),
    ],
)
def test_what_cannot_be_kept_is_said(typed: str, why: str) -> None:
    with pytest.raises(Objection, match=why):
        read(typed)


FILE = """\
[network]
domain = "example.com"
[plugins]
# alpha is ours
[plugins.settings.alpha]
# one, not two
x = 1 # really
when = 2026-01-01T10:00:00
[plugins.settings.beta]
y = "b" # stays
"""


def test_only_what_was_changed_is_written(tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text(FILE)
    source = api.ConfigSource(path=file)
    tables = api.open_config(source)["values"]["plugins"]["settings"]
    assert tables["alpha"]["when"] == "2026-01-01T10:00:00"
    tables["alpha"] |= {"x": 2, "on": True}
    tables["gamma"] = {"deep": {"k": ["a"]}}
    wish = {"op": "set", "key": "plugins.settings", "value": read(as_toml(tables))}
    api.apply_changes(source, "", [wish])
    written = file.read_text()
    assert written.startswith(FILE.partition("x = 1")[0] + "x = 2 # really\n")
    for kept in ("when = 2026-01-01T10:00:00\n", 'y = "b" # stays\n'):
        assert kept in written
    said = tomllib.loads(written)["plugins"]["settings"]
    assert said["alpha"]["on"] is True
    assert said["gamma"] == {"deep": {"k": ["a"]}}
    wish["value"] = {"beta": tables["beta"]}
    api.apply_changes(source, "", [wish])
    assert tomllib.loads(file.read_text())["plugins"]["settings"] == {"beta": {"y": "b"}}
    assert "# stays" in file.read_text()


@pytest.mark.parametrize("value", [1, "x", None, []])
def test_what_is_no_table_is_refused(tmp_path: Path, value: object) -> None:
    file = tmp_path / "office.toml"
    file.write_text(FILE)
    wish = {"op": "set", "key": "plugins.settings", "value": value}
    source = api.ConfigSource(path=file)
    with pytest.raises(api.ConfigError, match=r"table|value"):
        api.apply_changes(source, "", [wish])
    assert file.read_text() == FILE


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_it_is_typed_judged_and_becomes_an_edit() -> None:
    instance = Pretend()
    instance.opened["values"]["plugins"]["settings"] = {"alpha": {"x": 1}}
    async with dashboard(instance) as operator:
        operator.app.obey("config plugins")
        await operator.sees("Plug-in settings", "alpha")
        await operator.press("tab", "j", "j", "j", "j", "j", "enter")
        await operator.sees("[alpha]", "x = 1", "✓ alpha")
        await operator.press(*"y = ")
        await operator.sees("✗")
        await operator.press("ctrl+s")
        assert isinstance(operator.app.screen, FreeTable)
        await operator.press(*'"b"')
        await operator.sees("✓ alpha")
        await operator.press("ctrl+s")
        await operator.sees("● Plug-in settings")
        wish = instance.commands("config.preview")[-1][1]["changes"][0]
        assert wish["value"] == {"alpha": {"x": 1, "y": "b"}}
        await operator.press("enter")
        await operator.sees('y = "b"')
        await operator.press(*"z = 3", "escape")
        await operator.sees("Leave this text?")
        await operator.press("n")
        await operator.sees("z = 3", "✓ alpha")
        await operator.press("escape", "y")
        await operator.sees("● Plug-in settings")
        assert not isinstance(operator.app.screen, FreeTable)
        await operator.press("enter")
        await operator.sees('y = "b"')
        await operator.press("escape")
        await operator.until(lambda: not isinstance(operator.app.screen, FreeTable))


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_what_stands_in_the_file_commands_no_terminal() -> None:
    instance = Pretend()
    instance.opened["values"]["plugins"]["settings"] = {HOSTILE: {"x": HOSTILE}}
    async with dashboard(instance, size=(120, 40)) as operator:
        operator.app.obey("config plugins")
        await operator.sees("Plug-in settings")
        await operator.press("tab", "j", "j", "j", "j", "j", "enter")
        await operator.until(lambda: isinstance(operator.app.screen, FreeTable))
        await operator.pilot.pause(0.3)
        assert not [one for one in FORBIDDEN if one in text(operator.app)]
