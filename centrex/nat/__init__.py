"""Which address a peer can really be reached at, and which of ours to show it."""

from centrex.nat.reach import amend_via, behind_nat
from centrex.nat.route_token import Dialog, RouteTokens

__all__ = ["Dialog", "RouteTokens", "amend_via", "behind_nat"]
