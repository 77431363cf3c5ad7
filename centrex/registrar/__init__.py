"""The registrar: RFC 3261 §10 as a function, and the table of who is registered."""

from centrex.registrar.binding import Binding, Change, ChangeKind, in_order
from centrex.registrar.register import Options, Outcome, register
from centrex.registrar.registry import Bindings, MustAsk, Registry

__all__ = [
    "Binding",
    "Bindings",
    "Change",
    "ChangeKind",
    "MustAsk",
    "Options",
    "Outcome",
    "Registry",
    "in_order",
    "register",
]
