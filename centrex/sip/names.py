"""Header names: every spelling seen on the wire, compact forms included, to a small number.

A message is scanned by looking each name up in one memo; numbers are cheaper to compare and to
index by than names. Headers that neither proxy nor registrar reads have the number `OTHER`.
"""

from typing import Final

OTHER: Final = 0
VIA: Final = 1
ROUTE: Final = 2
RECORD_ROUTE: Final = 3
MAX_FORWARDS: Final = 4
CSEQ: Final = 5
CALL_ID: Final = 6
FROM: Final = 7
TO: Final = 8
CONTENT_LENGTH: Final = 9
CONTACT: Final = 10
AUTHORIZATION: Final = 11
PROXY_AUTHORIZATION: Final = 12
PROXY_REQUIRE: Final = 13
REQUIRE: Final = 14
EXPIRES: Final = 15
SUPPORTED: Final = 16
PATH: Final = 17
MAX_BREADTH: Final = 18
CONTENT_TYPE: Final = 19
USER_AGENT: Final = 20
MIN_EXPIRES: Final = 21
RETRY_AFTER: Final = 22
WWW_AUTHENTICATE: Final = 23
PROXY_AUTHENTICATE: Final = 24
EVENT: Final = 25
DATE: Final = 26
REASON: Final = 27
WARNING: Final = 28
ALLOW: Final = 29
ACCEPT: Final = 30
SERVER: Final = 31
TIMESTAMP: Final = 32
CONTENT_ENCODING: Final = 33
COUNT: Final = 34
"""How many numbers there are."""

INVALID: Final = -1
"""The number of a name that is no token (RFC 3261 §25.1): the message is malformed."""

SPELLINGS: Final[dict[bytes, int]] = {
    b"via": VIA, b"v": VIA,
    b"route": ROUTE,
    b"record-route": RECORD_ROUTE,
    b"max-forwards": MAX_FORWARDS,
    b"cseq": CSEQ,
    b"call-id": CALL_ID, b"i": CALL_ID,
    b"from": FROM, b"f": FROM,
    b"to": TO, b"t": TO,
    b"content-length": CONTENT_LENGTH, b"l": CONTENT_LENGTH,
    b"contact": CONTACT, b"m": CONTACT,
    b"authorization": AUTHORIZATION,
    b"proxy-authorization": PROXY_AUTHORIZATION,
    b"proxy-require": PROXY_REQUIRE,
    b"require": REQUIRE,
    b"expires": EXPIRES,
    b"supported": SUPPORTED, b"k": SUPPORTED,
    b"path": PATH,
    b"max-breadth": MAX_BREADTH,
    b"content-type": CONTENT_TYPE, b"c": CONTENT_TYPE,
    b"user-agent": USER_AGENT,
    b"min-expires": MIN_EXPIRES,
    b"retry-after": RETRY_AFTER,
    b"www-authenticate": WWW_AUTHENTICATE,
    b"proxy-authenticate": PROXY_AUTHENTICATE,
    b"event": EVENT, b"o": EVENT,
    b"date": DATE,
    b"reason": REASON,
    b"warning": WARNING,
    b"allow": ALLOW,
    b"accept": ACCEPT,
    b"server": SERVER,
    b"timestamp": TIMESTAMP,
    b"content-encoding": CONTENT_ENCODING, b"e": CONTENT_ENCODING,
}  # fmt: skip
"""Lower-case names and compact forms (RFC 3261 §7.3.3, RFC 6665 for `o`)."""

SINGLE: Final = frozenset(
    {MAX_FORWARDS, CSEQ, CALL_ID, FROM, TO, CONTENT_LENGTH, CONTENT_TYPE, EXPIRES, MAX_BREADTH}
)
"""Headers of which a message holds at most one."""

_TOKEN: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"
)
_MEMO_BOUND: Final = 1024

memo: dict[bytes, int] = dict(SPELLINGS)
"""Every spelling met, as it stood before the colon; grows to a bound, then stays."""


def number_of(raw: bytes) -> int:
    """Return the number of a name as it stands before the colon, and remember the spelling.

    Args:
        raw: The bytes before the colon, white space before the colon included (RFC 3261 §7.3.1).

    Returns:
        The number, `OTHER` for a header not read here, `INVALID` for what is no token.
    """
    name = raw.rstrip(b" \t").lower()
    if not name or not _TOKEN.issuperset(name):
        return INVALID
    number = SPELLINGS.get(name, OTHER)
    if len(memo) < _MEMO_BOUND:
        memo[raw] = number
    return number
