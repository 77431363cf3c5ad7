"""`[media]`: when and by whom voice and video are relayed.

It declares and bounds the values; that they agree with each other is checked with the whole
configuration.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic.config import JsonDict

_FAREWELL: JsonDict = {"effect": "restart", "calls": "calls in progress keep their media"}

_Port = Annotated[int, Field(ge=1024, le=65535)]


_CONTROL: Final = re.compile(r"udp:[^\s:].*:(\d{1,5})", re.ASCII)


def _control(value: str) -> str:
    found = _CONTROL.fullmatch(value)
    if found is None:
        raise ValueError("must be udp:host:port, as udp:192.0.2.10:2223")
    if not 0 < int(found[1]) < 65536:
        raise ValueError("needs a port from 1 to 65535")
    return value


_Control = Annotated[str, AfterValidator(_control)]


def _range(value: tuple[int, int]) -> tuple[int, int]:
    if value[1] - value[0] < 3:
        raise ValueError("must hold at least 4 ports, the lower one first")
    return value


class Rtpengine(BaseModel, frozen=True, extra="forbid"):
    """One rtpengine that may be switched off."""

    address: _Control = Field(
        title="Control address",
        description="Where its control port (NG) is, udp:host:port.",
        json_schema_extra=_FAREWELL,
    )
    enabled: bool = Field(
        True,
        title="Enabled",
        description="Have it take part; otherwise it is not asked.",
        json_schema_extra=_FAREWELL,
    )


def _instance(value: str | Rtpengine) -> str | Rtpengine:
    return _control(value) if isinstance(value, str) else value


class Settings(BaseModel, frozen=True, extra="forbid"):
    """`[media]`: how voice and video are relayed."""

    mode: Literal["auto", "always", "never"] = Field(
        "auto",
        title="Media proxying",
        description="Relay media where phones cannot reach each other, always, or never.",
        json_schema_extra={"effect": "new-calls"},
    )
    backend: Literal["relay", "rtpengine"] = Field(
        "relay",
        title="Relay kind",
        description="Our own relay or rtpengine.",
        json_schema_extra=_FAREWELL,
    )
    embedded: bool = Field(
        True,
        title="Relay of its own",
        description="Start a relay of its own on this machine.",
        json_schema_extra=_FAREWELL,
    )
    port_range: Annotated[tuple[_Port, _Port], AfterValidator(_range)] = Field(
        (30000, 44999),
        title="Media ports",
        description="First and last UDP port of the relay of its own; two pairs a call and address.",
        json_schema_extra=_FAREWELL,
    )
    control_address: str = Field(
        "127.0.0.1",
        title="Control address",
        description="Where relays of other machines log in; only if there is a secret.",
        json_schema_extra=_FAREWELL,
    )
    control_port: int = Field(
        5090,
        ge=1,
        le=65535,
        title="Control port",
        description="TCP port where they log in.",
        json_schema_extra=_FAREWELL,
    )
    secret: SecretStr = Field(
        SecretStr(""),
        title="Shared secret",
        description="What relays of other machines must know to log in; empty lets none in.",
        json_schema_extra=_FAREWELL,
    )
    without_relay: Literal["pass", "refuse"] = Field(
        "pass",
        title="Without a relay",
        description="With no relay at hand: pass media by, or refuse the call.",
        json_schema_extra={"effect": "new-calls"},
    )
    heartbeat: int = Field(
        5,
        ge=1,
        le=300,
        title="Heartbeat",
        description="Time between a relay's signs of life.",
        json_schema_extra={**_FAREWELL, "unit": "s"},
    )
    rtpengine: tuple[Annotated[str | Rtpengine, AfterValidator(_instance)], ...] = Field(
        (),
        max_length=64,
        title="rtpengine addresses",
        description="rtpengine control addresses (NG), udp:host:port; they share the calls.",
        json_schema_extra={**_FAREWELL, "short": "address"},
    )

    @property
    def rtpengines(self) -> tuple[str, ...]:
        """The control addresses of those that take part."""
        return tuple(
            one if isinstance(one, str) else one.address
            for one in self.rtpengine
            if isinstance(one, str) or one.enabled
        )
