"""Questions that the core cannot answer from memory; `centrex.runtime` does, and comes back."""

from typing import TypeAlias

from centrex.routing.rfc3263 import Destination


class Resolve:
    """Where does this URI lead? Answered with a tuple of `rfc3263.Target`, or with words on failure.

    Attributes:
        id: Under which the answer comes back.
        destination: What to look up.
    """

    __slots__ = ("destination", "id")

    def __init__(self, number: int, destination: Destination) -> None:
        self.id, self.destination = number, destination


Ask: TypeAlias = Resolve
