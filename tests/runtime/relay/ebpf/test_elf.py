"""The program in an object file, and files that hold none."""

import random
from importlib.resources import files

import pytest

from centrex.runtime.relay.ebpf.elf import BadObject, read_program

DATA = files("centrex.runtime.relay.ebpf").joinpath("relay.bpf.o").read_bytes()


def test_the_program_and_where_it_names_the_map() -> None:
    program = read_program(DATA, "tc")
    assert len(program.code) % 8 == 0
    assert len(program.maps) == 2, "one look-up for each IP version"
    code = program.with_map(77)
    assert len(code) == len(program.code)
    for at in program.maps:
        assert code[at] == 0x18, "a load of 64 bits"
        assert code[at + 1] >> 4 == 1, "of a map by its descriptor"
        assert int.from_bytes(code[at + 4 : at + 8], "little") == 77
    assert program.with_map(0) != code


@pytest.mark.parametrize("data", [b"", b"\x7fELF", DATA[:64], DATA[:200], b"x" * 500, DATA[:-1000]])
def test_what_is_cut_off(data: bytes) -> None:
    with pytest.raises(BadObject):
        read_program(data, "tc")


def test_another_section_and_another_machine() -> None:
    with pytest.raises(BadObject, match="no section"):
        read_program(DATA, "xdp")
    with pytest.raises(BadObject, match="no object file for BPF"):
        read_program(DATA[:18] + b"\x3e\x00" + DATA[20:], "tc")


def test_damage_is_told_and_never_more() -> None:
    chance = random.Random(7)
    for _ in range(3000):
        data = bytearray(DATA)
        for _ in range(chance.randrange(1, 8)):
            data[chance.choice((chance.randrange(64), chance.randrange(len(data))))] = (
                chance.randrange(256)
            )
        try:
            program = read_program(bytes(data), "tc")
        except BadObject:
            continue
        program.with_map(5)
