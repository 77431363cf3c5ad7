"""SIP messages as tests see them: text, read and written plainly, and digest credentials.

Written apart from `centrex.sip` on purpose, so that the server is not judged by its own grammar.
"""

import hashlib
import itertools
import os
import re
import time
from collections.abc import Iterable, Sequence

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "c": "content-type",
    "l": "content-length",
    "k": "supported",
}
_numbers = itertools.count(1)


def token() -> str:
    """Return a word that no other message on this machine uses."""
    return f"{os.getpid():x}-{next(_numbers):x}-{time.monotonic_ns() & 0xFFFFFF:x}"


class Message:
    """A SIP message as it was on the wire; header names in lower case and long form."""

    __slots__ = ("body", "headers", "raw", "start")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        head, _, self.body = raw.decode("utf-8", "replace").partition("\r\n\r\n")
        self.start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        if "SIP/2.0" not in self.start:
            raise ValueError(f"not a SIP message: {self.start[:60]!r}")
        self.headers: list[tuple[str, str]] = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((_COMPACT.get(name, name), value.strip()))

    def __repr__(self) -> str:
        return f"<{self.start} | {self.get('cseq')} | {self.get('call-id')}>"

    @property
    def status(self) -> int:
        """The status code; 0 for a request."""
        return int(self.start[8:11]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def reason(self) -> str:
        """The reason phrase of a response."""
        return self.start[12:]

    @property
    def method(self) -> str:
        """The method; of a response, that of its CSeq."""
        return self.get("cseq").split()[-1] if self.status else self.start.split(" ", 1)[0]

    @property
    def uri(self) -> str:
        """The request-URI."""
        return self.start.split(" ")[1]

    @property
    def cseq(self) -> int:
        """The number in CSeq."""
        return int(self.get("cseq").split()[0])

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.get("call-id")

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        return parameter(self.get("via"), "branch")

    def all(self, name: str) -> list[str]:
        """Return the values of a header in order, comma-joined ones of address headers apart."""
        values = [value for found, value in self.headers if found == name]
        if name in ("via", "route", "record-route", "contact", "path"):
            values = [part for value in values for part in split(value)]
        return values

    def get(self, name: str) -> str:
        """Return the first value of a header, or nothing."""
        return next(iter(self.all(name)), "")


def split(value: str) -> list[str]:
    """Split at the commas that stand outside quotes and angle brackets."""
    return [part.strip() for part in re.findall(r'(?:"(?:\\.|[^"\\])*"|<[^>]*>|[^,"<])+', value)]


def parameter(value: str, name: str) -> str:
    """Return a parameter of a header value, or nothing."""
    found = re.search(rf';\s*{name}\s*=\s*"?([^;,"\s>]+)', value.rpartition(">")[2], re.IGNORECASE)
    return found[1] if found else ""


def uri_in(value: str) -> str:
    """Return the URI of a Contact, From, Record-Route."""
    found = re.search(r"<([^>]+)>", value)
    return found[1] if found else value.split(";", 1)[0].strip()


def build(start: str, headers: Iterable[tuple[str, str]], body: str = "") -> bytes:
    """Write a message; Content-Length is added."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def response_to(
    request: Message,
    status: int,
    reason: str,
    *,
    tag: str = "",
    headers: Iterable[tuple[str, str]] = (),
    body: str = "",
) -> bytes:
    """Write the response to a request (RFC 3261 §8.2.6)."""
    copied = [("Via", via) for via in request.all("via")]
    copied += [("Record-Route", route) for route in request.all("record-route")]
    to = request.get("to")
    if tag and not parameter(to, "tag"):
        to += f";tag={tag}"
    copied += [("From", request.get("from")), ("To", to), ("Call-ID", request.call_id)]
    copied += [("CSeq", request.get("cseq")), *headers]
    return build(f"SIP/2.0 {status} {reason}", copied, body)


def sdp(host: str, port: int = 40000, direction: str = "sendrecv") -> str:
    """Return an offer or answer for one PCMU stream."""
    return (
        f"v=0\r\no=- 3900000000 3900000000 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na={direction}\r\n"
    )


class Credentials:
    """Answers digest challenges (RFC 7616, and RFC 2617 without qop) and counts its nonces.

    Args:
        user: The login.
        password: Its password.
        algorithms: Those it can do, the one it likes best first.
    """

    def __init__(
        self, user: str, password: str, algorithms: Sequence[str] = ("SHA-256", "MD5")
    ) -> None:
        self.user, self.password = user, password
        self.algorithms = tuple(algorithms)
        self._counts: dict[str, int] = {}
        self._last: tuple[str, dict[str, str]] | None = None

    def answer(self, response: Message, method: str, uri: str) -> tuple[str, str] | None:
        """Return the header that answers a 401 or 407, or nothing if none of its kind is offered."""
        name = {401: "www-authenticate", 407: "proxy-authenticate"}.get(response.status, "")
        offers = [_fields(value) for value in response.all(name)]
        header = "Authorization" if response.status == 401 else "Proxy-Authorization"
        for algorithm in self.algorithms:
            for offer in offers:
                if offer.get("algorithm", "MD5").upper() == algorithm:
                    self._last = (header, offer)
                    return self.again(method, uri)
        return None

    def again(self, method: str, uri: str) -> tuple[str, str] | None:
        """Return a header for another request, from the challenge answered last."""
        if self._last is None:
            return None
        header, offer = self._last
        return header, self._compute(offer, method, uri)

    def _compute(self, offer: dict[str, str], method: str, uri: str) -> str:
        algorithm = offer.get("algorithm", "MD5")
        realm, nonce = offer["realm"], offer["nonce"]
        first = _digest(algorithm, f"{self.user}:{realm}:{self.password}")
        second = _digest(algorithm, f"{method}:{uri}")
        parts = [f'username="{self.user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
        if "auth" in [word.strip() for word in offer.get("qop", "").split(",")]:
            count = self._counts[nonce] = self._counts.get(nonce, 0) + 1
            numbered, ours = f"{count:08x}", token()
            proof = _digest(algorithm, f"{first}:{nonce}:{numbered}:{ours}:auth:{second}")
            parts += ["qop=auth", f"nc={numbered}", f'cnonce="{ours}"']
        else:
            proof = _digest(algorithm, f"{first}:{nonce}:{second}")
        if "opaque" in offer:
            parts.append(f'opaque="{offer["opaque"]}"')
        return f'Digest {", ".join(parts)}, response="{proof}", algorithm={algorithm}'


def _digest(algorithm: str, text: str) -> str:
    name = "sha256" if algorithm.upper() == "SHA-256" else "md5"
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _fields(challenge: str) -> dict[str, str]:
    found = re.findall(r'(\w+)\s*=\s*(?:"((?:\\.|[^"\\])*)"|([^\s,]+))', challenge)
    return {name.lower(): quoted or bare for name, quoted, bare in found}
