"""What a reload replaces of routing: plans, gateways, standing names, and the rules around them."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from centrex.base import Instant
from centrex.routing.plans import Plans
from centrex.routing.settings import Gateway


def _no_plans() -> Plans:
    return Plans((), str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Where calls go."""

    plans: Plans = field(default_factory=_no_plans)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    """By name."""
    fixed: Mapping[bytes, bytes] = field(default_factory=dict)
    """The fixed contact of each standing name that has one, in canonical spelling."""
    follows: bool = False
    """Whether redirections (3xx) are followed."""
    decline_ends: bool = False
    """Whether a destination that declines (603) ends a hunt."""
    local_time: Callable[[Instant], dt.datetime] = lambda now: dt.datetime.fromtimestamp(
        now, dt.UTC
    )
    """Gives the time that plans go by, from the core's."""
