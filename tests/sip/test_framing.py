from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sip.framing import Frame, Framer, Kind
from centrex.sip.message import can_be_answered, parse
from tests.support.sipgrammar import messages

OPTIONS = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
)


def message(length: bytes = b"Content-Length: 3", body: bytes = b"abc") -> bytes:
    return OPTIONS + length + b"\r\n\r\n" + body


def shown(frames: list[Frame]) -> list[tuple[Kind, bytes, int]]:
    return [(f.kind, f.data, f.error.status if f.error else 0) for f in frames]


@pytest.mark.parametrize(
    "length",
    [
        b"Content-Length: 3",
        b"l:3",
        b"L : 0003 ",
        b"CONTENT-LENGTH\t:\r\n  3",
        b"content-length: 3\r\n ",
        b"X: y\r\n Content-Length: 9\r\nContent-Length: 3",
        b"Content-Length: 3\r\nContent-Lengthy: 4\r\nLx: 5",
    ],
)
def test_content_length_in_every_spelling(length: bytes) -> None:
    data = message(length)
    framer = Framer(1000)
    assert shown(framer.feed(data + data)) == [(Kind.MESSAGE, data, 0)] * 2
    assert framer.fault is None
    assert not framer.pending


@pytest.mark.parametrize(
    "length",
    [
        b"X: 3",
        b"Content-Length:",
        b"Content-Length: five",
        b"Content-Length: -3",
        b"Content-Length: +3",
        b"Content-Length: 3 3",
        b"Content-Length: 3\r\nl: 3",
        b"Content-Length: 99999999999",
    ],
)
def test_a_length_that_is_not_known_ends_the_stream_with_an_answer(length: bytes) -> None:
    framer = Framer(1000)
    frames = framer.feed(message() + message(length) + message())
    assert [frame.kind for frame in frames] == [Kind.MESSAGE, Kind.REFUSED]
    assert framer.fault is not None
    assert frames[1].error is framer.fault
    assert framer.fault.status == 400
    assert can_be_answered(parse(frames[1].data))
    assert framer.feed(message()) == []
    assert not framer.pending


def test_a_message_beyond_the_limit_is_refused_and_skipped() -> None:
    framer = Framer(400)
    large = message(b"Content-Length: 5000", b"x" * 5000)
    frames = framer.feed(large[:900])
    assert shown(frames) == [(Kind.REFUSED, large[:-5000], 513)]
    assert framer.pending
    assert framer.feed(large[900:] + message()[:50]) == []
    assert [frame.kind for frame in framer.feed(message()[50:])] == [Kind.MESSAGE]
    assert framer.fault is None


def test_the_limit_is_exact() -> None:
    data = message()
    assert [f.kind for f in Framer(len(data)).feed(data)] == [Kind.MESSAGE]
    assert [f.kind for f in Framer(len(data) - 1).feed(data)] == [Kind.REFUSED]


def test_a_header_block_beyond_the_limit_ends_the_stream_with_an_answer() -> None:
    framer = Framer(400)
    frames = framer.feed(OPTIONS + b"X: y\r\n" * 100)
    assert [frame.kind for frame in frames] == [Kind.REFUSED]
    assert framer.fault is not None
    assert framer.fault.status == 513
    refused = parse(frames[0].data)
    assert refused.fault is None
    assert can_be_answered(refused)


def test_endless_rubbish_ends_the_stream_without_a_frame() -> None:
    framer = Framer(400)
    assert framer.feed(b"x" * 399) == []
    assert framer.fault is None
    assert framer.feed(b"x") == []
    assert framer.fault is not None


def test_empty_lines_and_pings_between_messages() -> None:
    framer = Framer(1000)
    assert framer.feed(b"\r\n") == []
    assert not framer.pending
    kinds = [f.kind for f in framer.feed(message() + b"\r\n\r\n\r\n" + message() + b"\r\n\r\n")]
    assert kinds == [Kind.MESSAGE, Kind.PING, Kind.MESSAGE, Kind.PING]


def test_a_ping_may_come_in_pieces() -> None:
    framer = Framer(1000)
    found = [frame.kind for octet in b"\r\n\r\n" for frame in framer.feed(bytes((octet,)))]
    assert found == [Kind.PING]


@pytest.mark.parametrize("data", [b"\rx", b"\r\r\n", b"\r\n\rx"])
def test_a_stray_carriage_return_ends_the_stream(data: bytes) -> None:
    framer = Framer(1000)
    assert framer.feed(data) == []
    assert framer.fault is not None


def test_a_message_has_begun_until_it_ends() -> None:
    framer = Framer(1000)
    framer.feed(message()[:-1])
    assert framer.pending
    framer.feed(message()[-1:])
    assert not framer.pending


def test_frames_show_themselves() -> None:
    assert repr(Frame(Kind.PING, b"\r\n\r\n")).startswith("Frame(ping, ")


STREAM = st.lists(
    st.one_of(
        messages(),
        st.sampled_from(
            [
                b"\r\n",
                b"\r\n\r\n",
                message(),
                message(b"l: 600", b"x" * 600),
                message(b"l: x"),
                b"\r",
                b"X: y\r\n" * 100,
            ]
        ),
    ),
    max_size=6,
).map(b"".join)


@given(STREAM | st.binary(max_size=100), st.lists(st.integers(0, 2000), max_size=12))
def test_the_frames_do_not_depend_on_the_cuts(stream: bytes, cuts: list[int]) -> None:
    whole, pieces = Framer(500), Framer(500)
    expected = whole.feed(stream)
    found: list[Frame] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        found += pieces.feed(stream[start:end])
    assert shown(found) == shown(expected)
    assert (pieces.fault is None) == (whole.fault is None)
    assert pieces.pending == whole.pending


@given(STREAM)
def test_octet_by_octet_is_the_same(stream: bytes) -> None:
    whole, pieces = Framer(500), Framer(500)
    found = [frame for octet in stream for frame in pieces.feed(bytes((octet,)))]
    assert shown(found) == shown(whole.feed(stream))
