"""Where in a message's body its session description is (RFC 2046 §5.1, RFC 5621).

It knows parts and their boundaries; what is in them is not its business.
"""

import re
from typing import Final

_SDP: Final = b"application/sdp"
_MULTIPART: Final = frozenset({b"multipart/mixed", b"multipart/related", b"multipart/alternative"})
"""Those whose parts may be changed: others are signed, or mean something else."""
_DEEPEST: Final = 2
_MOST_PARTS: Final = 32
_LONGEST_TYPE: Final = 1000
_PARAMETER: Final = re.compile(
    rb""";\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)"""
)
_TYPE: Final = re.compile(rb"(?:^|\n)content-type[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE)
_LENGTH: Final = re.compile(
    rb"((?:^|\n)content-length[ \t]*:[ \t]*(?:\r?\n[ \t]+)?)[0-9]+", re.IGNORECASE
)
_OTHER: Final = re.compile(
    rb"(?:^|\n)(?:content-disposition[ \t]*:(?!\s*session\s*(?:[;\r\n]|$))"
    rb"|content-transfer-encoding[ \t]*:(?!\s*(?:7bit|8bit|binary)\s*(?:[\r\n]|$))"
    rb"|content-encoding[ \t]*:(?!\s*identity\s*(?:[\r\n]|$)))",
    re.IGNORECASE,
)
"""In the head of a description that is not for the session (RFC 3959 §4), or not as it is spelled."""
_HEAD_ENDS: Final = re.compile(rb"\r?\n\r?\n")

Span = tuple[int, int]


def find(content_type: bytes, body: bytes) -> Span | None:
    """Return where in a body the session description begins and ends; None where there is none.

    Args:
        content_type: The Content-Type value.
        body: The body.

    RFC: 2046 §5.1, 5621 §3, 3959 §4
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
    _, (start, end) = path[-1]
    grown = len(sdp) - (end - start)
    out = body[:start] + sdp + body[end:]
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
    if kind not in _MULTIPART or depth == _DEEPEST:
        return []
    boundary = _boundary(content_type)
    if not boundary:
        return []
    for head, content, inner in _parts(body, start, end, boundary):
        path = _path(inner, body, *content, depth + 1)
        if path:
            rest = path[1:] if path[0][0] is None else path
            return [(head, content), *rest]
    return []


def _boundary(content_type: bytes) -> bytes:
    """Return the boundary; empty where there is none that may be one (RFC 2046 §5.1.1)."""
    if len(content_type) > _LONGEST_TYPE:
        return b""
    for found in _PARAMETER.finditer(content_type):
        if found[1].lower() == b"boundary":
            value = found[2]
            if value[:1] == b'"':
                value = re.sub(rb"\\(.)", rb"\1", value[1:-1])
            return value if len(value) <= 70 else b""
    return b""


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
    head = body[start : ends.start()]
    found = _TYPE.search(head)
    kind = found[1].strip() if found else b"text/plain"
    if kind[:10].lower() != b"multipart/" and _OTHER.search(head):
        return []
    return [((start, ends.start()), (ends.end(), end), kind)]
