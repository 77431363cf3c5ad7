"""Text from strangers, made fit for a terminal, a log or a web page.

It knows which characters can deceive a reader or command a terminal: C0, C1, DEL, everything that
turns the direction of writing, has no width or no assigned meaning. It refuses to know where the
text goes; who writes it into quotation marks names those as well.
"""

import re
from typing import Final

_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Characters that Unicode calls printable although nothing is seen of them."""


def shown(value: bytes | str, limit: int = 200, *, also: str = "") -> str:
    r"""Return text in which every character is seen, and stands where it is read.

    Args:
        value: The untrusted text; bytes are taken for UTF-8.
        limit: Characters of the value that are kept; where more were given, `…` follows.
        also: Further characters to escape, such as quotation marks.

    Returns:
        The text with `\xNN` for each C0 character, DEL and octet that is no UTF-8, and `\uNNNN`
        or `\UNNNNNNNN` for every other character that is not printable.
    """
    if isinstance(value, bytes):
        text = value[: 4 * limit + 4].decode("utf-8", "surrogateescape")
    else:
        text = value
    cut = len(text) > limit
    if cut:
        text = text[:limit]
    if not (text.isprintable() and (text.isascii() or not _UNSEEN.search(text))) or (
        also and any(char in text for char in also)
    ):
        text = "".join([_escaped(char, also) for char in text])
    return text + "…" if cut else text


def _escaped(char: str, also: str) -> str:
    if char.isprintable() and char not in also and not _UNSEEN.match(char):
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # an octet that is no UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
