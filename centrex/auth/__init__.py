"""Digest authentication: mint nonces, challenge, verify. It never stores a password."""

from centrex.auth.digest import ALGORITHMS, MD5, SHA256, Algorithm, expected_response, ha1
from centrex.auth.gate import Authenticated, Challenge, Gate, Refused, Verdict, Why, is_for, strip
from centrex.auth.logins import Login, Logins, algorithms_of, login_of_row, parse_htdigest
from centrex.auth.nonce import Age, Nonces, Window

__all__ = [
    "ALGORITHMS",
    "MD5",
    "SHA256",
    "Age",
    "Algorithm",
    "Authenticated",
    "Challenge",
    "Gate",
    "Login",
    "Logins",
    "Nonces",
    "Refused",
    "Verdict",
    "Why",
    "Window",
    "algorithms_of",
    "expected_response",
    "ha1",
    "is_for",
    "login_of_row",
    "parse_htdigest",
    "strip",
]
