"""Answering a gateway's challenge: the gate of our own is the judge."""

import re

import pytest

from centrex.auth import ALGORITHMS, Authenticated, Gate, Login, Logins, Nonces, Window, ha1
from centrex.auth.client import answer_challenge

LOGIN, PASSWORD, REALM = b"us", b"secret", b"gw.example"
CNONCE = b"0a4f113b"


@pytest.mark.parametrize("names", [(b"md5",), (b"sha-256",), (b"md5", b"sha-256")])
def test_our_own_gate_takes_it(names: tuple[bytes, ...]) -> None:
    algorithms = tuple(ALGORITHMS[name] for name in names)
    md5, sha256 = (ha1(LOGIN, REALM, PASSWORD, ALGORITHMS[name]) for name in (b"md5", b"sha-256"))
    gate = Gate(
        REALM, algorithms, Logins([Login(LOGIN, md5=md5, sha256=sha256, users=(LOGIN,))]),
        Nonces(b"n" * 32, 300, realm=REALM), Window(300), login_must_match_user=False,
    )  # fmt: skip
    lines = gate.challenge_lines(b"WWW-Authenticate", b"192.0.2.1", 10.0, stale=False, simple=False)
    values = [line.partition(b": ")[2] for line in lines]
    answer = answer_challenge(
        values, LOGIN, PASSWORD, method=b"INVITE", uri=b"sip:1@gw.example", cnonce=CNONCE
    )
    assert answer is not None
    verdict = gate.check([answer.value], b"INVITE", b"sip:1@gw.example", b"192.0.2.1", 11.0)
    assert isinstance(verdict, Authenticated)
    if len(names) == 2:
        assert b"algorithm=SHA-256" in answer.value, "the stronger one"


def test_the_example_of_rfc_2617() -> None:
    challenge = (
        b'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        b'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    answer = answer_challenge(
        [challenge],
        b"Mufasa",
        b"Circle Of Life",
        method=b"GET",
        uri=b"/dir/index.html",
        cnonce=CNONCE,
    )
    assert answer is not None
    assert (answer.realm, answer.stale) == (b"testrealm@host.com", False)
    assert b'response="6629fae49393a05397450978507c4ef1"' in answer.value
    assert b'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer.value
    assert b"qop=auth, nc=00000001" in answer.value


def test_without_qop() -> None:
    answer = answer_challenge(
        [b'Digest realm="r", nonce="n"'],
        LOGIN,
        PASSWORD,
        method=b"BYE",
        uri=b"sip:x",
        cnonce=CNONCE,
    )
    assert answer is not None
    assert not re.search(rb"qop|nc=|cnonce", answer.value)


def test_a_nonce_that_is_used_again_is_counted() -> None:
    """And the challenge says whether it was the nonce alone that was wrong."""
    answer = answer_challenge(
        [b'Digest realm="r", nonce="n", qop="auth", stale=TRUE'],
        LOGIN,
        PASSWORD,
        method=b"BYE",
        uri=b"sip:x",
        cnonce=CNONCE,
        count=lambda nonce: 10 + len(nonce),
    )
    assert answer is not None
    assert answer.stale
    assert b"nc=0000000b" in answer.value


def test_a_weaker_one_where_the_stronger_cannot_be_answered() -> None:
    answer = answer_challenge(
        [
            b'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int"',
            b'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"',
        ],
        LOGIN,
        PASSWORD,
        method=b"BYE",
        uri=b"sip:x",
        cnonce=CNONCE,
    )
    assert answer is not None
    assert b"algorithm=MD5" in answer.value


@pytest.mark.parametrize(
    "challenge",
    [b'Basic realm="r"', b"Digest", b'Digest realm="r"', b'Digest nonce="n"', b"\xff",
     b'Digest realm="r", nonce="n", algorithm=SHA-512-256', b'Digest realm="r", nonce="n", qop="auth-int"'],
)  # fmt: skip
def test_what_cannot_be_answered(challenge: bytes) -> None:
    given = answer_challenge(
        [challenge], LOGIN, PASSWORD, method=b"INVITE", uri=b"sip:x", cnonce=CNONCE
    )
    assert given is None


def test_quotes_are_escaped() -> None:
    answer = answer_challenge(
        [b'Digest realm="a\\"b", nonce="n"'],
        b'l"',
        PASSWORD,
        method=b"INVITE",
        uri=b"sip:x",
        cnonce=CNONCE,
    )
    assert answer is not None
    assert b'username="l\\""' in answer.value
    assert b'realm="a\\"b"' in answer.value
