"""The next hop of a URI, where it can be told without asking anybody (RFC 3263 §4)."""

from typing import Final

from centrex.base import PeerError, Transport
from centrex.routing.rfc3263 import Destination, numeric_host
from centrex.sip.uri import SipUri, parse_uri

_MEMO_BOUND: Final = 20_000
_TRANSPORTS: Final = {b"udp": Transport.UDP, b"tcp": Transport.TCP, b"tls": Transport.TLS}

Hop = tuple[Transport, str, int]
"""(transport, numeric host, port)."""

_memo: dict[bytes, Hop | Destination | None] = {}


def next_hop(uri: bytes) -> Hop | Destination | None:
    """Return where a SIP URI leads.

    Args:
        uri: A URI as it stands in a request line, a Route or a Contact, without brackets.

    Returns:
        A hop for a numeric host, a destination to ask DNS about for a name, None for a URI that
        leads nowhere we could go: another scheme, an unknown transport, `sips:` over UDP.
    """
    try:
        return _memo[uri]
    except KeyError:
        pass
    if len(_memo) >= _MEMO_BOUND:
        _memo.clear()
    found = _memo[uri] = _look(uri)
    return found


def _look(uri: bytes) -> Hop | Destination | None:
    try:
        parsed = parse_uri(uri)
    except PeerError:
        return None
    if not isinstance(parsed, SipUri):
        return None
    named = parsed.param(b"transport")
    transport = _TRANSPORTS.get(named.lower()) if named else None
    if named and transport is None:
        return None
    if parsed.secure:
        if transport is Transport.UDP:
            return None
        transport = Transport.TLS
    host = (parsed.param(b"maddr") or parsed.host).decode("latin-1").strip("[]")
    numeric = numeric_host(host)
    if not numeric:
        return Destination(host=host, port=parsed.port, transport=transport, secure=parsed.secure)
    way = transport or Transport.UDP
    return way, numeric, parsed.port or way.default_port
