"""A description with other addresses: those of a relay, in the lines it is to serve (RFC 8866, RFC 3605).

Nothing else changes, with one exception: candidates of ICE would lead past the relay, and go.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from centrex.sdp.description import Description, Media

_NOWHERE: Final = {4: b"0.0.0.0", 6: b"::"}


class Place(NamedTuple):
    """What a media line is to say instead."""

    host: str
    """A numeric address."""
    rtp_port: int
    rtcp_port: int
    """The same as `rtp_port` where both come on one port."""


def rewrite(description: Description, places: Sequence[Place | None]) -> bytes:
    """Return a description that names other places.

    A line on hold by `c=0.0.0.0` (RFC 2543) gets its port, and stays on hold.

    Args:
        description: The description.
        places: One for each media line, in order; None leaves that line as it is.
    """
    lines: list[bytes | None] = list(description.lines)
    behind: dict[int, bytes] = {}
    """Lines to be added, by the index of the line before them."""
    shared = _shared_connection(description, places)
    if shared and description.connection:
        lines[description.connection] = shared
    for media, place in zip(description.media, places, strict=True):
        if place is not None:
            _rewrite_line(media, place, lines, behind, shared)
    if places and None not in places:
        for index in description.ice:
            lines[index] = None
    out: list[bytes] = []
    for index, line in enumerate(lines):
        if line is not None:
            out.append(line)
        if index in behind:
            out.append(behind[index])
    return description.newline.join(out)


def _shared_connection(description: Description, places: Sequence[Place | None]) -> bytes:
    """Return what the session's `c=` line becomes; empty where it must stay, for some line's sake."""
    wanted = {
        _connection(media, place) if place is not None else b""
        for media, place in zip(description.media, places, strict=True)
        if not media.connection
    }
    return wanted.pop() if len(wanted) == 1 and description.connection else b""


def _rewrite_line(
    media: Media,
    place: Place,
    lines: list[bytes | None],
    behind: dict[int, bytes],
    shared: bytes,
) -> None:
    head = lines[media.first]
    assert head is not None
    name, port, rest = head.split(b" ", 2)
    _, slash, count = port.partition(b"/")
    lines[media.first] = b"%b %d%b%b %b" % (name, place.rtp_port, slash, count, rest)
    if media.connection:
        lines[media.connection] = _connection(media, place)
    elif not shared:
        behind[media.first] = _connection(media, place)
    for index in media.ice:
        lines[index] = None
    _rewrite_rtcp(media, place, lines, behind)


def _rewrite_rtcp(
    media: Media, place: Place, lines: list[bytes | None], behind: dict[int, bytes]
) -> None:
    """Say where RTCP goes, if it was said, or would not be guessed (RFC 3605 §2.1)."""
    line = b"a=rtcp:%d" % place.rtcp_port
    if media.rtcp_line:
        if media.rtcp_host is not None:
            line += b" IN %b %b" % (_family(place.host), place.host.encode())
        lines[media.rtcp_line] = line
    elif place.rtcp_port not in (place.rtp_port, place.rtp_port + 1):
        last = media.end - 1
        while last > media.first and not lines[last]:
            last -= 1  # not behind the end of the last line
        behind[last] = line


def _connection(media: Media, place: Place) -> bytes:
    host = place.host.encode()
    if media.host in ("0.0.0.0", "::"):
        host = _NOWHERE[6 if ":" in place.host else 4]
    return b"c=IN %b %b" % (_family(place.host), host)


def _family(host: str) -> bytes:
    return b"IP6" if ":" in host else b"IP4"
