"""The non-INVITE server transaction: RFC 3261 figure 8.

No 100 is sent at once (RFC 4320 §4.1); a request repeated in Trying is absorbed. A request that is
never answered (§4.2 there) is forgotten when its sender has given up.
"""

from typing import Final

from centrex.transaction.machine import Do, In, State, Table, pack

TABLE: Final[Table] = {
    (State.TRYING, In.PROVISIONAL): (State.PROCEEDING, Do.SEND),
    (State.TRYING, In.SUCCESS): (State.COMPLETED, Do.SEND | Do.ARM_LINGER),
    (State.TRYING, In.FAILURE): (State.COMPLETED, Do.SEND | Do.ARM_LINGER),
    (State.TRYING, In.TIMEOUT): (State.TERMINATED, Do.FORGET),
    (State.TRYING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.PROCEEDING, In.REQUEST): (State.PROCEEDING, Do.REPEAT),
    (State.PROCEEDING, In.PROVISIONAL): (State.PROCEEDING, Do.SEND),
    (State.PROCEEDING, In.SUCCESS): (State.COMPLETED, Do.SEND | Do.ARM_LINGER),
    (State.PROCEEDING, In.FAILURE): (State.COMPLETED, Do.SEND | Do.ARM_LINGER),
    (State.PROCEEDING, In.TIMEOUT): (State.TERMINATED, Do.FORGET),
    (State.PROCEEDING, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FAILED | Do.FORGET),
    (State.COMPLETED, In.REQUEST): (State.COMPLETED, Do.REPEAT),
    (State.COMPLETED, In.TRANSPORT_ERROR): (State.TERMINATED, Do.FORGET),
    (State.COMPLETED, In.LINGER): (State.TERMINATED, Do.FORGET),
}

STEPS: Final = pack(TABLE)
