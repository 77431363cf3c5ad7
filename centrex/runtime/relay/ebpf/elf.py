"""The program in an object file: its instructions, and where they name the map (ELF, 64 bits).

As much of ELF as clang makes of one program with one map; anything else is refused.
"""

import struct
from typing import Final, NamedTuple

_HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION: Final = struct.Struct("<IIQQQQIIQQ")
_RELOCATION: Final = struct.Struct("<QQ")
_BPF: Final = 247
_RELOCATES_64: Final = 1
_MOST_SECTIONS: Final = 64


class BadObject(ValueError):
    """It is no object file of the kind that is expected."""


class Program(NamedTuple):
    """A program as it stands in the object file."""

    code: bytes
    """Its instructions, eight octets each."""
    maps: tuple[int, ...]
    """Where in the code an instruction loads the map's address."""

    def with_map(self, descriptor: int) -> bytes:
        """Return the instructions with the map's descriptor where it is named."""
        code = bytearray(self.code)
        for at in self.maps:
            code[at + 1] = (code[at + 1] & 0x0F) | 0x10  # BPF_PSEUDO_MAP_FD
            struct.pack_into("<i", code, at + 4, descriptor)
        return bytes(code)


def read_program(data: bytes, section: str) -> Program:
    """Return the program in a section.

    Raises:
        BadObject: There is none.
    """
    try:
        return _read(data, section.encode())
    except (struct.error, IndexError, OverflowError) as error:
        raise BadObject(f"the object file is damaged: {error}") from error


def _read(data: bytes, wanted: bytes) -> Program:
    header = _HEADER.unpack_from(data)
    ident, machine, at, count, names_in = header[0], header[2], header[6], header[12], header[13]
    if ident[:6] != b"\x7fELF\x02\x01" or machine != _BPF or count > _MOST_SECTIONS:
        raise BadObject("it is no object file for BPF")
    sections = [_SECTION.unpack_from(data, at + number * _SECTION.size) for number in range(count)]
    names = _content(data, sections[names_in])
    by_name = {_name(names, section[0]): section for section in sections}
    if wanted not in by_name:
        raise BadObject(f"it has no section {wanted.decode()}")
    code = _content(data, by_name[wanted])
    if not code or len(code) % 8:
        raise BadObject("its program has no whole instructions")
    table = by_name.get(b".rel" + wanted)
    places = _relocations(_content(data, table) if table is not None else b"")
    if any(place % 8 or place + 16 > len(code) for place in places):
        raise BadObject("it names the map outside of its program")
    return Program(code, places)


def _relocations(table: bytes) -> tuple[int, ...]:
    places = []
    for place, info in _RELOCATION.iter_unpack(table):
        if info & 0xFFFFFFFF != _RELOCATES_64:
            raise BadObject("it names something that is no map")
        places.append(place)
    return tuple(places)


def _content(data: bytes, section: tuple[int, ...]) -> bytes:
    start, size = section[4], section[5]
    if start + size > len(data):
        raise BadObject("a section ends behind the file")
    return data[start : start + size]


def _name(names: bytes, at: int) -> bytes:
    return names[at : names.index(b"\0", at)] if b"\0" in names[at:] else b""
