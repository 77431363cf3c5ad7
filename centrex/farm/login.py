"""How a proxy and a relay prove to each other that they know one secret, which never travels.

Each side sends a nonce and answers the other's: HMAC-SHA-256, keyed by the secret, over who it is,
both names and both nonces. What one side says is of no use for the other (no reflection), nor for
another connection (no replay).
"""

import hashlib
import hmac
from typing import Final, Literal, TypeAlias

from centrex.base import PeerError

NONCE_DIGITS: Final = 32
"""Hexadecimal digits of a nonce: 128 bits."""

Role: TypeAlias = Literal["proxy", "relay"]


def proof(secret: bytes, role: Role, proxy: tuple[str, str], relay: tuple[str, str]) -> str:
    """Return what a side answers.

    Args:
        secret: What both know.
        role: Who answers.
        proxy: Name and nonce of the proxy.
        relay: Name and nonce of the relay.
    """
    said = "\n".join((f"centrex-relay-link 1 {role}", *proxy, *relay))
    return hmac.new(secret, said.encode(), hashlib.sha256).hexdigest()


def is_proof(said: str, expected: str) -> bool:
    """Whether an answer is right; takes the same time whatever is wrong with it."""
    return hmac.compare_digest(said.encode(), expected.encode())


def check_nonce(nonce: str) -> str:
    """Return a nonce of the right form.

    Raises:
        PeerError: It has not that form.
    """
    if len(nonce) != NONCE_DIGITS or not all(digit in "0123456789abcdef" for digit in nonce):
        raise PeerError("a nonce is malformed", rule="media relay link")
    return nonce


def check_name(name: str) -> str:
    """Return a name that can stand in a list.

    Raises:
        PeerError: It cannot.
    """
    if not 0 < len(name) <= 64 or not name.isascii() or not name.isprintable():
        raise PeerError("a name is malformed", rule="media relay link")
    return name
