"""A binding: one place where a user can be reached, as a registration left it.

It keeps what the phone said byte for byte, and the path by which it said it. How bindings come and
go is for `register`; where they are kept, for `registry`.
"""

import enum
from collections.abc import Iterable
from typing import Final

from centrex.base import Flow, Instant

_SHARED_BOUND: Final = 1024
_AGENT_OCTETS: Final = 128

_shared: dict[bytes, bytes] = {}


class Binding:
    """One contact of one user. Built once, never changed; a refresh makes a new one.

    Attributes:
        contact: The Contact URI as given.
        params: Its header parameters as given, without `q` and `expires`; empty, or from a `;` on.
        q: Preference in thousandths, 0 to 1000; 1000 where none was given.
        expires_at: When it ends.
        call_id: The Call-ID of the registration.
        cseq: The CSeq number it came with.
        flow: The path it came by; None where that is gone, as a connection is after a restart.
        natted: Whether only that path leads there: the phone is behind NAT, or on a connection.
        path: The Path values (RFC 3327), the topmost first.
        user_agent: The User-Agent value, cut to 128 octets; equal ones are one object.
        registered_at: When it was last registered or refreshed.
        instance: The device's `+sip.instance` without quotes (RFC 5626 §4.1), or empty.
        reg_id: Its `reg-id`; 0 for none.
    """

    __slots__ = (
        "call_id",
        "contact",
        "cseq",
        "expires_at",
        "flow",
        "instance",
        "natted",
        "params",
        "path",
        "q",
        "reg_id",
        "registered_at",
        "user_agent",
    )

    def __init__(
        self,
        contact: bytes,
        params: bytes,
        *,
        q: int,
        expires_at: Instant,
        call_id: bytes,
        cseq: int,
        flow: Flow | None,
        registered_at: Instant,
        path: tuple[bytes, ...] = (),
        user_agent: bytes = b"",
        natted: bool = False,
        instance: bytes = b"",
        reg_id: int = 0,
    ) -> None:
        self.contact, self.params, self.q = contact, params, q
        self.expires_at, self.registered_at = expires_at, registered_at
        self.call_id, self.cseq, self.flow = call_id, cseq, flow
        self.natted = natted
        self.path, self.user_agent = path, shared(user_agent[:_AGENT_OCTETS])
        self.instance, self.reg_id = instance, reg_id

    def __repr__(self) -> str:
        return f"Binding({self.contact!r} until {self.expires_at:.0f})"


class ChangeKind(enum.Enum):
    """What a registration did to one binding."""

    ADDED = "added"
    REFRESHED = "refreshed"
    REMOVED = "removed"


class Change:
    """One binding that came, was replaced, or went.

    Attributes:
        kind: Which of them.
        binding: The new binding; of a removal, the one removed.
        previous: The binding that was there before; None of an addition.
    """

    __slots__ = ("binding", "kind", "previous")

    def __init__(self, kind: ChangeKind, binding: Binding, previous: Binding | None) -> None:
        self.kind, self.binding, self.previous = kind, binding, previous

    def __repr__(self) -> str:
        return f"Change({self.kind.value} {self.binding!r})"


def in_order(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    """Sort bindings as they are tried: the highest q first, among equals the newest."""
    some = tuple(bindings)
    if len(some) < 2:
        return some
    return tuple(sorted(some, key=lambda one: (-one.q, -one.registered_at)))


def shared(value: bytes) -> bytes:
    """Return one object for equal values, for a bounded number of them."""
    known = _shared.get(value)
    if known is not None:
        return known
    if len(_shared) < _SHARED_BOUND:
        _shared[value] = value
    return value
