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

_MAX_LINES: Final = 1000
_MAX_MEDIA: Final = 32
_RULE: Final = "RFC 8866 §5"
_MEDIA: Final = re.compile(
    rb"m=([^ ]{1,32}+) ([0-9]{1,5})(?:/[0-9]{1,5})? ([^ ]{1,64}+)((?: [^ ]++)*) *"
)
_CONNECTION: Final = re.compile(rb"c=IN (IP[46]) ([^ /]{1,255}+)((?:/[0-9]{1,4}){0,2}) *")
_RTCP: Final = re.compile(rb"a=rtcp:([0-9]{1,5})(?: IN (IP[46]) ([^ ]{1,255}+))? *")
_RTPMAP: Final = re.compile(rb"a=rtpmap:([0-9]{1,3}) [^/ ]{1,64}+/([0-9]{1,7})")
_ATTRIBUTE: Final = re.compile(rb"a=([A-Za-z0-9-]++)")
_RELAYABLE: Final = frozenset(
    {
        b"rtp/avp", b"rtp/avpf", b"rtp/savp", b"rtp/savpf", b"udp/tls/rtp/savp",
        b"udp/tls/rtp/savpf", b"udptl", b"udp", b"udp/dtls/sctp", b"dtls/sctp", b"vat",
    }
)  # fmt: skip
"""Transports that are UDP datagrams to one port (RFC 8866 §8.2.2 and the registry of IANA)."""
_DIRECTIONS: Final = {
    b"sendrecv": (True, True),
    b"sendonly": (True, False),
    b"recvonly": (False, True),
    b"inactive": (False, False),
}
_CLOCKS: Final = {9: 8000, 6: 16000, 10: 44100, 11: 44100, 14: 90000, 16: 11025, 17: 22050}
"""Static payload types whose RTP clock is not 8000 Hz and that are audio (RFC 3551 §6); G.722 is."""
_ICE: Final = frozenset(
    {
        b"candidate", b"ice-ufrag", b"ice-pwd", b"ice-options", b"ice-lite", b"ice-mismatch",
        b"ice-pacing", b"remote-candidates", b"end-of-candidates",
    }
)  # fmt: skip


class Media:
    """One media line, with what holds for it from the session's part.

    Attributes:
        kind: `audio`, `video`, `image` …
        port: Where it wants packets; 0 where it is declined.
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
        relayable: Whether a relay can carry it: datagrams to a port of one host.
        first: The index of its `m=` line.
        end: The index behind its last line.
        connection: The index of its own `c=` line; 0 where it has none.
        rtcp_line: The index of its `a=rtcp:` line; 0 where it has none.
        ice: The indices of its lines about ICE.
    """

    __slots__ = (
        "clock_rate", "connection", "end", "first", "formats", "host", "ice", "kind", "payload",
        "port", "proto", "receives", "relayable", "rtcp_host", "rtcp_line", "rtcp_mux", "rtcp_port",
        "sends",
    )  # fmt: skip

    def __init__(self, kind: bytes, port: int, proto: bytes, formats: tuple[bytes, ...]) -> None:
        self.kind, self.port, self.proto, self.formats = kind, port, proto, formats
        self.host = ""
        self.rtcp_port: int | None = None
        self.rtcp_host: str | None = None
        self.rtcp_mux = False
        self.sends = self.receives = True
        first = formats[0] if formats else b""
        self.payload = int(first) if first.isdigit() and len(first) <= 3 and int(first) < 128 else 0
        self.clock_rate = _CLOCKS.get(self.payload, 90000 if kind == b"video" else 8000)
        self.relayable = False
        self.first = self.end = self.connection = self.rtcp_line = 0
        self.ice: list[int] = []


class Description:
    """A session description.

    Attributes:
        lines: Its lines without their ends.
        newline: What ends them.
        media: Its media lines in order.
        connection: The index of the session's `c=` line; 0 where there is none.
        host: The address in it, or empty.
        ice: The indices of the session's lines about ICE.
    """

    __slots__ = ("connection", "host", "ice", "lines", "media", "newline")

    def __init__(self, lines: list[bytes], newline: bytes) -> None:
        self.lines, self.newline = lines, newline
        self.media: tuple[Media, ...] = ()
        self.connection = 0
        self.host = ""
        self.ice: list[int] = []


class _Reader:
    """Goes through the lines once; what the session says is what each media line begins with."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.media: list[Media] = []
        self.direction = (True, True)
        self.mux = self.multicast = False
        self.multicasts: set[int] = set()

    def read(self) -> None:
        for index, line in enumerate(self.description.lines):
            kind = line[:2]
            if kind == b"a=":
                self._attribute(index, line)
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
        kind, port, proto, formats = found.groups()
        if int(port) > 65535:
            raise PeerError("a media port is beyond 65535", rule="RFC 8866 §5.14")
        media = Media(kind, int(port), proto, tuple(formats.split()))
        media.first = index
        media.host = self.description.host
        media.sends, media.receives = self.direction
        media.rtcp_mux = self.mux
        self.media.append(media)

    def _finish(self, index: int) -> None:
        """The last media line is complete."""
        if not self.media:
            return
        media = self.media[-1]
        media.end = index
        number = len(self.media) - 1
        cast = number in self.multicasts if media.connection else self.multicast
        media.relayable = media.proto.lower() in _RELAYABLE and bool(media.host) and not cast
        if not media.port or _is_nowhere(media.host):
            media.receives = False

    def _connection(self, index: int, line: bytes) -> None:
        found = _CONNECTION.fullmatch(line)
        if found is None:
            raise PeerError("a connection line is malformed", rule="RFC 8866 §5.7")
        host, cast = _host(found[1], found[2]), bool(found[3])
        if self.media:
            media = self.media[-1]
            if not media.connection:  # several are layers of one multicast (§5.7)
                media.connection, media.host = index, host
            if cast or _is_multicast(host):
                self.multicasts.add(len(self.media) - 1)
        else:
            self.description.connection, self.description.host = index, host
            self.multicast = cast or _is_multicast(host)

    def _attribute(self, index: int, line: bytes) -> None:
        found = _ATTRIBUTE.match(line)
        if found is None:
            return
        name = found[1]
        media = self.media[-1] if self.media else None
        if name == b"rtpmap":
            self._rtpmap(media, line)
        elif name in _DIRECTIONS:
            if media is None:
                self.direction = _DIRECTIONS[name]
            else:
                media.sends, media.receives = _DIRECTIONS[name]
        elif name == b"rtcp" and media is not None:
            self._rtcp(media, index, line)
        elif name == b"rtcp-mux":
            if media is None:
                self.mux = True
            else:
                media.rtcp_mux = True
        elif name in _ICE:
            (self.description.ice if media is None else media.ice).append(index)

    def _rtpmap(self, media: Media | None, line: bytes) -> None:
        found = _RTPMAP.match(line)
        if (
            found is not None
            and media is not None
            and media.formats
            and found[1] == media.formats[0]
        ):
            media.clock_rate = int(found[2]) or 8000

    def _rtcp(self, media: Media, index: int, line: bytes) -> None:
        found = _RTCP.fullmatch(line)
        if found is None or not 0 < int(found[1]) < 65536:
            raise PeerError("an rtcp attribute is malformed", rule="RFC 3605 §2.1")
        media.rtcp_line, media.rtcp_port = index, int(found[1])
        if found[3]:
            media.rtcp_host = _host(found[2], found[3])


def parse(body: bytes) -> Description:
    """Read a session description.

    Raises:
        PeerError: It is none, or more than anybody needs.
    """
    newline = b"\r\n" if b"\r\n" in body else b"\n"
    lines = body.split(newline)
    if body[:2] != b"v=" or len(lines) > _MAX_LINES:
        raise PeerError("it is no session description, or a very long one", rule=_RULE)
    description = Description(lines, newline)
    _Reader(description).read()
    return description


@lru_cache(4096)
def _host(family: bytes, text: bytes) -> str:
    """Return an address of that family in its usual spelling, or a host name in lower case."""
    try:
        name = text.decode("ascii").lower()
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
    return str(address)


_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")


def _is_nowhere(host: str) -> bool:
    """Whether an address means "do not send" (RFC 3264 §8.4: hold as RFC 2543 had it)."""
    return host in ("0.0.0.0", "::")


@lru_cache(4096)
def _is_multicast(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False
