"""Subscriptions as rows for a file, so that a crash ends none (RFC 6665 §4.2.2): written, and read again.

A row is what a dialog needs to go on. How many NOTIFYs were sent after it was written nobody knows, so
numbers go on above any that may have been used: a watcher takes a CSeq that leaps (RFC 3261 §12.2.2), and
a full document whose version does (RFC 3680 §5.3). Times in rows are UTC. There is no secret in them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from centrex.base import Flow, Instant
from centrex.watching.package import PACKAGES
from centrex.watching.subscription import Subscription

FlowOf: TypeAlias = Callable[[str, str, int], Flow | None]
"""From transport, remote host and remote port to a flow, if it can be had."""

_KINDS: Final = (*(str,) * 13, bool, str, str, int, int, int, int, float)
_A_SECOND: Final = 16
"""NOTIFYs that one subscription may get in a second, and more."""
_LEAP: Final = 1000


def row(sub: Subscription, ahead: float) -> list[Any]:
    """Return a subscription as a row.

    Args:
        sub: The subscription.
        ahead: How far UTC is ahead of monotonic time.
    """
    flow = sub.flow
    texts = (
        sub.package.name, sub.user, sub.event, sub.target, sub.watcher, sub.owner, sub.login,
        sub.call_id, sub.own_tag, sub.their_tag, *sub.addresses, sub.contact,
    )  # fmt: skip
    return [
        *(text.decode("latin-1") for text in texts),
        sub.trusted,
        sub.routes.decode("latin-1"),
        f"{flow.transport.value} {flow.host}",
        flow.port,
        sub.remote_cseq,
        sub.cseq,
        sub.version,
        round(sub.expires_at + ahead, 3),
    ]


def revive(
    what: Sequence[Any], written_s: float, now: Instant, ahead: float, flow_of: FlowOf
) -> Subscription | None:
    """Make a subscription of a row; None where it is over, or its watcher can no longer be reached.

    Args:
        what: The row.
        written_s: How long ago it was written.
        now: Monotonic seconds.
        ahead: How far UTC is ahead of that.
        flow_of: Finds the way to a watcher.

    Raises:
        ValueError: It is no row of ours.
    """
    if tuple(map(type, what)) != _KINDS:
        raise ValueError("a row has not the columns it must have")
    texts = [text.encode("latin-1") for text in what[:13]]
    name, user, event, target, watcher, owner, login, call_id, own, theirs, *rest = texts
    own_address, their_address, contact = rest
    trusted, routes, way, port, remote_cseq, cseq, version, expires = what[13:]
    package = PACKAGES.get(name)
    if package is None:
        raise ValueError("a row is of no package that is served")
    transport, _, host = way.partition(" ")
    flow = flow_of(transport, host, port)
    if flow is None or expires - ahead <= now:
        return None
    sub = Subscription(
        package,
        user,
        event=event,
        target=target,
        watcher=watcher,
        owner=owner,
        login=login,
        trusted=trusted,
        call_id=call_id,
        own_tag=own,
        their_tag=theirs,
        own_address=own_address,
        their_address=their_address,
    )
    leap = _LEAP + int(max(written_s, 0.0) * _A_SECOND)
    sub.contact, sub.routes, sub.flow = contact, routes.encode("latin-1"), flow
    sub.remote_cseq, sub.cseq, sub.version = remote_cseq, cseq + leap, version + leap
    sub.expires_at = expires - ahead
    return sub
