"""Questions that the core cannot answer from memory; `centrex.runtime` does, and comes back."""

from collections.abc import Mapping
from typing import TypeAlias

from centrex.farm.bencode import Encodable
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


class Consult:
    """What does rtpengine say to this? Answered with a `farm.rtpengines.Reply`, or with words on failure.

    Attributes:
        id: Under which the answer comes back.
        call_id: The call it is about.
        fields: The question, `command` among them.
        at: Which rtpengine serves the call; empty where none does yet.
        elsewhere: Whether others may be asked when that one does not answer.
    """

    __slots__ = ("at", "call_id", "elsewhere", "fields", "id")

    def __init__(
        self,
        number: int,
        call_id: bytes,
        fields: Mapping[str, Encodable],
        *,
        at: str = "",
        elsewhere: bool = True,
    ) -> None:
        self.id, self.call_id, self.fields = number, call_id, fields
        self.at, self.elsewhere = at, elsewhere


Ask: TypeAlias = Resolve | Consult
