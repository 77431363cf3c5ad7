"""The sums of Digest: HA1, and the response a request must carry.

RFC 7616 with MD5 and SHA-256, `qop=auth`, and the older form without qop (RFC 2617 §3.2.2.1).
Hashes travel as lower-case hexadecimal digits. Headers and passwords at rest are not its business.
"""

import contextlib
import hashlib
import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

Hash: TypeAlias = Callable[[bytes], Any]
"""Makes a hash object of some bytes."""


class Algorithm:
    """One hash of RFC 7616.

    Attributes:
        token: As it stands in a header: `MD5` or `SHA-256`.
        digits: How many hexadecimal digits its hashes have.
        hash: Makes a hash object of some bytes.
    """

    __slots__ = ("digits", "hash", "token")

    def __init__(self, token: bytes, digits: int, function: Hash) -> None:
        self.token, self.digits, self.hash = token, digits, function

    def __repr__(self) -> str:
        return f"Algorithm({self.token.decode()})"


def _own(name: str, otherwise: Hash) -> Hash:
    """Return Python's own function, which costs half of the way through OpenSSL, if it has one."""
    for module in (f"_{name}", "_sha2"):  # since Python 3.12 the second has SHA-256
        with contextlib.suppress(ImportError, AttributeError):
            function: Hash = getattr(importlib.import_module(module), name)
            return function
    return otherwise


# Not for security as a FIPS library means it: SIP phones leave no choice, and MD5 stays available.
MD5: Final = Algorithm(b"MD5", 32, _own("md5", partial(hashlib.md5, usedforsecurity=False)))
SHA256: Final = Algorithm(b"SHA-256", 64, _own("sha256", hashlib.sha256))

ALGORITHMS: Final[dict[bytes, Algorithm]] = {b"md5": MD5, b"sha-256": SHA256}
"""By lower-case token."""


def ha1(login: bytes, realm: bytes, password: bytes, algorithm: Algorithm) -> bytes:
    """Return the only form of a password that may rest: the hash of login, realm and password."""
    value: str = algorithm.hash(b"%b:%b:%b" % (login, realm, password)).hexdigest()
    return value.encode()


def expected_response(
    algorithm: Algorithm,
    ha1: bytes,
    method: bytes,
    uri: bytes,
    nonce: bytes,
    *,
    qop: bytes = b"",
    nc: bytes = b"",
    cnonce: bytes = b"",
) -> bytes:
    """Return the response owed, in lower-case hexadecimal digits.

    Args:
        algorithm: The hash used; `ha1` must be made with it.
        ha1: `ha1(login, realm, password)`.
        method: The method of the request.
        uri: The `uri` parameter as given.
        nonce: The `nonce` parameter as given.
        qop: `auth`, or empty for the form without qop, which leaves out `nc` and `cnonce`.
        nc: The nonce count as given.
        cnonce: The client's nonce as given.
    RFC: 7616 §3.4.1; 2617 §3.2.2.1 where qop is empty.
    """
    function = algorithm.hash
    ha2 = function(method + b":" + uri).hexdigest().encode()
    if qop:
        joined = b"%b:%b:%b:%b:%b:%b" % (ha1, nonce, nc, cnonce, qop, ha2)
    else:
        joined = b"%b:%b:%b" % (ha1, nonce, ha2)
    value: str = function(joined).hexdigest()
    return value.encode()
