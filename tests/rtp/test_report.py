"""Reports as phones give them, and as they had better not."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.rtp.report import Block, Reported, read_reports

NTP = 0xE1234567_89ABCDEF
STAMP = 0x456789AB


def block(
    *, source: int = 7, fraction: int = 64, lost: int = 25, jitter: int = 160, last: int = STAMP,
    delay: int = 65536,
) -> bytes:  # fmt: skip
    counted = (fraction << 24) | (lost & 0xFFFFFF)
    return struct.pack("!6I", source, counted, 4711, jitter, last, delay)


def head(kind: int, count: int, words: int) -> bytes:
    return bytes((0x80 | count, kind)) + words.to_bytes(2, "big")


def sender(*blocks: bytes) -> bytes:
    body = struct.pack("!IQ3I", 9, NTP, 1600, 10, 1600) + b"".join(blocks)
    return head(200, len(blocks), len(body) // 4) + body


def receiver(*blocks: bytes) -> bytes:
    return head(201, len(blocks), 1 + 6 * len(blocks)) + struct.pack("!I", 9) + b"".join(blocks)


NAMES = head(202, 1, 3) + struct.pack("!I", 9) + b"\x01\x02me\0\0\0\0"


def test_a_compound_of_a_sender_report_and_names() -> None:
    data = sender(block()) + NAMES
    told = read_reports(data, len(data))
    assert told is not None
    assert told.stamp == STAMP
    assert told.blocks == (Block(7, 0.25, 25, 160, STAMP, 1.0),)


def test_a_receiver_report_with_more_received_than_sent() -> None:
    data = receiver(block(lost=-3), block(source=8))
    told = read_reports(data, len(data))
    assert told is not None
    assert [one.lost for one in told.blocks] == [-3, 25]
    assert told.stamp == 0


def test_a_report_in_a_buffer_that_holds_more() -> None:
    data = bytearray(sender() + bytes(100))
    told = read_reports(memoryview(data), 28)
    assert told is not None
    assert told == (STAMP, ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\xc8\0",
        receiver(block())[:-4],
        receiver(block()) + b"\0\0\0\0",
        sender() + bytes(14),  # as SRTCP ends: an index and a tag of 10 octets
        head(201, 2, 7) + receiver(block())[4:],  # more blocks than there are octets
        head(200, 0, 3) + bytes(12),  # too short for what it is
        b"\x80\x08" + bytes(30),
        NAMES * 40,
    ],
)
def test_what_is_no_report(data: bytes) -> None:
    assert read_reports(data, len(data)) is None


@given(st.binary(max_size=300), st.integers(0, 300))
def test_anything_may_come(data: bytes, cut: int) -> None:
    length = min(cut, len(data))
    told = read_reports(data, length)
    if told is not None:
        assert len(told.blocks) * 24 <= length
        kept = Reported()
        for one in told.blocks:
            assert 0 <= one.fraction < 1
            assert -(1 << 23) <= one.lost < 1 << 23
            kept.take_in(one, 8000, 1.0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(-(2**23), 2**23 - 1),
            st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1),
        ),
        max_size=31,
    ),
    st.booleans(),
)  # fmt: skip
def test_what_is_written_is_read(
    rows: list[tuple[int, int, int, int, int, int]], whole: bool
) -> None:
    blocks = [
        block(source=row[0], fraction=row[1], lost=row[2], jitter=row[3], last=row[4], delay=row[5])
        for row in rows
    ]
    data = (sender(*blocks) if whole else receiver(*blocks)) + NAMES
    told = read_reports(data, len(data))
    assert told is not None
    assert told.stamp == (STAMP if whole else 0)
    assert told.blocks == tuple(
        Block(row[0], row[1] / 256, row[2], row[3], row[4], row[5] / 65536) for row in rows
    )


def read(data: bytes) -> Block:
    told = read_reports(data, len(data))
    assert told is not None
    return told.blocks[0]


def test_the_time_to_an_end_and_back() -> None:
    """It got our report, waited for a second, and answered; 50 ms were on the way."""
    end = Reported()
    end.passes_to(STAMP - 1, 5.0)
    end.passes_to(STAMP, 10.0)
    end.take_in(read(receiver(block())), 8000, 11.05)
    assert end.round_trip_s == pytest.approx(0.05)
    assert (end.count, end.lost, end.fraction, end.jitter_s) == (1, 25, 0.25, 0.02)


@pytest.mark.parametrize(
    "told", [block(last=0), block(last=99), block(delay=3 << 16), block(delay=2**32 - 1)]
)
def test_no_time_follows_from_what_cannot_be(told: bytes) -> None:
    end = Reported()
    end.passes_to(0, 10.0)
    end.passes_to(STAMP, 10.0)
    end.take_in(read(receiver(told)), 8000, 11.05)
    assert end.round_trip_s == 0.0
    assert end.count == 1


def test_few_reports_are_remembered() -> None:
    end = Reported()
    for number in range(100):
        end.passes_to(number + 1, float(number))
    end.take_in(read(receiver(block(last=1, delay=0))), 8000, 0.5)
    assert end.round_trip_s == 0.0
    end.take_in(read(receiver(block(last=100, delay=0))), 8000, 99.5)
    assert end.round_trip_s == 0.5
