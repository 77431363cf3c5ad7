"""What the four machines have in common: states, inputs, actions, and transitions as data.

Each machine's own module holds its table, in the order of its RFC figure, as a mapping from
(state, input) to (next state, what to do). An absent pair is a decision too: the input is absorbed.
That is also how timers are cancelled: one that fires in a state without an entry does nothing.
Tables are packed into nested tuples, since one is consulted for every message.
"""

import enum
from collections.abc import Mapping
from typing import Final, TypeAlias


class State(enum.IntEnum):
    """The states of RFC 3261 figures 5 to 8, with Accepted of RFC 6026."""

    CALLING = 0
    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    CONFIRMED = 4
    ACCEPTED = 5
    TERMINATED = 6


class In(enum.IntEnum):
    """What may happen to a transaction: a message, its user's answer, a timer, a failure."""

    REQUEST = 0
    ACK = 1
    PROVISIONAL = 2
    SUCCESS = 3
    FAILURE = 4
    RESEND = 5
    """Timer A, E or G: time to send again."""
    TIMEOUT = 6
    """Timer B, F or H: the far side never answered."""
    LINGER = 7
    """Timer D, I, J, K, L or M: strays have had their time."""
    TRANSPORT_ERROR = 8


class Do(enum.IntFlag):
    """What a transition asks of the layer, carried out in this order."""

    NOTHING = 0
    SEND = 1
    """Put the request or response that came with the input on the wire."""
    REPEAT = 2
    """Put what was sent last on the wire again."""
    SEND_ACK = 4
    """Acknowledge a final response other than 2xx (§17.1.1.3)."""
    ARM_RESEND = 8
    """Start timer A, E or G anew, after a longer interval."""
    ARM_TIMEOUT = 16
    """Start timer H."""
    ARM_LINGER = 32
    """Start the timer after which the transaction is gone."""
    PASS_UP = 64
    """Tell the transaction user."""
    TIMED_OUT = 128
    """Tell the transaction user that no answer came."""
    FAILED = 256
    """Tell the transaction user that the transport failed."""
    FORGET = 512
    """Take the transaction out of the table."""


Table: TypeAlias = Mapping[tuple[State, In], tuple[State, Do]]
Steps: TypeAlias = tuple[tuple[tuple[State, int] | None, ...], ...]

_INPUTS: Final = len(In)


def pack(table: Table) -> Steps:
    """Return a table as `steps[state][input]`, None where the table has no entry."""
    return tuple(
        tuple(
            (entry[0], int(entry[1])) if (entry := table.get((state, event))) else None
            for event in In
        )
        for state in State
    )
