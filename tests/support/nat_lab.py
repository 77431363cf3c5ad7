"""Two private networks with the same addresses, each behind a NAT of its own, and a server outside.

    phone 192.168.1.10 - router 17.0.0.10 -+- 17.0.0.1 the server
                                           |
    phone 192.168.1.10 - router 17.0.0.20 -+- 17.0.0.2 another host

The namespaces have no names and go with the process; their addresses lead nowhere else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.relay_lab import Namespace

SERVER, OTHER, ROUTERS = "17.0.0.1", "17.0.0.2", ("17.0.0.10", "17.0.0.20")
PHONE = "192.168.1.10"
INSIDE = "192.168.1.1"

PRESERVING, RANDOM = "masquerade", "masquerade random,fully-random"
"""How a router chooses ports: the phone's own where it is free, or any."""

_RULES = """
table ip home {
    chain outwards {
        type nat hook postrouting priority srcnat;
        oifname "wan" %s
    }
    chain through {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "lan" accept
    }
    chain inwards {
        type filter hook input priority filter; policy drop;
        iifname != "wan" accept
        ct state established,related accept
    }
}
"""


@dataclass(frozen=True)
class NatLab:
    """The rooms of it."""

    server: Namespace
    other: Namespace
    wire: Namespace
    routers: tuple[Namespace, Namespace]
    phones: tuple[Namespace, Namespace]

    def reconnect(self, number: int) -> None:
        """Have a router's line drop and come back: it forgets all mappings and chooses new ports."""
        router = self.routers[number]
        router.run("ip", "link", "set", "wan", "down")
        router.run("ip", "link", "set", "wan", "up")

    @property
    def all(self) -> tuple[Namespace, ...]:
        return (self.server, self.other, self.wire, *self.routers, *self.phones)


@contextmanager
def nat_lab(nats: tuple[str, str]) -> Iterator[NatLab]:
    """Build it, with a kind of NAT for each router."""
    made = [Namespace() for _ in range(7)]
    rooms = NatLab(made[0], made[1], made[2], (made[3], made[4]), (made[5], made[6]))
    try:
        _batch(rooms.wire, ["link add bridge type bridge", "link set bridge up"])
        _to_wire(rooms, rooms.server, "eth0", SERVER)
        _to_wire(rooms, rooms.other, "eth0", OTHER)
        for router, phone, host, nat in zip(
            rooms.routers, rooms.phones, ROUTERS, nats, strict=True
        ):
            _to_wire(rooms, router, "wan", host)
            _batch(
                router,
                [
                    f"link add lan type veth peer name eth0 netns {phone.path}",
                    f"addr add {INSIDE}/24 dev lan",
                    "link set lan up",
                ],
            )
            _batch(
                phone,
                [
                    "link set lo up",
                    f"addr add {PHONE}/24 dev eth0",
                    "link set eth0 up",
                    f"route add default via {INSIDE}",
                ],
            )
            router.set("ipv4/ip_forward", "1")
            router.run("nft", "-f", "-", given=_RULES % nat)
        yield rooms
    finally:
        for room in rooms.all:
            room.close()


def _to_wire(rooms: NatLab, room: Namespace, name: str, host: str) -> None:
    port = f"to{host.rpartition('.')[2]}"
    _batch(
        rooms.wire,
        [
            f"link add {port} type veth peer name {name} netns {room.path}",
            f"link set {port} master bridge up",
        ],
    )
    _batch(room, ["link set lo up", f"addr add {host}/24 dev {name}", f"link set {name} up"])


def _batch(room: Namespace, lines: list[str]) -> None:
    room.run("ip", "-batch", "-", given="\n".join(lines))
