"""Maps and programs by the system call alone; skipped where that is not allowed."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from centrex.runtime.relay.ebpf import syscall
from centrex.runtime.relay.ebpf.syscall import HashMap, VerifierError

pytestmark = pytest.mark.peer


@pytest.fixture
def table() -> Iterator[HashMap]:
    try:
        made = HashMap.create("test", 4, 8, 2000)
    except OSError as error:
        pytest.skip(f"no right to make maps: {error}")
    yield made
    made.close()


def test_entries_come_and_go(table: HashMap) -> None:
    assert table.get(b"key1") is None
    assert not table.delete(b"key1")
    table.put(b"key1", b"value--1")
    table.put(b"key1", b"value--2")
    assert table.get(b"key1") == b"value--2"
    assert list(table.items()) == [(b"key1", b"value--2")]
    assert table.delete(b"key1")
    assert list(table.items()) == []


@pytest.mark.parametrize("count", [1, 511, 512, 513, 2000])
def test_many_are_listed_once_each(table: HashMap, count: int) -> None:
    wanted = {number.to_bytes(4, "big"): number.to_bytes(8, "big") for number in range(count)}
    for key, value in wanted.items():
        table.put(key, value)
    listed = list(table.items())
    assert len(listed) == count
    assert dict(listed) == wanted


def test_a_full_map_says_so(table: HashMap) -> None:
    small = HashMap.create("small", 4, 8, 2)
    put = 0
    with suppress(OSError):
        for put in range(600):
            small.put(put.to_bytes(4, "big"), bytes(8))
    assert 2 <= put < 600
    small.close()
    assert table.get(b"none") is None


def test_the_verifier_s_words(table: HashMap) -> None:
    exit_at_once = bytes.fromhex("9500000000000000")  # with nothing in r0
    with pytest.raises(VerifierError, match="R0 !read_ok"):
        syscall.load_program(exit_at_once, "bad")
    good = bytes.fromhex("b7000000ffffffff") + exit_at_once
    program = syscall.load_program(good, "good")
    verdict, data = syscall.test_run(program, bytes(64))
    assert (verdict, data) == (-1, bytes(64))
    os.close(program)
