"""A flow: the path between one local socket and one remote address.

For UDP that is a pair of addresses, and so a NAT mapping; for TCP and TLS it is one connection
(RFC 5626 §3). Everything that leaves goes out by a flow. This module knows what a flow looks like
to the core; opening, closing and sending belong to `centrex.runtime`.
"""

import enum
from typing import Any, Final, Protocol

_MOST_MOVES: Final = 8
"""How often a phone is followed from flow to flow."""


class Transport(enum.Enum):
    """The transports of RFC 3261 §18 that Centrex speaks; the value is the Via token."""

    UDP = "UDP"
    TCP = "TCP"
    TLS = "TLS"

    @property
    def reliable(self) -> bool:
        """Whether the transport itself repeats what was lost."""
        return self is not Transport.UDP

    @property
    def default_port(self) -> int:
        """The port meant when none is given (RFC 3261 §19.1.2)."""
        return 5061 if self is Transport.TLS else 5060


class Link(Protocol):
    """What carries bytes: a UDP socket itself, or a connection's bounded write queue."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        """Send, or queue to be sent, without waiting."""


class Local:
    """An address of ours as others should see it: what goes into Via and Record-Route.

    Attributes:
        transport: The transport it listens on.
        host: The address without brackets, such as `192.0.2.1` or `2001:db8::1`.
        port: The port it listens on.
        sent_by: `host:port` as in a Via, with brackets around IPv6.
        via: A whole Via line up to and including `;branch=`.
        uri: `sip:host:port`, with `;transport=` where it is not UDP (RFC 3261 §19.1.1).
        route_prefix: How a Route line of ours begins when it comes back as we wrote it.
    """

    __slots__ = ("host", "port", "route_prefix", "sent_by", "transport", "uri", "via")

    def __init__(self, transport: Transport, host: str, port: int) -> None:
        self.transport, self.host, self.port = transport, host, port
        bracketed = f"[{host}]" if ":" in host else host
        self.sent_by = f"{bracketed}:{port}".encode()
        self.via = b"Via: SIP/2.0/%b %b;branch=" % (transport.value.encode(), self.sent_by)
        suffix = (
            b"" if transport is Transport.UDP else b";transport=" + transport.value.lower().encode()
        )
        self.uri = b"sip:" + self.sent_by + suffix
        self.route_prefix = b"Route: <" + self.uri + b";lr;"

    def __repr__(self) -> str:
        return f"Local({self.transport.value} {self.sent_by.decode()})"


class Flow:
    """The path to one remote address. Compared by identity; one per remote address and local socket.

    Attributes:
        transport: Which transport it uses.
        reliable: Whether that transport repeats what was lost.
        host: The remote address, numeric, without brackets.
        port: The remote port.
        address: The remote address as the socket wants it.
        link: What carries the bytes.
        local: Our own address on this path.
        name: For people: `udp 192.0.2.7:5060`.
        received: `;received=host;rport=port`'s two values, as bytes for a Via (RFC 3581).
        open: Whether a connection stands; always true for UDP.
        inbound: Whether the far side opened the connection; false for UDP.
        natted: Whether who is there has shown at any time, by a Via or by a description of its media,
            that it is behind NAT.
        successor: Where the phone is now whose port a NAT has changed; None where it is here.
    """

    __slots__ = (
        "address",
        "host",
        "inbound",
        "link",
        "local",
        "name",
        "natted",
        "open",
        "port",
        "received_host",
        "received_params",
        "received_port",
        "reliable",
        "successor",
        "transport",
    )

    def __init__(
        self,
        transport: Transport,
        host: str,
        port: int,
        *,
        address: Any,
        link: Link,
        local: Local,
        inbound: bool = False,
        is_open: bool = True,
    ) -> None:
        self.transport = transport
        self.reliable = transport is not Transport.UDP
        self.host, self.port, self.address = host, port, address
        self.link, self.local = link, local
        self.inbound, self.open = inbound, is_open
        self.natted = False
        self.successor: Flow | None = None
        self.received_host = host.encode()
        self.received_port = str(port).encode()
        self.received_params = b";rport=%b;received=%b" % (self.received_port, self.received_host)
        bracketed = f"[{host}]" if ":" in host else host
        self.name = f"{transport.value.lower()} {bracketed}:{port}"

    def __repr__(self) -> str:
        return f"Flow({self.name})"

    @property
    def latest(self) -> "Flow":
        """The flow to where the phone is now."""
        flow = self
        for _ in range(_MOST_MOVES):
            if flow.successor is None or not flow.successor.open:
                break
            flow = flow.successor
        return flow
