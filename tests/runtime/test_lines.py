"""Lines over a connection: whole ones only, bounded, and a queue that makes nobody wait."""

from collections.abc import Sequence

import anyio
import pytest
from anyio.abc import ByteStream

from centrex.runtime import lines
from centrex.runtime.lines import LineLink, LineTooLong

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeStream(ByteStream):
    """Gives what it was made with, and remembers what was sent."""

    def __init__(self, pieces: Sequence[bytes] = ()) -> None:
        self.pieces = list(pieces)
        self.sent: list[bytes] = []

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self.pieces:
            raise anyio.EndOfStream
        return self.pieces.pop(0)

    async def send(self, item: bytes) -> None:
        self.sent.append(item)

    async def send_eof(self) -> None:
        return

    async def aclose(self) -> None:
        return


async def test_lines_however_they_are_cut() -> None:
    text = b"one\ntwo\n\nthree\nrest"
    for cut in range(len(text)):
        link = LineLink(FakeStream([text[:cut], text[cut:]]), "x", 100)
        assert [line async for line in link.lines()] == [b"one", b"two", b"", b"three"]


async def test_a_line_that_never_ends() -> None:
    link = LineLink(FakeStream([b"x" * 60, b"x" * 60]), "x", 100)
    with pytest.raises(LineTooLong):
        [line async for line in link.lines()]


async def test_what_is_queued_goes_out_together_and_then_it_ends() -> None:
    stream = FakeStream()
    link = LineLink(stream, "x", 100)
    link.send(b"a\n")
    link.send(b"b\n")
    link.close()
    link.send(b"too late\n")
    await link.write()
    assert stream.sent == [b"a\nb\n"]
    assert link.written.is_set()


async def test_a_queue_that_is_too_long_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_QUEUE_OCTETS", 10)
    link = LineLink(FakeStream(), "x", 100)
    link.send(b"12345\n")
    assert not link.overrun
    link.send(b"12345\n")
    assert link.overrun
    with anyio.fail_after(20):
        await link.write()


async def test_a_writer_that_waits_is_woken() -> None:
    stream = FakeStream()
    link = LineLink(stream, "x", 100)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.write)
        await anyio.wait_all_tasks_blocked()
        link.send(b"a\n")
        await anyio.wait_all_tasks_blocked()
        assert stream.sent == [b"a\n"]
        link.close()


async def test_lines_that_follow_soon_go_out_with_the_first() -> None:
    stream = FakeStream()
    link = LineLink(stream, "x", 100, gather_s=0.5)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.write)
        await anyio.wait_all_tasks_blocked()
        link.send(b"a\n")
        await anyio.wait_all_tasks_blocked()
        link.send(b"b\n")
        assert not stream.sent
        with anyio.fail_after(20):
            while not stream.sent:  # noqa: ASYNC110 - the stream of a test tells nobody
                await anyio.sleep(0.01)
        assert stream.sent == [b"a\nb\n"]
        link.close()


async def test_a_line_that_is_in_a_hurry_takes_those_before_along() -> None:
    stream = FakeStream()
    link = LineLink(stream, "x", 100, gather_s=60)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link.write)
        await anyio.wait_all_tasks_blocked()
        link.send(b"a\n")
        await anyio.wait_all_tasks_blocked()
        link.send(b"b\n")
        link.hurry()
        await anyio.wait_all_tasks_blocked()
        assert stream.sent == [b"a\nb\n"]
        link.send(b"c\n")
        await anyio.wait_all_tasks_blocked()
        assert stream.sent == [b"a\nb\n"], "the next one is not"
        link.hurry()
        await anyio.wait_all_tasks_blocked()
        assert stream.sent == [b"a\nb\n", b"c\n"]
        link.close()
