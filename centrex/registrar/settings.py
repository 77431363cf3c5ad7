"""`[registrar]`: how registrations are accepted and kept (RFC 3261 §10.3).

It declares and bounds the values; that the expiry times agree with each other is checked with the
whole configuration.
"""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[registrar]`: how long a binding may live, how many there may be, where they are kept."""

    name: str = Field(
        "registrar",
        pattern=r"^[A-Za-z0-9\-_.!~*'()&=+$,;?/%]+$",
        max_length=64,
        title="Registrar name",
        description="User part under which the registrar itself is reached: sip:NAME@domain.",
        json_schema_extra={"effect": "live"},
    )
    case_sensitive: bool = Field(
        False,
        title="Case-sensitive names",
        description="Treat user names that differ only in case as different users.",
        json_schema_extra={"effect": "restart", "calls": "phones may have to register anew"},
    )
    default_expires: int = Field(
        3600,
        ge=1,
        le=4_294_967_295,
        title="Default interval",
        description="Life of a registration that asks for none.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    min_expires: int = Field(
        60,
        ge=1,
        le=4_294_967_295,
        title="Shortest interval",
        description="Shorter requests are answered 423.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    max_expires: int = Field(
        86400,
        ge=1,
        le=4_294_967_295,
        title="Longest interval",
        description="Longer requests are cut to this.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    max_contacts: int = Field(
        10,
        ge=1,
        le=1000,
        title="Contacts for a user",
        description="Registrations kept for one user.",
        json_schema_extra={"effect": "live"},
    )
    store: Literal["memory", "database"] = Field(
        "memory",
        title="Registry",
        description="Where registrations live; a database lets several servers share them.",
        json_schema_extra={"effect": "restart", "calls": "phones may have to register anew"},
    )
    recovery_changes: int = Field(
        100,
        ge=1,
        le=1_000_000,
        title="Recovery after changes",
        description="Write the recovery file after that many changed registrations.",
        json_schema_extra={"effect": "live", "unit": "changes"},
    )
    recovery_interval: int = Field(
        10,
        ge=1,
        le=86_400,
        title="Recovery interval",
        description="Write the recovery file at least that often while there are changes.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    database: SecretStr = Field(
        SecretStr(""),
        title="Database",
        description="Database URL: sqlite:///FILE, postgresql://…, mysql://… or odbc://DSN.",
        json_schema_extra={"effect": "restart", "available": False},
    )
