"""Lets calls go first on a busy machine: a relay's packets always, the server while somebody watches.

A dashboard on the same machine draws in long strokes. Whoever goes first asks the system for more than
its share of a CPU when it wakes, by two ways of which one applies: the nice value of the calling
thread, and that of its session where the kernel schedules sessions (autogroup, sched(7)); the latter
only if the session is this process's own, as a service's is. Both need a right (CAP_SYS_NICE, or
RLIMIT_NICE as `LimitNICE=-10` gives it); without it all stays as it was. With no more than that right,
one session of the whole system may change in a tenth of a second: the others ask again.
"""

import os
from pathlib import Path
from typing import Final, Literal

NICE: Final = -10
"""The nice value of who goes first."""
LACKING: Final = (
    f"no right to a nice value of {NICE}: LimitNICE={NICE} in its unit, or CAP_SYS_NICE"
)
"""What is told where that is refused."""
_GROUP: Final = Path("/proc/self/autogroup")


class Precedence:
    """The scheduling of the thread that uses it.

    Args:
        group: Where the kernel tells, and takes, the nice value of the session.

    Attributes:
        state: What came of it: `""` before it was taken, `raised`, or `refused` for want of a right.
    """

    def __init__(self, group: Path = _GROUP) -> None:
        self._group = group
        self._before: tuple[int, int | None] | None = None
        self._owed: int | None = None  # what the session is to have, and was put off
        self.state: Literal["", "raised", "refused"] = ""

    def take(self) -> None:
        """Go first, as far as the system lets us."""
        if self._before is None:
            self._before = os.getpriority(os.PRIO_PROCESS, 0), self._of_session()
            own, session = self._before
            raised = own <= NICE or _prefer(NICE)
            if session is not None:
                raised = session <= NICE or self._prefer_session(NICE) or raised
            self.state = "raised" if raised else "refused"

    def give_back(self) -> None:
        """Go on with what there was before."""
        if self._before is not None:
            (own, session), self._before = self._before, None
            if own > NICE:
                _prefer(own)
            if session is not None and session > NICE:
                self._prefer_session(session)

    def insist(self) -> None:
        """Ask again for what was put off; to be called about every second."""
        if self._owed is not None:
            self._prefer_session(self._owed)

    def _of_session(self) -> int | None:
        """Return the session's nice value; None where it is not ours alone, or there is none."""
        if os.getsid(0) != os.getpid():
            return None
        if self._owed is not None:
            return self._owed
        try:
            return int(self._group.read_text().rpartition(" ")[2])
        except (OSError, ValueError):
            return None  # a kernel without sessions of their own

    def _prefer_session(self, nice: int) -> bool:
        self._owed = None
        try:
            self._group.write_text(str(nice))
        except BlockingIOError:
            self._owed = nice
        except OSError:
            return False  # no right to; whoever runs it may give one
        return True


def _prefer(nice: int) -> bool:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        return False  # no right to, as above
    return True
