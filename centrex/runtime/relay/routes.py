"""Where packets to an address would go: asked of the kernel, by rtnetlink(7)."""

import ipaddress
import socket
import struct
from typing import Final, NamedTuple

from centrex.base import Unavailable

_HEADER: Final = struct.Struct("=IHHII")
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_GET_ROUTE, _REQUEST, _ERROR = 26, 1, 2
_DESTINATION, _SOURCE, _OUT = 1, 2, 4
_LOCAL: Final = 2
_UNICAST: Final = 1
_PATIENCE_S: Final = 1.0


class Route(NamedTuple):
    """What the kernel says of a destination."""

    local: bool
    """Whether it is an address of this machine."""
    interface: int
    """The interface packets would leave by."""


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
        body += _attribute(_DESTINATION, address.packed)
        if source:
            body += _attribute(_SOURCE, ipaddress.ip_address(source).packed)
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


def _attribute(kind: int, data: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(data), kind) + data + bytes(-len(data) % 4)


def _read(answer: bytes, kind: int, host: str) -> Route:
    if kind == _ERROR:
        raise Unavailable(f"no route to {host}")
    route_kind = _ROUTE.unpack_from(answer, _HEADER.size)[7]
    if route_kind not in (_LOCAL, _UNICAST):
        raise Unavailable(f"no way to {host}")
    at = _HEADER.size + _ROUTE.size
    interface = 0
    while at + _ATTRIBUTE.size <= len(answer):
        length, name = _ATTRIBUTE.unpack_from(answer, at)
        if length < _ATTRIBUTE.size:
            break
        if name == _OUT:
            (interface,) = struct.unpack_from("=I", answer, at + _ATTRIBUTE.size)
        at += length + -length % 4
    return Route(route_kind == _LOCAL, interface)
