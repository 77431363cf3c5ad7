"""Where one side of a call wants its media, and where they may really have to go.

It knows one media line and where its message came from; what both sides agree on is for others.
"""

import ipaddress
from functools import lru_cache
from typing import Final

from centrex.media.terms import Address, End, Slot
from centrex.sdp import Description, Media

_BROADCAST: Final = "255.255.255.255"


def end_of(media: Media, source: str, *, natted: bool) -> End:
    """Return what a media line says of the side it comes from.

    Args:
        media: The line.
        source: Where its message came from; empty where that says nothing.
        natted: Whether that side is known to be behind NAT.
    """
    rtp = rtcp = None
    if may_name(media.host, source):
        rtp = Address(media.host, media.port)
        control = media.rtcp_host
        if control is None or not may_name(control, source) or is_hidden(control, source):
            control = media.host
        rtcp = Address(control, media.rtcp_port or min(media.port + 1, 65535))
    return End(
        rtp=rtp,
        rtcp=rtcp,
        source=source,
        natted=natted or is_hidden(media.host, source),
        sends=media.sends,
        receives=media.receives,
        payload=media.payload,
        clock_rate=media.clock_rate,
        is_rtp=media.is_rtp,
    )


def names(sdp: Description, slot: Slot) -> bool:
    """Whether a description names a certain slot of the relay."""
    return any(
        slot.port == media.port and (slot.shown == media.host or media.is_held)
        for media in sdp.media
    )


def odd_lines(sdp: Description) -> frozenset[int]:
    """Return the numbers of lines that no relay can carry."""
    odd: frozenset[int] = frozenset()
    for number, media in enumerate(sdp.media):
        if media.why_not and media.port:
            odd |= {number}
    return odd


def is_hidden(host: str, source: str) -> bool:
    """Whether a described address is one that the outside cannot reach, unlike the sender's own.

    Args:
        host: The address of a media line; a name where it is not numeric.
        source: Where its message came from; empty where that says nothing.
    """
    if not source or host == source:
        return False
    return not is_numeric(host) or (is_private(host) and not is_private(source))


@lru_cache(4096)
def is_private(host: str) -> bool:
    """Whether a numeric address is of a private network, a carrier's NAT (RFC 6598) or link-local."""
    address = ipaddress.ip_address(host)
    return not address.is_global and not address.is_loopback and not address.is_unspecified


@lru_cache(4096)
def is_numeric(host: str) -> bool:
    """Whether a described address is none that would have to be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(4096)
def may_name(host: str, source: str) -> bool:
    """Whether an end may want its media there: at one host, and at ours only if it is on ours.

    Args:
        host: The address it names.
        source: Where its message came from; empty where that says nothing.
    """
    if not is_numeric(host):
        return False
    address = ipaddress.ip_address(host)
    if address.is_loopback:
        return is_numeric(source) and ipaddress.ip_address(source).is_loopback
    return not (address.is_multicast or address.is_unspecified or host == _BROADCAST)
