"""Words every room shares: flows, instants, identifiers, the root errors."""

from centrex.base.errors import (
    CentrexError,
    ConfigError,
    LocalError,
    PeerError,
    PluginError,
    Problem,
    Refused,
    Unavailable,
)
from centrex.base.flow import Flow, Link, Local, Transport
from centrex.base.ids import Ids
from centrex.base.instant import NEVER, Instant

__all__ = [
    "NEVER",
    "CentrexError",
    "ConfigError",
    "Flow",
    "Ids",
    "Instant",
    "Link",
    "Local",
    "LocalError",
    "PeerError",
    "PluginError",
    "Problem",
    "Refused",
    "Transport",
    "Unavailable",
]
