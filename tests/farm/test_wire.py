"""Lines of the control link: there and back, and nothing else gets through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.farm import wire
from centrex.media.terms import Address, End, Session, Slot, Stream

HOSTS = st.sampled_from(["192.0.2.1", "2001:db8::1", "127.0.0.1"])
PORTS = st.integers(1, 65535)
ADDRESSES = st.none() | st.builds(Address, HOSTS, PORTS)
ENDS = st.builds(
    End, ADDRESSES, ADDRESSES, st.just("") | HOSTS, st.booleans(), st.booleans(), st.booleans(),
    st.integers(0, 127), st.integers(1, 96000), st.booleans(),
)  # fmt: skip
SLOTS = st.builds(Slot, HOSTS, HOSTS, st.integers(1, 65534))
STREAMS = st.builds(Stream, st.tuples(SLOTS, SLOTS), st.tuples(ENDS, ENDS))
SESSIONS = st.builds(
    Session, st.text(max_size=20), st.text(max_size=50), st.integers(0, 2**40), st.booleans(),
    st.lists(st.none() | STREAMS, max_size=3).map(tuple), st.text(max_size=50),
)  # fmt: skip


def test_rows_go_in_parts_that_fit_a_line() -> None:
    small = [["row"]] * 7
    assert [len(part) for part in wire.in_parts(small, 3)] == [3, 3, 1]
    large = [["x" * 50_000]] * 5 + [["x" * 500_000]] * 2
    parts = list(wire.in_parts(large, 100))
    assert [len(part) for part in parts] == [2, 2, 1, 1, 1]
    assert [row for part in parts for row in part] == large
    assert all(len(wire.encode("held", rows=part)) < wire.LINE_LIMIT for part in parts)
    assert not list(wire.in_parts([], 3))


def test_a_call_with_the_longest_names_comes_through() -> None:
    """They share a message of SIP at most, and what is escaped is escaped twice in what is kept."""
    tags = "\\" * 30_000
    told = Session("s", "\\" * 65_000, 1, True, (), json.dumps([tags, tags, []]))
    line = wire.encode("put", session=told)
    assert wire.to_session(wire.decode(line)["session"]) == told


def test_an_older_proxy_says_nothing_of_what_is_no_rtp() -> None:
    end = [["192.0.2.7", 4000], None, "", False, True, True, 0, 8000]
    slot = ["192.0.2.1", "192.0.2.1", 30000]
    told = wire.to_session(["s", "c", 1, True, [[[slot, slot], [end, [*end, False]]]], ""])
    assert told.streams[0] is not None
    assert [one.is_rtp for one in told.streams[0].ends] == [True, False]


@given(SESSIONS)
def test_a_session_comes_through(session: Session) -> None:
    line = wire.encode("put", session=session)
    assert line.count(b"\n") == 1
    assert wire.to_session(wire.decode(line)["session"]) == session


def spoilt() -> list[Any]:
    """Sessions with one thing wrong each."""
    slot = ["192.0.2.1", "192.0.2.1", 30000]
    end = [["192.0.2.7", 4000], None, "", False, True, True, 0, 8000]
    good: list[Any] = ["s", "c", 1, True, [[[slot, slot], [end, end]]], ""]
    wire.to_session(good)

    def put(*path: Any) -> list[Any]:
        made = json.loads(json.dumps(good))
        node = made
        for step in path[:-2]:
            node = node[step]
        node[path[-2]] = path[-1]
        return list(made)

    stream = (4, 0)
    return [
        None, {}, [], good[:5], put(0, 5), put(0, "x" * 300), put(2, True), put(2, 1.5),
        put(3, 1), put(4, {}), put(4, [1]), put(4, [None] * 65), put(5, None),
        put(*stream, 0, [slot]), put(*stream, 0, 0, 2, 65535), put(*stream, 0, 0, 2, "30000"),
        put(*stream, 0, 0, 0, "here"), put(*stream, 1, 0, 0, ["192.0.2.7", 0]),
        put(*stream, 1, 0, 0, ["192.0.2.7"]), put(*stream, 1, 0, 0, ["x", 1]),
        put(*stream, 1, 0, 2, "nowhere"), put(*stream, 1, 0, 3, 1), put(*stream, 1, 0, 6, 128),
        put(*stream, 1, 0, 7, 0), put(*stream, 1, 0, [*end, 0]), put(*stream, 1, 1, []),
    ]  # fmt: skip


@pytest.mark.parametrize("value", spoilt())
def test_a_session_with_something_wrong(value: Any) -> None:
    with pytest.raises(PeerError):
        wire.to_session(value)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"t":1}',
        b"\xff",
        b"[" * 5000,
        b'{"t":"' + b"a" * wire.LINE_LIMIT + b'"}',
    ],
)
def test_what_is_no_message(line: bytes) -> None:
    with pytest.raises(PeerError):
        wire.decode(line)


def test_fields() -> None:
    message = wire.decode(b'{"t":"x","n":5,"f":1.5,"b":true,"s":"abc","l":[1,2,3],"m":-1}')
    assert wire.number(message, "n") == 5
    assert wire.number(message, "none", default=7) == 7
    assert wire.text(message, "s") == "abc"
    assert wire.rows(message, "l", most=3) == [1, 2, 3]
    for name in ("f", "b", "s", "m", "none"):
        with pytest.raises(PeerError):
            wire.number(message, name)
    with pytest.raises(PeerError):
        wire.text(message, "s", longest=2)
    with pytest.raises(PeerError):
        wire.rows(message, "l", most=2)


@given(st.binary(max_size=200))
def test_any_octets(line: bytes) -> None:
    try:
        message = wire.decode(line)
        wire.to_session(message.get("session"))
    except PeerError:
        return
