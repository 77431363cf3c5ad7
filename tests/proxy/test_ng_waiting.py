"""What waits for rtpengine starts out as what it is made of."""

from typing import Any

from centrex.proxy.ng_waiting import Response


def test_a_response_waits_for_those_before_it_until_something_is_asked() -> None:
    branch: Any = None
    one = Response(branch, 183, b"b", b"SIP/2.0 183 X")
    assert (one.found, one.fields) == (None, None)
    assert one == Response(branch, 183, b"b", b"SIP/2.0 183 X"), "the same, repeated"
