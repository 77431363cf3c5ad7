"""As little HTTP as scrapers and desk phones need: one bounded request a connection (RFC 9112).

Each connection lives for a few seconds at most; where there are too many, the oldest of whoever has most
goes, so that phones that all ask at once are served, and those who hold connections open keep nobody out.
Pages are made one after the other, with rests between, for calls go on beside them. What is served is
somebody else's; so is who may read it.
"""

import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus

from centrex.base import Unavailable
from centrex.base.address import split_address

CONNECTIONS: Final = 128
"""Clients that one server attends to at once; for a further one, another is cut."""
REQUEST_OCTETS: Final = 8_192
"""Octets of a request; a longer one is refused."""
_PATIENCE_S: Final = 5.0
_REST: Final = 4
"""How many times as long as a page took to make it is until the next is made."""
_KEPT: Final = 8
"""Pages that are kept while they are fresh."""
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
    more: str = ""
    """Further header lines, each with its end."""


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
        fresh_s: How long a page is served again as it was made, in seconds.
    """

    def __init__(
        self, pages: Pages, what: str, *, patience_s: float = _PATIENCE_S, fresh_s: float = 0.0
    ) -> None:
        self._pages, self._what = pages, what
        self._patience_s, self._fresh_s = patience_s, fresh_s
        self._numbers = count()
        self._open: dict[int, tuple[str, anyio.CancelScope]] = {}
        self._turn = anyio.Lock()
        self._rested_at = 0.0
        self._kept: dict[tuple[str, str], tuple[float, Page]] = {}

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
        number = next(self._numbers)
        try:
            async with stream:
                source = str(stream.extra(SocketAttribute.remote_address)[0])
                with anyio.move_on_after(self._patience_s) as scope:
                    self._open[number] = source, scope
                    self._make_room()
                    await self._answer(stream)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # it has left
        finally:
            self._open.pop(number, None)

    def _make_room(self) -> None:
        """Cut the oldest connection of whoever has most of them, where there are too many."""
        if len(self._open) <= CONNECTIONS:
            return
        (most, _), *_ = Counter(source for source, _ in self._open.values()).most_common(1)
        oldest = next(number for number, (source, _) in self._open.items() if source == most)
        _, scope = self._open.pop(oldest)
        scope.cancel()

    async def _answer(self, stream: SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request and len(request) <= REQUEST_OCTETS:
            try:
                request = (request + await stream.receive()).lstrip(b"\r\n")
            except anyio.EndOfStream:
                return
        async with self._turn:
            await anyio.sleep(max(0.0, self._rested_at - time.monotonic()))
            began = time.monotonic()
            page = self.reply(request)
            ended = time.monotonic()
            self._rested_at = ended + _REST * (ended - began)
        head = (
            f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.kind}\r\n"
            f"Content-Length: {len(page.body)}\r\n{page.more}Connection: close\r\n\r\n"
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
            return plain(405, "only GET and HEAD")._replace(more="Allow: GET, HEAD\r\n")
        if target.lower().startswith(b"http://"):  # as to a proxy (RFC 9112 §3.2.2)
            target = b"/" + target[len(b"http://") :].partition(b"/")[2]
        path, _, query = target.decode("latin-1").partition("?")
        try:
            fields = parse_qs(query, max_num_fields=_MOST_FIELDS)
        except ValueError:
            return plain(400, "the query has too many fields")
        return self._page(unquote(path), fields.get("q", [""])[0])

    def _page(self, path: str, wanted: str) -> Page:
        """Return a page, made anew unless it is fresh."""
        now = time.monotonic()
        made_at, page = self._kept.get((path, wanted), (0.0, None))
        if page is not None and now - made_at < self._fresh_s:
            return page
        page = self._pages(path, wanted)
        if self._fresh_s:
            self._kept.pop((path, wanted), None)
            self._kept[path, wanted] = now, page
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return page
