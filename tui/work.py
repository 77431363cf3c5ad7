"""Work beside the keys: a coroutine that a screen starts and that ends with it at the latest."""

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode
from textual.worker import Worker


def begin(
    owner: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    name: str = "",
    only: str = "",
) -> Worker[None]:
    """Start a coroutine.

    Args:
        owner: With whom it ends.
        work: Makes the coroutine; so that one that is given up before it began was never made.
        name: What it may be found by.
        only: Names a group of which only the newest goes on.
    """
    # Textual's type admits a plain function too, which leaves its result undetermined
    return cast(
        "Worker[None]",
        owner.run_worker(
            cast("Any", work), name=name, group=only or "default", exclusive=bool(only)
        ),
    )
