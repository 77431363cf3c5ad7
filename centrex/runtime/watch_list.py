"""The command `subscriptions`: who watches whom."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from centrex.runtime.desk import Handler
from centrex.runtime.listing import page
from centrex.watching.subscription import Subscription

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine


def watch_list(engine: "Engine") -> Handler:
    """Return the handler of an engine: all subscriptions, or those of a page (`offset`, `limit`)."""

    async def subscriptions(params: dict[str, Any]) -> dict[str, Any]:
        now = time.monotonic()
        subs = tuple(engine.core.watchers.notifier)

        def rows(sub: Subscription) -> Sequence[dict[str, Any]]:
            return ({**_row(sub, now), "behind": engine.core.watchers.behind(sub)},)

        found = await page(
            "rows", params, groups=subs, rows_of=rows, count_of=lambda _: 1, total=len(subs)
        )
        return {"available": True, **found}

    return subscriptions


def _row(sub: Subscription, now: float) -> dict[str, Any]:
    return {
        "watcher": _text(sub.watcher),
        "target": _text(sub.target),
        "package": _text(sub.package.name),
        "expires_s": max(0, round(sub.expires_at - now)),
        "state": "terminated" if sub.ending else "waiting" if sub.waits else "active",
        "notified": sub.notified,
        "source": sub.flow.name,
    }


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
