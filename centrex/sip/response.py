"""Builds the responses we give ourselves (RFC 3261 §8.2.6), from the request's own lines."""

from collections.abc import Sequence
from typing import Final

from centrex.sip.message import Message
from centrex.sip.names import CALL_ID, CSEQ, FROM, TIMESTAMP, TO, VIA
from centrex.sip.status import phrase

_COPIED: Final = (VIA, FROM, TO, CALL_ID, CSEQ)


def build_response(
    request: Message,
    status: int,
    *,
    to_tag: bytes = b"",
    extra: Sequence[bytes] = (),
    reason: bytes = b"",
) -> bytes:
    """Return a response to a request.

    Args:
        request: The request; its Via lines are carried back as they stand, and of the other lines
            those it has: RFC 4475 §3.3.1 would have a 400 even for one without From, To or Call-ID.
        status: The status code.
        to_tag: The tag for a To that has none; empty for a 100.
        extra: Further header lines.
        reason: The reason phrase, where it is not the usual one.

    RFC: 3261 §8.2.6.2; §8.2.6.1 for the Timestamp of a 100.
    """
    lines, at = request.lines, request.at
    out = [b"SIP/2.0 %d %b" % (status, reason or phrase(status))]
    if not (at[FROM] and at[TO] and at[CALL_ID] and at[CSEQ]):
        out += [lines[index] for number in _COPIED for index in request.indices(number)]
        return b"\r\n".join([*out, *extra, b"Content-Length: 0\r\n\r\n"])
    if request.repeated >> VIA & 1:
        out += [lines[i] for i in request.indices(VIA)]
    else:
        out.append(lines[at[VIA]])
    to = lines[at[TO]]
    out += (
        lines[at[FROM]],
        b"%b;tag=%b" % (to, to_tag) if to_tag else to,
        lines[at[CALL_ID]],
        lines[at[CSEQ]],
    )
    if status == 100 and at[TIMESTAMP]:
        out.append(lines[at[TIMESTAMP]])
    out += extra
    out.append(b"Content-Length: 0\r\n\r\n")
    return b"\r\n".join(out)
