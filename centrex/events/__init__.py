"""What happened, as plain values, and the statistics built from them."""

from centrex.events.event import BY_NAME, Event, Field, Kind, Severity

__all__ = ["BY_NAME", "Event", "Field", "Kind", "Severity"]
