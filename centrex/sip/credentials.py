"""Credentials and challenges: scheme and parameters (RFC 3261 §20.7, §20.27, §20.28, §20.44).

It reads any scheme and judges none; what the parameters of Digest must be is for `centrex.auth`.
"""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip.tokens import TOKEN

_RULE: Final = "RFC 3261 §25.1"
_SCHEME: Final = re.compile(rb"(" + TOKEN + rb")(?:[ \t]++|$)")
_PARAM: Final = re.compile(
    rb"(" + TOKEN + rb')[ \t]*+=[ \t]*+(?:"((?:[^"\\\x00-\x08\x0a-\x1f\x7f]++|\\.)*)"'
    rb'|([!#-+\--~]++))[ \t]*+(?:,[ \t]*+|$)',
    re.DOTALL,
)  # fmt: skip
_USUAL: Final = re.compile(
    rb"Digest (?:[a-z]++=(?:\"[^\"\\\x00-\x08\x0a-\x1f\x7f]*+\"|[!#-+\--~]++)(?:, ?|$))+"
)
_PAIRS: Final = re.compile(rb"([a-z]++)=(?:\"([^\"]*+)\"|([!#-+\--~]++))").findall
_OPAQUE: Final = re.compile(rb"[!-~][ -~]*")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
MAX_PARAMS: Final = 32
"""Parameters in one set of credentials."""


def parse_credentials(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Read one Authorization, Proxy-Authorization or challenge value.

    Args:
        value: One header line's value, unfolded and stripped.

    Returns:
        The scheme in lower case, and the parameters: lower-case name to unquoted value. Empty for
        a scheme other than Digest whose rest is not of that form, such as a token68.

    Raises:
        PeerError: The value is malformed, holds a parameter twice, or more than `MAX_PARAMS`.
    """
    if _USUAL.fullmatch(value):
        listed = _PAIRS(value, 7)
        pairs = {name: quoted or plain for name, quoted, plain in listed}
        if len(pairs) == len(listed) <= MAX_PARAMS:
            return b"digest", pairs
    return _parse_full(value)


def _parse_full(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Read a value by the full grammar; of the usual form it is the same and slower."""
    match = _SCHEME.match(value)
    if match is None:
        raise PeerError("credentials have no scheme", rule=_RULE)
    scheme = match[1].lower()
    found: dict[bytes, bytes] = {}
    at, end = match.end(), len(value)
    while at < end:
        match = _PARAM.match(value, at)
        if match is None:
            if scheme != b"digest" and _OPAQUE.fullmatch(value, at):
                return scheme, {}
            raise PeerError("the parameters of credentials are malformed", rule=_RULE)
        name, quoted, plain = match.groups()
        if quoted is None:
            quoted = plain
        elif quoted.find(b"\\") >= 0:
            quoted = _ESCAPED.sub(rb"\1", quoted)
        if not name.islower():
            name = name.lower()
        if name in found or len(found) >= MAX_PARAMS:
            raise PeerError("a parameter of credentials is repeated", rule=_RULE)
        found[name] = quoted
        at = match.end()
    if not found and scheme == b"digest":
        raise PeerError("Digest credentials are empty", rule=_RULE)
    return scheme, found
