"""The vectors are those of RFC 5769 §2.2, and what may go wrong."""

import struct

import pytest

from centrex.base import PeerError
from centrex.nat.stun import mapped, question

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
COOKIE = 0x2112A442
XOR_MAPPED = bytes.fromhex("002000080001a147e112a643")
SOFTWARE = bytes.fromhex("8022000b7465737420766563746f7220")


def answer(*attributes: bytes, kind: int = 0x0101, cookie: int = COOKIE, told: bytes = ID) -> bytes:
    body = b"".join(attributes)
    return struct.pack(">HHI12s", kind, len(body), cookie, told) + body


def test_a_question_is_a_binding_request() -> None:
    assert question(ID) == bytes.fromhex("000100002112a442") + ID


def test_the_address_is_read() -> None:
    assert mapped(answer(SOFTWARE, XOR_MAPPED), ID) == "192.0.2.1"


def test_an_old_server_tells_it_plainly() -> None:
    """RFC 3489 knew MAPPED-ADDRESS alone; where both are told, the other one counts."""
    plain = bytes.fromhex("0001000800011234cb007105")
    assert mapped(answer(plain), ID) == "203.0.113.5"
    assert mapped(answer(plain, XOR_MAPPED), ID) == "192.0.2.1"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "too short"),
        (answer(XOR_MAPPED)[:-1], "something else"),
        (answer(XOR_MAPPED, told=bytes(12)), "something else"),
        (answer(XOR_MAPPED, cookie=1), "something else"),
        (answer(XOR_MAPPED, kind=0x0111), "refuses"),
        (answer(SOFTWARE), "no IPv4"),
        (answer(bytes.fromhex("0020001400021234") + bytes(16)), "no IPv4"),
        (answer(bytes.fromhex("00200040") + bytes(8)), "beyond"),
    ],
)
def test_all_else_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(PeerError, match=words):
        mapped(data, ID)
