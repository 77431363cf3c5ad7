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
_quote: Final = json.encoder.encode_basestring_ascii

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
        length: How many octets stand before such a line.
    """

    __slots__ = ("damaged", "known", "length", "torn", "users")

    def __init__(self) -> None:
        self.users: dict[str, Rows] = {}
        self.known = self.torn = False
        self.damaged = self.length = 0


def write_line(users: Iterable[tuple[bytes, Sequence[Binding]]], now: Instant, utc: float) -> bytes:
    """Write one line that says everything about some users.

    Args:
        users: The users with all their bindings.
        now: Monotonic seconds.
        utc: The same moment in seconds since 1970.
    """
    ahead = utc - now
    texts = [
        f"[{_text(user)},[{','.join([_row(one, ahead) for one in bindings])}]]"
        for user, bindings in users
    ]
    line = f"[{','.join(texts)}]".encode()
    return b"%b %b\n" % (_sum(line), line)


def read(lines: Iterable[bytes]) -> Image:
    """Read a whole file, as far as it can be trusted; raises nothing of its own.

    Args:
        lines: With their line feeds, as a file opened for reading gives them.
    """
    image = Image()
    rest = iter(lines)
    if next(rest, b"") != HEADER:
        return image
    image.known, image.length = True, len(HEADER)
    for line in rest:
        if not line.endswith(b"\n"):
            image.torn = True
            break
        image.length += len(line)
        text = line[_SUM + 1 : -1]
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
        expires = row[3]
        if expires <= utc:
            continue
        contact, params, q, _, call_id, cseq, transport, host, port, local, *rest = row
        path, user_agent, registered, instance, reg_id, natted = rest
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
                path=tuple([one.encode("latin-1") for one in path]) if path else (),
                user_agent=user_agent.encode("latin-1"),
                instance=instance.encode("latin-1"),
                reg_id=reg_id,
                natted=natted,
            )
        )
    return alive, len(rows) - len(alive)


def _text(value: bytes) -> str:
    return _quote(value.decode("latin-1"))


def _row(one: Binding, ahead: float) -> str:
    """Write a binding as JSON: by hand, which takes two thirds of the time of `json.dumps`."""
    flow, path = one.flow, one.path
    where = '"","",0,""'
    if flow is not None:
        sent_by = flow.local.sent_by.decode()
        where = f'"{flow.transport.value}",{_quote(flow.host)},{flow.port},{_quote(sent_by)}'
    return (
        f"[{_text(one.contact)},{_text(one.params)},{one.q},{one.expires_at + ahead:.3f},"
        f"{_text(one.call_id)},{one.cseq},{where},"
        f"[{','.join([_text(value) for value in path]) if path else ''}],"
        f"{_text(one.user_agent)},{one.registered_at + ahead:.3f},{_text(one.instance)},"
        f"{one.reg_id},{'true' if one.natted else 'false'}]"
    )


def _take(text: bytes, users: dict[str, Rows]) -> bool:
    """Add a line's users to those known; return False if it is not the shape we write."""
    try:
        found = json.loads(text)
        lines = [(str(user), rows) for user, rows in found if _checked(rows)]
    except (ValueError, TypeError, RecursionError):
        return False
    for user, rows in lines:
        if rows:
            users[user] = rows
        else:
            users.pop(user, None)
    return True


_KINDS: Final = (
    *(str, str, int, float, str, int),
    *(str, str, int, str),
    *(list, str, float, str, int, bool),
)
_PATH: Final = _KINDS.index(list)


def _checked(rows: Any) -> bool:
    """Return True for the rows of a user; raise the errors of a line that is none of ours."""
    if type(rows) is not list:
        raise TypeError("a user has no list of rows")
    for row in rows:
        if tuple(map(type, row)) != _KINDS:
            raise TypeError("a row has not the columns it must have")
        path = row[_PATH]
        if path and not all(type(value) is str for value in path):
            raise TypeError("a path is not made of texts")
    return True


def _sum(text: bytes) -> bytes:
    return hashlib.blake2b(text, digest_size=_SUM // 2).hexdigest().encode()
