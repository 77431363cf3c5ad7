"""The recovery image: users and their bindings as lines, each with its own checksum.

A line holds some users with everything they have; a later line about a user overrules an earlier
one, and a user with no bindings has gone. So the same lines are snapshot and journal, and what is
torn off the end costs only itself. Times in it are UTC. Files are the business of
`centrex.runtime`; there is no secret in a binding.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from centrex.base import Flow, Instant
from centrex.registrar.binding import Binding

HEADER: Final = b"centrex-recovery 1\n"
"""The first line: what it is, and in which version."""

_SUM: Final = 16
_COLUMNS: Final = 16

FlowOf: TypeAlias = Callable[[str, str, int, str], Flow | None]
"""From transport, remote host, remote port and our own `host:port` to a flow, if it can be had."""

Rows: TypeAlias = list[list[Any]]
"""The bindings of one user as they stand in the image."""


class Image:
    """What a file holds.

    Attributes:
        users: Each user's rows, those without any left out.
        known: Whether it begins as it must; if not, nothing else was looked at.
        damaged: How many whole lines are not what was written.
        torn: Whether the last line has no end: the writer was stopped in the middle of it.
    """

    __slots__ = ("damaged", "known", "torn", "users")

    def __init__(self) -> None:
        self.users: dict[str, Rows] = {}
        self.known = self.torn = False
        self.damaged = 0


def write_line(users: Iterable[tuple[bytes, Sequence[Binding]]], now: Instant, utc: float) -> bytes:
    """Write one line that says everything about some users.

    Args:
        users: The users with all their bindings.
        now: Monotonic seconds.
        utc: The same moment in seconds since 1970.
    """
    ahead = utc - now
    rows = [
        (user.decode("latin-1"), [_row(one, ahead) for one in bindings]) for user, bindings in users
    ]
    text = json.dumps(rows, separators=(",", ":"), check_circular=False).encode()
    return b"%b %b\n" % (_sum(text), text)


def read(data: bytes) -> Image:
    """Read a whole file, as far as it can be trusted; raises nothing."""
    image = Image()
    if not data.startswith(HEADER):
        return image
    image.known = True
    lines = data[len(HEADER) :].split(b"\n")
    image.torn = bool(lines.pop())
    for line in lines:
        text = line[_SUM + 1 :]
        if line[: _SUM + 1] != _sum(text) + b" " or not _take(text, image.users):
            image.damaged += 1
    return image


def revive(rows: Rows, now: Instant, utc: float, flow_of: FlowOf) -> tuple[list[Binding], int]:
    """Make bindings of one user's rows.

    Args:
        rows: From `Image.users`.
        now: Monotonic seconds.
        utc: The same moment in seconds since 1970.
        flow_of: Finds the path again; where it cannot, the binding has none.

    Returns:
        The bindings that are alive, and how many have expired meanwhile.
    """
    back = now - utc
    alive = []
    for row in rows:
        contact, params, q, expires, call_id, cseq, transport, host, port, local = row[:10]
        path, user_agent, registered, instance, reg_id, natted = row[10:]
        if expires <= utc:
            continue
        alive.append(
            Binding(
                contact.encode("latin-1"),
                params.encode("latin-1"),
                q=q,
                expires_at=expires + back,
                call_id=call_id.encode("latin-1"),
                cseq=cseq,
                flow=flow_of(transport, host, port, local) if transport else None,
                registered_at=registered + back,
                path=tuple(one.encode("latin-1") for one in path),
                user_agent=user_agent.encode("latin-1"),
                instance=instance.encode("latin-1"),
                reg_id=reg_id,
                natted=natted,
            )
        )
    return alive, len(rows) - len(alive)


def _row(one: Binding, ahead: float) -> tuple[Any, ...]:
    flow = one.flow
    where: tuple[Any, ...] = ("", "", 0, "")
    if flow is not None:
        where = (flow.transport.value, flow.host, flow.port, flow.local.sent_by.decode())
    return (
        one.contact.decode("latin-1"),
        one.params.decode("latin-1"),
        one.q,
        round(one.expires_at + ahead, 3),
        one.call_id.decode("latin-1"),
        one.cseq,
        *where,
        [value.decode("latin-1") for value in one.path],
        one.user_agent.decode("latin-1"),
        round(one.registered_at + ahead, 3),
        one.instance.decode("latin-1"),
        one.reg_id,
        one.natted,
    )


def _take(text: bytes, users: dict[str, Rows]) -> bool:
    """Add a line's users to those known; return False if it is not the shape we write."""
    try:
        found = json.loads(text)
        lines = [(str(user), [_checked(row) for row in rows]) for user, rows in found]
    except (ValueError, TypeError, RecursionError):
        return False
    for user, rows in lines:
        users.pop(user, None)
        if rows:
            users[user] = rows
    return True


_KINDS: Final[tuple[tuple[type, ...], ...]] = (
    (str,), (str,), (int,), (int, float), (str,), (int,),
    (str,), (str,), (int,), (str,),
    (list,), (str,), (int, float), (str,), (int,), (bool,),
)  # fmt: skip


def _checked(row: Any) -> list[Any]:
    if not isinstance(row, list) or len(row) != _COLUMNS:
        raise ValueError("a row has not the columns it must have")
    if not all(isinstance(value, kinds) for value, kinds in zip(row, _KINDS, strict=True)):
        raise TypeError("a column has not the type it must have")
    return row


def _sum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_SUM // 2).hexdigest().encode()
