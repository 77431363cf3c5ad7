import ctypes
import os
import platform
import struct
import sys
import threading

import pytest

from tui import courtesy
from tui.courtesy import step_back

ATTRIBUTES = struct.Struct("=IIQiIQQQ")
READ = {"x86_64": 315, "aarch64": 275}

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in READ, reason="numbers of Linux calls"
)


def attributes() -> tuple[int, ...]:
    """Return policy, nice value and slice of the calling thread."""
    buffer = ctypes.create_string_buffer(ATTRIBUTES.size)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(READ[platform.machine()], 0, buffer, ATTRIBUTES.size, 0) == 0
    _, policy, _, nice, _, slice_ns, _, _ = ATTRIBUTES.unpack(buffer.raw)
    return policy, nice, slice_ns


def inside() -> tuple[bool, tuple[int, ...]]:
    """Step back in a thread of its own; return what came of it."""
    found: list[tuple[bool, tuple[int, ...]]] = []
    thread = threading.Thread(target=lambda: found.append((step_back(), attributes())))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_makes_way_for_others_and_keeps_its_share() -> None:
    own = attributes()
    taken, found = inside()
    assert taken
    assert found[:2] == own[:2]
    major, minor = os.uname().release.split(".")[:2]
    if (int(major), int(minor)) >= (6, 12):
        assert found[2] == 100_000_000
    assert attributes() == own


def test_an_unknown_machine_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesy, "_NUMBERS", {})
    assert inside() == (False, attributes())
