"""Which codecs a session description settles on: what somebody who looks at a call wants to read.

It is read from a whole message, without taking the description apart: the first format of each media
line that is not declined, by its `a=rtpmap` or, for static payload types, by RFC 3551 §6. It judges
nothing; a description that says nothing sensible has no codecs.
"""

import re
from typing import Final

_MEDIA: Final = re.compile(
    rb"^m=([!-~]{1,32}) +([0-9]{1,5})(?:/[0-9]{1,5})? +([!-~]{1,64})((?: +[!-~]{1,64}){1,64})", re.M
)
_MAP: Final = re.compile(rb"^a=rtpmap: ?([0-9]{1,3}) +([!-.0-~]{1,64})/[0-9]{1,7}", re.M)
_MOST: Final = 4
"""Media lines that are told."""
_BESIDE: Final = frozenset({"telephone-event", "cn", "red"})
"""What accompanies a codec and is none: digits, silence, repetition."""
_STATIC: Final = {
    0: "PCMU", 3: "GSM", 4: "G723", 5: "DVI4", 6: "DVI4", 7: "LPC", 8: "PCMA", 9: "G722",
    10: "L16", 11: "L16", 12: "QCELP", 13: "CN", 14: "MPA", 15: "G728", 16: "DVI4", 17: "DVI4",
    18: "G729", 25: "CelB", 26: "JPEG", 28: "nv", 31: "H261", 32: "MPV", 33: "MP2T", 34: "H263",
}  # fmt: skip
"""RFC 3551 §6, tables 4 and 5."""


def describes_media(message: bytes) -> bool:
    """Whether a message, or its body, has a session description with media lines."""
    return _MEDIA.search(message) is not None


def codecs(message: bytes) -> tuple[str, ...]:
    """Return the codec of each media line of a message with a session description, in order."""
    found: list[str] = []
    lines = list(_MEDIA.finditer(message))
    for number, line in enumerate(lines[:_MOST]):
        if int(line[2]) == 0:
            continue  # declined (RFC 3264 §6)
        end = lines[number + 1].start() if number + 1 < len(lines) else len(message)
        formats = line[4].decode("ascii").split()
        if b"RTP/" not in line[3].upper():
            found.append(formats[0])
            continue
        maps = {
            int(one[1]): one[2].decode("ascii") for one in _MAP.finditer(message, line.end(), end)
        }
        names = [name for one in formats if (name := _name(one, maps))]
        found += [name for name in names if name.lower() not in _BESIDE][:1] or names[:1]
    return tuple(found)


def _name(form: str, maps: dict[int, str]) -> str:
    if not form.isdigit():
        return ""
    number = int(form)
    return maps.get(number) or _STATIC.get(number) or str(number)
