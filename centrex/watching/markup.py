"""Text from strangers, made fit to stand in an XML document.

What XML 1.0 does not allow at all becomes the replacement character; what has a meaning there is
escaped. It knows no vocabulary.
"""

import re
from typing import Final
from xml.sax.saxutils import escape

_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTES: Final = {'"': "&quot;", "'": "&apos;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
_PLAIN: Final = re.compile(rb"[A-Za-z0-9 .:@_;=,/+?!*()~$%-]*+")
HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
"""How each document begins."""


def text(value: bytes) -> bytes:
    """Return a value as it stands in an element, or in an attribute in double quotes."""
    if _PLAIN.fullmatch(value) is not None:
        return value
    clean = _FORBIDDEN.sub("\ufffd", value.decode("utf-8", "backslashreplace"))
    return escape(clean, _QUOTES).encode()
