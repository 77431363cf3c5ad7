"""The body of a message that is about to leave: found, and put back changed, whatever its header spells.

It knows serialized messages and nothing of what is in their bodies.
"""

import re
from typing import Final

_TYPE: Final = re.compile(
    rb"\r\n(?:content-type|c)[ \t]*:([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*)", re.IGNORECASE
)
_LENGTH: Final = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:(?:\r\n)?[ \t]*([0-9]+)", re.IGNORECASE
)
_CODED: Final = re.compile(
    rb"\r\n(?:content-encoding|e)[ \t]*:(?![ \t]*identity[ \t]*\r\n)", re.IGNORECASE
)
_END: Final = b"\r\n\r\n"
SDP: Final = b"application/sdp"
_SDP_LINE: Final = b"\r\nContent-Type: application/sdp\r\n"
"""As nearly all spell it."""


def split_body(data: bytes) -> tuple[bytes, bytes] | None:
    """Return a message's Content-Type value and its body; None where it has none to be read.

    Args:
        data: The message as it is about to leave.

    RFC: 3261 §20.15, §20.12; a body that is compressed is none to be read.
    """
    ends = data.find(_END)
    if ends < 0 or ends + 4 == len(data):
        return None
    if _CODED.search(data, 0, ends + 2) is not None:
        return None
    if data.find(_SDP_LINE, 0, ends + 2) >= 0:
        return SDP, data[ends + 4 :]
    found = _TYPE.search(data, 0, ends + 2)
    if found is None:
        return None
    return found[1].replace(b"\r\n", b"").strip(), data[ends + 4 :]


def with_body(data: bytes, body: bytes) -> bytes:
    """Return a message with another body, and the Content-Length that belongs to it."""
    ends = data.find(_END)
    found = _LENGTH.search(data, 0, ends + 2)
    if found is None:
        return b"%bContent-Length: %d\r\n\r\n%b" % (data[: ends + 2], len(body), body)
    first, last = found.span(1)
    return b"%b%d%b%b" % (data[:first], len(body), data[last : ends + 4], body)
