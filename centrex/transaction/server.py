"""A server transaction: one request received, and what was answered to it."""

from typing import Any, Final

from centrex.base import Flow, Instant
from centrex.transaction import invite_server, non_invite_server
from centrex.transaction.key import ServerKey
from centrex.transaction.machine import State, Steps

_PROCEEDING: Final = State.PROCEEDING
_TRYING: Final = State.TRYING
_COMPLETED: Final = State.COMPLETED


class ServerTransaction:
    """One request and its answer.

    Attributes:
        key: Where it stands in the table.
        flow: Where responses go: back by the way the request came (RFC 3261 §18.2.2, RFC 3581).
        state: Its state.
        invite: Whether the request is an INVITE.
        response: What was sent last, to be repeated.
        user: Whoever answers; its own business.
        interval: Seconds until timer G is due the next time.
        began: When the request came.
    """

    __slots__ = (
        "began",
        "flow",
        "interval",
        "invite",
        "key",
        "response",
        "state",
        "steps",
        "user",
    )

    def __init__(self, key: ServerKey, method: bytes, flow: Flow, now: Instant) -> None:
        self.key, self.flow, self.began = key, flow, now
        self.invite = method == b"INVITE"
        self.steps: Steps = invite_server.STEPS if self.invite else non_invite_server.STEPS
        self.state = _PROCEEDING if self.invite else _TRYING
        self.response = b""
        self.user: Any = None
        self.interval = 0.0

    @property
    def answered(self) -> bool:
        """Whether a final response has been sent."""
        return self.state >= _COMPLETED
