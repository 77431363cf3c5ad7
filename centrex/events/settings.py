"""`[events]`: which kinds of events are written, where, and in which form.

Errors are always written. It knows the switches, not the events behind them.
"""

from typing import Literal

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

_LIVE: JsonDict = {"effect": "live"}
_LATER: JsonDict = {"effect": "live", "available": False}


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[events]`: one switch per kind of event; errors are always on."""

    registrations: bool = Field(
        True,
        title="Registrations",
        description="Phones that register and leave; with level debug also that refresh.",
        json_schema_extra=_LIVE,
    )
    authentication: bool = Field(
        True, title="Authentication", description="Refused logins and why.", json_schema_extra=_LIVE
    )
    calls: bool = Field(
        True,
        title="Calls",
        description="Calls that end or fail; with level debug also that start and are answered.",
        json_schema_extra=_LIVE,
    )
    routing: bool = Field(
        True,
        title="Routing",
        description="Where calls are sent and what was tried.",
        json_schema_extra=_LIVE,
    )
    subscriptions: bool = Field(
        True,
        title="Subscriptions",
        description="Watchers of registrations and calls, as they begin and end.",
        json_schema_extra=_LIVE,
    )
    media: bool = Field(
        True, title="Media", description="Media relays and sessions.", json_schema_extra=_LIVE
    )
    network: bool = Field(
        True,
        title="Network",
        description="Listeners, connections and addresses.",
        json_schema_extra=_LIVE,
    )
    guard: bool = Field(
        True,
        title="Flood guard",
        description="Sources limited, banned and released.",
        json_schema_extra=_LIVE,
    )
    plugins: bool = Field(
        True, title="Plug-ins", description="What plug-ins report.", json_schema_extra=_LATER
    )
    inet: bool = Field(
        True, title="Global iNet", description="Global iNet accounts.", json_schema_extra=_LATER
    )
    database: bool = Field(
        True, title="Database", description="The database store.", json_schema_extra=_LATER
    )
    sip_summary: bool = Field(
        False,
        title="SIP summary",
        description="One line for every SIP message; costs speed.",
        json_schema_extra=_LIVE,
    )
    file: str = Field(
        "",
        title="Event file",
        description="File the events are appended to; empty for standard error.",
        json_schema_extra={"effect": "live", "kind": "file"},
    )
    level: Literal["debug", "info", "notice", "warning", "error"] = Field(
        "info",
        title="Least severity",
        description="Least severity written to the log.",
        json_schema_extra=_LIVE,
    )
    format: Literal["text", "json"] = Field(
        "text",
        title="Format",
        description="Lines to read, or one JSON object a line.",
        json_schema_extra=_LIVE,
    )
