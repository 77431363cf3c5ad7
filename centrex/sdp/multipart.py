"""Where in a message's body its session description is (RFC 2046 §5.1, RFC 5621).

It knows parts and their boundaries; what is in them is not its business.
"""

import re
from typing import Final

_SDP: Final = b"application/sdp"
_DEEPEST: Final = 2
_MOST_PARTS: Final = 32
_BOUNDARY: Final = re.compile(
    rb';[ \t]*boundary[ \t]*=[ \t]*(?:"([^"\\]{1,70}+)"|([^\s";,]{1,70}+))', re.IGNORECASE
)
_TYPE: Final = re.compile(rb"(?:^|\n)content-type[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)
_LENGTH: Final = re.compile(rb"((?:^|\n)content-length[ \t]*:[ \t]*)[0-9]+", re.IGNORECASE)
_HEAD_ENDS: Final = re.compile(rb"\r?\n\r?\n")

Span = tuple[int, int]


def find(content_type: bytes, body: bytes) -> Span | None:
    """Return where in a body the session description begins and ends; None where there is none.

    Args:
        content_type: The Content-Type value.
        body: The body.
    """
    path = _path(content_type, body, 0, len(body), 0)
    return path[-1][1] if path else None


def replace(content_type: bytes, body: bytes, sdp: bytes) -> bytes:
    """Return a body with another session description, and lengths of parts that fit it.

    Args:
        content_type: The Content-Type value.
        body: A body in which `find` finds one.
        sdp: The new description.
    """
    path = _path(content_type, body, 0, len(body), 0)
    if not path:
        return body
    new, grown = sdp, 0
    _, (start, end) = path[-1]
    grown = len(sdp) - (end - start)
    out = body[:start] + new + body[end:]
    for head, (first, last) in reversed(path):
        if head is not None:
            told = _LENGTH.sub(rb"\g<1>%d" % (last - first + grown), out[head[0] : head[1]], 1)
            out = out[: head[0]] + told + out[head[1] :]
            grown += len(told) - (head[1] - head[0])
    return out


def _path(
    content_type: bytes, body: bytes, start: int, end: int, depth: int
) -> list[tuple[Span | None, Span]]:
    """Return the way to the description: for each part on it where its head is, and its content."""
    kind = content_type.partition(b";")[0].strip().lower()
    if kind == _SDP:
        return [(None, (start, end))]
    if not kind.startswith(b"multipart/") or depth == _DEEPEST:
        return []
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        return []
    for head, content, inner in _parts(body, start, end, boundary[1] or boundary[2]):
        path = _path(inner, body, *content, depth + 1)
        if path:
            rest = path[1:] if path[0][0] is None else path
            return [(head, content), *rest]
    return []


def _parts(body: bytes, start: int, end: int, boundary: bytes) -> list[tuple[Span, Span, bytes]]:
    """Return each part's head and content as places in the body, and its type."""
    delimiter = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\r?\n|$)")
    found: list[tuple[Span, Span, bytes]] = []
    begins = -1
    at = max(start - 1, 0)  # the end of the line before may begin the first delimiter
    while len(found) < _MOST_PARTS:
        mark = delimiter.search(body, at, end)
        if mark is None:
            break
        if begins >= 0:
            found += _part(body, begins, mark.start())
        if mark[1]:
            break
        begins = mark.end()
        at = max(mark.end() - 1, mark.start() + 1)  # the line end may begin the next delimiter
    return found


def _part(body: bytes, start: int, end: int) -> list[tuple[Span, Span, bytes]]:
    if body[start : start + 1] in (b"\r", b"\n"):
        return []  # a part without a head is plain text (RFC 2046 §5.1)
    ends = _HEAD_ENDS.search(body, start, end)
    if ends is None:
        return []
    kind = _TYPE.search(body[start : ends.start()])
    return [((start, ends.start()), (ends.end(), end), kind[1].strip() if kind else b"text/plain")]
