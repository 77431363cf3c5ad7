"""RFC 3261 §16: the chain of steps, targets tried in turn, best response."""

from centrex.proxy.core import Core

__all__ = ["Core"]
