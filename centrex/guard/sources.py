"""Which source an address belongs to, and which sources stand in a list of networks.

It knows IPv4, IPv6, and the one inside the other. It refuses to know what is done to a source.
"""

import ipaddress
from collections.abc import Iterable


def key_of(host: str) -> str:
    """Return the name under which a source is counted.

    An IPv4 address stands for itself, also where it is written inside IPv6; an IPv6 address for
    its network of 64 bits, written `2001:db8:0:2::/64`. The host is taken for a numeric address;
    of anything else some name is made that no address has.
    """
    if ":" not in host:
        return host
    if "." in host:
        mapped = _mapped(host)
        return host if mapped is None else mapped
    address = host.partition("/")[0].partition("%")[0].lower()
    head, gap, tail = address.partition("::")
    groups = head.split(":") if head else []
    if gap:
        after = tail.split(":") if tail else []
        groups += ["0"] * (8 - len(groups) - len(after)) + after
    return ":".join([group.lstrip("0") or "0" for group in groups[:4]]) + "::/64"


def _mapped(host: str) -> str | None:
    """Return the IPv4 address that is written inside an IPv6 address, if one is."""
    try:
        mapped = ipaddress.IPv6Address(host.partition("%")[0]).ipv4_mapped
    except ValueError:
        return None
    return None if mapped is None else str(mapped)


class Networks:
    """A list of networks that answers whether it holds an address.

    Args:
        networks: Addresses or networks, such as `192.0.2.0/24` or `2001:db8::1`.

    Raises:
        ValueError: One of them is no network.
    """

    __slots__ = ("_masks",)

    def __init__(self, networks: Iterable[str]) -> None:
        self._masks: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for text in networks:
            network = ipaddress.ip_network(text, strict=False)
            self._masks[network.version].append(
                (int(network.netmask), int(network.network_address))
            )

    def hold(self, host: str) -> bool:
        """Return whether one of them holds this address, or the network named by `key_of`."""
        masks = self._masks
        if not (masks[4] or masks[6]):
            return False
        try:
            version, number = _number(host)
        except ValueError:
            return False
        return any(number & mask == network for mask, network in masks[version])


def _number(host: str) -> tuple[int, int]:
    """Return the version and the number of an address; ValueError where it is none."""
    if ":" not in host:  # written out, because each new source of a flood comes by here
        a, b, c, d = host.split(".")
        return 4, int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
    address = ipaddress.IPv6Address(host.partition("/")[0].partition("%")[0])
    mapped = address.ipv4_mapped
    return (6, int(address)) if mapped is None else (4, int(mapped))
