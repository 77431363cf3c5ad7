import random

from hypothesis import given
from hypothesis import strategies as st

from centrex.auth.nonce import FOREIGN, FRESH, STALE, Nonces, Window

KEY = b"k" * 32
HOST = b"192.0.2.7"


def nonces(key: bytes = KEY, realm: bytes = b"example.com") -> Nonces:
    return Nonces(key, 300, realm=realm)


def test_a_nonce_is_fresh_for_its_life_then_stale() -> None:
    own = nonces()
    nonce = own.mint(1000.0, HOST)
    assert own.check(nonce, 1000.0, HOST) is FRESH
    assert own.check(nonce, 1300.0, HOST) is FRESH
    assert own.check(nonce, 1301.0, HOST) is STALE
    assert own.check(nonce, 900.0, HOST) is STALE


def test_a_nonce_is_foreign_elsewhere() -> None:
    own = nonces()
    nonce = own.mint(1000.0, HOST)
    assert own.check(nonce, 1000.0, b"192.0.2.8") is FOREIGN
    assert nonces(b"x" * 32).check(nonce, 1000.0, HOST) is FOREIGN
    assert nonces(realm=b"example.org").check(nonce, 1000.0, HOST) is FOREIGN


def test_no_two_nonces_are_equal() -> None:
    own = nonces()
    assert len({own.mint(1000.0, HOST) for _ in range(1000)}) == 1000


@given(st.binary(max_size=60))
def test_any_bytes_are_foreign(raw: bytes) -> None:
    assert nonces().check(raw, 1000.0, HOST) is FOREIGN


@given(st.integers(0, 39), st.integers(1, 255))
def test_a_changed_nonce_is_foreign(place: int, change: int) -> None:
    own = nonces()
    nonce = bytearray(own.mint(1000.0, HOST))
    nonce[place] ^= change
    assert own.check(bytes(nonce), 1000.0, HOST) is FOREIGN


@given(st.lists(st.integers(-2, 200), max_size=60))
def test_a_count_is_used_once_and_never_far_behind(counts: list[int]) -> None:
    window, nonce = Window(300), nonces().mint(1000.0, HOST)
    used: set[int] = set()
    for count in counts:
        highest = max(used, default=0)
        right = count > 0 and count not in used and (not used or count > highest - 64)
        assert window.use(nonce, count, 1000.0) is right
        if right:
            used.add(count)


def test_what_was_pushed_out_cannot_be_played_again() -> None:
    own, window = nonces(), Window(300, bound=4)
    made = [own.mint(1000.0, HOST) for _ in range(20)]
    for nonce in made:
        assert window.use(nonce, 1, 1000.0)
        assert len(window) <= 8
    assert not any(window.use(nonce, 1, 1000.0) for nonce in made)
    # What was minted before what had to go counts as used, even if it never was.
    late = own.mint(1001.0, HOST)
    assert window.use(late, 1, 1001.0)


def test_a_nonce_is_remembered_for_its_whole_life() -> None:
    chance = random.Random(1)
    own, window = nonces(), Window(300)
    used: list[tuple[float, bytes]] = []
    now = 1000.0
    for _ in range(2000):
        now += chance.random() * 3
        nonce = own.mint(now, HOST)
        assert window.use(nonce, 1, now)
        used.append((now, nonce))
        then, old = chance.choice(used)
        if own.check(old, now, HOST) is FRESH:
            assert not window.use(old, 1, now), (now, then)
    assert len(window) < 700
