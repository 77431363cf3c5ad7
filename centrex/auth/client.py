"""Answering a challenge: what a request carries to somebody who asks for credentials.

It chooses among challenges and computes; passwords come from its caller and are kept nowhere.
"""

from collections.abc import Sequence
from typing import Final

from centrex.auth.digest import ALGORITHMS, Algorithm, expected_response, ha1
from centrex.base import PeerError
from centrex.sip.credentials import parse_credentials

_PREFERRED: Final = (b"sha-256", b"md5")
_COUNT: Final = b"00000001"
"""Each answer is for a fresh challenge, so the count is always the first (RFC 7616 §3.4)."""


def answer_challenge(
    challenges: Sequence[bytes],
    login: bytes,
    password: bytes,
    *,
    method: bytes,
    uri: bytes,
    cnonce: bytes,
) -> bytes:
    """Return the value of an Authorization or Proxy-Authorization header; empty where none will do.

    Args:
        challenges: The values of the WWW-Authenticate or Proxy-Authenticate headers.
        login: The login.
        password: Its password.
        method: The request's method.
        uri: The request's Request-URI.
        cnonce: Fresh for this request.

    RFC: 7616 §3.4, 8760 §2.3: the strongest algorithm that both can do.
    """
    found: dict[bytes, tuple[Algorithm, dict[bytes, bytes]]] = {}
    for value in challenges:
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
            return _answer(*found[name], login, password, method, uri, cnonce)
    return b""


def _answer(
    algorithm: Algorithm,
    fields: dict[bytes, bytes],
    login: bytes,
    password: bytes,
    method: bytes,
    uri: bytes,
    cnonce: bytes,
) -> bytes:
    realm, nonce = fields[b"realm"], fields[b"nonce"]
    offered = [word.strip().lower() for word in fields.get(b"qop", b"").split(b",")]
    qop = b"auth" if b"auth" in offered else b""
    if fields.get(b"qop") and not qop:
        return b""
    response = expected_response(
        algorithm,
        ha1(login, realm, password, algorithm),
        method,
        uri,
        nonce,
        qop=qop,
        nc=_COUNT if qop else b"",
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
        parts += [b"qop=auth", b"nc=" + _COUNT, b'cnonce="%b"' % cnonce]
    if b"opaque" in fields:
        parts.append(b'opaque="%b"' % _quoted(fields[b"opaque"]))
    return b"Digest " + b", ".join(parts)


def _quoted(value: bytes) -> bytes:
    return value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
