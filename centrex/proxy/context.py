"""One request on its way, from arrival to its final response: the response context of §16.

It holds what the steps of the chain found out, and the branches that were opened for it. It is plain
data: steps and `forward` write it, `upstream` read it.
"""

from typing import Any

from centrex.auth.logins import Login
from centrex.base import Flow, Instant
from centrex.calls import Call
from centrex.routing.target import Target
from centrex.sip.message import Message
from centrex.sip.reading import ViaForm
from centrex.sip.uri import Uri
from centrex.sip.via import Via
from centrex.trace import Decision
from centrex.transaction import ClientTransaction, ServerTransaction


class Context:
    """One request and what becomes of it.

    Attributes:
        message: The request, edited on its way; dropped once a final response was sent.
        flow: The way it came.
        via: Its topmost Via as the sender wrote it, or what is usual in it.
        uri: Its Request-URI, parsed.
        ours: Whether the Request-URI's host and port are ours.
        for_us: Whether it names the server itself: no user, or the registrar's name.
        tale: Where decisions about it are noted.
        call_id: Its Call-ID.
        from_tag: Its From tag.
        to_tag: Its To tag; empty outside a dialog.
        from_uri: Its From URI as it stands.
        to_uri: Its To URI as it stands.
        server: Its server transaction; None for an ACK.
        dialog: Whether it belongs to a dialog that went through us.
        dialog_flow: The flow to the dialog's other end, where the Record-Route told.
        login: Who proved to be its sender.
        trusted: Whether its source needs no credentials.
        groups: Target groups not yet tried.
        branches: Where it was sent.
        dropped: The index of our own Route line, to be left out when it is forwarded; 0 for none.
        base: The lines to send, without what differs from branch to branch.
        insert_at: Where Via, Record-Route and Route lines go in `base`.
        breadth: The Max-Breadth it came with (RFC 5393 §5).
        call: The call it begins.
        answered: Whether a final response was sent.
        cancelled: Whether the caller gave up.
        waiting: How many questions are open.
    """

    __slots__ = (
        "answered",
        "base",
        "branches",
        "breadth",
        "call",
        "call_id",
        "cancelled",
        "dialog",
        "dialog_flow",
        "dropped",
        "flow",
        "for_us",
        "from_tag",
        "from_uri",
        "groups",
        "insert_at",
        "login",
        "loop_hash",
        "message",
        "method",
        "ours",
        "server",
        "tale",
        "to_tag",
        "to_uri",
        "trusted",
        "uri",
        "via",
        "waiting",
    )

    def __init__(
        self, message: Message, flow: Flow, via: ViaForm | Via, call_id: bytes, tale: list[Decision]
    ) -> None:
        self.message, self.flow, self.via = message, flow, via
        self.call_id, self.tale = call_id, tale
        self.method = message.method
        self.from_tag = self.to_tag = self.from_uri = self.to_uri = b""
        self.uri: Uri | None = None
        self.ours = self.for_us = False
        self.server: ServerTransaction | None = None
        self.dialog = self.trusted = self.answered = self.cancelled = False
        self.dialog_flow: Flow | None = None
        self.login: Login | None = None
        self.groups: list[list[Target]] = []
        self.branches: list[Branch] = []
        self.base: list[bytes] = []
        self.insert_at = 1
        self.dropped = 0
        self.breadth = 0
        self.loop_hash = b""
        self.call: Call | None = None
        self.waiting = 0


class Branch:
    """One target that a request was sent to.

    Attributes:
        context: The request.
        target: The target.
        flow: The way it was sent.
        alternatives: Further ways to the same target (RFC 3263 §4.3), tried when this one fails.
        client: Its client transaction; None while the target's address is looked up.
        final: Its final response, kept until the best one is chosen.
        began: When it was sent.
        heard: When a provisional response last came; 0 before the first.
        last_status: The status of that response.
        ring_s: How long it may take in all.
        cancel_wanted: Whether it is to be cancelled as soon as that is allowed (§9.1).
        cancel_sent: Whether it was.
        cancel_reason: The Reason line its CANCEL will carry, or empty.
        fallen_back: Whether it came back to UDP since the far side took no TCP.
        over: Whether it has ended, by a final response or without one.
    """

    __slots__ = (
        "alternatives",
        "began",
        "cancel_reason",
        "cancel_sent",
        "cancel_wanted",
        "client",
        "context",
        "fallen_back",
        "final",
        "flow",
        "heard",
        "last_status",
        "over",
        "ring_s",
        "target",
    )

    def __init__(self, context: Context, target: Target, now: Instant, ring_s: float) -> None:
        self.context, self.target, self.began, self.ring_s = context, target, now, ring_s
        self.flow: Flow | None = target.flow
        self.alternatives: list[Any] = []
        self.client: ClientTransaction | None = None
        self.final: Message | None = None
        self.heard = 0.0
        self.last_status = 0
        self.cancel_wanted = self.cancel_sent = self.over = self.fallen_back = False
        self.cancel_reason = b""
