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
from typing import Final, NamedTuple

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay import interfaces
from centrex.runtime.relay.kernel import Entry
from centrex.runtime.relay.netlink import Netlink, attribute, first
from centrex.runtime.relay.nftables_table import ANY_LENGTH

_GET_ROUTE: Final = 26
_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_DESTINATION: Final = 1
_SOURCE: Final = 2
_INTERFACE: Final = 4
_METRICS: Final = 8
_MTU: Final = 2
"""Among the metrics: what a route or ICMP has told of the way (RFC 1191, RFC 8201)."""
_LOCAL: Final = 2
_SYSCTLS: Final = Path("/proc/sys/net")


class _Way(NamedTuple):
    """How a host is reached that is not this one.

    Attributes:
        interface: By which interface.
        mtu: Octets of the longest IP packet that passes; 0 where only the interface says so.
    """

    interface: int
    mtu: int


class Ways:
    """What the kernel's routes and settings say of entries; `netlink` is a socket for routes.

    Attributes:
        mtu: Octets of the longest IP packet that passes on the narrowest way an entry was seen to take.
    """

    def __init__(self, netlink: Netlink, sysctls: Path = _SYSCTLS) -> None:
        self._netlink = netlink
        self._sysctls = sysctls
        self.mtu = ANY_LENGTH

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
        routes: dict[str, _Way | None] = {}
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
                forwarding.add((":" in entry.source.host, way_back.interface))
            outside.append(entry)
        for ip6, interface in forwarding:
            self._forwards(ip6, interface)
        return outside

    def _same_way(self, entry: Entry, way_on: _Way) -> None:
        """See that packets take a way that they would also take from the address they leave from.

        They bear it only once they are on their way. How long they may be there is noted.
        """
        way = self._route(entry.target.host, entry.leaves.host)
        if way is None or way.interface != way_on.interface:
            raise Unavailable(f"what leaves from {entry.leaves.host} takes another way")
        told = (way.mtu, way_on.mtu, interfaces.mtu(way.interface))
        self.mtu = min(self.mtu, *(mtu for mtu in told if mtu))

    def forwards(self) -> bool:
        """Whether the host lets packets of either family pass from any interface to another."""
        settings = (
            *self._sysctls.glob("ipv4/conf/*/forwarding"),
            *self._sysctls.glob("ipv6/conf/all/forwarding"),
        )
        return any(_is_on(setting) for setting in settings)

    def _route(self, host: str, source: str = "") -> _Way | None:
        """Return how a host is reached; None where it is this one.

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
        if answer[7] == _LOCAL:
            return None
        told = answer[_ROUTE.size :]
        found = (first(told, _INTERFACE), first(first(told, _METRICS), _MTU))
        return _Way(*(int.from_bytes(one, sys.byteorder) for one in found))

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


def _is_on(setting: Path) -> bool:
    try:
        return setting.read_bytes().strip() != b"0"
    except OSError:  # its interface has just gone
        return False


def _loopback(address: Address) -> bool:
    return address.host.startswith("127.") or address.host == "::1"
