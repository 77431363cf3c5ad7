import errno
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.runtime.relay.netlink import (
    NETFILTER,
    ROUTE,
    Batch,
    Message,
    Netlink,
    attribute,
    attributes,
    first,
    grouped,
    messages,
    nest,
    number,
    text,
)

HEADER = struct.Struct("=IHHII")
ERROR, DONE, OVERRUN = 2, 3, 4


def test_attributes_are_padded_but_do_not_count_it() -> None:
    assert text(1, "t") == struct.pack("=HH", 6, 1) + b"t\0\0\0"
    assert number(5, 0x0102) == struct.pack("=HH", 8, 5) + b"\0\0\1\2"
    assert nest(4, text(1, "t"), b"") == struct.pack("=HH", 12, 0x8004) + text(1, "t")


def test_an_attribute_too_long_for_its_length_is_a_bug() -> None:
    assert len(attribute(1, bytes(65531))) == 65536
    with pytest.raises(ValueError, match="65536 octets"):
        attribute(1, bytes(65532))


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40))))
def test_what_is_written_is_read(rows: list[tuple[int, bytes]]) -> None:
    assert list(attributes(b"".join(attribute(*row) for row in rows))) == rows


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_left(data: bytes) -> None:
    assert sum(4 + len(value) for _, value in attributes(data)) <= len(data)
    assert sum(16 + len(message.body) for message in messages(data)) <= len(data)


def test_the_first_of_a_kind_is_found() -> None:
    data = text(1, "one") + text(2, "two") + text(2, "three")
    assert first(data, 2) == b"two\0"
    assert first(data, 3) == b""


def test_a_batch_is_bracketed_numbered_and_acknowledged_once() -> None:
    batch = Batch()
    batch.add(12, 0x400, b"one")
    batch.add(14, 0x8, b"four")
    data, last = batch.write(7)
    kinds = [(message.kind, message.flags, message.sequence) for message in messages(data)]
    assert kinds == [(0x10, 1, 7), (0xA0C, 0x401, 8), (0xA0E, 0xD, 9), (0x11, 1, 10)]
    assert [message.body for message in messages(data)][1:3] == [b"one", b"four"]
    assert last == 9


class Kernel:
    """The other end of a netlink socket, played by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[bytes] = []
        self.sender = 0
        self.asked: list[Message] = []
        kernel = self

        class Fake:
            def bind(self, _: object) -> None: ...
            def setsockopt(self, *_: object) -> None: ...
            def close(self) -> None: ...

            def send(self, data: bytes) -> None:
                kernel.asked += messages(data)

            def recv_into(self, *_: object) -> int:
                raise BlockingIOError

            def recvfrom_into(self, buffer: bytearray, *_: object) -> tuple[int, tuple[int, int]]:
                if not kernel.answers:
                    raise BlockingIOError
                data = kernel.answers.pop(0)
                buffer[: len(data)] = data
                return len(data), (kernel.sender, 0)

        monkeypatch.setattr(socket, "socket", lambda *_: Fake())

    def answer(self, *rows: tuple[int, int, bytes], flags: int = 0) -> None:
        self.answers.append(
            b"".join(
                HEADER.pack(16 + len(body), kind, flags, sequence, 0) + body + bytes(-len(body) & 3)
                for kind, sequence, body in rows
            )
        )


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def code(number_: int) -> bytes:
    return struct.pack("=i", -number_) + bytes(16)


def two() -> Batch:
    batch = Batch()
    batch.add(12, 0, grouped(1))
    batch.add(12, 0, grouped(1))
    return batch


def test_a_batch_ends_with_the_answer_to_its_last_request(kernel: Kernel) -> None:
    kernel.answer((0xA0E, 0, b"echo"))
    kernel.answer((ERROR, 3, code(0)))
    told = Netlink(NETFILTER).commit(two())
    assert [message.body for message in told] == [b"echo"]


def test_the_first_refusal_of_a_batch_is_told(kernel: Kernel) -> None:
    kernel.answer((ERROR, 2, code(errno.ENOENT)))
    kernel.answer((ERROR, 3, code(errno.EEXIST)))
    with pytest.raises(FileNotFoundError):
        Netlink(NETFILTER).commit(two())


def test_a_refusal_of_the_whole_batch_ends_it(kernel: Kernel) -> None:
    kernel.answer((ERROR, 1, code(errno.EPERM)))
    with pytest.raises(PermissionError):
        Netlink(NETFILTER).commit(two())


def test_an_answer_to_something_else_is_not_taken(kernel: Kernel) -> None:
    kernel.answer((ERROR, 99, code(errno.EPERM)))
    kernel.answer((ERROR, 3, code(0)))
    assert Netlink(NETFILTER).commit(two()) == []


def test_nothing_is_sent_for_an_empty_batch(kernel: Kernel) -> None:
    assert Netlink(NETFILTER).commit(Batch()) == []
    assert kernel.asked == []


def test_a_kernel_that_says_nothing_is_not_waited_for(kernel: Kernel) -> None:
    netlink = Netlink(NETFILTER)
    for ask in (lambda: netlink.commit(two()), lambda: netlink.listing(1, b"")):
        with pytest.raises(TimeoutError):
            ask()


def test_what_another_process_writes_is_not_believed(kernel: Kernel) -> None:
    kernel.sender = 4711
    kernel.answer((ERROR, 3, code(0)))
    with pytest.raises(TimeoutError):
        Netlink(NETFILTER).commit(two())


def test_a_listing_that_was_interrupted_is_begun_anew(kernel: Kernel) -> None:
    kernel.answer((26, 1, b"old"), flags=0x12)
    kernel.answer((DONE, 1, b""), flags=0x2)
    kernel.answer((26, 2, b"new"), (DONE, 2, b""), flags=0x2)
    assert Netlink(ROUTE).listing(26, b"") == [b"new"]


def test_a_listing_that_is_always_interrupted_is_taken_as_it_is(kernel: Kernel) -> None:
    for sequence in range(1, 6):
        kernel.answer((26, sequence, b"some"), (DONE, sequence, b""), flags=0x12)
    assert Netlink(ROUTE).listing(26, b"") == [b"some"]


def test_an_answer_that_was_lost_is_an_error(kernel: Kernel) -> None:
    kernel.answer((OVERRUN, 1, b""))
    with pytest.raises(OSError, match="lost"):
        Netlink(ROUTE).listing(26, b"")


def test_an_error_cut_short_is_one_all_the_same(kernel: Kernel) -> None:
    kernel.answer((ERROR, 1, b"\0"))
    with pytest.raises(OSError, match="too short"):
        Netlink(ROUTE).ask(26, 0, b"")


def test_the_kernels_own_words_are_repeated(kernel: Kernel) -> None:
    kernel.answer((ERROR, 1, code(errno.EINVAL) + text(1, "Invalid table")))
    with pytest.raises(OSError, match=r"Invalid argument \(Invalid table\)"):
        Netlink(ROUTE).ask(26, 0, b"")


def test_numbers_begin_again_before_they_end(kernel: Kernel) -> None:
    netlink = Netlink(ROUTE)
    netlink._sequence = 0xFFFFFFFF - 4
    for sequence in (0xFFFFFFFF - 1, 3):
        kernel.answer((ERROR, sequence, code(0)))
        netlink.commit(two())
    assert [message.sequence for message in kernel.asked][-4:] == [1, 2, 3, 4]


def test_a_system_without_netlink_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK")
    with pytest.raises(OSError, match="no netlink"):
        Netlink(ROUTE)


@pytest.fixture
def routes() -> Iterator[Netlink]:
    with Netlink(ROUTE) as netlink:
        yield netlink


@pytest.mark.wire
def test_the_kernel_lists_and_answers(routes: Netlink) -> None:
    links = routes.listing(18, bytes(16))  # RTM_GETLINK
    assert b"lo\0" in [bytes(first(link[16:], 3)) for link in links]
    one = routes.ask(18, 0, struct.pack("=BxHiII", 0, 0, 1, 0, 0))
    assert first(one[16:], 3)
    with pytest.raises(OSError, match="No such device"):
        routes.ask(18, 0, struct.pack("=BxHiII", 0, 0, 999999, 0, 0))
