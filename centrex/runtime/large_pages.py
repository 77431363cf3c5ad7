"""Has the kernel put the process's memory on large pages: a call touches much of it, for a short time.

With small ones the processor looks up, at each call, where hundreds of pages are; in a virtual machine
twice over. Large pages come unasked only where the system is set so (`transparent_hugepage`), and then
not for what was there before; MADV_COLLAPSE (Linux 6.1, madvise(2)) puts what is there on them. Memory
that is mostly unused is left alone, as are systems that know no such thing.

It is for the start: while it goes on, whoever asks the kernel for memory may wait for a tenth of a second.
"""

import ctypes
import re
import sys
from pathlib import Path
from typing import Final

_COLLAPSE: Final = 25
"""MADV_COLLAPSE."""
_SMALL: Final = 4096
_LARGE: Final = 1 << 21
_FILLED: Final = 0.75
"""Which share of a large page's memory must be in use."""
_PRIVATE: Final = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(?:\[heap\])?$", re.MULTILINE
)
"""A line of /proc/self/maps about memory of our own: neither a file's nor a stack's."""
_ENTRY: Final = 8
"""Octets that /proc/self/pagemap has for each small page; the last one tells whether it is there."""
_THERE: Final = (b"\x80", b"\x81")


def is_possible() -> bool:
    """Whether the system has large pages of the usual size, and small ones of the usual size."""
    size = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
    try:
        return sys.platform == "linux" and int(size.read_text()) == _LARGE
    except (OSError, ValueError):
        return False


def collapse() -> int:
    """Put memory of our own on large pages, as far as it is in use.

    Returns:
        How many large pages it is on; 0 where the system has no such pages, or no such call.
    """
    try:
        return _collapse() if is_possible() else 0
    except OSError:
        return 0  # where we may not look at our own memory, all stays as it was


def _collapse() -> int:
    madvise = ctypes.CDLL(None, use_errno=True).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    count = 0
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:
        for start, end in _private(Path("/proc/self/maps").read_bytes()):
            for at in range(start, end, _LARGE):
                pagemap.seek(at // _SMALL * _ENTRY)
                if _is_filled(pagemap.read(_LARGE // _SMALL * _ENTRY)):
                    count += madvise(at, _LARGE, _COLLAPSE) == 0
    return count


def _private(maps: bytes) -> list[tuple[int, int]]:
    """Return the beginnings and ends of memory of our own, cut to whole large pages."""
    found = []
    for first, last in _PRIVATE.findall(maps):
        start = (int(first, 16) + _LARGE - 1) // _LARGE * _LARGE
        found.append((start, int(last, 16) // _LARGE * _LARGE))
    return found


def _is_filled(entries: bytes) -> bool:
    """Whether most of a large page's memory is in use, by what the kernel tells of its small pages."""
    told = entries[_ENTRY - 1 :: _ENTRY]
    return sum(map(told.count, _THERE)) >= _LARGE // _SMALL * _FILLED
