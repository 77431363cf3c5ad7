"""What rtpengine says of a call becomes a row like those of our own relays."""

from hypothesis import given
from hypothesis import strategies as st

from centrex.farm.bencode import Value
from centrex.farm.rtpengine_figures import call_figures


def stream(port: int, *flags: bytes, packets: int = 0) -> dict[bytes, Value]:
    place: dict[bytes, Value] = {b"family": b"IPv4", b"address": b"192.0.2.7", b"port": port}
    return {
        b"local address": b"198.51.100.1",
        b"local port": port + 1,
        b"endpoint": place,
        b"advertised endpoint": {**place, b"port": port + 2},
        b"flags": [b"RTP", *flags],
        b"stats": {b"packets": packets, b"bytes": packets * 172, b"errors": 1},
    }


def side(*streams: dict[bytes, Value]) -> Value:
    return {b"medias": [{b"streams": list(streams)}]}


def test_a_call() -> None:
    tags: Value = {
        b"b": side(stream(5000, packets=3), stream(5001)),
        b"a": side(stream(4000, b"confirmed", b"kernelized", packets=9), stream(4001, packets=2)),
        b"lost": {},
    }
    row = call_figures({b"created": 1000, b"tags": tags}, b"c\xff", b"a", answered=True, now=1007.5)
    assert (row["call_id"], row["seconds"], row["answered"]) == ("c\\xff", 7.5, True)
    ((caller, callee),) = row["streams"]
    assert caller == {
        "port": "198.51.100.1:4001",
        "signalled": "192.0.2.7:4002",
        "learned": "192.0.2.7:4000",
        "locked": True,
        "packets": 9,
        "octets": 9 * 172,
        "sent": None,
        "lost": None,
        "jitter_ms": None,
        "rtcp_packets": 2,
        "kernel": None,
        "relearned": None,
        "drops": {"errors": 1},
    }
    assert (callee["learned"], callee["locked"], callee["kernel"]) == ("", False, None)


def test_ipv6_stands_in_brackets() -> None:
    told = stream(4000)
    told[b"local address"] = b"2001:db8::1"
    row = call_figures(
        {b"tags": {b"a": side(told), b"b": side(told)}}, b"c", b"a", answered=False, now=0
    )
    assert row["streams"][0][0]["port"] == "[2001:db8::1]:4001"


anything = st.recursive(
    st.integers() | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    b"tags",
                    b"a",
                    b"b",
                    b"medias",
                    b"streams",
                    b"stats",
                    b"flags",
                    b"endpoint",
                    b"port",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(anything)
def test_nothing_makes_it_stumble(told: Value) -> None:
    fields: dict[bytes, Value] = told if isinstance(told, dict) else {b"tags": told}
    assert call_figures(fields, b"c", b"a", answered=True, now=0)["call_id"] == "c"
