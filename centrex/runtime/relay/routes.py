"""Where packets to an address would go: asked of the kernel, by rtnetlink(7)."""

import ipaddress
import socket
import struct
import sys
from typing import Final, NamedTuple

from centrex.base import Unavailable
from centrex.runtime.relay.netlink import attribute, first

_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_GET_ROUTE, _REQUEST, _ERROR = 26, 1, 2
_DESTINATION, _SOURCE, _OUT, _METRICS = 1, 2, 4, 8
_MTU: Final = 2
"""Among the metrics."""
_LOCAL: Final = 2
_UNICAST: Final = 1
_PATIENCE_S: Final = 1.0


class Route(NamedTuple):
    """What the kernel says of a destination."""

    local: bool
    """Whether it is an address of this machine."""
    interface: int
    """The interface packets would leave by."""
    mtu: int
    """Octets of the longest IP packet that passes, as routes and ICMP have told (RFC 1191, RFC 8201); 0
    where nothing but the interface says so."""


class Routes:
    """Asks the kernel."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.settimeout(_PATIENCE_S)
        self._number = 0

    def to(self, host: str, source: str = "") -> Route:
        """Return the route to an address, as seen from an address of ours if one is given.

        Raises:
            Unavailable: There is none.
        """
        address = ipaddress.ip_address(host)
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        bits = address.max_prefixlen
        body = _ROUTE.pack(family, bits, bits if source else 0, 0, 0, 0, 0, 0, 0)
        body += attribute(_DESTINATION, address.packed)
        if source:
            body += attribute(_SOURCE, ipaddress.ip_address(source).packed)
        self._number += 1
        size = _HEADER.size + len(body)
        try:
            self._socket.send(_HEADER.pack(size, _GET_ROUTE, _REQUEST, self._number, 0) + body)
            while True:
                answer = self._socket.recv(8192)
                _, kind, _, number, _ = _HEADER.unpack_from(answer)
                if number == self._number:
                    return _read(answer, kind, host)
        except (OSError, struct.error) as error:
            raise Unavailable(f"no route to {host}: {error}") from error

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def _read(answer: bytes, kind: int, host: str) -> Route:
    if kind == _ERROR:
        raise Unavailable(f"no route to {host}")
    route_kind = _ROUTE.unpack_from(answer, _HEADER.size)[7]
    if route_kind not in (_LOCAL, _UNICAST):
        raise Unavailable(f"no way to {host}")
    told = answer[_HEADER.size + _ROUTE.size :]
    interface, mtu = (
        int.from_bytes(found, sys.byteorder)
        for found in (first(told, _OUT), first(first(told, _METRICS), _MTU))
    )
    return Route(route_kind == _LOCAL, interface, mtu)
