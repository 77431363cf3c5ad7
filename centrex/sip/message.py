"""A SIP message as its lines: scanned once, edited by line, written by joining.

The scan finds where the headers stand that a proxy reads; it decodes nothing. Lines keep their
arrival order and their own spelling, a folded header is one line with its folds in it, so that what
nobody touches leaves byte for byte as it came. Whether the values make sense is for the modules of
each header and for `centrex.sip.validate`; this one knows only lines.
"""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip import names
from centrex.sip.names import CALL_ID, COUNT, CSEQ, FROM, SINGLE, TO, VIA

_ZEROS: Final = [0] * COUNT
_LINE_RULE: Final = "RFC 3261 §25.1"
_NAMES: Final = re.compile(rb"\r\n([^:\r\n]*+):").findall
_SHAPES: Final = 2048
_SHAPE_OCTETS: Final = 1024

_shapes: dict[tuple[bytes, ...], tuple[list[int], int, int]] = {}
"""Where the headers stand in messages with these names in this order: (`at`, `repeated`, lines)."""
_SINGLE_MASK: Final = sum(1 << number for number in SINGLE)
MAX_LINES: Final = 512
"""Header lines in one message; beyond, it is refused 513."""


class Message:
    """A request or a response.

    Attributes:
        lines: The start line, then one entry per header, without the CRLF at its end.
        body: What follows the empty line, cut to Content-Length where that is shorter.
        method: The method of a request; of a response, the method of its CSeq.
        uri: The Request-URI; empty in a response.
        status: The status code; 0 in a request.
        at: For each number of `names`, the index of the first line that has it; 0 where none has.
        repeated: Bit `1 << number` is set where more than one line has that number.
        fault: The first rule found broken, or None.
    """

    __slots__ = ("at", "body", "fault", "lines", "method", "repeated", "status", "uri")

    def __init__(self, lines: list[bytes], body: bytes) -> None:
        self.lines, self.body = lines, body
        self.method = self.uri = b""
        self.status = self.repeated = 0
        self.at = _ZEROS
        self.fault: PeerError | None = None

    def value(self, number: int) -> bytes:
        """Return the value of the first header of that number, unfolded and stripped; `b""` if none."""
        index = self.at[number]
        if not index:
            return b""
        line = self.lines[index]
        return unfold(line[line.find(b":") + 1 :])

    def values(self, number: int) -> list[bytes]:
        """Return the value of every header line of that number, in order, unfolded and stripped."""
        index = self.at[number]
        if not index:
            return []
        if not self.repeated >> number & 1:
            return [self.value(number)]
        return [unfold(self.lines[i][self.lines[i].find(b":") + 1 :]) for i in self.indices(number)]

    def indices(self, number: int) -> list[int]:
        """Return the index of every line of that number, in order."""
        first = self.at[number]
        if not first:
            return []
        if not self.repeated >> number & 1:
            return [first]
        lines, found = self.lines, [first]
        for index in range(first + 1, len(lines)):
            line = lines[index]
            raw = line[: line.find(b":")]
            if names.memo.get(raw, names.OTHER) == number or names.number_of(raw) == number:
                found.append(index)
        return found

    def rescan(self) -> None:
        """Find the headers again after lines were inserted or removed."""
        self.at = _ZEROS.copy()
        self.repeated = 0
        _scan(self)

    def to_bytes(self) -> bytes:
        """Write the message."""
        return b"\r\n".join(self.lines) + b"\r\n\r\n" + self.body


def unfold(value: bytes) -> bytes:
    """Return a header value with each fold made one space, stripped at both ends (§7.3.1)."""
    if value.find(b"\n") >= 0:
        value = b" ".join(part.strip(b" \t") for part in value.split(b"\r\n"))
    return value.strip(b" \t")


def parse(data: bytes) -> Message:
    """Scan one whole message.

    Args:
        data: One datagram, or one frame of a stream: start line, headers, empty line, body.

    Returns:
        The message; `fault` tells the first rule it breaks as far as lines go. It can be answered as
        long as `can_be_answered` says so.

    Raises:
        PeerError: There is no start line of SIP: nothing to answer.
    RFC: 3261 §7, §18.3.
    """
    end = data.find(b"\r\n\r\n")
    head = data[:end] if end >= 0 else data.removesuffix(b"\r\n")
    lines = head.split(b"\r\n")
    breaks = len(lines) - 1
    if head.find(b"\r\n ") >= 0 or head.find(b"\r\n\t") >= 0:
        lines = _join_folds(lines)
    message = Message(lines, data[end + 4 :] if end >= 0 else b"")
    _start_line(message, lines[0])
    if end < 0 or breaks >= MAX_LINES:
        _unbounded(message, ended=end >= 0)
    elif head.count(b"\n") != breaks or head.count(b"\r") != breaks:
        message.fault = message.fault or PeerError("a CR or LF ends no line", rule=_LINE_RULE)
    elif breaks == len(lines) - 1:
        shape = _shapes.get(tuple(_NAMES(head)))
        if shape is not None and shape[2] == breaks:
            message.at, message.repeated = shape[0].copy(), shape[1]
            if message.status and message.at[CSEQ]:
                message.method = lines[message.at[CSEQ]].split()[-1]
            return message
    _scan(message)
    if message.fault is None and breaks == len(lines) - 1:
        _remember_shape(message, head)
    return message


def _unbounded(message: Message, *, ended: bool) -> None:
    if not ended:
        fault = PeerError("the header block has no end", rule="RFC 3261 §7")
    else:
        fault = PeerError("too many header lines", rule="local bound", status=513)
        del message.lines[MAX_LINES:]
    message.fault = message.fault or fault


def _remember_shape(message: Message, head: bytes) -> None:
    """Remember where the headers of a faultless message stand, by the names in their order."""
    shape = tuple(_NAMES(head))
    if len(shape) != len(message.lines) - 1 or sum(map(len, shape)) > _SHAPE_OCTETS:
        return
    if len(_shapes) >= _SHAPES:
        _shapes.clear()
    _shapes[shape] = (message.at.copy(), message.repeated, len(shape))


def can_be_answered(message: Message) -> bool:
    """Return whether a request has what a response must carry back (§8.2.6.2), and is no ACK."""
    at = message.at
    return bool(
        message.status == 0
        and message.method != b"ACK"
        and at[VIA] and at[CSEQ] and at[CALL_ID] and at[FROM] and at[TO]
    )  # fmt: skip


def _join_folds(lines: list[bytes]) -> list[bytes]:
    joined: list[bytes] = [lines[0]]
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and len(joined) > 1:
            joined[-1] += b"\r\n" + line
        else:
            joined.append(line)
    return joined


def _start_line(message: Message, first: bytes) -> None:
    parts = first.split(b" ", 3)
    if len(parts) == 3 and parts[2] == b"SIP/2.0" and parts[0] and parts[1]:
        message.method, message.uri = parts[0], parts[1]
        return
    if first[:8].upper() == b"SIP/2.0 ":
        code = first[8:11]
        if not code.isdigit() or first[11:12] not in (b" ", b"") or not b"100" <= code <= b"699":
            raise PeerError("the status line is malformed", rule="RFC 3261 §7.2")
        message.status = int(code)
        return
    method, _, rest = first.partition(b" ")
    uri, _, version = rest.rpartition(b" ")
    message.method, message.uri = method, uri
    if version.upper() == b"SIP/2.0" and uri and uri.find(b" ") < 0:
        return
    if first.upper().find(b" SIP/") < 0:
        raise PeerError("the first line is no SIP request or status line", rule="RFC 3261 §7.1")
    if version[:4].upper() == b"SIP/" and version.upper() != b"SIP/2.0":
        message.fault = PeerError("the SIP version is not 2.0", rule="RFC 3261 §21.5.6", status=505)
    else:
        message.fault = PeerError("the request line is malformed", rule="RFC 3261 §7.1")


def _scan(message: Message) -> None:
    message.at = _ZEROS.copy()
    at, lines, lookup = message.at, message.lines, names.memo
    repeated = 0
    for index, line in enumerate(lines):
        if index:
            colon = line.find(b":")
            number = lookup.get(line[:colon])
            if number is None or colon < 0:
                number = _unknown(message, line[:colon] if colon >= 0 else b"")
            if number:
                if at[number]:
                    repeated |= 1 << number
                else:
                    at[number] = index
    message.repeated = repeated
    if repeated & _SINGLE_MASK and message.fault is None:
        message.fault = PeerError("a header that stands once is repeated", rule="RFC 3261 §7.3.1")
    if message.status and at[CSEQ]:
        message.method = lines[at[CSEQ]].split()[-1]


def _unknown(message: Message, raw: bytes) -> int:
    number = names.number_of(raw)
    if number != names.INVALID:
        return number
    if message.fault is None:
        message.fault = PeerError("a header line has no valid name", rule="RFC 3261 §7.3.1")
    return names.OTHER
