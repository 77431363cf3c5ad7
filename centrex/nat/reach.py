"""Where a message really came from, compared with what it says of itself (RFC 3581, RFC 5626).

A peer is behind NAT when the address it wrote into its Via is not the one its packets bear. Then
only the path they came by leads back to it.
"""

from centrex.base import Flow
from centrex.sip.reading import ViaForm
from centrex.sip.via import Via


def behind_nat(via: ViaForm | Via, flow: Flow) -> bool:
    """Whether the sender's own idea of its address differs from where its message came from.

    Args:
        via: The topmost Via, as the sender wrote it.
        flow: The way the message came.

    RFC: 3261 §18.2.1; 3581 §4. On a connection the port is never the listening one, so only the
    host is compared.
    """
    if via.host != flow.received_host:
        return True
    if flow.reliable:
        return False
    return (via.port or flow.transport.default_port) != flow.port


def amend_via(line: bytes, via: ViaForm | Via, branch: bytes, flow: Flow) -> bytes:
    """Return the topmost Via line with `received` and `rport` as they have to be.

    Args:
        line: The whole header line, holding this one value.
        via: The value, parsed, or what is usual in it.
        branch: Its branch.
        flow: The way the request came.

    RFC: 3261 §18.2.1, 3581 §4: a request that asks for `rport` gets both; otherwise `received` is
    added where sent-by differs from the source. A `received` or `rport` value the sender put there
    itself is taken out.
    """
    if isinstance(via, ViaForm):
        return via.amended(line, branch, flow)
    asked = via.rport is not None
    if not asked and not via.received:
        if via.host == flow.received_host:
            return line
        return b"%b;received=%b" % (line, flow.received_host)
    return _rewritten(via, flow, asked=asked)


def _rewritten(via: Via, flow: Flow, *, asked: bool) -> bytes:
    host = b"[%b]" % via.host if via.host.find(b":") >= 0 else via.host
    port = b":%d" % via.port if via.port else b""
    line = b"Via: SIP/2.0/%b %b%b" % (via.transport, host, port)
    for name, value in via.params:
        if name.lower() not in (b"received", b"rport"):
            line += b";" + name if value is None else b";%b=%b" % (name, value)
    if asked:
        return b"%b;rport=%b;received=%b" % (line, flow.received_port, flow.received_host)
    if via.host != flow.received_host:
        return b"%b;received=%b" % (line, flow.received_host)
    return line
