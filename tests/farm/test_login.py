"""Proofs that both know one secret."""

import pytest

from centrex.base import PeerError
from centrex.farm.login import check_name, check_nonce, is_proof, proof

PROXY, RELAY = ("office", "a" * 32), ("one", "b" * 32)


def test_a_proof_depends_on_everything() -> None:
    said = {
        proof(b"secret", "relay", PROXY, RELAY),
        proof(b"Secret", "relay", PROXY, RELAY),
        proof(b"secret", "proxy", PROXY, RELAY),
        proof(b"secret", "relay", ("other", "a" * 32), RELAY),
        proof(b"secret", "relay", ("office", "c" * 32), RELAY),
        proof(b"secret", "relay", PROXY, ("two", "b" * 32)),
        proof(b"secret", "relay", PROXY, ("one", "d" * 32)),
        proof(b"secret", "relay", RELAY, PROXY),
    }
    assert len(said) == 8
    assert all(len(one) == 64 for one in said)


def test_it_is_right_or_wrong() -> None:
    right = proof(b"secret", "relay", PROXY, RELAY)
    assert is_proof(right, right)
    assert not is_proof("", right)
    assert not is_proof(right[:-1] + "x", right)
    assert not is_proof("é" * 64, right)


@pytest.mark.parametrize("nonce", ["", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "\n" * 32])
def test_nonces_of_another_form(nonce: str) -> None:
    with pytest.raises(PeerError):
        check_nonce(nonce)


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "é", "\x1b[2J"])
def test_names_nobody_could_list(name: str) -> None:
    with pytest.raises(PeerError):
        check_name(name)
    assert check_name("frankfurt-1") == "frankfurt-1"
