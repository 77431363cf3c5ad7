"""`[timeouts]`: how long each stage of a call may last.

It holds the numbers; the timers that use them belong to the proxy.
"""

from pydantic import BaseModel, Field


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[timeouts]`: the patience of a call, stage by stage."""

    rollover: int = Field(
        20,
        ge=1,
        le=3600,
        title="Call rollover timeout",
        description="How long each destination rings before the next one is tried.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    start_response: int = Field(
        5,
        ge=1,
        le=32,
        title="Call start timeout",
        description="How long a destination may stay silent before it counts as unavailable.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    final_answer: int = Field(
        120,
        ge=1,
        le=3600,
        title="Final answer timeout",
        description="How long the last or only destination rings.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    call_maximum: int = Field(
        0,
        ge=0,
        le=604_800,
        title="Longest call set-up",
        description="Longest time until a call is answered, over all destinations; 0 for no limit.",
        json_schema_extra={"effect": "live", "unit": "s", "zero": "none"},
    )
