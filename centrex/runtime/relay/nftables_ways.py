"""Which way an entry's packets take through this host, and whether the host lets them.

Asks the kernel's routes which addresses are the host's own. Changes nothing: a host that does not
forward is not made to.
"""

import errno
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Entry
from centrex.runtime.relay.netlink import Netlink, Octets, attribute, attributes

_GET_ROUTE: Final = 26
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_DESTINATION: Final = 1
_SOURCE: Final = 2
_INTERFACE: Final = 4
_LOCAL: Final = 2
_SYSCTLS: Final = Path("/proc/sys/net")


class Ways:
    """What the kernel's routes and settings say of entries; `netlink` is a socket for routes."""

    def __init__(self, netlink: Netlink, sysctls: Path = _SYSCTLS) -> None:
        self._netlink = netlink
        self._sysctls = sysctls

    def close(self) -> None:
        """Let go of the socket."""
        self._netlink.close()

    def local(self, host: str) -> bool:
        """Whether an address is this host's own."""
        try:
            return self._route(host) is None
        except Unavailable:
            return False

    def from_outside(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return those whose packets come in from outside; of ends on this host, they do not.

        Raises:
            Unavailable: The host does not let the packets of one of them pass, and why.
        """
        routes: dict[str, int | None] = {}
        for entry in entries:
            for host in (entry.source.host, entry.target.host):
                if host not in routes:
                    routes[host] = self._route(host)
        outside: list[Entry] = []
        forwarding: set[tuple[bool, int]] = set()
        for entry in entries:
            way_back, way_on = routes[entry.source.host], routes[entry.target.host]
            if way_on is not None and _loopback(entry.leaves):
                raise Unavailable(f"nothing leaves this host from {entry.leaves.host}")
            if way_back is None:
                continue
            if _loopback(entry.target):
                raise Unavailable(f"nothing gets to {entry.target.host} from outside this host")
            if way_on is not None:
                self._same_way(entry, way_on)
                forwarding.add((":" in entry.source.host, way_back))
            outside.append(entry)
        for ip6, interface in forwarding:
            self._forwards(ip6, interface)
        return outside

    def _same_way(self, entry: Entry, way_on: int) -> None:
        """See that packets take a way that they would also take from the address they leave from.

        They bear it only once they are on their way.
        """
        if self._route(entry.target.host, entry.leaves.host) != way_on:
            raise Unavailable(f"what leaves from {entry.leaves.host} takes another way")

    def forwards(self) -> bool:
        """Whether the host lets packets of either family pass from any interface to another."""
        settings = (
            *self._sysctls.glob("ipv4/conf/*/forwarding"),
            *self._sysctls.glob("ipv6/conf/all/forwarding"),
        )
        return any(_is_on(setting) for setting in settings)

    def _route(self, host: str, source: str = "") -> int | None:
        """Return the index of the interface that leads to a host; None where it is this one.

        Args:
            host: The host.
            source: The address of ours from which it is gone to; empty where that is open.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            packed = socket.inet_pton(family, host)
        except OSError:
            raise Unavailable(f"{host} is no numeric address") from None
        bits = 8 * len(packed)
        body = _ROUTE.pack(family, bits, bits if source else 0, 0, 0, 0, 0, 0, 0)
        body += attribute(_DESTINATION, packed)
        if source:
            body += attribute(_SOURCE, socket.inet_pton(family, source))
        try:
            answer = self._netlink.ask(_GET_ROUTE, 0, body)
        except OSError as error:
            if error.errno == errno.ETIMEDOUT:
                raise Unavailable(f"the way to {host} is not known: {error.strerror}") from error
            raise Unavailable(f"no route to {host} ({error.strerror})") from error
        if len(answer) < _ROUTE.size:
            raise Unavailable(f"the way to {host} is not known")
        return None if answer[7] == _LOCAL else _interface(answer[_ROUTE.size :])

    def _forwards(self, ip6: bool, interface: int) -> None:
        # IPv4 asks the interface a packet came by, IPv6 the host as a whole
        if ip6:
            path, setting = "ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding"
        else:
            try:
                name = socket.if_indextoname(interface)
            except OSError as error:
                raise Unavailable("the interface is gone") from error
            path, setting = f"ipv4/conf/{name}/forwarding", f"net.ipv4.ip_forward, for {name},"
        try:
            with open(f"{self._sysctls}/{path}", "rb", buffering=0) as file:
                value = file.read(16).strip()
        except OSError as error:
            raise Unavailable(f"{setting} cannot be read: {error.strerror}") from error
        if value == b"0":
            raise Unavailable(f"this host does not forward packets ({setting} is off)")


def _interface(data: Octets) -> int:
    for kind, value in attributes(data):
        if kind == _INTERFACE:
            return int.from_bytes(value, sys.byteorder)
    return 0


def _is_on(setting: Path) -> bool:
    try:
        return setting.read_bytes().strip() != b"0"
    except OSError:  # its interface has just gone
        return False


def _loopback(address: Address) -> bool:
    return address.host.startswith("127.") or address.host == "::1"
