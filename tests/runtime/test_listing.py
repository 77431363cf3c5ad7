import json
from typing import Any

import pytest

from centrex.runtime.control import LINE_LIMIT, CommandRefused
from centrex.runtime.listing import PAGE_ROWS, all_rows, page


async def ask(groups: list[list[Any]], **params: Any) -> dict[str, Any]:
    """List rows that stand in groups; a row is `{"n": …}` or None."""
    return await page(
        "rows",
        params,
        groups=groups,
        rows_of=lambda group: [None if n is None else {"n": n} for n in group],
        count_of=len,
        total=sum(map(len, groups)),
    )


def numbers(result: dict[str, Any]) -> list[Any]:
    return [row["n"] for row in result["rows"]]


async def test_without_asking_for_a_page_there_is_everything() -> None:
    result = await ask([[1], [2, 3], [], [4]])
    assert (numbers(result), result["total"], result["next"]) == ([1, 2, 3, 4], 4, None)


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
async def test_pages_hold_each_row_once(limit: int) -> None:
    groups: list[list[Any]] = [[1], [2, 3, 4], [None, 5], [], [6, None], [7]]
    seen, offset = [], 0
    while True:
        result = await ask(groups, offset=offset, limit=limit)
        assert len(result["rows"]) <= limit
        assert result["total"] == 9
        seen += numbers(result)
        if result["next"] is None:
            break
        assert result["next"] > offset
        offset = result["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_a_page_is_bounded_whatever_is_asked_for() -> None:
    result = await ask([[n] for n in range(3 * PAGE_ROWS)], limit=10**9)
    assert (len(result["rows"]), result["next"]) == (PAGE_ROWS, PAGE_ROWS)


@pytest.mark.parametrize("text", ["x" * 3000, '"' * 3000, "\x01" * 3000, "\U0001f4de" * 3000])
async def test_a_page_fits_into_one_answer(text: str) -> None:
    groups = [[text] for _ in range(PAGE_ROWS)]
    result = await ask(groups, offset=0)
    assert 0 < result["next"] < PAGE_ROWS
    assert len(json.dumps(result)) <= LINE_LIMIT - 1000


async def test_everything_is_refused_where_it_does_not_fit() -> None:
    with pytest.raises(CommandRefused, match="400 rows do not fit") as caught:
        await ask([["x" * 3000] for _ in range(400)])
    assert caught.value.code == "refused"


async def test_behind_the_end_there_is_nothing() -> None:
    result = await ask([[1], [2]], offset=5)
    assert (result["rows"], result["next"]) == ([], None)


@pytest.mark.parametrize(
    "params", [{"offset": -1}, {"offset": "1"}, {"limit": 0}, {"limit": True}, {"limit": 1.5}]
)
async def test_what_is_no_page_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(CommandRefused, match="is a whole number") as caught:
        await ask([[1]], **params)
    assert caught.value.code == "invalid"


def test_all_rows_asks_page_after_page() -> None:
    asked = []

    def answer(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        follows = params["offset"] + 2 if params["offset"] < 4 else None
        return {"calls": [{"n": params["offset"]}], "total": 5, "next": follows}

    assert [row["n"] for row in all_rows(answer, "calls", {"x": 1})] == [0, 2, 4]
    assert asked[1] == {"x": 1, "offset": 2, "limit": PAGE_ROWS}


@pytest.mark.parametrize("follows", [None, 0, -1, "1"])
def test_all_rows_ends_with_an_instance_that_knows_no_pages(follows: Any) -> None:
    assert list(all_rows(lambda _: {"calls": [{}], "next": follows}, "calls")) == [{}]
    assert list(all_rows(lambda _: {"calls": [{}]}, "calls")) == [{}]
