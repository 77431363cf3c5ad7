"""What rtpengine tells of a call, in the words that our own relays use for theirs.

What it does not tell stays `None`; nothing is made up.
"""

from collections.abc import Mapping
from typing import Any, Final

from centrex.farm.bencode import Value

_MOST: Final = 64
"""Media lines and streams of one call that are told of."""


def call_figures(
    fields: Mapping[bytes, Value], call_id: bytes, caller_tag: bytes, *, answered: bool, now: float
) -> dict[str, Any]:
    """Return what an instance answered to `query` as a row of `relays calls`.

    Args:
        fields: Its answer.
        call_id: The call.
        caller_tag: The caller's tag.
        answered: Whether the call is up.
        now: The time of day, in seconds since the epoch.
    """
    tags = fields.get(b"tags")
    sides = tags if isinstance(tags, dict) else {}
    caller = sides.get(caller_tag)
    callee = next((one for tag, one in sides.items() if tag != caller_tag and _lines(one)), None)
    created = fields.get(b"created")
    lines = zip(_lines(caller), _lines(callee), strict=False)
    return {
        "id": call_id.decode("utf-8", "backslashreplace"),
        "call_id": call_id.decode("utf-8", "backslashreplace"),
        "answered": answered,
        "seconds": round(now - created, 3) if isinstance(created, int) else None,
        "one_way": "",
        "streams": [[_end(mine), _end(theirs)] for mine, theirs in lines],
    }


def _lines(side: Value | None) -> list[Value]:
    medias = side.get(b"medias") if isinstance(side, dict) else None
    return medias[:_MOST] if isinstance(medias, list) else []


def _end(media: Value) -> dict[str, Any]:
    streams = media.get(b"streams") if isinstance(media, dict) else None
    some = streams[:_MOST] if isinstance(streams, list) else []
    told = [one for one in some if isinstance(one, dict)]
    rtp: dict[bytes, Value] = told[0] if told else {}
    rtcp: dict[bytes, Value] = told[1] if len(told) > 1 else {}
    flags = rtp.get(b"flags")
    learned = isinstance(flags, list) and b"confirmed" in flags
    return {
        "port": _address(rtp, b"local address", b"local port"),
        "signalled": _endpoint(rtp.get(b"advertised endpoint")),
        "learned": _endpoint(rtp.get(b"endpoint")) if learned else "",
        "locked": learned,
        "packets": _number(rtp, b"packets"),
        "octets": _number(rtp, b"bytes"),
        "sent": None,
        "lost": None,
        "jitter_ms": None,
        "rtcp_packets": _number(rtcp, b"packets"),
        "kernel": None,  # it has the flag `kernelized` without a module in the kernel, too
        "relearned": None,
        "drops": {"errors": _number(rtp, b"errors")},
    }


def _number(stream: Mapping[bytes, Value], name: bytes) -> int:
    stats = stream.get(b"stats")
    value = stats.get(name) if isinstance(stats, dict) else None
    return value if isinstance(value, int) else 0


def _endpoint(value: Value | None) -> str:
    return _address(value, b"address", b"port") if isinstance(value, dict) else ""


def _address(fields: Mapping[bytes, Value], host: bytes, port: bytes) -> str:
    name, number = fields.get(host), fields.get(port)
    if not isinstance(name, bytes) or not isinstance(number, int):
        return ""
    text = name.decode("ascii", "backslashreplace")
    return f"[{text}]:{number}" if ":" in text else f"{text}:{number}"
