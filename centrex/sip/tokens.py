"""The small grammar every header shares: tokens, quoted strings, parameters, lists (RFC 3261 §25.1).

It works on values that are unfolded already, so white space is spaces and tabs. It knows no header
by name. Where phones in the field are looser than the grammar without being ambiguous, so is this:
an unquoted parameter value is any visible ASCII but `" , ; < >`.
"""

import re
from typing import Final, TypeAlias

from centrex.base import PeerError

Params: TypeAlias = tuple[tuple[bytes, bytes | None], ...]
"""Parameters in order: lower-case name, value as written (quotes included), None where it has none."""

TOKEN: Final = rb"[A-Za-z0-9.!%*_+`'~-]++"
QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]++|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"'
PLAIN: Final = rb"[!#-+\--:=?-~]++"
"""An unquoted parameter value."""

_TOKEN: Final = re.compile(TOKEN)
PARAM: Final = re.compile(
    rb"[ \t]*+;[ \t]*+("
    + TOKEN
    + rb")(?:[ \t]*+=[ \t]*+("
    + QUOTED
    + rb"|"
    + PLAIN
    + rb"))?[ \t]*+"
)
"""One `SEMI generic-param` with white space around it: name and value."""
_PLAIN_PARAMS: Final = re.compile(rb"(?:;" + TOKEN + rb"(?:=" + PLAIN + rb")?)*")
_PIECE: Final = re.compile(rb'(?:[^,"<]++|"(?:[^"\\]++|\\.)*"|<[^>]*+>)*', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


def is_token(text: bytes) -> bool:
    """Return whether the text is one token."""
    return _TOKEN.fullmatch(text) is not None


def parse_params(text: bytes, *, rule: str = "RFC 3261 §25.1") -> Params:
    """Read `*( SEMI generic-param )`.

    Args:
        text: From the first semicolon (or white space before it) to the end of the value.
        rule: What the error cites.

    Raises:
        PeerError: An empty parameter, an unterminated quote, or something that is no parameter.
    """
    found: list[tuple[bytes, bytes | None]] = []
    if _PLAIN_PARAMS.fullmatch(text):
        for item in text.split(b";")[1:]:
            name, equals, value = item.partition(b"=")
            found.append((name.lower(), value if equals else None))
        return tuple(found)
    at, end = 0, len(text)
    while at < end:
        match = PARAM.match(text, at)
        if match is None:
            raise PeerError("the parameters of a header are malformed", rule=rule)
        found.append((match[1].lower(), match[2]))
        at = match.end()
    return tuple(found)


def split_values(value: bytes) -> list[bytes]:
    """Split a header value at its commas, those in quotes and in angle brackets left alone.

    Returns:
        The values, stripped; an empty one stays, for the parser of the value to refuse.

    Raises:
        PeerError: A quote or an angle bracket is not closed.
    RFC: 3261 §7.3.1.
    """
    if value.find(b",") < 0:
        return [value]
    found: list[bytes] = []
    at, end = 0, len(value)
    while True:
        match = _PIECE.match(value, at)
        at = match.end() if match else at
        found.append(match[0].strip(b" \t") if match else b"")
        if at == end:
            return found
        if value[at] != 0x2C:
            raise PeerError("a quote or an angle bracket is not closed", rule="RFC 3261 §25.1")
        at += 1


def parse_option_tags(values: list[bytes]) -> tuple[bytes, ...]:
    """Read the option tags of all lines of Supported, Require or Proxy-Require, in order.

    Raises:
        PeerError: Something between the commas is no token. An empty line holds no tag.
    RFC: 3261 §19.2, §20.29, §20.32, §20.37.
    """
    tags: list[bytes] = []
    for value in values:
        if not value:
            continue
        for tag in value.split(b","):
            stripped = tag.strip(b" \t")
            if not _TOKEN.fullmatch(stripped):
                raise PeerError("a list of option tags is malformed", rule="RFC 3261 §19.2")
            tags.append(stripped)
    return tuple(tags)


def unquote(value: bytes) -> bytes:
    """Return a value without its quotes and with its quoted pairs resolved; others as they are."""
    if value[:1] != b'"':
        return value
    inner = value[1:-1]
    return _ESCAPED.sub(rb"\1", inner) if inner.find(b"\\") >= 0 else inner


def quote(text: bytes) -> bytes:
    """Return the text as a quoted string."""
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
