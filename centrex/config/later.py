"""Tables whose engine part comes with a later version: checked and kept, not yet acted upon.

Every key is marked `available: false`, so that the default file, `config show` and the manual can
say so. It refuses to guess what the later version will make of them.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic.config import JsonDict

from centrex.routing.settings import Pattern

_LATER: JsonDict = {"effect": "restart", "available": False}
_LATER_S: JsonDict = {"effect": "restart", "available": False, "unit": "s"}
_NOTHING = SecretStr("")


class Later(BaseModel, frozen=True, extra="forbid"):
    """What all these tables share: frozen, and no unknown keys."""


class InetAccount(Later, frozen=True):
    """`[[inet.accounts]]`: one account in the Global iNet directory."""

    login: str = Field(
        min_length=1, title="Account name", description="Account name.", json_schema_extra=_LATER
    )
    secret: SecretStr = Field(
        _NOTHING, title="Password", description="Its password.", json_schema_extra=_LATER
    )
    server: str = Field(
        "", title="Directory server", description="Directory server.", json_schema_extra=_LATER
    )
    local_user: str = Field(
        "", title="Local user", description="Who gets its calls.", json_schema_extra=_LATER
    )
    first_name: str = Field(
        "", title="First name", description="First name shown.", json_schema_extra=_LATER
    )
    last_name: str = Field(
        "", title="Last name", description="Last name shown.", json_schema_extra=_LATER
    )
    company: str = Field(
        "", title="Company", description="Company shown.", json_schema_extra=_LATER
    )
    enabled: bool = Field(
        True, title="Enabled", description="Keep it logged in.", json_schema_extra=_LATER
    )


class InetSettings(Later, frozen=True):
    """`[inet]`: Global iNet."""

    accounts: tuple[InetAccount, ...] = Field(
        (), title="Accounts", description="Accounts to keep logged in."
    )


class WanSettings(Later, frozen=True):
    """`[wan]`: how the public address is found."""

    enabled: bool = Field(
        False,
        title="WAN IP detection",
        description="Find the public address.",
        json_schema_extra=_LATER,
    )
    method: Literal["dns", "static", "http", "stun"] = Field(
        "stun", title="Method", description="By which means.", json_schema_extra=_LATER
    )
    host: str = Field(
        "", title="Host name", description="Name to look up (dns).", json_schema_extra=_LATER
    )
    address: str = Field(
        "",
        title="Static WAN address",
        description="The address itself (static).",
        json_schema_extra=_LATER,
    )
    url: str = Field(
        "", title="Web page", description="Page that shows it (http).", json_schema_extra=_LATER
    )
    url_user: str = Field(
        "", title="Web page login", description="Login for that page.", json_schema_extra=_LATER
    )
    url_secret: SecretStr = Field(
        _NOTHING,
        title="Web page password",
        description="Password for that page.",
        json_schema_extra=_LATER,
    )
    pattern: Pattern = Field(
        "",
        title="Address pattern",
        description="Regular expression that finds it there.",
        json_schema_extra=_LATER,
    )
    interval: int = Field(
        60,
        ge=5,
        le=86_400,
        title="Check interval",
        description="Time between two looks.",
        json_schema_extra=_LATER_S,
    )
    stun_servers: tuple[str, ...] = Field(
        (), title="STUN servers", description="STUN servers, host:port.", json_schema_extra=_LATER
    )


class PluginSettings(Later, frozen=True):
    """`[plugins]`: which plug-ins run and what they may cost."""

    enabled: bool = Field(
        True, title="Plug-ins", description="Run plug-ins.", json_schema_extra=_LATER
    )
    paths: tuple[str, ...] = Field(
        (), title="Plug-in folders", description="Folders with plug-ins.", json_schema_extra=_LATER
    )
    order: tuple[str, ...] = Field(
        (), title="Order", description="Names in order.", json_schema_extra=_LATER
    )
    budget_ms: int = Field(
        5,
        ge=1,
        le=10_000,
        title="Time budget",
        description="Time a hook may take.",
        json_schema_extra={"effect": "restart", "available": False, "unit": "ms"},
    )
    failures_allowed: int = Field(
        10,
        ge=1,
        le=1_000_000,
        title="Failures allowed",
        description="Failures before one is switched off.",
        json_schema_extra=_LATER,
    )
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        title="Plug-in settings",
        description="Each plug-in's own settings, by its name.",
        json_schema_extra=_LATER,
    )


class SiplogSettings(Later, frozen=True):
    """`[siplog]`: a record of every SIP message."""

    enabled: bool = Field(
        False, title="SIP logging", description="Record SIP messages.", json_schema_extra=_LATER
    )
    file: str = Field(
        "", title="Log file", description="File to record to.", json_schema_extra=_LATER
    )
    rotate_bytes: int = Field(
        104_857_600,
        ge=65_536,
        title="New file at",
        description="Size at which a new file is begun.",
        json_schema_extra={"effect": "restart", "available": False, "unit": "bytes"},
    )
    keep: int = Field(
        5,
        ge=0,
        le=10_000,
        title="Old files kept",
        description="Old files kept.",
        json_schema_extra=_LATER,
    )
    bodies: bool = Field(
        True, title="Record bodies", description="Record bodies too.", json_schema_extra=_LATER
    )
    redact: bool = Field(
        True, title="Blank credentials", description="Blank credentials.", json_schema_extra=_LATER
    )
    methods: tuple[str, ...] = Field(
        (),
        title="Methods",
        description="Only these methods; empty for all.",
        json_schema_extra=_LATER,
    )
    hep: str = Field(
        "",
        pattern=r"^(udp:.+:\d{1,5})?$",
        title="HEP3 collector",
        description="HEP3 collector, udp:host:port.",
        json_schema_extra=_LATER,
    )
    capture_id: int = Field(
        0,
        ge=0,
        le=4_294_967_295,
        title="HEP3 capture id",
        description="HEP3 capture id.",
        json_schema_extra=_LATER,
    )
