"""A client of pages, as scrapers and desk phones are."""

import anyio

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


async def talk(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send pieces and return everything that comes back until the end."""
    answer = b""
    with anyio.fail_after(20):
        async with await anyio.connect_tcp(*address) as stream:
            try:
                for piece in pieces:
                    await stream.send(piece)
                async for chunk in stream:
                    answer += chunk
            except anyio.BrokenResourceError:
                pass  # it was cut, with what we sent unread
    return answer
