"""The data path by eBPF: streams in a map, a program at the ingress of each interface.

The map's layout is that of `relay.bpf.c`. What is installed outlives this process where the bpf file
system can keep it; the next process of the same relay takes it up.
"""

import ctypes
import errno
import fcntl
import ipaddress
import os
import shutil
import socket
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay import interfaces
from centrex.runtime.relay.ebpf import syscall
from centrex.runtime.relay.ebpf.elf import BadObject, read_program
from centrex.runtime.relay.kernel import Carried, Entry, Key
from centrex.runtime.relay.routes import Routes

LAYOUT: Final = "v3"
"""Names the map's layout and the program's meaning: what another one has pinned is not taken up."""
_KEY: Final = struct.Struct("=16s16s2s2s")
_VALUE: Final = struct.Struct("=36sIIII4xQQqQQII")
_FIGURES: Final = struct.Struct("=QQqQ")
_FIGURES_AT: Final = 56
_NO_FIGURES: Final = (0, 0, 0, 0, 0, 0, 0, 0)
_MAPPED: Final = bytes(10) + b"\xff\xff"
_ROOT: Final = Path("/sys/fs/bpf")
_BPF_FS: Final = 0xCAFE4A11
_ABANDONED_S: Final = 300.0
"""How long what a killed relay has left waits for it to come back."""
_ENDS: Final = f"what the kernel carries ends with the relay, for {_ROOT} keeps nothing here"
_LOOK_S: Final = 10.0
"""How often interfaces and routes are looked at again."""
_TRIES: Final = 20
_PAUSE_S: Final = 0.01
"""How often, and how soon, a folder is made again that somebody else sweeps away just then."""
_ANY_LENGTH: Final = 65_575
"""Octets that no IP packet exceeds."""
_LINK_KINDS: Final = {1, 772}
"""Ethernet and loopback (linux/if_arp.h): whose packets begin with an Ethernet header."""


class _Pins(NamedTuple):
    """Where a relay's objects are kept."""

    folder: Path
    lock: int
    """A descriptor that keeps it for this process."""


class EbpfPath:
    """See `KernelPath`. Made by `open_ebpf`.

    Args:
        table: The map.
        program: The program's descriptor.
        pins: Where both are kept; None where they are not.
        claim: Shows that the name is in use, as long as it is open.
    """

    name = "ebpf"
    unsure = False
    """What it carries meets no rule of the host."""

    def __init__(
        self, table: syscall.HashMap, program: int, pins: "_Pins | None", claim: socket.socket
    ) -> None:
        self._table, self._program, self._claim = table, program, claim
        self._pins = pins.folder if pins is not None else None
        self._lock = pins.lock if pins is not None else None
        self._links: dict[int, int] = {}
        self._routes = Routes()
        self._mtus: dict[int, int] = {}
        self._entries: dict[Key, Entry] = {}
        self._keys: dict[bytes, Key] = {}
        self._looked = time.monotonic()

    @property
    def caveat(self) -> str:
        """What is missing where nothing is kept."""
        return _ENDS if self._pins is None else ""

    def begin(self) -> None:
        """Take up what is pinned, and be there at every interface.

        Raises:
            OSError: The program cannot be attached.
        """
        for key, value in self._table.items():
            entry = _entry(key, value)
            self._entries[entry.key] = entry
        for path in self._pins.glob("link-*") if self._pins is not None else ():
            link = syscall.pinned(path)
            if syscall.interface_of(link) == int(path.name[5:]):
                self._links[int(path.name[5:])] = link
            else:  # of an interface that is gone, though another one may have its number now
                os.close(link)
                path.unlink()
        self.rescan()

    def rescan(self) -> None:
        """Attach to interfaces that have come since.

        Raises:
            OSError: The program cannot be attached.
        """
        self._mtus.clear()
        for index, name in socket.if_nameindex():
            if index not in self._links and interfaces.kind(name) in _LINK_KINDS:
                link = syscall.attach(self._program, index)
                self._links[index] = link
                if self._pins is not None:
                    path = self._pins / f"link-{index}"
                    path.unlink(missing_ok=True)
                    syscall.pin(link, path)

    def install(self, entries: Sequence[Entry]) -> None:
        """See `KernelPath`."""
        ways = [self._way(entry) for entry in entries]
        done: list[Entry] = []
        try:
            for entry, way in zip(entries, ways, strict=True):
                key = _pair(entry.source, entry.arrives)
                before = self._table.get(key)
                figures = _NO_FIGURES if before is None else _VALUE.unpack(before)[4:]
                out = _pair(entry.leaves, entry.target)
                self._table.put(key, _VALUE.pack(out, *way, entry.clock_rate, *figures))
                done.append(entry)
                self._entries[entry.key] = entry
        except OSError as error:
            self.remove([entry.key for entry in done])
            raise Unavailable(f"the kernel takes no more streams: {error.strerror}") from error

    def _way(self, entry: Entry) -> tuple[int, int]:
        """Return the interface an entry's packets leave by, and the longest packet that passes there.

        The interface is 0 for an end on this host.

        Raises:
            Unavailable: The kernel cannot carry it.
        """
        out = self._routes.to(entry.target.host, entry.leaves.host)
        if not out.local:
            widest = self._mtu(out.interface)
            return out.interface, min(out.mtu, widest) if out.mtu else widest
        if not self._routes.to(entry.source.host).local:
            # it would come in by a wire and bear an address of our own: the kernel drops such
            raise Unavailable("packets from elsewhere to this host are not for the kernel")
        return 0, _ANY_LENGTH

    def _mtu(self, interface: int) -> int:
        """Return an interface's MTU in octets, as it was when interfaces were looked at last."""
        mtu = self._mtus.get(interface)
        if mtu is None:
            mtu = self._mtus[interface] = interfaces.mtu(interface)
        return mtu

    def remove(self, keys: Sequence[Key]) -> Mapping[Key, Carried]:
        """See `KernelPath`."""
        last: dict[Key, Carried] = {}
        for key in keys:
            packed = _pair(*key)
            try:
                value = self._table.get(packed)
                gone = value is not None and self._table.delete(packed)
            except OSError as error:
                raise Unavailable(f"the kernel keeps a stream: {error.strerror}") from error
            if value is not None and gone:
                last[key] = _carried(value)
            self._entries.pop(key, None)
            self._keys.pop(packed, None)
        return last

    def carried(self) -> Mapping[Key, Carried]:
        """See `KernelPath`."""
        if time.monotonic() - self._looked > _LOOK_S:
            self._looked = time.monotonic()
            self._look_again()
        keys, figures = self._keys, _FIGURES.unpack_from
        found: dict[Key, Carried] = {}
        try:
            listed = list(self._table.items())
        except OSError as error:
            raise Unavailable(f"the kernel does not tell its figures: {error.strerror}") from error
        for packed, value in listed:
            key = keys.get(packed) or keys.setdefault(packed, _key(packed))
            packets, octets, lost, jitter_ns = figures(value, _FIGURES_AT)
            found[key] = Carried(packets, octets, lost, jitter_ns / 1e9)
        return found

    def _look_again(self) -> None:
        """Follow interfaces and routes that have changed."""
        with suppress(OSError):  # the next look may do
            if self._pins is not None:
                os.utime(self._pins.parent)  # it is as old as this process, if that is killed
            self.rescan()
        for entry in tuple(self._entries.values()):
            key = _pair(entry.source, entry.arrives)
            value = self._table.get(key)
            if value is None:
                continue
            fields = list(_VALUE.unpack(value))
            try:
                interface, mtu = self._way(entry)
            except Unavailable:
                continue
            if interface == fields[1]:
                # what the kernel has learned of a path it forgets, and would have to learn by loss again
                mtu = min(mtu, fields[2])
            if [interface, mtu] != fields[1:3]:
                fields[1:3] = interface, mtu
                self._table.put(key, _VALUE.pack(*fields))

    def entries(self) -> Sequence[Entry]:
        """See `KernelPath`."""
        return tuple(self._entries.values())

    def close(self, *, keep: bool) -> None:
        """See `KernelPath`."""
        if self._pins is not None and not keep:
            shutil.rmtree(self._pins, ignore_errors=True)
            with suppress(OSError):
                self._pins.parent.rmdir()
        for link in self._links.values():
            os.close(link)
        self._links.clear()
        os.close(self._program)
        self._table.close()
        self._routes.close()
        self._claim.close()
        if self._lock is not None:
            os.close(self._lock)


def open_ebpf(name: str, *, limit: int, root: Path = _ROOT) -> EbpfPath:
    """Open the data path of a relay, and prove that it works.

    Args:
        name: The relay's name on this machine.
        limit: How many entries it is to hold.
        root: Where the bpf file system is.

    Raises:
        Unavailable: It cannot be had here; says why.
    """
    if sys.platform != "linux" or sys.byteorder != "little":
        raise Unavailable("eBPF: not on this kind of machine")
    claim = _claimed(name)
    if claim is None:
        raise Unavailable(f"eBPF: another relay named {name} runs on this machine")
    _sweep(root)
    try:
        return _opened(name, limit, root, claim)
    except Unavailable:
        claim.close()
        raise


def _opened(name: str, limit: int, root: Path, claim: socket.socket) -> EbpfPath:
    try:
        program = read_program(files(__package__).joinpath("relay.bpf.o").read_bytes(), "tc")
    except (OSError, BadObject) as error:
        raise Unavailable(f"eBPF: the program is missing: {error}") from error
    pins = _pins(name, root)
    path: EbpfPath | None = None
    try:
        table = _table(limit, pins.folder if pins is not None else None)
        loaded = syscall.load_program(program.with_map(table.descriptor), "centrex_relay")
        path = EbpfPath(table, loaded, pins, claim)
        _prove(table, loaded)
        path.begin()
    except OSError as error:
        if path is not None:
            path.close(keep=False)
        elif pins is not None:
            os.close(pins.lock)
        raise Unavailable(f"eBPF: {_why(error)}") from error
    return path


def _why(error: OSError) -> str:
    if error.errno == errno.EPERM:
        return "no right to load programs (CAP_BPF and CAP_NET_ADMIN)"
    if isinstance(error, syscall.VerifierError):
        return f"the kernel refuses the program: {error.strerror}"
    return f"{error.strerror or error} (it needs Linux 6.6)"


def _claimed(name: str) -> socket.socket | None:
    """Return what shows that a relay's name is in use (unix(7), abstract); None where it is already."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        claim.bind(b"\0centrex-relay-" + name.encode())
    except OSError:
        claim.close()
        return None
    return claim


def _sweep(root: Path) -> None:
    """Remove what relays have left that were killed and never came back."""
    for folder in (root / "centrex").glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED_S:
                lock = _locked(folder)
                if lock is not None:
                    try:
                        shutil.rmtree(folder)
                    finally:
                        os.close(lock)


def _pins(name: str, root: Path) -> _Pins | None:
    """Return the folder where a relay's objects are kept; None where the system keeps none.

    Networks have folders of their own: containers may share the file system, and what is pinned for an
    interface of one is nothing to another. What another version of the layout has left there goes.
    """
    if not _is_bpf_fs(root):
        return None
    lock = None
    try:
        network = os.stat("/proc/thread-self/ns/net").st_ino
        folder = root / "centrex" / f"{name}@{network}"
        for _ in range(_TRIES):
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder)
            if lock is not None:
                break
            time.sleep(_PAUSE_S)
        else:
            return None
        for old in folder.glob("*"):
            if old.name != LAYOUT:
                shutil.rmtree(old, ignore_errors=True)
        (folder / LAYOUT).mkdir(exist_ok=True)
    except OSError:
        if lock is not None:
            os.close(lock)
        return None
    return _Pins(folder / LAYOUT, lock)


def _locked(folder: Path) -> int | None:
    """Return a descriptor that keeps a folder for this process, whatever network others are in (flock(2)).

    None where another one has it, or removes it just now.
    """
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_ino == folder.stat().st_ino:
            return lock
    except OSError:
        pass
    os.close(lock)
    return None


def _is_bpf_fs(root: Path) -> bool:
    """Whether the bpf file system is there; mounted where that is allowed and it was not."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)
    for attempt in range(2):
        if libc.statfs(os.fsencode(root), buffer) == 0:
            kind: int = struct.unpack_from("=q", buffer)[0]
            if kind == _BPF_FS:
                return True
        if attempt == 0 and root == _ROOT:
            libc.mount(b"bpf", os.fsencode(root), b"bpf", 0, None)
    return False


def _table(limit: int, pins: Path | None) -> syscall.HashMap:
    """Return the map: the one that is pinned, or a new one."""
    place = pins / "streams" if pins is not None else None
    if place is not None and place.exists():
        with suppress(OSError):
            return syscall.HashMap(syscall.pinned(place), _KEY.size, _VALUE.size)
    table = syscall.HashMap.create("centrex_streams", _KEY.size, _VALUE.size, limit)
    if place is not None:
        place.unlink(missing_ok=True)
        syscall.pin(table.descriptor, place)
    return table


def _prove(table: syscall.HashMap, program: int) -> None:
    """See that a packet comes out as it should.

    Raises:
        OSError: It does not.
    """
    source, here = Address("192.0.2.1", 1), Address("192.0.2.2", 2)
    there, target = Address("192.0.2.3", 3), Address("192.0.2.4", 4)
    key = _pair(source, here)
    table.put(key, _VALUE.pack(_pair(there, target), 0, _ANY_LENGTH, 0, *_NO_FIGURES))
    try:
        _, out = syscall.test_run(program, _packet(source, here))
        value = table.get(key)
    finally:
        table.delete(key)
    if out != _packet(there, target) or value is None or _carried(value).packets != 1:
        raise OSError(0, "its own test fails")


def _packet(source: Address, target: Address) -> bytes:
    """Return an Ethernet frame with a UDP packet, checksums included."""
    hosts = socket.inet_aton(source.host) + socket.inet_aton(target.host)
    payload = b"centrex!"
    udp = struct.pack(">HHHH", source.port, target.port, 8 + len(payload), 0) + payload
    summed = _checksum(hosts + struct.pack(">HH", 17, len(udp)) + udp)
    udp = udp[:6] + struct.pack(">H", summed or 0xFFFF) + udp[8:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + hosts
    head = head[:10] + struct.pack(">H", _checksum(head)) + head[12:]
    return bytes(12) + b"\x08\x00" + head + udp


def _checksum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    words: tuple[int, ...] = struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pair(source: Address, target: Address) -> bytes:
    return _KEY.pack(
        _host(source.host),
        _host(target.host),
        source.port.to_bytes(2, "big"),
        target.port.to_bytes(2, "big"),
    )


def _host(text: str) -> bytes:
    packed = ipaddress.ip_address(text).packed
    return packed if len(packed) == 16 else _MAPPED + packed


def _address(host: bytes, port: bytes) -> Address:
    raw = host[12:] if host[:12] == _MAPPED else host
    return Address(str(ipaddress.ip_address(raw)), int.from_bytes(port, "big"))


def _key(packed: bytes) -> Key:
    source, target, source_port, target_port = _KEY.unpack(packed)
    return _address(source, source_port), _address(target, target_port)


def _entry(key: bytes, value: bytes) -> Entry:
    out, _, _, rate = _VALUE.unpack(value)[:4]
    return Entry(*_key(key), *_key(out), rate)


def _carried(value: bytes) -> Carried:
    fields = _VALUE.unpack(value)
    return Carried(fields[5], fields[6], fields[7], fields[8] / 1e9)
