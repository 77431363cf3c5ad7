"""The bpf() system call: programs, maps, links and pins as file descriptors (bpf(2), linux/bpf.h).

Whoever gets a descriptor closes it. What a program does is not known here.
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NUMBERS: Final = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
_ATTRIBUTES: Final = 144
_MAP_CREATE, _LOOKUP, _UPDATE, _DELETE, _PROG_LOAD = 0, 1, 2, 3, 5
_OBJ_PIN, _OBJ_GET, _TEST_RUN, _LOOKUP_BATCH, _LINK_CREATE = 6, 7, 10, 24, 28
_INFO: Final = 15
_TCX_LINK: Final = 11
_LINK_INFO_OCTETS: Final = 128
_HASH: Final = 1
_SCHED_CLS: Final = 3
_TCX_INGRESS: Final = 46
_NO_PREALLOC: Final = 1
_LOG_OCTETS: Final = 1 << 18
_BATCH: Final = 512

_libc: Final = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, attributes: bytes) -> int:
    """Make the call; what it wrote back is in `_written`, also where it failed."""
    number = _NUMBERS.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"unknown machine {platform.machine()}")
    buffer = ctypes.create_string_buffer(attributes.ljust(_ATTRIBUTES, b"\0"), _ATTRIBUTES)
    result: int = _libc.syscall(number, command, buffer, _ATTRIBUTES)
    _written[:] = buffer.raw
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


_written: Final = bytearray(_ATTRIBUTES)


class VerifierError(OSError):
    """The kernel does not take the program; the text is the end of the verifier's log."""


def load_program(code: bytes, name: str) -> int:
    """Load a classifier; return its descriptor.

    Raises:
        OSError: It may not be loaded.
        VerifierError: The verifier refuses it.
    """
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Dual MIT/GPL")
    log = ctypes.create_string_buffer(_LOG_OCTETS)

    def attributes(level: int) -> bytes:
        return struct.pack(
            "=IIQQIIQII16s",
            _SCHED_CLS,
            len(code) // 8,
            ctypes.addressof(instructions),
            ctypes.addressof(licence),
            level,
            _LOG_OCTETS if level else 0,
            ctypes.addressof(log) if level else 0,
            0,
            0,
            name.encode()[:15],
        )

    try:
        return _bpf(_PROG_LOAD, attributes(0))
    except OSError as error:
        if error.errno == errno.EPERM:
            raise
        try:
            return _bpf(_PROG_LOAD, attributes(1))
        except OSError:
            words = " ".join(log.value.decode("ascii", "replace").split())[-300:]
            raise VerifierError(error.errno, words or error.strerror) from error


def attach(program: int, interface: int) -> int:
    """Attach a program to an interface's ingress; return the link's descriptor (Linux 6.6)."""
    return _bpf(_LINK_CREATE, struct.pack("=IIII", program, interface, _TCX_INGRESS, 0))


def interface_of(link: int) -> int:
    """Return the interface a link is attached to; 0 where that is gone, or it is no such link."""
    info = ctypes.create_string_buffer(_LINK_INFO_OCTETS)
    _bpf(_INFO, struct.pack("=IIQ", link, len(info), ctypes.addressof(info)))
    kind, interface = struct.unpack_from("=I12xI", info)
    found: int = interface if kind == _TCX_LINK else 0
    return found


def test_run(program: int, data: bytes) -> tuple[int, bytes]:
    """Run a program with a packet; return its verdict and what became of the packet."""
    given = ctypes.create_string_buffer(data, len(data))
    out = ctypes.create_string_buffer(len(data) + 256)
    _bpf(
        _TEST_RUN,
        struct.pack(
            "=IIIIQQII",
            program,
            0,
            len(data),
            len(out),
            ctypes.addressof(given),
            ctypes.addressof(out),
            1,
            0,
        ),
    )
    verdict, _, size = struct.unpack_from("=iII", _written, 4)
    return verdict, out.raw[:size]


def pin(descriptor: int, path: Path) -> None:
    """Keep what a descriptor stands for under a name in the bpf file system."""
    text = ctypes.create_string_buffer(os.fsencode(path))
    _bpf(_OBJ_PIN, struct.pack("=QII", ctypes.addressof(text), descriptor, 0))


def pinned(path: Path) -> int:
    """Return a descriptor of what is kept under a name."""
    text = ctypes.create_string_buffer(os.fsencode(path))
    return _bpf(_OBJ_GET, struct.pack("=QII", ctypes.addressof(text), 0, 0))


class HashMap:
    """A hash map.

    Args:
        descriptor: Its descriptor, which is closed with it.
        key_octets: The size of its keys.
        value_octets: The size of its values.
    """

    def __init__(self, descriptor: int, key_octets: int, value_octets: int) -> None:
        self.descriptor = descriptor
        self._key = ctypes.create_string_buffer(key_octets)
        self._value = ctypes.create_string_buffer(value_octets)
        self._at = struct.pack(
            "=IIQQQ",
            descriptor,
            0,
            ctypes.addressof(self._key),
            ctypes.addressof(self._value),
            0,
        )

    @classmethod
    def create(cls, name: str, key_octets: int, value_octets: int, entries: int) -> "HashMap":
        """Make a map for so many entries at most; memory is taken as they come."""
        attributes = struct.pack(
            "=IIIIIII16s",
            _HASH,
            key_octets,
            value_octets,
            entries,
            _NO_PREALLOC,
            0,
            0,
            name.encode()[:15],
        )
        return cls(_bpf(_MAP_CREATE, attributes), key_octets, value_octets)

    def put(self, key: bytes, value: bytes) -> None:
        """Set an entry."""
        self._key.raw, self._value.raw = key, value
        _bpf(_UPDATE, self._at)

    def get(self, key: bytes) -> bytes | None:
        """Return an entry's value; None where there is none."""
        self._key.raw = key
        try:
            _bpf(_LOOKUP, self._at)
        except FileNotFoundError:
            return None
        return self._value.raw

    def delete(self, key: bytes) -> bool:
        """Remove an entry; False where there is none."""
        self._key.raw = key
        try:
            _bpf(_DELETE, self._at[:16])
        except FileNotFoundError:
            return False
        return True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries, many with each call."""
        size_key, size_value = len(self._key), len(self._value)
        keys = ctypes.create_string_buffer(size_key * _BATCH)
        values = ctypes.create_string_buffer(size_value * _BATCH)
        before, after = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
        first = True
        while True:
            attributes = struct.pack(
                "=QQQQIIQQ",
                0 if first else ctypes.addressof(before),
                ctypes.addressof(after),
                ctypes.addressof(keys),
                ctypes.addressof(values),
                _BATCH,
                self.descriptor,
                0,
                0,
            )
            last = False
            try:
                _bpf(_LOOKUP_BATCH, attributes)
            except FileNotFoundError:
                last = True  # with these, it was all
            (count,) = struct.unpack_from("=I", _written, 32)
            for number in range(count):
                yield (
                    keys.raw[number * size_key : (number + 1) * size_key],
                    values.raw[number * size_value : (number + 1) * size_value],
                )
            if last:
                return
            before.raw, first = after.raw, False

    def close(self) -> None:
        """Let go of it."""
        os.close(self.descriptor)
