"""Phones that give up when a challenge offers more than MD5, known by the name they give themselves.

It knows products and versions, and to which sources that was told already. It refuses to know what
a challenge looks like. A name from the wire proves nothing, and need not: MD5 is offered anyway,
and whoever can change a request can change the challenge as well.
"""

import re
from typing import Final

from centrex.base import Flow

_OCTETS: Final = 200
"""More of a User-Agent is not looked at."""
_TOLD: Final = 4096

_OLD: Final = (
    # libre refused any algorithm but MD5, and with it the whole response, up to its version 3.10
    (re.compile(rb"baresip v(\d{1,4})\.(\d{1,4})"), (3, 11)),
    # chan_sip, which knows MD5 only and reads one challenge, was in Asterisk until version 20
    (re.compile(rb"Asterisk PBX (?:certified/)?(\d{1,4})\.(\d{1,4})"), (21, 0)),
)
"""How each names itself with its version, and the first version that can choose."""


def md5_only(user_agent: bytes) -> bool:
    """Return whether a phone of this name cannot choose among algorithms.

    Args:
        user_agent: The value of its User-Agent header; empty where it has none.
    RFC: 8760 §2.4 wants it to choose.
    """
    if not user_agent:
        return False
    head = user_agent[:_OCTETS]
    for form, able in _OLD:
        found = form.match(head)
        if found is not None:
            return (int(found[1]), int(found[2])) < able
    return False


class Told:
    """The sources of which a quirk was told: the latest few thousand."""

    __slots__ = ("_sources",)

    def __init__(self) -> None:
        self._sources: dict[str, None] = {}

    def is_news(self, flow: Flow) -> bool:
        """Return whether nothing was told of this flow's host yet; from now on it was."""
        sources = self._sources
        if flow.host in sources:
            return False
        if len(sources) >= _TOLD:
            del sources[next(iter(sources))]
        sources[flow.host] = None
        return True
