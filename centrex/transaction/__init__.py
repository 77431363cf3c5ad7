"""The four transaction machines of RFC 3261 §17 as amended by RFC 6026, and their table."""

from centrex.transaction.client import ClientTransaction
from centrex.transaction.layer import TransactionLayer, TransactionUser
from centrex.transaction.server import ServerTransaction
from centrex.transaction.timers import Timers, Timing

__all__ = [
    "ClientTransaction",
    "ServerTransaction",
    "Timers",
    "Timing",
    "TransactionLayer",
    "TransactionUser",
]
