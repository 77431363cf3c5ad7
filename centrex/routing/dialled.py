"""Which number of ours a URI names that is a telephone number, or says that it is one (RFC 3966).

We are the gateway for the numbers that name no other. It knows contexts, and what is in a number only to
be read; who has a number is not its business.
"""

from collections.abc import Callable

from centrex.base import PeerError
from centrex.sip.uri import SipUri, TelUri, parse_uri, unescape_user


def dialled(uri: TelUri, is_domain: Callable[[bytes], bool]) -> bytes:
    """Return the number to look up like a user; empty for a local number of somebody else's.

    A global number begins with `+`. A local one is ours where its context is one of our domains, a prefix,
    or missing; a prefix is not put before it, for that need not make a number (§5.1.5). Visual separators
    were taken off when the URI was read.

    Args:
        uri: The URI.
        is_domain: Whether a name, in lower case, is a domain of ours.
    """
    if uri.number.startswith(b"+"):
        return uri.number
    context = next((value for name, value in uri.params if name == b"phone-context"), None)
    if not context or context.startswith(b"+") or is_domain(context.lower()):
        return uri.number
    return b""


def named(
    uri: SipUri, is_domain: Callable[[bytes], bool], is_somebody: Callable[[bytes], bool]
) -> bytes:
    """Return the user to look up whom a SIP URI of ours names, unescaped.

    Where the URI says `user=phone`, that is the number its user part is (RFC 3261 §19.1.6), read like that
    of a `tel:` URI. A name that is somebody's as it is written comes before that, and so does what has
    no digit in it: phones say `user=phone` of names, too.

    Args:
        uri: The URI, whose host is ours.
        is_domain: Whether a name, in lower case, is a domain of ours.
        is_somebody: Whether a user part, unescaped, is anybody's.
    """
    user = unescape_user(uri.user)
    if not uri.params or (uri.param(b"user") or b"").lower() != b"phone":
        return user
    try:
        number = parse_uri(b"tel:" + user)
    except PeerError:
        return user
    assert isinstance(number, TelUri)
    found = dialled(number, is_domain)
    if not any(48 <= octet < 58 for octet in found) or found == user or is_somebody(user):
        return user
    return found
