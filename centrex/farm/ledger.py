"""What a relay writes down of its sessions, for the relay that comes after it.

Where a relay and its proxy are killed at once, nobody else knows them. The records are the proxy's own
messages, each behind one that tells whose it is. It knows no files.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from centrex.base import PeerError
from centrex.farm import wire
from centrex.media.terms import Session

_STALE: Final = 1_048_576
"""Octets up to which it may grow, however little of it still holds."""


class Entered(NamedTuple):
    """A session that was written down."""

    proxy: str
    boot: str
    """The run of the proxy that told it last."""
    session: Session
    record: bytes


class Ledger:
    """The sessions there are, as what is to be written of them."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}
        self._fresh: list[bytes] = []
        self._holds = self._written = 0

    def put(self, name: str, record: bytes) -> None:
        """A session begins, or has changed.

        Args:
            name: Its name.
            record: What `record_of` makes of it.
        """
        self._holds += len(record) - len(self._records.get(name, b""))
        self._records[name] = record
        self._fresh.append(record)

    def end(self, name: str) -> None:
        """A session is over."""
        record = self._records.pop(name, None)
        if record is not None:
            self._holds -= len(record)
            self._fresh.append(wire.encode("end", id=name))

    def fresh(self) -> bytes:
        """Return, once, what is to be added to what was written."""
        added = b"".join(self._fresh)
        self._fresh.clear()
        self._written += len(added)
        return added

    @property
    def is_long(self) -> bool:
        """Whether most of what was written does not hold any more."""
        return self._written > _STALE + 2 * self._holds

    def whole(self) -> bytes:
        """Return all that holds, to be written in place of what was."""
        self._fresh.clear()
        self._written = self._holds
        return b"".join(self._records.values())


def heading(proxy: str, boot: str) -> bytes:
    """Return what tells whose a message is."""
    return wire.encode("of", proxy=proxy, boot=boot)


def record_of(head: bytes, line: bytes) -> bytes:
    """Return what is written of a session: whose it is, and the message that told it."""
    return head + line.rstrip(b"\n") + b"\n"


def entered(data: bytes) -> Iterator[Entered]:
    """Yield the sessions that hold in what was written; what cannot be read of it is left out."""
    found: dict[str, Entered] = {}
    head, proxy, boot = b"", "", ""
    for line in data.splitlines(keepends=True):
        try:
            message = wire.decode(line)
            if message["t"] == "of":
                proxy, boot = wire.text(message, "proxy"), wire.text(message, "boot")
                head = line
            elif message["t"] == "put":
                session = wire.to_session(message.get("session"))
                found[session.id] = Entered(proxy, boot, session, record_of(head, line))
            elif message["t"] == "end":
                found.pop(wire.text(message, "id"), None)
        except PeerError:
            continue  # the last line of a relay that was killed may be torn
    yield from (one for one in found.values() if one.proxy)
