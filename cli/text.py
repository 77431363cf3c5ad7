"""Makes text from the network harmless before it meets a terminal."""

import unicodedata
from typing import Final

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls (C0, C1, DEL), bidi and zero-width marks, lone surrogates, line separators."""


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def escape(text: object) -> str:
    r"""Return text with everything a terminal might act upon spelled out, as in `\x1b`."""
    plain = str(text)
    if plain.isprintable():
        return plain
    return "".join(map(_escaped, plain))
