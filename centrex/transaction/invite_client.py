"""The INVITE client transaction: RFC 3261 figure 5, with Accepted from RFC 6026 §7.2."""

from typing import Final

from centrex.transaction.machine import Do, In, State, Table, pack

TABLE: Final[Table] = {
    (State.CALLING, In.RESEND): (State.CALLING, Do.REPEAT | Do.ARM_RESEND),
    (State.CALLING, In.TIMEOUT): (State.TERMINATED, Do.TIMED_OUT | Do.FORGET),
    (State.CALLING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.CALLING, In.PROVISIONAL): (State.PROCEEDING, Do.PASS_UP),
    (State.CALLING, In.SUCCESS): (State.ACCEPTED, Do.ARM_LINGER | Do.PASS_UP),
    (State.CALLING, In.FAILURE): (State.COMPLETED, Do.SEND_ACK | Do.ARM_LINGER | Do.PASS_UP),
    (State.PROCEEDING, In.PROVISIONAL): (State.PROCEEDING, Do.PASS_UP),
    (State.PROCEEDING, In.SUCCESS): (State.ACCEPTED, Do.ARM_LINGER | Do.PASS_UP),
    (State.PROCEEDING, In.FAILURE): (State.COMPLETED, Do.SEND_ACK | Do.ARM_LINGER | Do.PASS_UP),
    (State.COMPLETED, In.FAILURE): (State.COMPLETED, Do.SEND_ACK),
    (State.COMPLETED, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FORGET),
    (State.COMPLETED, In.LINGER): (State.TERMINATED, Do.FORGET),
    (State.ACCEPTED, In.SUCCESS): (State.ACCEPTED, Do.PASS_UP),
    (State.ACCEPTED, In.LINGER): (State.TERMINATED, Do.FORGET),
}

STEPS: Final = pack(TABLE)
