"""Columns and order outlive the session; a damaged file does no harm."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.pretend import Pretend
from tests.support.screens import dashboard
from tui.memory import Arranged, Memory, usual_file

CALLS = Arranged(columns=("from", "to"), sort="to", descending=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_what_was_kept_is_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "state" / "dashboard.json"
    memory = Memory(file)
    assert memory.table("calls") == Arranged()
    assert memory.keep("calls", CALLS)
    memory.save("calls")
    assert not memory.keep("calls", CALLS)
    assert Memory(file).table("calls") == CALLS
    assert file.stat().st_mode & 0o777 == 0o600
    assert os.listdir(file.parent) == [file.name]


def test_two_dashboards_do_not_forget_each_others(tmp_path: Path) -> None:
    file = tmp_path / "dashboard.json"
    one, other = Memory(file), Memory(file)
    one.keep("calls", CALLS)
    one.save("calls")
    other.keep("bans", Arranged(sort="reason"))
    other.save("bans")
    assert Memory(file).table("calls") == CALLS
    assert Memory(file).table("bans").sort == "reason"


def test_without_a_file_it_lasts_as_long_as_the_session() -> None:
    memory = Memory()
    memory.keep("calls", CALLS)
    memory.save("calls")
    assert memory.table("calls") == CALLS


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["tables", "columns", "sort", "descending", "calls"]),
                    inner,
                    max_size=4,
                )
            ),
        ).map(lambda one: json.dumps(one).encode()),
    )
)
def test_a_damaged_file_counts_as_empty_and_is_replaced(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.mktemp("state") / "dashboard.json"
    file.write_bytes(data)
    memory = Memory(file)
    found = memory.table("calls")
    assert all(isinstance(name, str) for name in (*found.columns, found.sort))
    memory.keep("calls", CALLS)
    memory.save("calls")
    assert Memory(file).table("calls") == CALLS


@pytest.mark.parametrize("data", [b"[" * 60_000, b" " * 70_000 + b"{}", b"\xff\xfe"])
def test_neither_a_deep_nor_a_long_one_stops_the_start(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "dashboard.json"
    file.write_bytes(data)
    assert Memory(file).table("calls") == Arranged()


@pytest.mark.parametrize(
    ("env", "file"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/centrex/dashboard.json"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/centrex/dashboard.json"),
        ({"HOME": "/h", "CENTREX_ROOT": "/r"}, "/r/state/dashboard.json"),
    ],
)
def test_it_is_the_users_own(env: dict[str, str], file: str) -> None:
    assert usual_file(env) == Path(file)


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_table_looks_as_it_was_left(tmp_path: Path) -> None:
    file = tmp_path / "dashboard.json"
    async with dashboard(Pretend(), memory=Memory(file)) as operator:
        await operator.press("4")
        await operator.sees("Calls – 3", "Duration▲")
        await operator.press("O")
        await operator.sees("Duration▼")
        await operator.press("c")
        await operator.sees("Columns")
        await operator.press("space", "enter")
        await operator.sees_no_more("From ")
        await operator.until(lambda: file.exists() and "columns" in file.read_text())
        await operator.until(lambda: "from" not in Memory(file).table("calls").columns)
    async with dashboard(Pretend(), memory=Memory(file)) as operator:
        await operator.press("4")
        shown = await operator.sees("Calls – 3", "Duration▼")
        assert "From " not in shown


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_names_that_are_no_columns_any_more_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "dashboard.json"
    tables = {"calls": {"columns": ["gone", "to"], "sort": "gone", "descending": True}}
    file.write_text(json.dumps({"tables": tables}))
    async with dashboard(Pretend(), memory=Memory(file)) as operator:
        await operator.press("4")
        shown = await operator.sees("Calls – 3", "To")
        assert "Duration" not in shown


@pytest.mark.anyio
@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_where_it_cannot_be_written_it_is_said(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    async with dashboard(Pretend(), memory=Memory(in_the_way / "dashboard.json")) as operator:
        await operator.press("4")
        await operator.sees("Calls – 3")
        await operator.press("O")
        await operator.sees("✗ the columns are not remembered")
