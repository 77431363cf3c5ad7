"""An event: something that happened, as a plain value. The text is made only for a reader."""

import enum
from collections.abc import Mapping
from typing import Final, TypeAlias

Field: TypeAlias = str | bytes | int | float


class Kind(enum.Enum):
    """The kinds that `[events]` switches on and off; errors are always on."""

    REGISTRATIONS = "registrations"
    AUTHENTICATION = "authentication"
    CALLS = "calls"
    ROUTING = "routing"
    SUBSCRIPTIONS = "subscriptions"
    MEDIA = "media"
    NETWORK = "network"
    GUARD = "guard"
    PLUGINS = "plugins"
    INET = "inet"
    DATABASE = "database"
    SIP_SUMMARY = "sip_summary"
    SERVER = "server"
    ERRORS = "errors"


BY_NAME: Final[Mapping[str, Kind]] = {"registration.refused": Kind.REGISTRATIONS}
"""Events that can be listened to closely by their names, without the others of their kind."""


class Severity(enum.IntEnum):
    """How much it matters to somebody who watches."""

    DEBUG = 10
    INFO = 20
    NOTICE = 25
    WARNING = 30
    ERROR = 40


class Event:
    """One thing that happened. Plain and slotted: some are made for every call.

    Attributes:
        kind: Which switch of `[events]` governs it.
        severity: How much it matters.
        name: What happened, dotted and stable: `call.answered`, `registration.added`.
        fields: The facts, in a fixed order; a source address is always `src` and comes first.
            Bytes are untrusted text from the wire.
        call_id: The Call-ID it speaks of, or empty.
    """

    __slots__ = ("call_id", "fields", "kind", "name", "severity")

    def __init__(
        self,
        kind: Kind,
        severity: Severity,
        name: str,
        fields: Mapping[str, Field],
        call_id: bytes = b"",
    ) -> None:
        self.kind, self.severity, self.name = kind, severity, name
        self.fields, self.call_id = fields, call_id

    def __repr__(self) -> str:
        return f"Event({self.name} {dict(self.fields)!r})"
