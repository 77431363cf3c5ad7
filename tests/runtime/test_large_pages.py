"""Memory that is in use goes on large pages, and none else; the process is none the worse."""

import json
import subprocess
import sys

import pytest

from centrex.runtime import large_pages
from centrex.runtime.large_pages import _is_filled, _private

_LARGE = 1 << 21
_IN_A_PROCESS = """
import json, mmap, re
from pathlib import Path
from centrex.runtime.large_pages import collapse
def told(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/smaps_rollup").read_text())[1])
used, unused = mmap.mmap(-1, 33 << 20, mmap.MAP_PRIVATE), mmap.mmap(-1, 65 << 20, mmap.MAP_PRIVATE)
used.madvise(mmap.MADV_NOHUGEPAGE)
unused.madvise(mmap.MADV_NOHUGEPAGE)
text = bytes(range(256)) * 4096
for _ in range(33):
    used.write(text)
unused[5 << 20] = 1
for one in (used, unused):
    one.madvise(mmap.MADV_HUGEPAGE)
before = told("Rss")
count = collapse()
whole = all(used[at : at + len(text)] == text for at in range(0, 33 << 20, len(text)))
print(json.dumps([count, collapse(), told("AnonHugePages"), told("Rss") - before, whole]))
"""


def test_what_is_in_use_is_put_on_large_pages_and_stays_what_it_was() -> None:
    if not large_pages.is_possible():
        pytest.skip("the system has no large pages of 2 MiB")
    command = [sys.executable, "-c", _IN_A_PROCESS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    count, again, huge_kb, grown_kb, whole = json.loads(done.stdout)
    if not count:
        pytest.skip(
            "the kernel cannot collapse memory: older than 6.1, or it has no more large pages"
        )
    assert whole
    assert count >= 8
    assert again >= count // 2
    assert huge_kb >= count // 2 * 2048
    assert grown_kb < 16 << 10, "what was not in use is left alone"


def test_which_memory_is_our_own() -> None:
    maps = (
        b"00400000-00a00000 r-xp 00000000 fe:00 260811                  /usr/bin/python3.11\n"
        b"10997000-114f5000 rw-p 00000000 00:00 0                       [heap]\n"
        b"7feb50000000-7feb50400000 rw-p 00000000 00:00 0 \n"
        b"7feb50500000-7feb50a00000 rw-p 00000000 00:00 0\n"
        b"7feb50a00000-7feb50e00000 rw-s 00000000 00:01 7               /dev/zero (deleted)\n"
        b"7feb51000000-7feb51400000 rw-p 00002000 fe:00 99              /usr/lib/libc.so.6\n"
        b"7feb52000000-7feb52400000 ---p 00000000 00:00 0\n"
        b"7ffc00000000-7ffc00400000 rw-p 00000000 00:00 0               [stack]\n"
    )
    assert _private(maps) == [
        (0x10A00000, 0x11400000),
        (0x7FEB50000000, 0x7FEB50400000),
        (0x7FEB50600000, 0x7FEB50A00000),
    ]


@pytest.mark.parametrize(("there", "filled"), [(512, True), (384, True), (383, False), (0, False)])
@pytest.mark.parametrize("told", [b"\x81", b"\x80"])
def test_what_is_mostly_in_use(there: int, filled: bool, told: bytes) -> None:
    used, unused, swapped = b"\x80" * 7 + told, b"\x81" * 7 + b"\x00", b"\x80" * 7 + b"\x40"
    entries = used * there + (unused + swapped) * 256
    assert _is_filled(entries[: 512 * 8]) is filled


def test_other_systems_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert not large_pages.is_possible()
    assert large_pages.collapse() == 0


def test_who_may_not_look_goes_on_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise PermissionError

    monkeypatch.setattr(large_pages, "is_possible", lambda: True)
    monkeypatch.setattr(large_pages, "_collapse", refused)
    assert large_pages.collapse() == 0
