"""A description with other addresses: those of a relay, in the lines it is to serve (RFC 8866, RFC 3605).

Nothing else changes, with two exceptions: candidates of ICE would lead past the relay, and go; and the
version rises where the one who is told knows it with other addresses.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from centrex.sdp.description import Description, Media, parse_lines

_DIGITS: Final = 20
"""Of the longest version: 64 bits."""
_NOWHERE: Final = {b"IP4": b"0.0.0.0", b"IP6": b"::"}


class Place(NamedTuple):
    """What a media line is to say instead."""

    host: str
    """A numeric address."""
    rtp_port: int
    rtcp_port: int
    """The same as `rtp_port` where both come on one port."""


DECLINED: Final = Place("", 0, 0)
"""Says of a media line that it is not wanted: its port becomes 0 (RFC 3264 §6)."""


def rewrite(description: Description, places: Sequence[Place | None], later: int = 0) -> bytes:
    """Return a description that names other places.

    A line on hold by `c=0.0.0.0` (RFC 2543) gets its port, and stays on hold. A declined line is
    left as it is, whatever its place.

    Args:
        description: The description.
        places: One for each media line, in order; None leaves that line as it is, and `DECLINED`
            takes its port.
        later: How much is added to the version in `o=`.

    Raises:
        ValueError: There are more or fewer places than media lines.

    RFC: 8866 §5.2, §5.7, §5.14, 3264 §8, 3605 §2.1, 8839 §5
    """
    if description.usual is not None:
        short = None if later else _rewrite_usual(description, places)
        if short is not None:
            return short
        description = parse_lines(description.text)
    lines: list[bytes | None] = list(description.lines)
    behind: dict[int, bytes] = {}
    """What is added, by the index of the line before it."""
    pairs = [
        (media, place) for media, place in zip(description.media, places, strict=True) if media.port
    ]
    wanted = [(media, place) for media, place in pairs if place is not DECLINED]
    if len(wanted) < len(pairs):
        _decline(lines, description, pairs)
    if later:
        _raise_version(lines, later)
    shared = _shared_connection(description, wanted)
    if shared:
        _put(lines, description.connection, shared)
    for media, place in wanted:
        if place is not None:
            _rewrite_media(description, media, place, lines, behind, shared)
    if description.ice and wanted and all(place is not None for _, place in wanted):
        _remove(lines, description.ice)
    if behind:
        return _joined(description, lines, behind)
    return b"\n".join([line for line in lines if line is not None])


def _decline(
    lines: list[bytes | None],
    description: Description,
    pairs: Sequence[tuple[Media, Place | None]],
) -> None:
    for media, place in pairs:
        if place is DECLINED:
            name, _, rest = description.lines[media.first].split(b" ", 2)
            lines[media.first] = b"%b 0 %b" % (name, rest)


def with_later_version(text: bytes, later: int) -> bytes:
    """Return a description as it is, but for its version in `o=`, which is so much higher.

    RFC: 8866 §5.2, 3264 §8
    """
    lines: list[bytes | None] = list(text.split(b"\n"))
    _raise_version(lines, later)
    return b"\n".join([line for line in lines if line is not None])


def _raise_version(lines: list[bytes | None], later: int) -> None:
    for index, line in enumerate(lines):
        if line is not None and line.startswith(b"o="):
            words = line.split(b" ")
            if len(words) > 2 and words[2].isdigit() and len(words[2]) <= _DIGITS:
                words[2] = b"%d" % (int(words[2]) + later)
                lines[index] = b" ".join(words)
            return


def _rewrite_usual(description: Description, places: Sequence[Place | None]) -> bytes | None:
    """Return a usual description with another address and port; None where more would change."""
    told = description.usual
    if told is None or len(places) != 1 or description.media[0].is_held:
        return None
    (place,) = places
    if place is None or place.rtcp_port != place.rtp_port + 1 or ":" in place.host:
        return None
    text, (first, last), (begins, ends) = description.text, told.host_at, told.port_at
    return b"%b%b%b%d%b" % (
        text[:first], place.host.encode(), text[last:begins], place.rtp_port, text[ends:]
    )  # fmt: skip


def _joined(description: Description, lines: list[bytes | None], behind: dict[int, bytes]) -> bytes:
    """Join the lines and what is added behind them; the last one stays without an end."""
    out: list[bytes] = []
    for index, line in enumerate(lines):
        if line is not None:
            out.append(line)
        if index not in behind:
            continue
        if index < len(lines) - 1:
            out.append(behind[index])
            continue
        if out[-1]:  # the last line has no end yet; what is added needs none
            out[-1] += description.cr
        else:
            out.pop()
        out.append(behind[index].removesuffix(b"\r"))
    return b"\n".join(out)


def _shared_connection(
    description: Description, wanted: Sequence[tuple[Media, Place | None]]
) -> bytes:
    """Return what the session's `c=` line becomes; empty where it must stay, for some line's sake."""
    if not description.connection:
        return b""
    connections = {
        _connection(media, place) if place is not None else b""
        for media, place in wanted
        if not media.connection
    }
    return connections.pop() if len(connections) == 1 else b""


def _rewrite_media(
    description: Description,
    media: Media,
    place: Place,
    lines: list[bytes | None],
    behind: dict[int, bytes],
    shared: bytes,
) -> None:
    name, _, rest = description.lines[media.first].split(b" ", 2)
    # a count of port pairs would name ports of other calls: the relay has one pair (RFC 8866 §5.14)
    lines[media.first] = b"%b %d %b" % (name, place.rtp_port, rest)
    if media.connection:
        _put(lines, media.connection, _connection(media, place))
    elif not shared:
        before = media.first
        while before + 1 < media.end and description.lines[before + 1].startswith(b"i="):
            before += 1  # a title comes first (RFC 8866 §9)
        behind[before] = _connection(media, place) + description.cr
    if media.ice:
        _remove(lines, media.ice)
    _rewrite_rtcp(description, media, place, lines, behind)


def _rewrite_rtcp(
    description: Description,
    media: Media,
    place: Place,
    lines: list[bytes | None],
    behind: dict[int, bytes],
) -> None:
    """Say where RTCP goes, if it was said, or would not be guessed (RFC 3605 §2.1)."""
    told = b"a=rtcp:%d" % place.rtcp_port
    if media.rtcp_lines:
        if media.rtcp_host is not None:
            told += b" IN %b %b" % (_family(place.host), place.host.encode())
        _put(lines, media.rtcp_lines[0], told)
        _remove(lines, media.rtcp_lines[1:])
    elif media.is_rtp and not _is_guessed(media, place):
        last = media.end - 1
        while description.lines[last] in (b"", b"\r"):
            last -= 1  # not behind the end of the last line
        told += description.cr
        behind[last] = b"%b\n%b" % (behind[last], told) if last in behind else told


def _is_guessed(media: Media, place: Place) -> bool:
    """Whether RTCP goes where it is looked for: the next port, or with RTP (RFC 5761 §5.1.1)."""
    if place.rtcp_port == place.rtp_port:
        return media.rtcp_mux
    return place.rtcp_port == place.rtp_port + 1


def _put(lines: list[bytes | None], index: int, new: bytes) -> None:
    """Put a line in the place of another; it ends as that one did."""
    old = lines[index]
    lines[index] = new + b"\r" if old is not None and old.endswith(b"\r") else new


def _remove(lines: list[bytes | None], indices: Sequence[int]) -> None:
    for index in indices:
        # the last one may be without an end, which the one before it then keeps
        lines[index] = b"" if index == len(lines) - 1 else None


def _connection(media: Media, place: Place) -> bytes:
    family = _family(place.host)
    host = _NOWHERE[family] if media.is_held else place.host.encode()
    return b"c=IN %b %b" % (family, host)


def _family(host: str) -> bytes:
    return b"IP6" if ":" in host else b"IP4"
