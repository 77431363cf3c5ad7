"""`[network]`: the domain served and the addresses it is served on.

It checks the form of each value; whether files exist and ports are free is for those who open them.
"""

import ipaddress
import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from centrex.guard.settings import Settings as GuardSettings

_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_SOCKETS: Final = "waits for a restart: all sockets are opened anew, and calls keep their media"


def _host(text: str) -> str:
    """Accept a host name or an address (RFC 3261 §25.1 `host`), in lower case, without brackets."""
    bare = text.strip().removesuffix(".").lower()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    labels = bare.split(".")
    if len(bare) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text!r} is neither a host name nor an IP address")
    if labels[-1].isdigit():
        raise ValueError(f"{text!r} looks like an IP address but is none")
    return bare


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError(
            f"{text!r} is no IP address; write one of this machine's, 0.0.0.0 or ::"
        ) from None


def _several(value: Any) -> Any:
    """Let one text stand for a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _optional_ip(text: str) -> str:
    return _ip(text) if text else ""


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("names the same thing twice")
    return value


Host = Annotated[str, AfterValidator(_host)]
Addresses = Annotated[
    tuple[Annotated[str, AfterValidator(_ip)], ...],
    Field(min_length=1),
    AfterValidator(_distinct),
    BeforeValidator(_several),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
TransportName = Literal["udp", "tcp", "tls"]


class NetworkSettings(BaseModel, frozen=True, extra="forbid"):
    """`[network]`: domain, addresses, ports and transports."""

    domain: Host = Field(
        title="Domain name",
        description="The SIP domain served, as it stands in sip:user@domain. Required.",
        json_schema_extra={
            "effect": "restart",
            "calls": "phones must register anew under the new domain",
        },
    )
    aliases: tuple[Host, ...] = Field(
        (),
        title="Other domain names",
        description="Other names of the same domain; the server's addresses always count.",
        json_schema_extra={"effect": "live", "kind": "hosts"},
    )
    address: Addresses = Field(
        ("0.0.0.0",),
        title="Server IP address",
        description='Address to listen on, or a list such as ["0.0.0.0", "::"].',
        json_schema_extra={"effect": "restart", "kind": "addresses", "calls": _SOCKETS},
    )
    port: int = Field(
        5060,
        ge=0,
        le=65535,
        title="Server port",
        description="Port for UDP and TCP, receiving and sending; 0 takes a free one.",
        json_schema_extra={"effect": "restart", "kind": "port", "calls": _SOCKETS},
    )
    transports: Annotated[tuple[TransportName, ...], AfterValidator(_distinct)] = Field(
        ("udp", "tcp"),
        min_length=1,
        title="Transports",
        description='Transports to listen on: "udp", "tcp", "tls".',
        json_schema_extra={"effect": "restart", "calls": _SOCKETS},
    )
    monitor_address: bool = Field(
        False,
        title="Monitor as dynamic IP",
        description="Watch the machine's own address and follow it when it changes.",
        json_schema_extra={"effect": "live"},
    )
    monitor_interval: int = Field(
        30,
        ge=5,
        le=3600,
        title="Monitor interval",
        description="Time between two looks at the machine's own address.",
        json_schema_extra={"effect": "live", "unit": "s"},
    )
    router_address: Annotated[str, AfterValidator(_optional_ip)] = Field(
        "",
        title="Outermost router address",
        description="Inner address of the outermost router; what it sends counts as from outside.",
        json_schema_extra={"effect": "live", "kind": "address"},
    )
    max_message_bytes: int = Field(
        8192,
        ge=1500,
        le=65507,
        title="Maximum message size",
        description="Longer SIP requests are answered 513, longer responses dropped.",
        json_schema_extra={"effect": "live", "unit": "bytes"},
    )
    tls_port: int = Field(
        5061,
        ge=0,
        le=65535,
        title="TLS port",
        description="Port for TLS; 0 takes a free one.",
        json_schema_extra={"effect": "restart", "kind": "port", "calls": _SOCKETS},
    )
    tls_certificate: str = Field(
        "",
        title="TLS certificate",
        description="File with the certificate chain (PEM); needed for TLS. Looked at every minute.",
        json_schema_extra={"effect": "restart", "kind": "file", "calls": _SOCKETS},
    )
    tls_key: str = Field(
        "",
        title="TLS private key",
        description="File with the private key (PEM); needed for TLS. Looked at every minute.",
        json_schema_extra={"effect": "restart", "kind": "file", "calls": _SOCKETS},
    )
    keepalive_interval: int = Field(
        25,
        ge=0,
        le=3600,
        title="Keep-alive interval",
        description="Time between keep-alives to phones behind NAT; 0 sends none.",
        json_schema_extra={"effect": "live", "unit": "s", "zero": "none"},
    )
    keepalive_method: Literal["crlf", "options"] = Field(
        "crlf",
        title="Keep-alive method",
        description='What is sent: four octets ("crlf"), or a question that shows who answers ("options").',
        json_schema_extra={"effect": "live"},
    )
    check_interval: int = Field(
        0,
        ge=0,
        le=86_400,
        title="Phone check interval",
        description="Time between two OPTIONS to each registered phone; 0 asks none.",
        json_schema_extra={"effect": "live", "unit": "s", "zero": "none"},
    )
    workers: int = Field(
        1,
        ge=1,
        le=256,
        title="Worker processes",
        description="Processes that share the port; only 1 works in this version.",
        json_schema_extra={"effect": "restart", "calls": _SOCKETS},
    )
    guard: GuardSettings = Field(
        default_factory=GuardSettings,
        title="Denial-of-service protection",
        description="Protection against floods and password guessing, per source address.",
    )
