"""What rtpengine is told with an offer or an answer, and what is shown where it is told nothing.

It knows the fields of the NG protocol as rtpengine's documentation has them; when something is asked,
and what becomes of the answer, is `centrex.proxy.delegating`.
"""

from collections.abc import Mapping
from typing import TypeAlias

from centrex import sdp
from centrex.base import PeerError
from centrex.farm.bencode import Encodable
from centrex.media.exchange import Where
from centrex.media.whereabouts import is_hidden, may_name
from centrex.proxy.carried import Delegated
from centrex.proxy.ends import Described

Fields: TypeAlias = Mapping[str, Encodable]


def common(
    carried: Delegated, from_tag: bytes, found: Described, here: Where, there: Where
) -> dict[str, Encodable]:
    """Return what is said with every offer and answer."""
    hidden = here.natted or not all(
        _is_trusted(media, here.source) for media in found.description.media if media.port
    )
    flags = ["strict-source"]
    if not hidden:
        flags.append("trust-address")
    fields: dict[str, Encodable] = {
        "call-id": carried.call_id,
        "from-tag": from_tag,
        "sdp": found.text,
        "ICE": "remove",
        "flags": flags,
        "replace": ["session-connection"],
        "address-family": "IP6" if ":" in there.local else "IP4",
    }
    if hidden and here.source:
        fields["received-from"] = ["IP6" if ":" in here.source else "IP4", here.source]
        flags.append("SIP-source-address")
    return fields


def _is_trusted(media: sdp.Media, source: str) -> bool:
    """Whether rtpengine may send where a media line says.

    Who names an address of rtpengine's own host, or network, would have it send there what he likes, its
    control port included; and of what is said twice it may believe the other one.
    """
    hosts = [] if media.is_held else [media.host]
    hosts += [media.rtcp_host] if media.rtcp_host else []
    if media.why_not or len(media.rtcp_lines) > 1:
        return False
    return all(may_name(host, source) and not is_hidden(host, source) for host in hosts)


def stand_in(found: Described, shown: bytes | None) -> bytes:
    """Return the body of somebody who was called, but did not get the call: rtpengine is not told.

    Args:
        found: What it describes.
        shown: The description the other side was shown of the one who did; None where there is none.
    """
    try:
        ours = sdp.parse(shown).media if shown is not None else ()
    except PeerError:  # rtpengine's own, and then there is nothing to be put in its place
        ours = ()
    places: list[sdp.Place | None] = [sdp.DECLINED] * len(found.description.media)
    for number, media in enumerate(ours[: len(places)]):
        if media.port:
            rtcp = media.port if media.rtcp_mux else media.rtcp_port or media.port + 1
            places[number] = sdp.Place(media.host, media.port, rtcp)
    return sdp.replace(found.content_type, found.body, sdp.rewrite(found.description, places))


def key(fields: Fields) -> tuple[object, ...]:
    """Return what a question has in common with those that need not be asked again."""
    return tuple(
        fields.get(name) for name in ("command", "from-tag", "to-tag", "sdp", "address-family")
    )
