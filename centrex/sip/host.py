"""Hosts in URIs and Via: names, IPv4 addresses, IPv6 references, brought to one spelling.

A host is lower case; an IPv6 address loses its brackets and gets the spelling of RFC 5952, which is
the one sockets use, so that equal addresses are equal bytes. It resolves nothing.
"""

import ipaddress
import re
from typing import Final

from centrex.base import PeerError

HOSTNAME: Final = rb"[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*\.?+"
REFERENCE: Final = rb"\[[0-9A-Fa-f:.]{2,46}\]"
HOST: Final = rb"(?:" + HOSTNAME + rb"|" + REFERENCE + rb")"
_IPV4: Final = re.compile(
    rb"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    rb"(?:\.(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}"
)
PORT: Final = rb"0*+[0-9]{1,5}"


def canonical_host(host: bytes) -> bytes:
    """Return a host that matches `HOST` in its one spelling, without brackets.

    Raises:
        PeerError: An IPv6 reference holds no IPv6 address.
    """
    if host[:1] == b"[":
        return canonical_ipv6(host[1:-1])
    return host.lower()


def canonical_ipv6(text: bytes) -> bytes:
    """Return an IPv6 address in the spelling of RFC 5952.

    The third colon that the grammar of RFC 3261 wrongly puts before an IPv4 tail is tolerated
    (RFC 5118 §4.10).

    Raises:
        PeerError: It is no IPv6 address.
    """
    try:
        address = ipaddress.IPv6Address(text.replace(b":::", b"::").decode("ascii"))
    except ValueError:
        raise PeerError("an IPv6 address is malformed", rule="RFC 5118 §4") from None
    if "%" in str(address):
        raise PeerError("an IPv6 address has a zone", rule="RFC 5118 §4")
    mapped = address.ipv4_mapped
    return b"::ffff:" + str(mapped).encode() if mapped else address.compressed.encode()


def canonical_address(text: bytes) -> bytes:
    """Return an IPv4 or IPv6 address, the latter with or without brackets, in its one spelling.

    Raises:
        PeerError: It is no address.
    RFC: 5118 §4.5 (`received` with brackets is tolerated).
    """
    if text.find(b":") >= 0:
        return canonical_ipv6(text[1:-1] if text[:1] == b"[" and text[-1:] == b"]" else text)
    if _IPV4.fullmatch(text) is None:
        raise PeerError("an IP address is malformed", rule="RFC 3261 §25.1")
    return text


def parse_port(digits: bytes) -> int:
    """Read a port of 1 to 65535.

    Raises:
        PeerError: It is none.
    """
    port = int(digits)
    if not 0 < port < 65536:
        raise PeerError("a port is not between 1 and 65535", rule="RFC 3261 §25.1")
    return port


def bracketed(host: bytes) -> bytes:
    """Return the host as it stands in a URI or Via: brackets around an IPv6 address."""
    return b"[" + host + b"]" if host.find(b":") >= 0 else host
