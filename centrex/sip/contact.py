"""Contact as a registrar reads it: which URIs, how long, how willingly (RFC 3261 §10.2, §20.10).

Parameters the registrar does not understand itself (RFC 5626, 5627, 8599 and whatever comes) are
kept byte for byte, to be given back with the binding.
"""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip.nameaddr import split_name_addr
from centrex.sip.number import MAX_DELTA, parse_delta, parse_number
from centrex.sip.tokens import PARAM, split_values, unquote
from centrex.sip.uri import parse_uri

DEFAULT_Q: Final = 1000
"""The preference, in thousandths, of a contact that gives none (RFC 3261 §16.6)."""

_RULE: Final = "RFC 3261 §20.10"
_Q: Final = re.compile(rb"0?(?:\.([0-9]*))?|1(?:\.0*)?")


class Contact:
    """One contact of a REGISTER or of an answer to one. Immutable.

    Attributes:
        uri: The URI as written; its syntax has been judged.
        params: The parameters as written, each with its semicolon, without `q` and `expires`.
        q: The preference in thousandths, 0 to 1000; 1000 where none is given.
        expires: Seconds asked for; None where absent or malformed, so that the default applies.
        instance: The `+sip.instance` without quotes (RFC 5626 §4.1); empty where there is none.
        reg_id: The `reg-id` (RFC 5626 §4.2); 0 where there is none.
    """

    __slots__ = ("expires", "instance", "params", "q", "reg_id", "uri")

    def __init__(
        self,
        uri: bytes,
        *,
        params: bytes = b"",
        q: int = DEFAULT_Q,
        expires: int | None = None,
        instance: bytes = b"",
        reg_id: int = 0,
    ) -> None:
        self.uri, self.params, self.q, self.expires = uri, params, q, expires
        self.instance, self.reg_id = instance, reg_id


class Star:
    """`Contact: *`: every binding of the address-of-record is meant (RFC 3261 §10.2.2)."""

    __slots__ = ()


STAR: Final = Star()


def parse_contacts(values: list[bytes]) -> tuple[Contact, ...] | Star:
    """Read every Contact of a REGISTER.

    Args:
        values: The value of each Contact line, unfolded and stripped, in order.

    Raises:
        PeerError: One is malformed, or `*` is not alone (§10.3 step 6).
    """
    pieces = [piece for value in values for piece in split_values(value)]
    if b"*" in pieces:
        if len(pieces) > 1:
            raise PeerError("Contact: * is not alone", rule="RFC 3261 §10.3 step 6")
        return STAR
    return tuple([parse_contact(piece) for piece in pieces])


def parse_contact(value: bytes) -> Contact:
    """Read one contact.

    Raises:
        PeerError: It, its URI, its `q` or its `reg-id` is malformed.
    """
    _, uri, tail = split_name_addr(value)
    parse_uri(uri)
    if not tail:
        return Contact(uri)
    kept: list[bytes] = []
    q, expires, instance, reg_id = DEFAULT_Q, None, b"", 0
    at, end = 0, len(tail)
    while at < end:
        match = PARAM.match(tail, at)
        if match is None:
            raise PeerError("the parameters of a Contact are malformed", rule=_RULE)
        at = match.end()
        name, content = match[1].lower(), match[2] or b""
        if name == b"expires":
            expires = parse_delta(content)
            continue
        if name == b"q":
            q = parse_q(content)
            continue
        if name == b"+sip.instance":
            instance = unquote(content)
        elif name == b"reg-id":
            reg_id = parse_number(content, MAX_DELTA, rule="RFC 5626 §4.2")
        kept.append(match[0].strip(b" \t"))
    return Contact(
        uri, params=b"".join(kept), q=q, expires=expires, instance=instance, reg_id=reg_id
    )


def parse_q(value: bytes) -> int:
    """Read a qvalue in thousandths; digits past the third are dropped.

    Raises:
        PeerError: It is no number between 0 and 1.
    """
    match = _Q.fullmatch(value)
    if match is None or value in (b"", b"."):
        raise PeerError("a q is not between 0 and 1", rule="RFC 3261 §25.1")
    if value[:1] == b"1":
        return 1000
    return int((match[1] or b"")[:3].ljust(3, b"0"))


def write_q(q: int) -> bytes:
    """Write thousandths as a qvalue."""
    if q >= 1000:
        return b"1"
    return b"0" if q <= 0 else b"0." + (b"%03d" % q).rstrip(b"0")
