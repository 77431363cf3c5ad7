from typing import Any

from tests.support.pretend import RELAYED
from tui.relayed import call_lines

END: dict[str, Any] = RELAYED["streams"][0][0]
CALL: dict[str, Any] = {**RELAYED, "streams": [[END, {**END, "learned": "", "packets": 0}]]}


def told(row: dict[str, Any]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in call_lines(row, 60))


def test_a_call_is_told_in_words() -> None:
    text = told(CALL)
    assert text.startswith("● call-1@192.0.2.7\n   answered, for 00:00:33\n")
    assert "caller" in text
    assert "callee" in text
    assert "heard at 198.51.100.7:4000" in text
    assert "1234 packets, 3 lost, jitter 2.1 ms, through the kernel" in " ".join(text.split())
    assert "not heard yet, says 10.0.0.4:4000" in text
    assert not [word for word in ("True", "33.562", "jitter_ms", "None") if word in text]
    assert max(map(len, text.splitlines())) <= 60


def test_what_is_amiss_is_told() -> None:
    reported = {"lost": 7, "lost_percent": 1.5, "jitter_ms": 3.0, "round_trip_ms": 21.2}
    end = {**END, "kernel": False, "reported": reported, "drops": {"second-source": 9}}
    text = " ".join(told({**CALL, "one_way": "callee", "streams": [None, [end, END]]}).split())
    assert "the callee is not heard" in text
    assert "it reports 7 lost, jitter 3.0 ms, 21.2 ms there and back" in text
    assert "9 dropped (second-source)" in text
    assert "stream 2" in text
    assert "stream 1" not in text


def test_who_relays_may_know_less() -> None:
    end = {**END, "sent": None, "lost": None, "jitter_ms": None, "relearned": None, "drops": {}}
    del end["reported"]
    text = told({**CALL, "answered": False, "seconds": None, "streams": [[end, end]]})
    assert "not answered yet" in text
    assert "None" not in text
    assert told({"call_id": "x"}) == "● x\n   not answered yet"
