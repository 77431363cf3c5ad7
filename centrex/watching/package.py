"""The event packages served here, and the headers by which one asks for them (RFC 6665 §8.2).

It knows names, media types and default lives; what a package's documents hold is for `reginfo` and
`dialoginfo`.
"""

from typing import Final, NamedTuple

from centrex.base import PeerError
from centrex.sip.tokens import Params, is_token, parse_params, split_values

_RULE: Final = "RFC 6665 §8.2.1"


class Package(NamedTuple):
    """An event package: its name on the wire, its documents' type, the life nobody asked for."""

    name: bytes
    media_type: bytes
    default_s: int


REG: Final = Package(b"reg", b"application/reginfo+xml", 3761)
"""Registrations (RFC 3680)."""
DIALOG: Final = Package(b"dialog", b"application/dialog-info+xml", 3600)
"""Calls, for busy lamps (RFC 4235)."""
PACKAGES: Final = {package.name: package for package in (REG, DIALOG)}


class Event(NamedTuple):
    """The value of an Event header."""

    package: bytes
    params: Params

    def line(self) -> bytes:
        """Return the Event line of a NOTIFY: the package, and the id it was asked for with."""
        for name, value in self.params:
            if name == b"id" and value is not None:
                return b"Event: %b;id=%b" % (self.package, value)
        return b"Event: " + self.package

    def has(self, name: bytes) -> bool:
        """Whether it has a parameter of a lower-case name."""
        return any(known == name for known, _ in self.params)


def parse_event(value: bytes) -> Event:
    """Read the value of an Event header.

    Raises:
        PeerError: It is malformed, or empty; to be answered 489.
    """
    package, semicolon, rest = value.partition(b";")
    package = package.strip(b" \t")
    if not is_token(package):
        raise PeerError("the Event header names no package", rule=_RULE, status=489)
    try:
        params = parse_params(semicolon + rest, rule=_RULE)
    except PeerError as error:
        raise PeerError(error.what, rule=_RULE, status=489) from None
    return Event(package.lower(), params)


def accepts(values: list[bytes], media_type: bytes) -> bool:
    """Whether Accept headers allow a type; without any, the package's own is understood (§8.3).

    Args:
        values: The value of each Accept line.
        media_type: In lower case.
    """
    if not values:
        return True
    main = media_type.partition(b"/")[0]
    for value in values:
        for piece in split_values(value):
            accepted = piece.partition(b";")[0].strip(b" \t").lower()
            if accepted in (media_type, main + b"/*", b"*/*"):
                return True
    return False
