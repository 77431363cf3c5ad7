"""Which number of ours a `tel:` URI names (RFC 3966): we are the gateway for those that name no other.

Visual separators were taken off when it was read. It knows contexts; who has a number is not its business.
"""

from collections.abc import Callable

from centrex.sip.uri import TelUri


def dialled(uri: TelUri, is_domain: Callable[[bytes], bool]) -> bytes:
    """Return the number to look up like a user; empty for a local number of somebody else's.

    A global number begins with `+`. A local one is ours where its context is one of our domains, a prefix,
    or missing; a prefix is not put before it, for that need not make a number (§5.1.5).

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
