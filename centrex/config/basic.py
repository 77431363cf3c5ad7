"""`[basic]`: what an operator calls this instance and how its dashboard behaves.

It knows nothing of SIP.
"""

from pydantic import BaseModel, Field


class BasicSettings(BaseModel, frozen=True, extra="forbid"):
    """`[basic]`: name, folder and dashboard habits of one instance."""

    description: str = Field(
        "",
        max_length=200,
        title="Description",
        description="What this server is for, in your own words; shown in status and dashboard.",
        json_schema_extra={"effect": "live"},
    )
    start_engine: bool = Field(
        True,
        title="Start the engine",
        description="Start the engine when the dashboard opens.",
        json_schema_extra={"effect": "live"},
    )
    confirm_exit: bool = Field(
        True,
        title="Confirm exit",
        description="Ask before the dashboard stops an engine that has calls.",
        json_schema_extra={"effect": "live"},
    )
    activity_lines: int = Field(
        5000,
        ge=100,
        le=1_000_000,
        title="Activity log length",
        description="Lines kept in the activity log of the dashboard.",
        json_schema_extra={"effect": "live", "unit": "lines"},
    )
    state_dir: str = Field(
        "",
        title="State folder",
        description="Folder for the recovery file, bans and call records; empty for the usual one.",
        json_schema_extra={"effect": "restart", "kind": "folder"},
    )
    theme: str = Field(
        "",
        title="Theme",
        description="Colours of the dashboard, such as nord, gruvbox or textual-light; empty for dark ones.",
        json_schema_extra={"effect": "live"},
    )
