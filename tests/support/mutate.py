"""Messages to spoil, and the ways to spoil them; the same for the same seed."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Final

from tests.support.torture import ALL

DOMAIN: Final = "example.com"
_SPECIAL: Final = b"\r\n\t \"<>()[]{}%\\/:;,=?@&+-.~*'!|^`\x00\x01\x7f\x80\xc0\xe2\xff0159aZ"
_NUMBERS: Final = (
    b"0", b"1", b"-1", b"255", b"256", b"65535", b"65536", b"2147483648", b"4294967295",
    b"4294967296", b"18446744073709551616", b"9" * 400, b"1e9", b"0x10", b"", b"\xd9\xa1\xd9\xa2",
)  # fmt: skip
_WORDS: Final = (
    b"SIP/2.0", b"sip:", b"sips:", b"tel:", b"SIP/2.0/UDP", b";branch=z9hG4bK", b";tag=", b";lr",
    b";transport=tcp", b";rport", b";received=", b";maddr=255.255.255.255", b"<>", b'"', b"*",
    b"Route: <sip:example.com;lr>\r\n", b"Via: SIP/2.0/UDP a\r\n", b"Contact: *\r\n", b"%00", b"%",
    b"Max-Breadth: 0\r\n", b"Proxy-Require: x\r\n", b"[::]", b"[", b"sip:@", b"\xef\xbb\xbf", b"\r\n\r\n",
)  # fmt: skip
_SDP: Final = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
_DIGEST: Final = (
    'Digest username="alice",realm="example.com",nonce="0123456789abcdef",uri="sip:example.com",'
    'response="00000000000000000000000000000000",algorithm=MD5,cnonce="x",qop=auth,nc=00000001'
)
_count = itertools.count(1)


def torture() -> tuple[bytes, ...]:
    """The messages of RFC 4475 and RFC 5118."""
    return tuple(case.data for case in ALL)


def fresh(method: str, *, host: str = "192.0.2.9", port: int = 5060, run: str = "") -> bytes:
    """Return a plain request of a kind phones send, in a transaction and call of its own."""
    number = next(_count)
    if method == "REGISTER":
        uri, to = f"sip:{DOMAIN}", f"sip:user{number % 50}@{DOMAIN}"
    else:
        uri = to = f"sip:user{number % 50}@{DOMAIN}"
    body = _SDP if method == "INVITE" else b"hello" if method == "MESSAGE" else b""
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bKf{run}{number}",
        "Max-Forwards: 70",
        f'From: "Alice" <sip:alice@{DOMAIN}>;tag=t{number}',
        f"To: <{to}>",
        f"Call-ID: fuzz-{run}-{number}@{host}",
        f"CSeq: {number % 1000 + 1} {method}",
        *_extras(method, host, port),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _extras(method: str, host: str, port: int) -> list[str]:
    contact = f"Contact: <sip:phone@{host}:{port}>"
    match method:
        case "REGISTER":
            return [f"{contact};expires=600;q=0.7", f"Authorization: {_DIGEST}", "Supported: path"]
        case "INVITE":
            return [contact, "Content-Type: application/sdp", f"Proxy-Authorization: {_DIGEST}"]
        case "SUBSCRIBE":
            return [contact, "Event: reg", "Expires: 600"]
        case "MESSAGE":
            return ["Content-Type: text/plain"]
        case "NOTIFY":
            return [contact, "Event: reg", "Subscription-State: active"]
        case "REFER":
            return [contact, f"Refer-To: <sip:bob@{DOMAIN}?Replaces=a%3Bto-tag%3Db>"]
        case _:
            return []


METHODS: Final = (
    "REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "NOTIFY", "REFER", "BYE", "ACK",
    "CANCEL", "UPDATE", "PUBLISH", "NEWMETHOD",
)  # fmt: skip


class Mutator:
    """Spoils messages.

    Args:
        seed: Equal seeds spoil alike.
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._ways: Sequence[Callable[[bytes, bytes], bytes]] = (
            self._flip, self._flip, self._delete, self._duplicate, self._splice, self._repeat_line,
            self._number, self._insert, self._special, self._long, self._bare_break, self._length,
            self._swap_lines, self._truncate, self._case, self._drop_line, self._word,
        )  # fmt: skip

    def spoil(self, data: bytes, other: bytes) -> bytes:
        """Return a message with one to four things wrong; some of them harmless."""
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            data = self.random.choice(self._ways)(data, other)
        return data[:65000]

    def _at(self, data: bytes) -> int:
        return self.random.randrange(len(data) + 1)

    def _span(self, data: bytes, most: int = 64) -> tuple[int, int]:
        start = self._at(data)
        return start, min(len(data), start + self.random.randrange(1, most))

    def _flip(self, data: bytes, other: bytes) -> bytes:
        if not data:
            return data
        out = bytearray(data)
        for _ in range(self.random.choice((1, 1, 2, 8))):
            out[self.random.randrange(len(out))] ^= 1 << self.random.randrange(8)
        return bytes(out)

    def _delete(self, data: bytes, other: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _duplicate(self, data: bytes, other: bytes) -> bytes:
        start, end = self._span(data, 200)
        return data[:end] + data[start:end] * self.random.choice((1, 1, 2, 20)) + data[end:]

    def _splice(self, data: bytes, other: bytes) -> bytes:
        return data[: self._at(data)] + other[self._at(other) :]

    def _lines(self, data: bytes) -> tuple[list[bytes], bytes]:
        head, gap, body = data.partition(b"\r\n\r\n")
        return head.split(b"\r\n"), gap + body

    def _repeat_line(self, data: bytes, other: bytes) -> bytes:
        lines, rest = self._lines(data)
        line = self.random.choice(lines)
        times = self.random.choice((1, 1, 3, 70, 400))
        at = self.random.randrange(len(lines) + 1)
        return b"\r\n".join([*lines[:at], *[line] * times, *lines[at:]]) + rest

    def _drop_line(self, data: bytes, other: bytes) -> bytes:
        lines, rest = self._lines(data)
        del lines[self.random.randrange(len(lines))]
        return b"\r\n".join(lines) + rest

    def _swap_lines(self, data: bytes, other: bytes) -> bytes:
        lines, rest = self._lines(data)
        self.random.shuffle(lines)
        return b"\r\n".join(lines) + rest

    def _number(self, data: bytes, other: bytes) -> bytes:
        digits = [i for i, octet in enumerate(data) if 48 <= octet <= 57]
        if not digits:
            return data
        start = end = self.random.choice(digits)
        while start and 48 <= data[start - 1] <= 57:
            start -= 1
        while end < len(data) and 48 <= data[end] <= 57:
            end += 1
        return data[:start] + self.random.choice(_NUMBERS) + data[end:]

    def _insert(self, data: bytes, other: bytes) -> bytes:
        at, octets = self._at(data), self.random.choice((1, 1, 2, 16))
        return data[:at] + self.random.randbytes(octets) + data[at:]

    def _special(self, data: bytes, other: bytes) -> bytes:
        at = self._at(data)
        octets = self.random.choices(_SPECIAL, k=self.random.choice((1, 1, 1, 2, 5)))
        return data[:at] + bytes(octets) + data[at + self.random.choice((0, 1)) :]

    def _word(self, data: bytes, other: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self.random.choice(_WORDS) + data[at:]

    def _long(self, data: bytes, other: bytes) -> bytes:
        at = self._at(data)
        piece = self.random.choice(
            (b"a", b",", b";a", b"%41", b"(", b'"', b" \r\n ", b"\xff", b"<")
        )
        return data[:at] + piece * self.random.choice((50, 300, 2000, 7000)) + data[at:]

    def _bare_break(self, data: bytes, other: bytes) -> bytes:
        breaks = data.count(b"\r\n")
        if not breaks:
            return data + b"\n"
        parts = data.split(b"\r\n")
        at = self.random.randrange(1, len(parts))
        broken = self.random.choice((b"\n", b"\r", b"\r\n ", b"\n\r", b"\r\r\n", b""))
        return b"\r\n".join(parts[:at]) + broken + b"\r\n".join(parts[at:])

    def _length(self, data: bytes, other: bytes) -> bytes:
        before, name, after = data.partition(b"Content-Length:")
        if not name:
            return data
        _, gap, rest = after.partition(b"\r\n")
        return before + name + b" " + self.random.choice(_NUMBERS) + gap + rest

    def _truncate(self, data: bytes, other: bytes) -> bytes:
        return data[: self._at(data)]

    def _case(self, data: bytes, other: bytes) -> bytes:
        start, end = self._span(data, 400)
        return data[:start] + data[start:end].swapcase() + data[end:]
