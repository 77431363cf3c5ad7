"""Lets the server go first: what a dashboard shows can wait for a millisecond, a call should not."""

import ctypes
import platform
import struct
from typing import Final

_NUMBERS: Final = {"x86_64": 314, "aarch64": 274, "riscv64": 274, "ppc64le": 355, "s390x": 345}
_ATTRIBUTES: Final = struct.Struct("=IIQiIQQQ")
"""Size, policy, flags, nice, priority, slice in ns, deadline, period (sched_setattr(2))."""
_SLICE_NS: Final = 100_000_000
"""The longest there is: whoever has a shorter one and wakes is served at once (Linux 6.12 and later)."""


def step_back() -> bool:
    """Have the calling thread make way for others that wake; whether the system takes it.

    Its share of a CPU stays what it is, and so does its nice value.
    """
    number = _NUMBERS.get(platform.machine())
    if number is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    before = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if libc.syscall(number + 1, 0, before, _ATTRIBUTES.size, 0) != 0:
        return False
    size, policy, flags, nice, priority, _, _, _ = _ATTRIBUTES.unpack(before.raw)
    told = _ATTRIBUTES.pack(size, policy, flags, nice, priority, _SLICE_NS, 0, 0)
    result: int = libc.syscall(number, 0, told, 0)
    return result == 0
