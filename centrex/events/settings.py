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
        description="Phones that register and leave; with level debug also that refresh.",
        json_schema_extra=_LIVE,
    )
    authentication: bool = Field(
        True, description="Refused logins and why.", json_schema_extra=_LIVE
    )
    calls: bool = Field(
        True,
        description="Calls that end or fail; with level debug also that start and are answered.",
        json_schema_extra=_LIVE,
    )
    routing: bool = Field(
        True, description="Where calls are sent and what was tried.", json_schema_extra=_LIVE
    )
    subscriptions: bool = Field(
        True, description="Phones that watch the directory.", json_schema_extra=_LATER
    )
    media: bool = Field(True, description="Media relays and sessions.", json_schema_extra=_LIVE)
    network: bool = Field(
        True, description="Listeners, connections and addresses.", json_schema_extra=_LIVE
    )
    guard: bool = Field(
        True, description="Sources limited, banned and released.", json_schema_extra=_LIVE
    )
    plugins: bool = Field(True, description="What plug-ins report.", json_schema_extra=_LATER)
    inet: bool = Field(True, description="Global iNet accounts.", json_schema_extra=_LATER)
    database: bool = Field(True, description="The database store.", json_schema_extra=_LATER)
    sip_summary: bool = Field(
        False, description="One line for every SIP message; costs speed.", json_schema_extra=_LIVE
    )
    file: str = Field(
        "",
        description="File the events are appended to; empty for standard error.",
        json_schema_extra={"effect": "live", "kind": "file"},
    )
    level: Literal["debug", "info", "notice", "warning", "error"] = Field(
        "info",
        description="Least severity written to the log.",
        json_schema_extra=_LIVE,
    )
    format: Literal["text", "json"] = Field(
        "text",
        description="Lines to read, or one JSON object a line.",
        json_schema_extra=_LIVE,
    )
