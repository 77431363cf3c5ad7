"""What a session description says of each media line: where it wants its packets, and how (RFC 8866).

A description is its lines as they came; what is read from them are values beside the lines, with the
lines' places, so that `centrex.sdp.rewrite` can change a few and leave the others byte for byte. It
refuses to know what a session is for.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from centrex.base import PeerError
from centrex.sdp import usual

_MAX_LINES: Final = 1000
_MAX_MEDIA: Final = 32
_LAST_PORT: Final = 65_535
_TO_MANY: Final = "it goes to many at once"
_MEDIA: Final = re.compile(
    rb"m=([!-~]{1,32}) ([0-9]{1,10})(?:/[0-9]{1,5})? ([!-~]{1,64})((?: +[^ \r]++)*) *\r?"
)
_CONNECTION: Final = re.compile(rb"c=IN (IP[46]) ([^ /\r]{1,255})((?:/[0-9]{1,4}){0,2}) *\r?", re.I)
_RTCP: Final = re.compile(rb"a=rtcp:([0-9]{1,5})(?: IN (IP[46]) ([^ \r]{1,255}))? *\r?")
_CLOCK: Final = re.compile(rb" *[^/ \r]{1,64}/([0-9]{1,7})(?![0-9])")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_RELAYABLE: Final = frozenset(
    {
        b"rtp/avp", b"rtp/avpf", b"rtp/savp", b"rtp/savpf", b"udp/tls/rtp/savp",
        b"udp/tls/rtp/savpf", b"udptl", b"udp/tls/udptl", b"udp", b"udp/dtls/sctp", b"dtls/sctp",
        b"udp/bfcp", b"udp/tls/bfcp", b"vat",
    }
)  # fmt: skip
"""Transports that are UDP datagrams to one port (RFC 8866 §8.2.2 and the registry of IANA)."""
_DIRECTIONS: Final = {
    b"a=sendrecv": (True, True),
    b"a=sendonly": (True, False),
    b"a=recvonly": (False, True),
    b"a=inactive": (False, False),
}
_CLOCKS: Final = {6: 16000, 10: 44100, 11: 44100, 14: 90000, 16: 11025, 17: 22050} | dict.fromkeys(
    (25, 26, 28, 31, 32, 33, 34), 90000
)
"""Static payload types whose RTP clock is not 8000 Hz (RFC 3551 §6); that of G.722 is."""
_ICE: Final = frozenset(
    {
        b"a=candidate", b"a=ice-ufrag", b"a=ice-pwd", b"a=ice-options", b"a=ice-lite",
        b"a=ice-mismatch", b"a=ice-pacing", b"a=remote-candidates", b"a=end-of-candidates",
    }
)  # fmt: skip
_KNOWN: Final = frozenset({b"a=rtcp", b"a=rtcp-mux", *_DIRECTIONS, *_ICE})
_NOWHERE: Final = frozenset({"0.0.0.0", "::"})
"""Addresses that mean "do not send" (RFC 3264 §8.4: hold as RFC 2543 had it)."""


class Media:
    """One media line, with what holds for it from the session's part.

    Attributes:
        kind: `audio`, `video`, `image` …
        port: Where it wants packets, beyond 65535 where it is no port; 0 where it is declined.
        proto: The transport, as it is spelled.
        formats: Its formats; payload types where it is RTP.
        host: The address it wants packets at: numeric, or a name.
        rtcp_port: The port for RTCP, where it says so (RFC 3605).
        rtcp_host: The address for RTCP, where it says so.
        rtcp_mux: Whether RTCP may come on the RTP port (RFC 5761).
        sends: Whether it is going to send.
        receives: Whether it wants to receive.
        payload: The first payload type; 0 where it is no RTP.
        clock_rate: Ticks per second of that one's timestamps.
        why_not: Why a relay cannot carry it, in words; empty where it goes in datagrams to a port of
            one host.
        first: The index of its `m=` line.
        end: The index behind its last line.
        is_held: Whether its address says "do not send", as RFC 2543 put a call on hold.
        is_rtp: Whether it is RTP, of whatever profile.
        first: The index of its `m=` line.
        end: The index behind its last line.
        connection: The index of its own `c=` line; 0 where it has none.
        rtcp_lines: The indices of its `a=rtcp:` lines; the first one counts.
        ice: The indices of its lines about ICE.
    """

    __slots__ = (
        "clock_rate", "connection", "end", "first", "formats", "host", "ice", "is_held", "is_rtp",
        "kind", "payload", "port", "proto", "receives", "rtcp_host", "rtcp_lines",
        "rtcp_mux", "rtcp_port", "sends", "why_not",
    )  # fmt: skip

    def __init__(self, kind: bytes, port: int, proto: bytes, formats: tuple[bytes, ...]) -> None:
        self.kind, self.port, self.proto, self.formats = kind, port, proto, formats
        self.host = ""
        self.rtcp_port: int | None = None
        self.rtcp_host: str | None = None
        self.rtcp_mux = self.is_held = False
        self.why_not = ""
        self.sends = self.receives = True
        self.is_rtp, self.payload, self.clock_rate = _coding(kind, proto, formats[:1])
        self.first = self.end = self.connection = 0
        self.rtcp_lines: list[int] = []
        self.ice: list[int] = []


class Description:
    """A session description.

    Attributes:
        text: The description as it came.
        usual: What it says, where it is a usual one; its media line's indices are then not set.
        lines: Its lines as they came, split at each LF; a CR before that is still there.
        cr: What stands before the LF of a line that is added: CR, where its first line has one.
        media: Its media lines in order.
        connection: The index of the session's `c=` line; 0 where there is none.
        host: The address in it, or empty.
        ice: The indices of the session's lines about ICE.
    """

    __slots__ = ("_lines", "connection", "cr", "host", "ice", "media", "text", "usual")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.usual: usual.Usual | None = None
        self._lines: list[bytes] | None = None
        ends = text.find(b"\n")
        self.cr = b"\r" if text[ends - 1 : ends] == b"\r" else b""
        self.media: tuple[Media, ...] = ()
        self.connection = 0
        self.host = ""
        self.ice: list[int] = []

    @property
    def lines(self) -> list[bytes]:
        """Return the lines."""
        if self._lines is None:
            self._lines = self.text.split(b"\n")
        return self._lines


class _Reader:
    """Goes through the lines once; what the session says is what each media line begins with."""

    __slots__ = ("cast", "description", "direction", "map", "media", "mux", "session_cast")

    def __init__(self, description: Description) -> None:
        self.description = description
        self.media: list[Media] = []
        self.direction = (True, True)
        self.mux = False
        self.session_cast = self.cast = False
        """Whether the session's address, and that of the present line, is no single host's."""
        self.map = b"-"
        """How the line begins that maps the present line's first format."""

    def read(self) -> None:
        """Fill the description's attributes from its lines."""
        for index, line in enumerate(self.description.lines):
            kind = line[:2]
            if kind == b"a=":
                if line.startswith(self.map):
                    self._map(line)
                    continue
                name = line.partition(b":")[0].rstrip()
                if name in _KNOWN:
                    self._attribute(index, name, line)
            elif kind == b"c=":
                self._connection(index, line)
            elif kind == b"m=":
                self._media(index, line)
        self._finish(len(self.description.lines))
        self.description.media = tuple(self.media)

    def _media(self, index: int, line: bytes) -> None:
        found = _MEDIA.fullmatch(line)
        if found is None or len(self.media) == _MAX_MEDIA:
            raise PeerError("a media line is malformed, or one too many", rule="RFC 8866 §5.14")
        self._finish(index)
        kind, digits, proto, formats = found.groups()
        media = Media(kind, int(digits), proto, tuple(formats.split()))
        media.first = index
        media.host = self.description.host
        media.sends, media.receives = self.direction
        media.rtcp_mux = self.mux
        self.cast = self.session_cast
        self.map = b"a=rtpmap:%b " % media.formats[0] if media.formats else b"-"
        self.media.append(media)

    def _finish(self, index: int) -> None:
        """The last media line is complete."""
        if not self.media:
            return
        media = self.media[-1]
        media.end = index
        if not media.host:
            media.why_not = "it names no address"
        elif self.cast:
            media.why_not = _TO_MANY
        elif media.proto.lower() not in _RELAYABLE:
            media.why_not = f"a relay does not carry {media.proto.decode()}"
        elif media.port > _LAST_PORT:
            media.why_not = f"it has no port from 1 to {_LAST_PORT}"
        media.is_held = media.host in _NOWHERE
        if not media.port or media.is_held:
            media.receives = False

    def _connection(self, index: int, line: bytes) -> None:
        found = _CONNECTION.fullmatch(line)
        if found is None:
            raise PeerError("a connection line is malformed", rule="RFC 8866 §5.7")
        host = _host(found[1].upper(), found[2])
        cast = bool(found[3]) or _is_multicast(host)
        if not self.media:
            if self.description.connection:
                raise PeerError("a session has two connection lines", rule="RFC 8866 §5.7")
            self.description.connection, self.description.host = index, host
            self.session_cast = cast
        elif self.media[-1].connection:
            self.cast = True  # several are layers of one multicast (§5.7)
        else:
            self.media[-1].connection, self.media[-1].host = index, host
            self.cast = cast

    def _attribute(self, index: int, name: bytes, line: bytes) -> None:
        media = self.media[-1] if self.media else None
        direction = _DIRECTIONS.get(name)
        if direction is not None:
            if media is None:
                self.direction = direction
            else:
                media.sends, media.receives = direction
        elif name == b"a=rtcp":
            if media is not None:
                self._rtcp(media, index, line)
        elif name == b"a=rtcp-mux":
            if media is None:
                self.mux = True
            else:
                media.rtcp_mux = True
        else:
            (self.description.ice if media is None else media.ice).append(index)

    def _map(self, line: bytes) -> None:
        found = _CLOCK.match(line, len(self.map))
        if found is not None:
            self.media[-1].clock_rate = int(found[1]) or 8000

    def _rtcp(self, media: Media, index: int, line: bytes) -> None:
        found = _RTCP.fullmatch(line)
        if found is None or int(found[1]) > _LAST_PORT:
            raise PeerError("an rtcp attribute is malformed", rule="RFC 3605 §2.1")
        media.rtcp_lines.append(index)
        if media.rtcp_port is not None or not int(found[1]):
            return  # port 0 is seen on declined lines, and says nothing
        media.rtcp_port = int(found[1])
        if found[3]:
            media.rtcp_host = _host(found[2], found[3])


def parse(body: bytes) -> Description:
    """Read a session description.

    Lines end with CRLF, or LF as §5 has us tolerate; a CR elsewhere is refused, for some take it
    for the end of a line and some do not.

    Args:
        body: The description alone; see `centrex.sdp.find`.

    Raises:
        PeerError: It is none, or more than anybody needs.

    RFC: 8866 §5, 3605 §2.1
    """
    told = usual.read(body)
    if told is not None:
        return _usual(body, told)
    return parse_lines(body)


def parse_lines(body: bytes) -> Description:
    """Read a session description line by line, a usual one too; see `parse`.

    Raises:
        PeerError: It is none, or more than anybody needs.
    """
    if body[:2] != b"v=" or body.count(b"\n") > _MAX_LINES:
        raise PeerError("it is no session description, or a very long one", rule="RFC 8866 §5")
    if body.count(b"\r") != body.count(b"\r\n"):
        raise PeerError("a line holds a carriage return", rule="RFC 8866 §9")
    description = Description(body)
    _Reader(description).read()
    return description


def _usual(body: bytes, told: usual.Usual) -> Description:
    description = Description(body)
    description.usual = told
    host = description.host = _host(b"IP4", told.host)
    media = Media(b"audio", told.port, told.proto, told.formats)
    media.host = host
    media.why_not = _TO_MANY if _is_multicast(host) else ""
    if host in _NOWHERE:
        media.is_held, media.receives = True, False
    if told.clock_rate:
        media.clock_rate = told.clock_rate
    description.media = (media,)
    return description


@lru_cache(256)
def _coding(kind: bytes, proto: bytes, first: tuple[bytes, ...]) -> tuple[bool, int, int]:
    """Return whether a line is RTP, the payload type of its first format, and its clock rate unless told."""
    is_rtp, number = b"RTP/" in proto.upper(), 0
    if is_rtp and first and first[0].isdigit() and len(first[0]) <= 3:
        number = int(first[0])
    payload = number if number < 128 else 0
    return is_rtp, payload, _CLOCKS.get(payload, 90000 if kind == b"video" else 8000)


@lru_cache(4096)
def _host(family: bytes, text: bytes) -> str:
    """Return an address of that family in its usual spelling, or a host name in lower case."""
    try:
        name = text.decode("ascii").lower().removesuffix(".")
    except UnicodeDecodeError:
        raise PeerError("an address is no text", rule="RFC 8866 §5.7") from None
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
            raise PeerError("an address is malformed", rule="RFC 8866 §9") from None
        return name
    if (address.version == 6) != (family == b"IP6"):
        raise PeerError("an address is of another family than it says", rule="RFC 8866 §5.7")
    if "%" in name:
        raise PeerError("an address has a zone, which is the sender's own", rule="RFC 4007 §11.2")
    return str(address)


@lru_cache(4096)
def _is_multicast(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False
