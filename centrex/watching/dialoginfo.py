"""Documents of the `dialog` package: a user's calls, for busy lamps (RFC 4235 §4).

Each document tells all calls of a user, and those that have just ended: its state is always full.
Neither Call-ID nor tags are told: whoever has them could speak in the call's name.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from centrex.watching.markup import HEAD, text

TRYING: Final = b"trying"
EARLY: Final = b"early"
CONFIRMED: Final = b"confirmed"
TERMINATED: Final = b"terminated"

INITIATOR: Final = b"initiator"
RECIPIENT: Final = b"recipient"

CANCELLED: Final = b"cancelled"
REJECTED: Final = b"rejected"
TIMEOUT: Final = b"timeout"
LOCAL_BYE: Final = b"local-bye"
REMOTE_BYE: Final = b"remote-bye"

_ROOT: Final = (
    b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="%d" state="full"'
    b' entity="%b">\n%b</dialog-info>\n'
)


class Lamp(NamedTuple):
    """One call as one of its users has it."""

    id: bytes
    direction: bytes
    remote: bytes
    """The URI of whom he talks to."""
    state: bytes
    event: bytes = b""
    """Why it ended; empty while it has not."""


def lamp_id(call_id: bytes, direction: bytes) -> bytes:
    """Return what names a call in all documents about one of its users."""
    mark = hashlib.blake2b(b"%b\n%b" % (direction, call_id), digest_size=8)
    return b"d" + mark.hexdigest().encode()


def document(version: int, entity: bytes, lamps: Iterable[Lamp], *, trusted: bool) -> bytes:
    """Return a whole document.

    Args:
        version: Its number.
        entity: The user's URI.
        lamps: All his calls.
        trusted: Whether the watcher may know whom he talks to.
    """
    dialogs = b"".join([_dialog(lamp, trusted=trusted) for lamp in lamps])
    return HEAD + _ROOT % (version, text(entity), dialogs)


def _dialog(lamp: Lamp, *, trusted: bool) -> bytes:
    event = b' event="%b"' % lamp.event if lamp.event else b""
    remote = b""
    if trusted and lamp.remote:
        remote = b"<remote><identity>%b</identity></remote>" % text(lamp.remote)
    return b'<dialog id="%b" direction="%b"><state%b>%b</state>%b</dialog>\n' % (
        lamp.id, lamp.direction, event, lamp.state, remote,
    )  # fmt: skip
