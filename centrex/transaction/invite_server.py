"""The INVITE server transaction: RFC 3261 figure 7, with Accepted from RFC 6026 §7.1."""

from typing import Final

from centrex.transaction.machine import Do, In, State, Table, pack

TABLE: Final[Table] = {
    (State.PROCEEDING, In.REQUEST): (State.PROCEEDING, Do.REPEAT),
    (State.PROCEEDING, In.PROVISIONAL): (State.PROCEEDING, Do.SEND),
    (State.PROCEEDING, In.SUCCESS): (State.ACCEPTED, Do.SEND | Do.ARM_LINGER),
    (State.PROCEEDING, In.FAILURE): (
        State.COMPLETED,
        Do.SEND | Do.ARM_RESEND | Do.ARM_TIMEOUT,
    ),
    (State.PROCEEDING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.COMPLETED, In.REQUEST): (State.COMPLETED, Do.REPEAT),
    (State.COMPLETED, In.RESEND): (State.COMPLETED, Do.REPEAT | Do.ARM_RESEND),
    (State.COMPLETED, In.ACK): (State.CONFIRMED, Do.ARM_LINGER),
    (State.COMPLETED, In.TIMEOUT): (State.TERMINATED, Do.FORGET),
    (State.COMPLETED, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FORGET),
    (State.CONFIRMED, In.LINGER): (State.TERMINATED, Do.FORGET),
    (State.ACCEPTED, In.SUCCESS): (State.ACCEPTED, Do.SEND),
    (State.ACCEPTED, In.ACK): (State.ACCEPTED, Do.PASS_UP),
    (State.ACCEPTED, In.LINGER): (State.TERMINATED, Do.FORGET),
}

STEPS: Final = pack(TABLE)
