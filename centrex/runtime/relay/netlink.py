"""Netlink (RFC 3549): messages and attributes as octets, and a socket that never waits for long.

The kernel answers a request before `send` returns, so what is read is already there; the time-out is
for a kernel that does not. Knows nothing of packet filters or routes, save how nfnetlink groups
requests into one transaction. Numbers in messages are in the host's order, those in nfnetlink's
attributes in the network's.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Final, NamedTuple, TypeAlias

Octets: TypeAlias = bytes | memoryview

ROUTE: Final = 0
"""The protocol that tells of routes and addresses."""
NETFILTER: Final = 12
"""The protocol that carries nf_tables."""

NFTABLES: Final = 10
"""The subsystem of nfnetlink whose transactions batches are; its messages have it in their high octet."""

REQUEST: Final = 0x1
MULTI: Final = 0x2
ACK: Final = 0x4
ECHO: Final = 0x8
INTERRUPTED: Final = 0x10
DUMP: Final = 0x300
CREATE: Final = 0x400

_ERROR: Final = 2
_DONE: Final = 3
_OVERRUN: Final = 4
_BATCH_BEGIN: Final = 0x10
_BATCH_END: Final = 0x11

_NESTED: Final = 0x8000
_KIND: Final = 0x3FFF
_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_GROUPED: Final = struct.Struct(">BBH")
_CODE: Final = struct.Struct("=i")
_LONGEST: Final = 0xFFFF
"""The length of an attribute is told in 16 bits."""

_SOL_NETLINK: Final = 270
_CAP_ACK: Final = 10
_EXT_ACK: Final = 11
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 1 << 18
_LAST_NUMBER: Final = 0xFFFFFFFF
_TRIES: Final = 5
"""How often a listing is begun anew that a change has interrupted."""


class Message(NamedTuple):
    """One message as it came, without its header."""

    kind: int
    flags: int
    sequence: int
    body: bytes


def attribute(kind: int, value: bytes) -> bytes:
    """Write one attribute, padded to four octets.

    Raises:
        ValueError: The value is longer than its length field can say.
    """
    length = 4 + len(value)
    if length > _LONGEST:
        raise ValueError(f"attribute {kind} of {length} octets")
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length & 3)


def nest(kind: int, *parts: bytes) -> bytes:
    """Write an attribute that holds others."""
    return attribute(kind | _NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    """Write an attribute that holds a name, ended by a zero octet."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """Write an attribute that holds 32 bits in network order."""
    return attribute(kind, value.to_bytes(4, "big"))


def attributes(data: Octets) -> Iterator[tuple[int, Octets]]:
    """Read attributes one after another, up to the end or to one that does not fit."""
    at, end = 0, len(data)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if not 4 <= length <= end - at:
            return
        yield kind & _KIND, data[at + 4 : at + length]
        at += length + 3 & ~3


def first(data: Octets, kind: int) -> Octets:
    """Return the value of the first attribute of a kind; empty where there is none."""
    for found, value in attributes(data):
        if found == kind:
            return value
    return b""


def grouped(family: int, *parts: bytes, resource: int = 0) -> bytes:
    """Write the body of an nfnetlink message: address family, version, resource, attributes."""
    return _GROUPED.pack(family, 0, resource) + b"".join(parts)


class Batch:
    """Requests that nf_tables carries out together or not at all."""

    def __init__(self) -> None:
        self._requests: list[tuple[int, int, bytes]] = []

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, kind: int, flags: int, body: bytes) -> None:
        """Append one request; `kind` is that within nf_tables."""
        self._requests.append((NFTABLES << 8 | kind, REQUEST | flags, body))

    def write(self, sequence: int) -> tuple[bytes, int]:
        """Return it as octets, numbered from `sequence` on, and the number whose answer ends it."""
        bracket = grouped(0, resource=NFTABLES)
        rows = [(_BATCH_BEGIN, REQUEST, bracket), *self._requests, (_BATCH_END, REQUEST, bracket)]
        last = len(rows) - 2
        written: list[bytes] = []
        for offset, (kind, flags, body) in enumerate(rows):
            marked = flags | ACK if offset == last else flags
            written += (_HEADER.pack(16 + len(body), kind, marked, sequence + offset, 0), body)
            written.append(bytes(-len(body) & 3))
        return b"".join(written), sequence + last


class Netlink:
    """A netlink socket of this process, in the network namespace of the thread that opens it.

    Args:
        protocol: `ROUTE` or `NETFILTER`.
        room: Octets of one request, and of its answers, that must find room.
        wait_s: How long an answer is waited for, in seconds.

    Raises:
        OSError: The system has no such sockets, or not for us.
    """

    def __init__(self, protocol: int, *, room: int = 1 << 20, wait_s: float = 2.0) -> None:
        if not hasattr(socket, "AF_NETLINK"):
            raise OSError(errno.EAFNOSUPPORT, "no netlink sockets on this system")
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(_SOL_NETLINK, _CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
            self._make_room(room)
            whole, rest = divmod(wait_s, 1)
            patience = struct.pack("@ll", int(whole), int(rest * 1e6))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0
        self._buffer = bytearray(_BUFFER)

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def ask(self, kind: int, flags: int, body: bytes) -> bytes:
        """Send one request and return the body of its answer.

        Raises:
            OSError: The kernel refused, or did not answer in time.
        """
        number = self._send(kind, flags, body)
        while True:
            for message in self._read():
                if message.sequence == number:
                    _check(message)
                    return message.body

    def listing(self, kind: int, body: bytes) -> list[bytes]:
        """Return the bodies of all messages of a listing.

        Raises:
            OSError: The kernel refused, or did not answer in time.
        """
        for _ in range(_TRIES - 1):
            bodies, whole = self._listed(kind, body)
            if whole:
                return bodies
        return self._listed(kind, body)[0]

    def commit(self, batch: Batch) -> list[Message]:
        """Have a batch carried out, and return what it was told by requests marked `ECHO`.

        Raises:
            OSError: The kernel refused, and nothing has changed; or it did not answer in time.
        """
        if not batch:
            return []
        first_number = self._numbers(len(batch) + 2)
        data, last = batch.write(first_number)
        self._drain()
        self._socket.send(data)
        told: list[Message] = []
        refusal: OSError | None = None
        answered = False
        while not answered:
            for message in self._read():
                if message.kind != _ERROR:
                    told.append(message)  # nf_tables numbers what it echoes 0
                    continue
                if not first_number <= message.sequence <= last:
                    continue
                refusal = refusal or _refusal(message)
                # an error of the bracket is about the whole batch, whose requests get no answer
                answered |= message.sequence in {first_number, last}
        if refusal:
            raise refusal
        return told

    def _make_room(self, octets: int) -> None:
        for forced, plain in (
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
        ):
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, forced, octets)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, plain, octets)

    def _send(self, kind: int, flags: int, body: bytes) -> int:
        number = self._numbers(1)
        header = _HEADER.pack(16 + len(body), kind, REQUEST | flags, number, 0)
        self._socket.send(header + body)
        return number

    def _numbers(self, count: int) -> int:
        """Return the first of some numbers that no recent request has had; 0 is the kernel's own."""
        if self._sequence > _LAST_NUMBER - count:
            self._sequence = 0
        self._sequence += count
        return self._sequence - count + 1

    def _listed(self, kind: int, body: bytes) -> tuple[list[bytes], bool]:
        number = self._send(kind, DUMP, body)
        bodies: list[bytes] = []
        whole = True
        while True:
            for message in self._read():
                if message.sequence != number:
                    continue
                whole = whole and not message.flags & INTERRUPTED
                if message.kind == _DONE:
                    return bodies, whole
                _check(message)
                bodies.append(message.body)

    def _drain(self) -> None:
        """Throw away what came too late for an earlier request."""
        while True:
            try:
                self._socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return

    def _read(self) -> list[Message]:
        try:
            size, (sender, _) = self._socket.recvfrom_into(self._buffer, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            raise TimeoutError(errno.ETIMEDOUT, "the kernel did not answer in time") from None
        if sender != 0:  # another process may write to us, but has nothing to tell
            return []
        if size > len(self._buffer):
            raise OSError(errno.EMSGSIZE, f"an answer of {size} octets")
        return list(messages(bytes(memoryview(self._buffer)[:size])))


def messages(data: bytes) -> Iterator[Message]:
    """Read messages one after another, up to the end or to one that does not fit."""
    at, end = 0, len(data)
    while at + 16 <= end:
        length, kind, flags, sequence, _ = _HEADER.unpack_from(data, at)
        if not 16 <= length <= end - at:
            return
        yield Message(kind, flags, sequence, data[at + 16 : at + length])
        at += length + 3 & ~3


def _check(message: Message) -> None:
    """Raise what an error message tells; others pass."""
    refusal = _refusal(message) if message.kind == _ERROR else None
    if refusal:
        raise refusal
    if message.kind == _OVERRUN:
        raise OSError(errno.ENOBUFS, "the kernel lost an answer")


def _refusal(message: Message) -> OSError | None:
    """Return what an error message tells; None where it acknowledges."""
    if len(message.body) < 4:
        return OSError(errno.EBADMSG, "an answer too short")
    code = -_CODE.unpack_from(message.body)[0]
    if code == 0:
        return None
    # RFC 3549 §2.3.2.2: the error is followed by the header of what was refused
    said = bytes(first(message.body[20:], 1)).rstrip(b"\0").decode(errors="replace")
    return OSError(code, f"{os.strerror(code)} ({said})" if said else os.strerror(code))
