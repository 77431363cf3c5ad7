"""Which interface holds an address of ours, and which address takes its place when it goes.

For machines that cannot get a fixed address (`network.monitor_address`). Reads the addresses of the
interfaces from the kernel by rtnetlink(7), on Linux alone; whoever asks elsewhere is told so. What
is done about a changed address, and when to look, is for others.
"""

import json
import socket
import struct
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from centrex.base import Unavailable
from centrex.runtime.atomic_file import replace_file

_GET, _NEW, _ERROR, _DONE = 22, 20, 2, 3
_REQUEST_DUMP: Final = 0x301
_HEADER: Final = struct.Struct("=IHHII")
_BODY: Final = struct.Struct("=BBBBI")
_ATTRIBUTE: Final = struct.Struct("=HH")
_ADDRESS, _LOCAL, _FLAGS = 1, 2, 8
_UNUSABLE: Final = 0x08 | 0x20 | 0x40
"""IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE."""
_FAMILIES: Final[Mapping[int, tuple[int, int]]] = {socket.AF_INET: (4, 4), socket.AF_INET6: (6, 16)}
_PATIENCE_S: Final = 1.0
WILDCARDS: Final = frozenset({"0.0.0.0", "::"})


class Held(NamedTuple):
    """One address of one interface."""

    interface: str
    version: int
    scope: int
    """0 for addresses valid everywhere, 253 for one link, 254 for this host (rtnetlink(7))."""
    address: str


class Move(NamedTuple):
    """An address of ours that went, and the one that took its place."""

    old: str
    new: str
    interface: str


Read = Callable[[], Sequence[Held]]


def interface_addresses() -> Sequence[Held]:
    """Return the addresses of this machine that can be used now.

    Raises:
        Unavailable: The kernel does not tell, or this is not Linux.
    """
    if sys.platform != "linux":
        raise Unavailable("the addresses of this machine can be watched on Linux only")
    found: list[Held] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as sock:
            sock.settimeout(_PATIENCE_S)
            request = _HEADER.pack(_HEADER.size + _BODY.size, _GET, _REQUEST_DUMP, 1, 0)
            sock.send(request + bytes(_BODY.size))
            while _read(sock.recv(65536), found):
                pass
    except OSError as error:
        why = error.strerror or str(error)
        raise Unavailable(f"the kernel does not tell this machine's addresses: {why}") from error
    return found


def _read(data: bytes, found: list[Held]) -> bool:
    """Take one block of the kernel's answer; return whether more comes."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if kind == _DONE:
            return False
        if kind == _ERROR or length < _HEADER.size:
            raise OSError("it refuses the question")
        if kind == _NEW:
            held = _held(data[at + _HEADER.size : at + length])
            if held is not None:
                found.append(held)
        at += length + 3 & ~3
    return True


def _held(data: bytes) -> Held | None:
    """Read one address; None where it is of no use now, or its interface has just gone."""
    family, _, flags, scope, index = _BODY.unpack_from(data)
    attributes: dict[int, bytes] = {}
    at = _BODY.size
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        attributes[kind] = data[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3
    if len(attributes.get(_FLAGS, b"")) == 4:
        flags = int.from_bytes(attributes[_FLAGS], sys.byteorder)
    # of a point-to-point link the one is ours, the other the far side's
    raw = attributes.get(_LOCAL) or attributes.get(_ADDRESS, b"")
    version, octets = _FAMILIES.get(family, (0, -1))
    if len(raw) != octets or flags & _UNUSABLE:
        return None
    try:
        name = socket.if_indextoname(index)
    except OSError:
        return None
    return Held(name, version, scope, socket.inet_ntop(family, raw))


class AddressWatch:
    """Watches addresses that sockets are bound to.

    Args:
        hosts: The addresses; `0.0.0.0` and `::` are never in the way of a change.
        read: Reads the machine's addresses.

    Attributes:
        interfaces: Of each address watched, the interface that holds it, or held it last.
        unwatched: Addresses that no interface holds: nobody can tell what would follow them.
        vanished: Addresses of this machine that went between the last two looks.
        gone: Addresses watched that were gone at the last look, with nothing in their place.

    Raises:
        Unavailable: The machine's addresses cannot be read.
    """

    def __init__(self, hosts: Iterable[str], read: Read = interface_addresses) -> None:
        self._read = read
        known = {one.address: one for one in read()}
        wanted = [host for host in hosts if host not in WILDCARDS]
        self._watched = {host: known[host] for host in wanted if host in known}
        self.unwatched = tuple(host for host in wanted if host not in known)
        self.vanished: frozenset[str] = frozenset()
        self.gone: tuple[Held, ...] = ()
        self._before = frozenset(known)

    @property
    def interfaces(self) -> dict[str, str]:
        """Return the interface of each address watched."""
        return {host: held.interface for host, held in self._watched.items()}

    def look(self) -> list[Move]:
        """Return the addresses that went and what takes their place; the same again until `moved`.

        Raises:
            Unavailable: The machine's addresses cannot be read.
        """
        now = self._read()
        present = frozenset(one.address for one in now)
        self.vanished = self._before - present
        fresh = present - self._before
        self._before = present
        moves: list[Move] = []
        gone: list[Held] = []
        taken = {*self._watched}
        for host, held in self._watched.items():
            if host in present:
                continue
            fitting = [one for one in now if _fits(one, held) and one.address not in taken]
            if fitting:
                new = max(fitting, key=lambda one: one.address in fresh).address
                taken.add(new)
                moves.append(Move(host, new, held.interface))
            else:
                gone.append(held)
        self.gone = tuple(gone)
        return moves

    def moved(self, move: Move) -> None:
        """Watch the new address instead of the old one."""
        held = self._watched.pop(move.old)
        self._watched[move.new] = held._replace(address=move.new)


def _fits(one: Held, gone: Held) -> bool:
    return one[:3] == gone[:3]


def stand_ins(hosts: Sequence[str], path: Path, read: Read = interface_addresses) -> list[str]:
    """Return the addresses to bind: those asked for, or what their interfaces hold instead by now.

    Args:
        hosts: The addresses as configured.
        path: The file in which `remember` noted their interfaces, on an earlier run.
        read: Reads the machine's addresses.

    Raises:
        Unavailable: The machine's addresses cannot be read.
    """
    held = read()
    present = {one.address for one in held} | WILDCARDS
    interfaces = _remembered(path)
    chosen: list[str] = []
    for host in hosts:
        version = 6 if ":" in host else 4
        instead = [
            one.address
            for one in held
            if (one.interface, one.version, one.scope) == (interfaces.get(host), version, 0)
            and one.address not in (*hosts, *chosen)
        ]
        chosen.append(instead[0] if host not in present and instead else host)
    return chosen


def remember(interfaces: Mapping[str, str], path: Path) -> None:
    """Note which interface belongs to each configured address, where that is news.

    Raises:
        OSError: The file cannot be written.
    """
    known = _remembered(path)
    if interfaces and {**known, **interfaces} != known:
        replace_file(path, json.dumps({**known, **interfaces}).encode() + b"\n")


def _remembered(path: Path) -> dict[str, str]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}  # never written, or spoilt: then nothing stands in
    return {str(host): str(name) for host, name in known.items()} if isinstance(known, dict) else {}
