"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3), as a value to look up.

A branch with the magic cookie is unique together with sent-by and method. Without it (RFC 2543)
everything that names a request takes its place. An ACK has the key of its INVITE.
"""

from typing import Final, TypeAlias

from centrex.sip.cseq import parse_cseq
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CALL_ID, CSEQ, FROM, VIA
from centrex.sip.reading import ViaForm
from centrex.sip.via import Via

ServerKey: TypeAlias = tuple[bytes, ...]
ClientKey: TypeAlias = tuple[bytes, bytes]
"""(branch, method of the CSeq)."""

MAGIC_COOKIE: Final = b"z9hG4bK"


def server_key(message: Message, via: ViaForm | Via, branch: bytes, method: bytes) -> ServerKey:
    """Return the key of the server transaction that a request belongs to.

    Args:
        message: The request.
        via: Its topmost Via, or what is usual in it.
        branch: Its branch.
        method: Its method; `INVITE` for an ACK, and for a CANCEL that looks for its INVITE.
    """
    if branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return (branch, via.sent_by, method)
    number, _ = parse_cseq(message.value(CSEQ))
    return (
        message.value(VIA),
        message.uri,
        parse_name_addr(message.value(FROM)).tag,
        message.value(CALL_ID),
        b"%d" % number,
        method,
    )
