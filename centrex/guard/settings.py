"""`[network.guard]`: how much one source address may ask of the server.

The defaults are chosen for an office of some hundred phones behind one NAT address: 50 requests a
second with bursts of 200 let all of them register again after a power cut, while a scanner that
tries thousands of passwords is stopped within the minute. Sites with larger NATs put them into
`exempt`. This module decides nothing; the guard does.
"""

import ipaddress

from pydantic import BaseModel, Field, field_validator


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[network.guard]`: protection against floods and password guessing, per source address."""

    enabled: bool = Field(
        True,
        title="Flood protection",
        description="Limit what a single source address may send.",
        json_schema_extra={"effect": "live"},
    )
    requests_per_second: int = Field(
        50,
        ge=1,
        le=1_000_000,
        title="Requests a second",
        description="Requests a second one source may send for any length of time.",
        json_schema_extra={"effect": "live", "unit": "requests/s"},
    )
    burst: int = Field(
        200,
        ge=1,
        le=10_000_000,
        title="Burst",
        description="Requests one source may send at once before the rate applies.",
        json_schema_extra={"effect": "live", "unit": "requests"},
    )
    ban_seconds: int = Field(
        600,
        ge=1,
        le=31_536_000,
        title="Ban time",
        description="How long a banned source stays unheard.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    auth_failures_per_minute: int = Field(
        20,
        ge=1,
        le=1_000_000,
        title="Wrong passwords a minute",
        description="Wrong passwords a minute from one source before it is banned; a source with "
        "authenticated registrations is never banned whole.",
        json_schema_extra={"effect": "live", "unit": "failures/min"},
    )
    exempt: tuple[str, ...] = Field(
        (),
        title="Exempt networks",
        description="Networks that are never limited, such as 192.0.2.0/24 or 2001:db8::/32.",
        json_schema_extra={"effect": "live", "kind": "networks"},
    )

    @field_validator("exempt")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(
                    f"{text!r} is no network; write an address or 192.0.2.0/24"
                ) from None
        return value
