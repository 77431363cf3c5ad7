"""As little HTTP as scrapers and desk phones need: one bounded request a connection, a few at once.

Each connection lives for a few seconds at most. What is served is somebody else's; so is who may read it.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote

import anyio
from anyio.abc import SocketStream, TaskStatus

from centrex.base import Unavailable
from centrex.base.address import split_address

CONNECTIONS: Final = 8
"""Clients served at once by one server; further ones are cut."""
REQUEST_OCTETS: Final = 8_192
"""Octets of a request; a longer one is refused."""
_PATIENCE_S: Final = 5.0
_MOST_FIELDS: Final = 16
_PLAIN: Final = "text/plain; charset=utf-8"
_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}


class Page(NamedTuple):
    """What is answered."""

    status: int
    kind: str
    """The Content-Type."""
    body: bytes


def plain(status: int, words: str) -> Page:
    """Return a page of a few words."""
    return Page(status, _PLAIN, words.encode() + b"\n")


Pages = Callable[[str, str], Page]
"""Gives the page of a path, for what is searched (`q`, empty for all)."""


class HttpServer:
    """Serves pages.

    Args:
        pages: What to serve.
        what: What that is, in words.
        patience_s: How long a connection may take in all, in seconds.
    """

    def __init__(self, pages: Pages, what: str, *, patience_s: float = _PATIENCE_S) -> None:
        self._pages, self._what, self._patience_s = pages, what, patience_s
        self._connections = 0

    async def serve(
        self, listen: str, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; started once it can be connected to.

        Args:
            listen: The address, `host:port`.
            task_status: For `TaskGroup.start`.

        Raises:
            Unavailable: The address cannot be had.
        """
        host, port = split_address(listen)
        try:
            listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
        except OSError as error:
            why = error.strerror or error
            raise Unavailable(f"cannot serve {self._what} at {listen}: {why}") from error
        async with listener:
            task_status.started()
            await listener.serve(self._attend)

    async def _attend(self, stream: SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                if self._connections > CONNECTIONS:
                    return
                with anyio.move_on_after(self._patience_s):
                    await self._answer(stream)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # it has left
        finally:
            self._connections -= 1

    async def _answer(self, stream: SocketStream) -> None:
        request = bytearray()
        while b"\r\n\r\n" not in request and len(request) <= REQUEST_OCTETS:
            try:
                request += await stream.receive()
            except anyio.EndOfStream:
                return
        page = self.reply(bytes(request))
        head = (
            f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.kind}\r\n"
            f"Content-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
        ).encode()
        await stream.send(head if request.startswith(b"HEAD ") else head + page.body)

    def reply(self, request: bytes) -> Page:
        """Return the answer to the head of a request."""
        if len(request) > REQUEST_OCTETS:
            return plain(431, "the request is too long")
        method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
        target, _, version = rest.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            return plain(400, "this speaks HTTP/1.1")
        if method not in {b"GET", b"HEAD"}:
            return plain(405, "only GET")
        path, _, query = target.decode("latin-1").partition("?")
        try:
            fields = parse_qs(query, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return plain(400, "the query has too many fields")
        return self._pages(unquote(path), fields.get("q", [""])[0])
