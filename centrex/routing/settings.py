"""`[directory]` and `[routing]`: standing names, plans, gateways.

It declares and bounds the values; what a plan makes of a call is for `plans` and `hunt`.
"""

import re
import zoneinfo
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator
from pydantic.config import JsonDict

from centrex.base import PeerError
from centrex.base.address import split_address
from centrex.routing.patterns import NotRe2, compile_pattern
from centrex.routing.times import parse_times
from centrex.sip.uri import SipUri, parse_uri

_CALLS: Final = "calls that begin later follow it"
_LIVE: JsonDict = {"effect": "live", "calls": _CALLS}
_LIVE_S: JsonDict = {"effect": "live", "calls": _CALLS, "unit": "s"}
_GATEWAY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
GROUP: Final = re.compile(r"\\(\d|g<\d>)")
"""Where a destination wants a group of its pattern: `\\1`, or `\\g<1>`; 0 is the whole number."""


class _Table(BaseModel, frozen=True, extra="forbid"):
    """What these tables share: frozen, and no unknown keys."""


def _pattern(text: str) -> str:
    if text:
        try:
            compile_pattern(text)
        except NotRe2 as error:
            raise ValueError(str(error)) from None
    return text


def _times(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        parse_times(text)
    return value


def _zone(name: str) -> str:
    if name:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone, such as Europe/Berlin") from None
    return name


def _destination(text: str) -> str:
    if not text or re.search(r"[\s<>\"]", GROUP.sub("0", text)):
        raise ValueError("must be a user, a number or a URI, without spaces and brackets")
    if re.match(r"sips?:", text, re.IGNORECASE):
        filled = GROUP.sub("0", text)
        try:
            uri = parse_uri(filled.encode())
        except PeerError as error:
            raise ValueError(f"is no SIP URI: {error.what}") from None
        if not isinstance(uri, SipUri) or not uri.host:
            raise ValueError("is no SIP URI")
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        raise ValueError("must begin with sip: or sips:, or be a user or a number")
    elif text.startswith("@"):
        raise ValueError(f"has no number before {text}; \\0{text} hands on the one called")
    return text


def _address(text: str) -> str:
    if not re.match(r"sips?:", text, re.IGNORECASE):
        raise ValueError("must begin with sip: or sips:")
    uri = parse_uri(text.encode()) if _destination(text) else None
    if not isinstance(uri, SipUri) or uri.user:
        raise ValueError("must name a host and no user, such as sip:gw.example.com:5060")
    return text


def _contact(text: str) -> str:
    try:
        uri = parse_uri(text.encode()) if text else None
    except PeerError as error:
        raise ValueError(f"is no SIP URI: {error.what}") from None
    if uri is not None and not isinstance(uri, SipUri):
        raise ValueError("is no SIP URI")
    return text


def _gateway_name(value: str) -> str:
    if value and not _GATEWAY_NAME.fullmatch(value):
        raise ValueError("may have letters, digits, - and _")
    return value


def _listen(text: str) -> str:
    if text:
        split_address(text)
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
Destination = Annotated[str, AfterValidator(_destination)]


def _step(value: "str | Step") -> "str | Step":
    return _destination(value) if isinstance(value, str) else value


class DirectoryEntry(_Table, frozen=True):
    """`[[directory.entries]]`: a name that is always in the directory."""

    name: str = Field(
        min_length=1,
        max_length=200,
        title="Name",
        description="User or extension; known whether or not a phone is registered.",
        json_schema_extra=_LIVE,
    )
    display: str = Field(
        "", title="Display name", description="Name shown.", json_schema_extra=_LIVE
    )
    company: str = Field("", title="Company", description="Company shown.", json_schema_extra=_LIVE)
    note: str = Field("", title="Note", description="Your own note.", json_schema_extra=_LIVE)
    contact: Annotated[str, AfterValidator(_contact)] = Field(
        "",
        pattern=r"^(sips?:[^\s<>]+)?$",
        title="Fixed contact",
        description="SIP URI where it is reached, beside the phones that register.",
        json_schema_extra=_LIVE,
    )
    enabled: bool = Field(
        True,
        title="Enabled",
        description="Keep it listed; otherwise it is not known.",
        json_schema_extra=_LIVE,
    )


class DirectorySettings(_Table, frozen=True):
    """`[directory]`: the standing entries of the phone directory."""

    entries: tuple[DirectoryEntry, ...] = Field(
        (), title="Standing names", description="Names that are always known."
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "",
        title="Phone book",
        description="Address desk phones read the directory from by HTTP, as 192.0.2.1:8080; empty "
        "for none. Whoever reaches it may read it.",
        json_schema_extra={"effect": "restart"},
    )


class Step(_Table, frozen=True):
    """One destination of a plan with settings of its own."""

    to: Destination = Field(
        title="Destination",
        description="User, extension, number@gateway, or SIP URI.",
        json_schema_extra=_LIVE,
    )
    ring: int = Field(
        0,
        ge=0,
        le=3600,
        title="Ring time",
        description="How long it rings; 0 for what [timeouts] says.",
        json_schema_extra=_LIVE_S,
    )
    expand: bool = Field(
        False,
        title="Follow its plan",
        description="Put the destination's own plan in its place, if it has one.",
        json_schema_extra=_LIVE,
    )


class Plan(_Table, frozen=True):
    """`[[routing.plans]]`: where calls for a user, or for numbers of a form, go."""

    name: str = Field(
        "", title="Name", description="Exact user or extension.", json_schema_extra=_LIVE
    )
    pattern: Pattern = Field(
        "",
        title="Pattern",
        description="Regular expression (RE2) for the whole number, instead of a name.",
        json_schema_extra=_LIVE,
    )
    destinations: tuple[Annotated[str | Step, AfterValidator(_step)], ...] = Field(
        (),
        max_length=1000,
        title="Destinations",
        description="Tried in this order; \\1 inserts a group, \\0 the whole number.",
        json_schema_extra=_LIVE,
    )
    times: Annotated[tuple[str, ...], AfterValidator(_times)] = Field(
        (),
        max_length=64,
        title="Times",
        description='When it applies, such as "mon-fri 08:00-18:00" or "2026-12-24..2026-12-26"; '
        "none for always.",
        json_schema_extra=_LIVE,
    )
    strangers: bool = Field(
        False,
        title="Open to strangers",
        description="Let a pattern lead callers who did not log in to other servers.",
        json_schema_extra=_LIVE,
    )
    enabled: bool = Field(
        True, title="Enabled", description="Use this plan.", json_schema_extra=_LIVE
    )
    note: str = Field("", title="Note", description="Your own note.", json_schema_extra=_LIVE)

    @model_validator(mode="after")
    def _one_key(self) -> "Plan":
        if bool(self.name) == bool(self.pattern):
            raise ValueError("needs either a name or a pattern, and not both")
        groups = compile_pattern(self.pattern).groups if self.pattern else 0
        for step in self.destinations:
            text = step if isinstance(step, str) else step.to
            wanted = max((int(found[1].strip("g<>")) for found in GROUP.finditer(text)), default=0)
            if wanted > groups:
                raise ValueError(f"has no group {wanted}, which {text} wants")
        return self


class Gateway(_Table, frozen=True):
    """`[[routing.gateways]]`: a way out, such as to the telephone network."""

    name: Annotated[str, AfterValidator(_gateway_name)] = Field(
        min_length=1,
        title="Name",
        description='What destinations call it: "\\1@NAME".',
        json_schema_extra=_LIVE,
    )
    addresses: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        min_length=1,
        max_length=16,
        title="Addresses",
        description="SIP URIs without a user; the next one is tried when one cannot be reached.",
        json_schema_extra=_LIVE,
    )
    login: str = Field(
        "",
        title="Login",
        description="Login at the gateway, if it asks for one.",
        json_schema_extra=_LIVE,
    )
    password: SecretStr = Field(
        SecretStr(""),
        title="Password",
        description="Its password.",
        json_schema_extra=_LIVE,
    )
    check_interval: int = Field(
        30,
        ge=0,
        le=3600,
        title="Check interval",
        description="How often OPTIONS asks whether an address is there; 0 for never. Gone is one "
        "that answers two in a row not within 5 s.",
        json_schema_extra={**_LIVE_S, "zero": "never"},
    )
    enabled: bool = Field(True, title="Enabled", description="Use it.", json_schema_extra=_LIVE)
    note: str = Field("", title="Note", description="Your own note.", json_schema_extra=_LIVE)


class RoutingSettings(_Table, frozen=True):
    """`[routing]`: the plans and the gateways."""

    plans: tuple[Plan, ...] = Field(
        (),
        title="Routing plans",
        description="Exact names first, then patterns in their order; the first that fits decides.",
    )
    gateways: tuple[Gateway, ...] = Field(
        (), title="Gateways", description="Ways to other networks, named in destinations."
    )
    redirects: Literal["pass", "follow"] = Field(
        "pass",
        title="Redirections",
        description="Where a destination sends the call elsewhere (3xx): pass has the plan's next one "
        "ring, and tells the caller if there is none; follow rings there first.",
        json_schema_extra=_LIVE,
    )
    decline_ends: bool = Field(
        False,
        title="Declining ends the hunt",
        description="A destination that declines (603) ends the hunt; otherwise the next one rings.",
        json_schema_extra=_LIVE,
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "",
        title="Time zone",
        description="Time zone of the plans' times, such as Europe/Berlin; empty for this machine's.",
        json_schema_extra=_LIVE,
    )
