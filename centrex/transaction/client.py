"""A client transaction: one request sent to one place, and whether it was heard."""

from typing import Any, Final

from centrex.base import Flow
from centrex.transaction import invite_client, non_invite_client
from centrex.transaction.key import ClientKey
from centrex.transaction.machine import State, Steps

_CALLING: Final = State.CALLING
_TRYING: Final = State.TRYING


class ClientTransaction:
    """One request sent by one flow.

    Attributes:
        key: (branch, method).
        flow: The way it went.
        state: Its state.
        invite: Whether it is an INVITE.
        request: The request as sent, until no repetition and no ACK can need it.
        user: Whoever waits for the answer.
        interval: Seconds between the last two sendings.
        spent: Seconds waited so far, by the schedule; timer B or F is due at 64 x T1.
    """

    __slots__ = (
        "flow",
        "interval",
        "invite",
        "key",
        "request",
        "spent",
        "state",
        "steps",
        "user",
    )

    def __init__(self, key: ClientKey, request: bytes, flow: Flow, user: object) -> None:
        self.key, self.request, self.flow = key, request, flow
        self.invite = key[1] == b"INVITE"
        self.steps: Steps = invite_client.STEPS if self.invite else non_invite_client.STEPS
        self.state = _CALLING if self.invite else _TRYING
        self.user: Any = user
        self.interval = self.spent = 0.0
