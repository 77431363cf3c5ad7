"""What happened, as plain values, and the statistics built from them."""

from centrex.events.event import Event, Field, Kind, Severity

__all__ = ["Event", "Field", "Kind", "Severity"]
