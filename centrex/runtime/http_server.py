"""As little HTTP as scrapers and desk phones need: one bounded request a connection (RFC 9112).

Each connection lives for a few seconds at most; where there are too many, the oldest of whoever has most
goes, so that phones that all ask at once are served, and those who hold connections open keep nobody out.
Pages are made one after the other, with rests between, for calls go on beside them. What is served is
somebody else's; so is who may read it.
"""

import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Final, NamedTuple
from urllib.parse import parse_qs, unquote

import anyio
import anyio.to_thread
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
_START: Final = re.compile(r"[0-9]{1,9}")
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)
_AUTHORITY: Final = re.compile(rb"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
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


class Asked(NamedTuple):
    """What is asked for."""

    path: str
    wanted: str = ""
    """What is searched (`q`); empty for all."""
    start: int = 0
    """How many of what is found come before this page (`start`)."""
    base: str = ""
    """Where this server was reached, such as `http://192.0.2.1:8080`, for links; ASCII, nothing to escape."""


Pages = Callable[[Asked], Page | Callable[[], Page]]
"""Gives the page for what is asked; or what makes it, which is called in a worker thread, one at a time."""


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
        self._kept: dict[Asked, tuple[float, Page]] = {}

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
        local = stream.extra(SocketAttribute.local_address)
        async with self._turn:
            await anyio.sleep(max(0.0, self._rested_at - time.monotonic()))
            began = time.monotonic()
            try:
                page = await self.reply(request, (str(local[0]), int(local[1])))
            finally:
                ended = time.monotonic()
                self._rested_at = ended + _REST * (ended - began)
        head = (
            f"HTTP/1.1 {page.status} {_WORDS[page.status]}\r\nContent-Type: {page.kind}\r\n"
            f"Content-Length: {len(page.body)}\r\n{page.more}Connection: close\r\n\r\n"
        ).encode()
        await stream.send(head if request.startswith(b"HEAD ") else head + page.body)

    async def reply(self, request: bytes, local: tuple[str, int] = ("127.0.0.1", 80)) -> Page:
        """Return the answer to the head of a request, which came to a local address."""
        asked = _asked(request, local)
        return asked if isinstance(asked, Page) else await self._page(asked)

    async def _page(self, asked: Asked) -> Page:
        """Return a page, made anew unless it is fresh."""
        now = time.monotonic()
        made_at, page = self._kept.get(asked, (0.0, None))
        if page is not None and now - made_at < self._fresh_s:
            return page
        made = self._pages(asked)
        page = made if isinstance(made, Page) else await anyio.to_thread.run_sync(made)
        if self._fresh_s:
            self._kept.pop(asked, None)
            self._kept[asked] = now, page
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return page


def _asked(request: bytes, local: tuple[str, int]) -> Asked | Page:
    """Return what is asked for, or why that cannot be told."""
    if len(request) > REQUEST_OCTETS:
        return plain(431, "the request is too long")
    method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
    target, _, version = rest.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        return plain(400, "this speaks HTTP/1.1")
    if method not in {b"GET", b"HEAD"}:
        return plain(405, "only GET and HEAD")._replace(more="Allow: GET, HEAD\r\n")
    found = _HOST.search(request.partition(b"\r\n\r\n")[0])
    host = found[1] if found else b""
    if target.lower().startswith(b"http://"):  # as to a proxy (RFC 9112 §3.2.2)
        host, _, target = target[len(b"http://") :].partition(b"/")
        target = b"/" + target
    path, _, query = target.decode("latin-1").partition("?")
    try:
        fields = parse_qs(query, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return plain(400, "the query has too many fields")
    start = fields.get("start", ["0"])[0]
    if not _START.fullmatch(start):
        return plain(400, "start is a number: how many entries come before this page")
    wanted = fields.get("q", [""])[0]
    return Asked(unquote(path), wanted, int(start), _base(host.strip(), local))


def _base(host: bytes, local: tuple[str, int]) -> str:
    """Return where the server was reached, by a Host as it was given and the local address.

    Some phones (Cisco's 7940) leave the port out of Host whichever it is, so then it is that of this server.
    """
    address, port = local
    if not (found := _AUTHORITY.fullmatch(host)):
        return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    return f"http://{host.decode()}" if found[2] else f"http://{host.decode()}:{port}"
