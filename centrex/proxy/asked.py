"""Requests of the server's own, which ask whether somebody is there (RFC 3261 §11), and who waits for answers."""

from typing import TYPE_CHECKING

from centrex.base import Flow, Instant, Transport
from centrex.transaction.client import ClientTransaction
from centrex.transaction.key import MAGIC_COOKIE

if TYPE_CHECKING:
    from centrex.proxy.core import Core


class Asked:
    """Whoever is asked, and what becomes of that."""

    __slots__ = ()

    def answered(self, core: "Core", status: int, now: Instant) -> None:
        """A response came, provisional ones included."""
        raise NotImplementedError

    def failed(self, core: "Core", why: str, now: Instant) -> None:
        """No response came, or the request could not be sent."""
        raise NotImplementedError


def own_uri(flow: Flow, user: bytes = b"") -> bytes:
    """Return our own URI as whoever a flow leads to sees it."""
    local = flow.local
    host = f"[{local.host}]" if ":" in local.host else local.host
    suffix = "" if flow.transport is Transport.UDP else f";transport={flow.transport.value.lower()}"
    return b"sip:%b%b" % (user + b"@" if user else b"", f"{host}:{local.port}{suffix}".encode())


def ask(
    core: "Core", asked: Asked, uri: bytes, to: bytes, sender: bytes, flow: Flow, now: Instant
) -> ClientTransaction:
    """Send an OPTIONS, and return its transaction.

    Args:
        core: The core.
        asked: Who is told of the answer.
        uri: The Request-URI.
        to: The URI in To.
        sender: The URI in From.
        flow: The way.
        now: The time.
    """
    branch = MAGIC_COOKIE + core.ids.token()
    lines = (
        b"OPTIONS %b SIP/2.0" % uri,
        flow.local.via + branch,
        b"Max-Forwards: 70",
        b"From: <%b>;tag=%b" % (sender, core.ids.token()),
        b"To: <%b>" % to,
        b"Call-ID: " + core.ids.token(),
        b"CSeq: 1 OPTIONS",
        b"Contact: <%b>" % own_uri(flow),
        b"Content-Length: 0",
    )
    data = b"\r\n".join(lines) + b"\r\n\r\n"
    return core.layer.open_client((branch, b"OPTIONS"), data, flow, asked, now)
