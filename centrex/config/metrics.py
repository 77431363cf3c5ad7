"""`[metrics]`: where figures are served to Prometheus.

It knows the address, and nothing of the figures.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from centrex.base.address import split_address


def _address(text: str) -> str:
    if text:
        split_address(text)
    return text


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[metrics]`: figures for Prometheus."""

    listen: Annotated[str, AfterValidator(_address)] = Field(
        "",
        title="Listen on",
        description="Address they are served on at /metrics, as 127.0.0.1:9090; empty for none. "
        "Whoever reaches it may read them.",
        json_schema_extra={"effect": "restart"},
    )
