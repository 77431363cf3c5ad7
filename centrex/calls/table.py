"""The calls that are being set up or are up, as their INVITE, its answers and its BYE showed them.

One entry per Call-ID. It knows no transactions and sends nothing; the media lease of a call and its
record will hang here. Calls whose end nobody saw (a phone lost its power) leave after a long silence.
"""

import enum
from collections.abc import Iterator
from typing import Final

from centrex.base import Flow, Instant
from centrex.sip.message import Message

FORGOTTEN_AFTER: Final = 12 * 3600.0
"""Seconds without any signalling after which a call counts as over."""


class CallState(enum.Enum):
    """Where a call stands."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"


_CALLING: Final = CallState.CALLING


class Call:
    """One call.

    Attributes:
        call_id: Its Call-ID.
        caller: The From URI.
        callee: The To URI.
        caller_tag: The From tag of the INVITE.
        callee_tag: The To tag of the answer, once there is one.
        route: The Record-Route value we put into what was answered; empty where it was not one.
        caller_flow: The way to the caller.
        callee_flow: The way to whom answered, or rings.
        state: Where it stands.
        user: The user whose phone answered, where that is not the one who was dialled.
        began: When the INVITE came.
        answered: When the 2xx came; 0 before.
        seen: When signalling last passed.
        invite: Its INVITE, as it came or as its lines; kept as it is, for whoever must end the call.
        answer: The 2xx that answered it, as it went to the caller.
        caller_cseq: The highest CSeq number of the caller's later requests; 0 where none came.
        callee_cseq: The same of the callee's.
        caller_hosts: Where the caller has spoken from since, and described himself anew.
        callee_hosts: The same of the callee.
    """

    __slots__ = (
        "answer",
        "answered",
        "began",
        "call_id",
        "callee",
        "callee_cseq",
        "callee_flow",
        "callee_hosts",
        "callee_tag",
        "caller",
        "caller_cseq",
        "caller_flow",
        "caller_hosts",
        "caller_tag",
        "invite",
        "route",
        "seen",
        "state",
        "user",
    )

    def __init__(
        self,
        call_id: bytes,
        caller: bytes,
        callee: bytes,
        caller_tag: bytes,
        flow: Flow,
        now: Instant,
    ) -> None:
        self.call_id, self.caller, self.callee, self.caller_tag = (
            call_id,
            caller,
            callee,
            caller_tag,
        )
        self.caller_flow = flow
        self.callee_flow: Flow | None = None
        self.callee_tag = self.route = self.answer = self.user = b""
        self.invite: bytes | Message = b""
        self.caller_cseq = self.callee_cseq = 0
        self.caller_hosts: tuple[str, ...] = ()
        self.callee_hosts: tuple[str, ...] = ()
        self.state = _CALLING
        self.began = self.seen = now
        self.answered = 0.0

    def has_dialog(self, tag: bytes, other: bytes) -> bool:
        """Whether two tags, in either order, are those of this call's dialog."""
        mine = (self.caller_tag, self.callee_tag)
        return bool(self.callee_tag) and mine in ((tag, other), (other, tag))

    def way(self, tag: bytes, other: bytes) -> Flow | None:
        """Return the way to one end from the other, who has the first of two tags; None if unknown.

        Until it is answered, whoever has any tag is taken for who rings.
        """
        if tag == self.caller_tag and (other == self.callee_tag or not self.callee_tag):
            return self.callee_flow
        if other == self.caller_tag and (tag == self.callee_tag or not self.callee_tag):
            return self.caller_flow
        return None


class CallTable:
    """Calls by Call-ID, up to a bound.

    Args:
        bound: How many calls are watched; further ones are served but not listed.
    """

    __slots__ = ("_bound", "_calls", "unwatched")

    def __init__(self, bound: int = 100_000) -> None:
        self._bound = bound
        self._calls: dict[bytes, Call] = {}
        self.unwatched = 0

    def begin(
        self,
        call_id: bytes,
        caller: bytes,
        callee: bytes,
        caller_tag: bytes,
        flow: Flow,
        now: Instant,
    ) -> Call | None:
        """Enter a call; None where its Call-ID is there already (a spiral) or the table is full."""
        if call_id in self._calls:
            return None
        if len(self._calls) >= self._bound:
            self.unwatched += 1
            return None
        call = Call(call_id, caller, callee, caller_tag, flow, now)
        self._calls[call_id] = call
        return call

    def get(self, call_id: bytes) -> Call | None:
        """Return a call by its Call-ID."""
        return self._calls.get(call_id)

    def end(self, call: Call) -> bool:
        """Take a call out; False when it had ended before."""
        if self._calls.get(call.call_id) is not call:
            return False
        del self._calls[call.call_id]
        return True

    def forgotten(self, now: Instant) -> list[Call]:
        """Return the calls nobody has spoken of for `FORGOTTEN_AFTER` seconds."""
        return [call for call in self._calls.values() if now - call.seen > FORGOTTEN_AFTER]

    def __iter__(self) -> Iterator[Call]:
        return iter(tuple(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)
