"""What the server decided for each call and registration, kept for a reader."""

from centrex.trace.journal import Decision, Journal
from centrex.trace.rules import Rule

__all__ = ["Decision", "Journal", "Rule"]
