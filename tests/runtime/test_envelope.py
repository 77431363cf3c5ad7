import json

import pytest

from centrex.base import Refused, Unavailable
from centrex.runtime.envelope import (
    ANSWER_LIMIT,
    error_line,
    read_answer,
    read_request,
    request_line,
    result_line,
)


def test_a_request_is_read_as_it_was_written() -> None:
    request = read_request(request_line("calls", {"limit": 3}))
    assert (request["command"], request["params"]) == ("calls", {"limit": 3})
    assert "read_only" not in request


def test_a_stream_is_followed_and_a_connection_may_be_for_reading() -> None:
    request = read_request(request_line("events", follow=True, read_only=True))
    assert (request["follow"], request["read_only"], request.get("command")) == (
        "events",
        True,
        None,
    )


@pytest.mark.parametrize(
    "line", [b"{}", b'{"v":1}', b'{"v":1,"follow":3}', b'{"v":1,"command":[]}']
)
def test_what_asks_for_nothing_is_refused(line: bytes) -> None:
    with pytest.raises(Refused, match="an object with a command"):
        read_request(line)


def test_an_answer_brings_a_result_or_raises_the_refusal() -> None:
    assert read_answer(result_line("x", {"a": "é\n"})) == {"a": "é\n"}
    with pytest.raises(Refused) as caught:
        read_answer(error_line(1, "conflict", "somebody was faster", {"fingerprint": "f"}))
    assert (caught.value.code, caught.value.detail) == ("conflict", {"fingerprint": "f"})


def test_a_line_is_one_line_of_ascii_whatever_is_in_it() -> None:
    line = result_line(1, {"text": "\x1b[2J\u202e\n\r\x85"})
    assert line.count(b"\n") == 1
    assert line.decode("ascii").rstrip("\n").isprintable()
    assert json.loads(line)["result"]["text"] == "\x1b[2J\u202e\n\r\x85"


def test_a_result_has_a_longest_length() -> None:
    with pytest.raises(Refused, match="too long"):
        result_line(1, {"x": "y" * ANSWER_LIMIT})


@pytest.mark.parametrize(
    "line", [b"[1]", b"[" * 100_000, b'{"ok":true}', b'{"ok":false,"error":[]}']
)
def test_what_is_no_answer_is_unavailable(line: bytes) -> None:
    with pytest.raises(Unavailable, match="not understood"):
        read_answer(line)


@pytest.mark.parametrize("half", [b"\\ud800", b"\xed\xa0\x80"])
def test_half_a_character_is_refused(half: bytes) -> None:
    """Nobody behind this door could write it anywhere."""
    line = request_line("route.test", {"number": "7"})
    with pytest.raises(Refused, match="half a character"):
        read_request(line.replace(b"7", half))
    whole = read_request(line.replace(b"7", b"\\ud83d\\ude00\xed\x95\x9c"))
    assert whole["params"]["number"] == "\U0001f600\ud55c"


def test_what_is_no_request_is_refused() -> None:
    with pytest.raises(Refused, match="not JSON"):
        read_request(b"[" * 100_000)
