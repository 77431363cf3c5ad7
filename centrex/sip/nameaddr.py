"""Name and address: the form of From, To, Contact, Route, Record-Route and Path (RFC 3261 §20.10).

`"Alice" <sip:alice@example.com>;tag=1` or `sip:alice@example.com;tag=1`: in the second form every
parameter belongs to the header, so the URI itself may hold none, nor a `?` or a comma. The URI is
cut out and not judged; that is `centrex.sip.uri`.
"""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip.tokens import PLAIN, QUOTED, Params, parse_params, unquote

_RULE: Final = "RFC 3261 §20.10"
_WORDS: Final = rb"[A-Za-z0-9.!%*_+`'~\x80-\xff\t -]*+"
_URI: Final = rb"[!#-;=?-~\x80-\xff]++"
_BARE_URI: Final = rb"[!#-+\--:=@-~\x80-\xff]++"
_COMMON: Final = re.compile(
    rb'(?:"([\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]*+)" ?)?<('
    + _URI + rb")>(?:;tag=(" + PLAIN + rb"))?"
)  # fmt: skip
_FULL: Final = re.compile(
    rb"(?:(" + QUOTED + rb")[ \t]*+|(" + _WORDS + rb"))<(" + _URI + rb")>[ \t]*+((?:;.*)?)",
    re.DOTALL,
)
_BARE: Final = re.compile(rb"(" + _BARE_URI + rb")[ \t]*+((?:;.*)?)", re.DOTALL)
_MEMO_BOUND: Final = 2048
_MEMO_LENGTH: Final = 256


class NameAddr:
    """A name and an address. Immutable.

    Attributes:
        display: The display name, unquoted; empty where there is none. May be no valid UTF-8.
        uri: The URI as written, not yet judged.
        params: The parameters of the header, those of the URI not among them.
        tag: The value of `tag`, empty where there is none.
    """

    __slots__ = ("display", "params", "tag", "uri")

    def __init__(self, display: bytes, uri: bytes, params: Params, tag: bytes) -> None:
        self.display, self.uri, self.params, self.tag = display, uri, params, tag

    def param(self, name: bytes) -> bytes | None:
        """Return the unquoted value of the first parameter of a lower-case name.

        Returns:
            `b""` for a parameter without a value, None where there is no such parameter.
        """
        for key, value in self.params:
            if key == name:
                return b"" if value is None else unquote(value)
        return None


_memo: dict[bytes, NameAddr] = {}


def parse_name_addr(value: bytes) -> NameAddr:
    """Read one name-addr or addr-spec with its parameters.

    Args:
        value: One value, unfolded and stripped (see `tokens.split_values`).

    Raises:
        PeerError: It is malformed: a quote that is not closed, white space inside the brackets, a
            URI that needs brackets and has none, more than one value.
    """
    address = _memo.get(value)
    if address is None:
        match = _COMMON.fullmatch(value)
        if match is None:
            address = parse_full(value)
        else:
            display, uri, tag = match.groups()
            if tag is None:
                address = NameAddr(display or b"", uri, (), b"")
            else:
                address = NameAddr(display or b"", uri, ((b"tag", tag),), tag)
        if len(value) <= _MEMO_LENGTH:
            if len(_memo) >= _MEMO_BOUND:
                _memo.clear()
            _memo[value] = address
    return address


def parse_full(value: bytes) -> NameAddr:
    """Read by the full grammar; `parse_name_addr` is the same and faster."""
    display, uri, tail = split_name_addr(value)
    params = parse_params(tail, rule=_RULE)
    return NameAddr(display, uri, params, _tag(params))


def split_name_addr(value: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the display name, the URI and the parameters as one text, which is not judged.

    Raises:
        PeerError: It is malformed.
    """
    match = _FULL.fullmatch(value)
    if match is not None:
        quoted, words, uri, tail = match.groups()
        display = unquote(quoted) if quoted is not None else words.strip(b" \t")
        return display, uri, tail
    match = _BARE.fullmatch(value)
    if match is None:
        raise PeerError("a name and address is malformed", rule=_RULE)
    return b"", match[1], match[2]


def _tag(params: Params) -> bytes:
    tags = [value for name, value in params if name == b"tag"]
    if not tags:
        return b""
    if len(tags) > 1 or not tags[0] or tags[0][:1] == b'"':
        raise PeerError("a tag is malformed or repeated", rule="RFC 3261 §19.3")
    return tags[0]
