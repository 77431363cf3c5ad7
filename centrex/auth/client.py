"""Answering a challenge: what a request carries to somebody who asks for credentials.

It chooses among challenges and computes; passwords come from its caller and are kept nowhere.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from centrex.auth.digest import ALGORITHMS, Algorithm, expected_response, ha1
from centrex.base import PeerError
from centrex.sip.credentials import parse_credentials

_PREFERRED: Final = (b"sha-256", b"md5")
_MOST: Final = 16
"""Challenges looked at in one response."""


class Reply(NamedTuple):
    """The answer to a challenge."""

    value: bytes
    """The value of an Authorization or Proxy-Authorization header."""
    realm: bytes
    stale: bool
    """Whether the challenge says that only the nonce was wrong (RFC 7616 §3.3)."""


def once(nonce: bytes) -> int:
    """Return 1: for whoever answers each nonce once."""
    return 1


def answer_challenge(
    challenges: Sequence[bytes],
    login: bytes,
    password: bytes,
    *,
    method: bytes,
    uri: bytes,
    cnonce: bytes,
    count: Callable[[bytes], int] = once,
) -> Reply | None:
    """Return the answer to one of several challenges; None where none can be answered.

    Args:
        challenges: The values of the WWW-Authenticate or Proxy-Authenticate headers.
        login: The login.
        password: Its password.
        method: The request's method.
        uri: The request's Request-URI.
        cnonce: Fresh for this request.
        count: Tells how often a nonce is used, this time included (RFC 7616 §3.4).

    RFC: 7616 §3.4, 8760 §2.3: the strongest algorithm that both can do.
    """
    found: dict[bytes, tuple[Algorithm, dict[bytes, bytes]]] = {}
    for value in challenges[:_MOST]:
        try:
            scheme, fields = parse_credentials(value)
        except PeerError:
            continue
        name = fields.get(b"algorithm", b"MD5").lower()
        algorithm = ALGORITHMS.get(name)
        if scheme.lower() != b"digest" or algorithm is None or name in found:
            continue
        if fields.get(b"realm") is None or not fields.get(b"nonce"):
            continue
        found[name] = (algorithm, fields)
    for name in _PREFERRED:
        if name in found:
            algorithm, fields = found[name]
            answer = _answer(algorithm, fields, login, password, method, uri, cnonce, count)
            if answer:
                stale = fields.get(b"stale", b"").lower() == b"true"
                return Reply(answer, fields[b"realm"], stale)
    return None


def _answer(
    algorithm: Algorithm,
    fields: dict[bytes, bytes],
    login: bytes,
    password: bytes,
    method: bytes,
    uri: bytes,
    cnonce: bytes,
    count: Callable[[bytes], int],
) -> bytes:
    realm, nonce = fields[b"realm"], fields[b"nonce"]
    offered = [word.strip().lower() for word in fields.get(b"qop", b"").split(b",")]
    qop = b"auth" if b"auth" in offered else b""
    if fields.get(b"qop") and not qop:
        return b""
    nc = b"%08x" % count(nonce) if qop else b""
    response = expected_response(
        algorithm,
        ha1(login, realm, password, algorithm),
        method,
        uri,
        nonce,
        qop=qop,
        nc=nc,
        cnonce=cnonce if qop else b"",
    )
    parts = [
        b'username="%b"' % _quoted(login),
        b'realm="%b"' % _quoted(realm),
        b'nonce="%b"' % _quoted(nonce),
        b'uri="%b"' % uri,
        b'response="%b"' % response,
        b"algorithm=" + algorithm.token,
    ]
    if qop:
        parts += [b"qop=auth", b"nc=" + nc, b'cnonce="%b"' % cnonce]
    if b"opaque" in fields:
        parts.append(b'opaque="%b"' % _quoted(fields[b"opaque"]))
    return b"Digest " + b", ".join(parts)


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
