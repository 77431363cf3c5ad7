"""The non-INVITE client transaction: RFC 3261 figure 6."""

from typing import Final

from centrex.transaction.machine import Do, In, State, Table, pack

TABLE: Final[Table] = {
    (State.TRYING, In.RESEND): (State.TRYING, Do.REPEAT | Do.ARM_RESEND),
    (State.TRYING, In.TIMEOUT): (State.TERMINATED, Do.TIMED_OUT | Do.FORGET),
    (State.TRYING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.TRYING, In.PROVISIONAL): (State.PROCEEDING, Do.PASS_UP),
    (State.TRYING, In.SUCCESS): (State.COMPLETED, Do.ARM_LINGER | Do.PASS_UP),
    (State.TRYING, In.FAILURE): (State.COMPLETED, Do.ARM_LINGER | Do.PASS_UP),
    (State.PROCEEDING, In.RESEND): (State.PROCEEDING, Do.REPEAT | Do.ARM_RESEND),
    (State.PROCEEDING, In.TIMEOUT): (State.TERMINATED, Do.TIMED_OUT | Do.FORGET),
    (State.PROCEEDING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.PROCEEDING, In.PROVISIONAL): (State.PROCEEDING, Do.PASS_UP),
    (State.PROCEEDING, In.SUCCESS): (State.COMPLETED, Do.ARM_LINGER | Do.PASS_UP),
    (State.PROCEEDING, In.FAILURE): (State.COMPLETED, Do.ARM_LINGER | Do.PASS_UP),
    (State.COMPLETED, In.LINGER): (State.TERMINATED, Do.FORGET),
}

STEPS: Final = pack(TABLE)
