"""A place to try: the Request-URI it will see, and the way there as far as it is known."""

from collections.abc import Mapping

from centrex.base import Flow, PeerError
from centrex.sip.uri import SipUri, parse_uri


class Amendment:
    """What a request to a gateway carries that its sender did not write.

    Attributes:
        number: The number in its CSeq; 0 for the sender's own.
        rack: Its RAck value (RFC 3262 §7.2), where that has to change too; else empty.
        credentials: Header lines that answer the gateway's challenges, by status and realm.
        answers: How many challenges were answered.
    """

    __slots__ = ("answers", "credentials", "number", "rack")

    def __init__(self, number: int = 0, rack: bytes = b"") -> None:
        self.number, self.rack, self.answers = number, rack, 0
        self.credentials: Mapping[tuple[int, bytes], bytes] = {}


class Target:
    """One place a request may be sent to.

    Attributes:
        uri: The Request-URI to send (RFC 3261 §16.6 step 2).
        flow: The only way there, where the registration came from behind NAT or by a connection;
            None where the URI (or the first Path value) leads there.
        path: Route values to put on top (RFC 3327 §5.3).
        ring_s: Seconds it may ring before the next group is tried; 0 for the general setting.
        others: Request-URIs to try in its place, one after the other, where it cannot be reached.
        gateway: The name of the gateway it is; empty for any other place.
        amendment: What the request carries there beside what its sender wrote; None for nothing.
        user: The user whose phone it is, where that is not the one who was called.
    """

    __slots__ = ("amendment", "flow", "gateway", "others", "path", "ring_s", "uri", "user")

    def __init__(
        self,
        uri: bytes,
        flow: Flow | None = None,
        path: tuple[bytes, ...] = (),
        ring_s: float = 0.0,
    ) -> None:
        self.uri, self.flow, self.path, self.ring_s = uri, flow, path, ring_s
        self.others: tuple[bytes, ...] = ()
        self.amendment: Amendment | None = None
        self.gateway = ""
        self.user = b""

    def __repr__(self) -> str:
        return f"Target({self.uri!r})"


def request_uri(raw: bytes) -> bytes:
    """Return a SIP URI without what may not stand in a request line (RFC 3261 §16.6 step 2).

    That is its headers and a `method` (§19.1.1, table 1). Any other URI is returned as it is.
    """
    if raw.find(b"?") < 0 and raw.lower().find(b";method=") < 0:
        return raw
    try:
        uri = parse_uri(raw)
    except PeerError:
        return raw
    if not isinstance(uri, SipUri):
        return raw
    if uri.headers:
        raw = raw[: -len(uri.headers) - 1]
    user, at, rest = raw.rpartition(b"@")
    host, *params = rest.split(b";")
    kept = [param for param in params if not param.lower().startswith(b"method=")]
    return user + at + b";".join([host, *kept])
