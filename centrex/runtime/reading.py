"""The commands that only read: all that may be asked by whoever is to change nothing."""

from typing import Final

READING: Final = frozenset(
    {
        "bans",
        "call",
        "call.export",
        "calls",
        "config",
        "config.describe",
        "config.open",
        "config.preview",
        "events.recent",
        "explain",
        "gateways",
        "registrations",
        "relays",
        "relays.calls",
        "route.test",
        "snapshot",
        "statistics",
        "status",
        "subscriptions",
    }
)
"""Any command that is not among these counts as one that changes something."""
