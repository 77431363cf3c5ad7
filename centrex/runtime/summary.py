"""One event for one SIP message, as `events.sip_summary` wants them: what, whence, whither, how long.

It reads the first line, Call-ID and CSeq, which may be anything a stranger has sent. It refuses to
judge a message, and to know whether anybody wants to read of it.
"""

from centrex.base import Flow, PeerError
from centrex.events import Event, Field, Kind, Severity
from centrex.sip.message import parse
from centrex.sip.names import CALL_ID, CSEQ


def received(data: bytes, flow: Flow) -> Event | None:
    """Return the event `sip.received`; None for a keep-alive, or what is no SIP at all.

    Args:
        data: A datagram, or one frame of a stream.
        flow: The path it came by.
    """
    return _summary("sip.received", data, {"src": flow.name, "local": _local(flow)})


def sent(data: bytes, flow: Flow) -> Event | None:
    """Return the event `sip.sent`, which has no `src`: that would be ourselves.

    Args:
        data: What was sent.
        flow: The path it left by.
    """
    return _summary("sip.sent", data, {"dst": flow.name, "local": _local(flow)})


def _local(flow: Flow) -> str:
    return flow.local.sent_by.decode("ascii", "replace")


def _summary(name: str, data: bytes, fields: dict[str, Field]) -> Event | None:
    if not data.strip(b"\r\n\0 "):
        return None
    try:
        message = parse(data)
    except PeerError:
        return None
    fields["message"] = message.status or message.method
    fields["cseq"] = message.value(CSEQ)
    fields["octets"] = len(data)
    return Event(Kind.SIP_SUMMARY, Severity.INFO, name, fields, message.value(CALL_ID))
