"""Long lists for the control socket, a page at a time, without ever holding the loop up.

Who asks for a page names its first row and the most rows wanted; the answer tells how many there
are and where the next page begins. Rows that come and go meanwhile may be seen twice or not at all;
what stands all the time is seen once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import anyio.lowlevel

from centrex.runtime.control import LINE_LIMIT, CommandRefused, Result

PAGE_ROWS: Final = 500
"""The most rows in one page."""
_ROOM: Final = LINE_LIMIT - 65_536
_ROW_OVERHEAD: Final = 200
_RENDERED_AT_ONCE: Final = 50
_PASSED_AT_ONCE: Final = 5000

_T = TypeVar("_T")


async def page(
    name: str,
    params: dict[str, Any],
    *,
    groups: Sequence[_T],
    rows_of: Callable[[_T], Sequence[dict[str, Any] | None]],
    count_of: Callable[[_T], int],
    total: int,
) -> Result:
    """Return a page, or everything where no page is asked for and it fits into one answer.

    Args:
        name: The key under which the rows stand.
        params: May hold `offset` (0) and `limit` (`PAGE_ROWS`, which is also the most).
        groups: What rows are made of, in an order that holds: one to several rows each.
        rows_of: Renders the rows of one; None stands for a row that is not to be shown.
        count_of: Tells how many rows `rows_of` would give.
        total: How many rows there are in all.

    Returns:
        The rows, `total`, and `next`: the offset of the page that follows, None after the last.

    Raises:
        CommandRefused: The parameters are no numbers, or everything does not fit.
    """
    paged = "offset" in params or "limit" in params
    offset = _number(params, "offset", 0)
    limit = min(_number(params, "limit", PAGE_ROWS), PAGE_ROWS) if paged else total + 1
    rows: list[dict[str, Any]] = []
    seen = size = 0
    follows: int | None = None
    for number, group in enumerate(groups):
        count = count_of(group)
        if seen + count <= offset:
            seen += count
            if number % _PASSED_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            continue
        for row in rows_of(group):
            seen += 1
            if seen <= offset or row is None:
                continue
            size += _size(row)
            if rows and (len(rows) >= limit or size > _ROOM):
                follows = seen - 1
                break
            rows.append(row)
            if len(rows) % _RENDERED_AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        if follows is not None:
            break
    if follows is not None and not paged:
        why = f"{total} rows do not fit into one answer: ask for pages, by offset and limit"
        raise CommandRefused("refused", why)
    return {name: rows, "total": total, "next": follows}


def all_rows(
    ask: Callable[[dict[str, Any]], Result], name: str, params: dict[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield every row of a list, asking for one page after the other.

    Args:
        ask: Has the command carried out with these parameters.
        name: The key under which its rows stand; or they stand under `rows`.
        params: Further parameters.
    """
    offset: int | None = 0
    while offset is not None:
        result = ask({**(params or {}), "offset": offset, "limit": PAGE_ROWS})
        yield from result[name if name in result else "rows"]
        follows = result.get("next")  # an older instance knows no pages, and has sent everything
        offset = follows if isinstance(follows, int) and follows > offset else None


def _number(params: dict[str, Any], name: str, default: int) -> int:
    value = params.get(name, default)
    least = 1 if name == "limit" else 0
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise CommandRefused("invalid", f"{name} is a whole number, {least} or more")
    return value


def _size(row: dict[str, Any]) -> int:
    """Return a bound of the octets a row takes, with what escaping adds."""
    return _ROW_OVERHEAD + sum(_octets(value) for value in row.values())


def _octets(value: Any) -> int:
    if isinstance(value, str):
        if value.isascii() and value.isprintable():
            return len(value) + value.count('"') + value.count("\\")
        return 12 * len(value)
    if isinstance(value, list):
        return sum(_octets(one) + 3 for one in value)
    return 24
