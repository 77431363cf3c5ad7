import pytest

from centrex.base import Flow, Local, Transport
from centrex.proxy.leg import NOWHERE
from centrex.runtime.capture import BUSY_PER_S, CHUNK, WATCHED_S, Capture
from tests.support.proxy import NoLink

LOCAL = Local(Transport.UDP, "192.0.2.1", 5060)


def flow(port: int = 5060) -> Flow:
    address = ("192.0.2.7", port)
    return Flow(Transport.UDP, *address, address=address, link=NoLink(), local=LOCAL)


A, B = flow(), flow(5062)


def message(call_id: str, first: str = "OPTIONS sip:x SIP/2.0", pad: int = 0) -> bytes:
    body = "z" * pad
    return f"{first}\r\ni: {call_id}\r\nContent-Length: {pad}\r\n\r\n{body}".encode()


async def test_a_calls_messages_are_found_in_order_and_no_others() -> None:
    capture = Capture()
    keep = capture.young.append
    one, other = message("c1"), message("c2")
    keep((1.0, A, one, ((B, message("c1", "INVITE sip:b SIP/2.0")), (A, other))))
    keep((2.0, B, other, ()))
    keep((3.0, None, b"", ((B, one),)))
    keep((4.0, A, b"\r\n\r\n", ()))
    keep((5.0, A, message("c2", "c1 sip:c1 SIP/2.0"), ()))
    found = await capture.of(b"c1")
    assert [(one.at, one.flow, one.incoming) for one in found] == [
        (1.0, A, True),
        (1.0, B, False),
        (3.0, B, False),
    ]
    assert found[0].data == one
    capture.fold()
    assert await capture.of(b"c1") == found
    assert len(capture) == 5


async def test_what_goes_to_nobody_has_not_passed() -> None:
    capture = Capture()
    nobody = Flow(Transport.UDP, "x", 1, address=None, link=NOWHERE, local=LOCAL)
    capture.young.append((1.0, A, message("c"), ((nobody, message("c")),)))
    assert len(await capture.of(b"c")) == 1


@pytest.mark.parametrize(("moments", "octets"), [(3 * CHUNK, 10**9), (10**6, 3 * CHUNK * 1000)])
async def test_it_is_bounded_and_the_oldest_go_first(moments: int, octets: int) -> None:
    capture = Capture(moments, octets)
    for number in range(10 * CHUNK):
        data = message(f"c{number}", pad=430)
        capture.young.append((float(number), A, data, ((B, data),)))
        if len(capture.young) >= CHUNK:
            capture.fold()
    assert 2 * CHUNK <= len(capture) <= 4 * CHUNK
    assert await capture.of(b"c0") == []
    assert len(await capture.of(b"c%d" % (10 * CHUNK - 1))) == 2


async def test_one_moment_too_large_for_the_bound_is_let_go_of() -> None:
    capture = Capture(octets=100)
    capture.young.append((1.0, A, message("c", pad=200), ()))
    capture.fold()
    assert len(capture) == 0


def test_it_rests_under_load_unless_somebody_watches() -> None:
    capture = Capture()
    assert capture.on
    capture.consider(BUSY_PER_S, 10.0)
    assert not capture.on
    capture.watch(10.5)
    assert capture.on
    capture.consider(BUSY_PER_S, 10.5 + WATCHED_S - 1)
    assert capture.on
    capture.consider(BUSY_PER_S, 10.5 + WATCHED_S)
    assert not capture.on
    capture.consider(BUSY_PER_S - 1, 80.0)
    assert capture.on
