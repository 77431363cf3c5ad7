"""A subscription: a dialog of ours in which somebody is told of changes (RFC 6665 §4.2).

It holds what a NOTIFY is made of and writes it. When one is due is for `notifier`, what it tells for
`reginfo` and `dialoginfo`.
"""

from typing import Final

from centrex.base import Flow, Instant
from centrex.watching.package import Package

NOTHING: Final = 0
"""Nothing is to be told."""
LAZILY: Final = 1
"""Something is, but it can wait: contacts were refreshed."""
SOON: Final = 2

DEACTIVATED: Final = b"deactivated"
TIMEOUT: Final = b"timeout"
NO_RESOURCE: Final = b"noresource"
REJECTED: Final = b"rejected"
GONE: Final = b"gone"
"""Of a watcher who does not hear us any more: no NOTIFY tells it."""


class Subscription:
    """One subscription.

    Attributes:
        package: What is watched of the target.
        user: The canonical user who is watched; empty for the whole domain.
        target: His URI, as the watcher wrote it.
        watcher: The watcher's URI.
        owner: Whose bound it counts against: a login, or an address, and who of those who share it.
        login: The login he showed; empty for none.
        trusted: Whether the watcher showed who he is.
        call_id: The dialog's Call-ID.
        own_tag: Our tag.
        their_tag: The watcher's.
        contact: The watcher's target URI.
        routes: Its Route line; empty where it has none.
        flow: The way to the watcher.
        remote_cseq: The CSeq number of the last SUBSCRIBE.
        cseq: That of the last NOTIFY.
        expires_at: When it ends.
        version: The number of the next document.
        seen: Up to which change the watcher was told.
        full: Whether the next document tells everything.
        want: Whether something is to be told, and how soon.
        ending: Why it ends; empty while it does not.
        waits: Whether a NOTIFY is unanswered.
        cooling: Whether it is too soon after the last one.
        queued: Whether its turn comes.
        later: Whether it comes after a while.
        notified: How many NOTIFYs were sent.
        octets: How many octets of its NOTIFYs are unanswered.
        more: Whether the last document did not hold everything.
        over: Whether nothing is told any more.
        due: The second at which it is looked at next.
    """

    __slots__ = (
        "_fixed",
        "call_id",
        "contact",
        "cooling",
        "cseq",
        "due",
        "ending",
        "event",
        "expires_at",
        "flow",
        "full",
        "later",
        "login",
        "more",
        "notified",
        "octets",
        "over",
        "own_tag",
        "owner",
        "package",
        "queued",
        "remote_cseq",
        "routes",
        "seen",
        "target",
        "their_tag",
        "trusted",
        "user",
        "version",
        "waits",
        "want",
        "watcher",
    )

    def __init__(
        self,
        package: Package,
        user: bytes,
        *,
        event: bytes,
        target: bytes,
        watcher: bytes,
        owner: bytes,
        login: bytes,
        trusted: bool,
        call_id: bytes,
        own_tag: bytes,
        their_tag: bytes,
        own_address: bytes,
        their_address: bytes,
    ) -> None:
        self.package, self.user, self.event = package, user, event
        self.target, self.watcher, self.owner = target, watcher, owner
        self.login, self.trusted = login, trusted
        self.call_id, self.own_tag, self.their_tag = call_id, own_tag, their_tag
        self._fixed = b"From: %b\r\nTo: %b\r\nCall-ID: %b\r\n" % (
            own_address, their_address, call_id,
        )  # fmt: skip
        self.contact = self.routes = self.ending = b""
        self.flow: Flow
        self.remote_cseq = self.cseq = self.version = self.seen = self.notified = self.due = 0
        self.expires_at: Instant = 0.0
        self.octets = 0
        self.full = True
        self.want = NOTHING
        self.waits = self.cooling = self.queued = self.later = self.more = self.over = False

    def __repr__(self) -> str:
        return f"Subscription({self.watcher!r} to {self.package.name!r} of {self.target!r})"

    @property
    def addresses(self) -> tuple[bytes, bytes]:
        """Our address and the watcher's, as they stand in From and To of a NOTIFY."""
        own, their, *_ = self._fixed.split(b"\r\n")
        return own.removeprefix(b"From: "), their.removeprefix(b"To: ")

    def state_line(self, now: Instant) -> bytes:
        """Return the Subscription-State line (RFC 6665 §8.2.3)."""
        if self.ending:
            return b"Subscription-State: terminated;reason=" + self.ending
        return b"Subscription-State: active;expires=%d" % max(round(self.expires_at - now), 0)

    def notify(self, branch: bytes, flow: Flow, body: bytes, now: Instant) -> bytes:
        """Write the next NOTIFY.

        Args:
            branch: The branch of its Via.
            flow: The way it leaves.
            body: The document.
            now: Monotonic seconds.
        """
        self.cseq += 1
        self.notified += 1
        head = (
            b"NOTIFY %b SIP/2.0\r\n%b%b\r\nMax-Forwards: 70\r\n%b%bCSeq: %d NOTIFY\r\n"
            b"Contact: <%b>\r\n%b\r\n%b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        ) % (
            self.contact, flow.local.via, branch, self.routes, self._fixed, self.cseq,
            own_uri(flow), self.event, self.state_line(now), self.package.media_type, len(body),
        )  # fmt: skip
        return head + body


def own_uri(flow: Flow) -> bytes:
    """Return where requests within the dialog come to: our own address on that way."""
    return flow.local.uri
