"""The commands of the control socket that a dashboard lives on: the figures of now, and what happens.

Like those of `centrex.runtime.commands`, whose table they stand in.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from centrex.runtime.desk import Handler, Stream
from centrex.runtime.watch_list import watch_list

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine


class LiveCommands:
    """Commands and streams of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    def handlers(self) -> Mapping[str, Handler]:
        """Return each command's handler by its name."""
        return {
            "snapshot": self.snapshot,
            "events.recent": self._engine.recent.rows,
            "subscriptions": watch_list(self._engine),
        }

    def streams(self) -> Mapping[str, Stream]:
        """Return what pours each stream, by its name."""
        return {"events": self._engine.recent.stream}

    def snapshot(self, params: dict[str, Any]) -> dict[str, Any]:
        """What changes from second to second, cheaply: for whoever asks that often."""
        engine, now = self._engine, time.monotonic()
        engine.capture.watch(now)
        statistics, registry = engine.statistics, engine.registry
        statistics.registrations_stand(registry.bindings)
        registers_s, calls_s, came_s, went_s = statistics.rates(now)
        registers_min, calls_min = statistics.per_minute(now)
        moment = datetime.fromtimestamp(time.time(), UTC)
        return {
            "at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "state": "stopping" if engine.stopping.is_set() else "running",
            "uptime_s": round(now - engine.started, 3),
            "registrations": {
                "users": registry.users,
                "bindings": registry.bindings,
                "peak": statistics.registrations_peak,
                "total": statistics.registrations_total,
            },
            "calls": {
                "now": statistics.calls_now,
                "peak": statistics.calls_peak,
                "total": statistics.calls_total,
                "failed": statistics.calls_failed,
            },
            "rates": {
                "calls_per_s": calls_s,
                "registers_per_s": registers_s,
                "messages_in_per_s": came_s,
                "messages_out_per_s": went_s,
                "calls_per_min": calls_min,
                "registers_per_min": registers_min,
            },
            "messages": {"in": statistics.messages_in, "out": statistics.messages_out},
            "refused_challenges": statistics.challenges_refused,
            "drops": engine.drops(),
            "media_amiss": dict(statistics.amiss),
            "relays": self._relays(),
            "bans": engine.guard.banned,
            "subscriptions": len(engine.core.watchers),
        }

    def _relays(self) -> dict[str, Any]:
        relays = self._engine.media.listing()
        return {
            "available": sum(one["state"] in {"available", "draining"} for one in relays),
            "known": len(relays),
            "sessions": sum(one["sessions"] for one in relays),
            "packets_per_s": sum(one["packets_per_s"] for one in relays),
        }
