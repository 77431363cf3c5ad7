"""The life of a call seen in passing: ringing, answered, ended."""

from centrex.calls.table import Call, CallState, CallTable

__all__ = ["Call", "CallState", "CallTable"]
