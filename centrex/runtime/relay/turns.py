"""Short turns on the processor for the thread of the packets: it gets its turn as soon as it is woken.

The scheduler of Linux 6.12 and later lets a thread say how long its turns are to be, without any right;
who wants short ones goes before those that have long ones, and gets no more time in all. A packet then
does not wait until somebody else has used up his turn. Older kernels take no notice.
"""

import ctypes
import os
import struct
from contextlib import suppress
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_SET: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274}
"""The number of sched_setattr(2) on each machine; that of sched_getattr(2) comes next."""
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""Size, policy, flags, nice, priority, runtime, deadline, period."""
_RUNTIME: Final = 5
_FAIR: Final = {0, 3}
"""SCHED_OTHER and SCHED_BATCH: others (of real time) need no help, and mean something else by it."""
SHORTEST_NS: Final = 100_000
"""The shortest turn that the kernel grants."""


def shorten() -> None:
    """Have the calling thread's turns short, where its system can do that."""
    with suppress(OSError):  # an unknown machine, or a filter of system calls: it goes on as before
        told = list(_ATTRIBUTES.unpack(_get()))
        if told[1] in _FAIR:
            told[_RUNTIME] = SHORTEST_NS
            _call(0, _ATTRIBUTES.pack(*told), 0)


def _get() -> bytes:
    buffer = ctypes.create_string_buffer(_ATTRIBUTES.size)
    _call(1, buffer, _ATTRIBUTES.size, 0)
    return buffer.raw


def _call(which: int, *arguments: object) -> None:
    number = _SET.get(os.uname().machine)
    if number is None:
        raise OSError("not known on this machine")
    if _libc.syscall(number + which, 0, *arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
