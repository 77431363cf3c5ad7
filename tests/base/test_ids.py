import random
import re
from collections.abc import Callable

import pytest

from centrex.base import Ids


class Entropy:
    """Seeded randomness that notes how much was drawn."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.drawn: list[int] = []

    def __call__(self, octets: int) -> bytes:
        self.drawn.append(octets)
        return self._random.randbytes(octets)


def test_a_token_is_sixteen_digits_and_no_two_are_alike() -> None:
    ids = Ids(Entropy(1))
    tokens = [ids.token() for _ in range(5000)]
    assert all(re.fullmatch(rb"[0-9a-f]{16}", token) for token in tokens)
    assert len(set(tokens)) == len(tokens)


def test_every_token_is_made_of_eight_octets_of_its_own() -> None:
    entropy = Entropy(2)
    ids = Ids(entropy)
    tokens = [ids.token()]
    while len(entropy.drawn) == 1:
        tokens.append(ids.token())
    (first, _) = entropy.drawn
    whole = random.Random(2).randbytes(first)
    assert sorted(tokens[:-1]) == sorted(
        whole[at : at + 8].hex().encode() for at in range(0, first, 8)
    )


def test_the_same_seed_gives_the_same_tokens() -> None:
    one, other, third = Ids(Entropy(3)), Ids(Entropy(3)), Ids(Entropy(4))
    tokens = [one.token() for _ in range(300)]
    assert [other.token() for _ in range(300)] == tokens
    assert not {third.token() for _ in range(300)} & set(tokens)


@pytest.mark.parametrize("count", [1, 3, 1000])
def test_numbers_are_below_what_was_said_and_each_comes(count: int) -> None:
    ids = Ids(Entropy(7))
    drawn = [ids.below(count) for _ in range(20 * count)]
    assert set(drawn) >= set(range(min(count, 3)))
    assert max(drawn) < count
    assert abs(sum(drawn) / len(drawn) - (count - 1) / 2) <= count / 8


@pytest.mark.parametrize(
    ("draw", "octets"), [(lambda ids: ids.key(), 32), (lambda ids: ids.key(5), 5)]
)
def test_a_key_is_fresh_and_as_long_as_asked(draw: Callable[[Ids], bytes], octets: int) -> None:
    entropy = Entropy(5)
    ids = Ids(entropy)
    keys = [draw(ids), draw(ids)]
    assert [len(key) for key in keys] == [octets, octets]
    assert keys[0] != keys[1]
    assert entropy.drawn == [octets, octets]


def test_keys_and_tokens_share_nothing() -> None:
    ids = Ids(Entropy(6))
    before, key, after = ids.token(), ids.key(16), ids.token()
    assert key.hex().encode() not in (before + after, after + before)
