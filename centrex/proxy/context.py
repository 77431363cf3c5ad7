"""One request on its way, from arrival to its final response: the response context of §16.

It holds what the steps of the chain found out, and the branches that were opened for it. It is plain
data: steps and `forward` write it, `upstream` read it. A request of the usual form is kept as it was
matched; its lines are made only if somebody asks for them.
"""

from typing import Any, Final

from centrex.auth.logins import Login
from centrex.base import Flow, Instant
from centrex.calls import Call
from centrex.media.exchange import CALLER, Side
from centrex.nat import behind_nat
from centrex.proxy.carried import Carried, Delegated, Direct, Undecided
from centrex.proxy.gateway_numbers import Mark
from centrex.proxy.patience import Patience
from centrex.proxy.routes import Routes
from centrex.routing.target import Target
from centrex.sip import usual
from centrex.sip.message import Message, parse
from centrex.sip.names import AUTHORIZATION, CSEQ, ROUTE, USER_AGENT, VIA
from centrex.sip.reading import ViaForm
from centrex.sip.uri import Uri
from centrex.sip.usual import Found
from centrex.sip.via import Via
from centrex.trace import Decision
from centrex.transaction import ClientTransaction, ServerTransaction

DEFAULT_BREADTH: Final = 60
"""Branches of a request without Max-Breadth (RFC 5393 §5)."""
# Shared by all contexts that have none of their own, and so never added to.
_NO_GROUPS: list[list[Target]] = []
_NO_LINES: list[bytes] = []
_NOTHING: Final = Message([b""], b"")


class Context:
    """One request and what becomes of it.

    Attributes:
        method: Its method.
        request_uri: Its Request-URI as it stands.
        flow: The way it came.
        usual: How it was matched, where it is of the usual form and still unanswered.
        via: Its topmost Via as the sender wrote it, or what is usual in it; None of a usual one.
        via_line: Its topmost Via line with what we added, where it has one Via; else empty.
        uri: Its Request-URI, parsed; None of a usual one.
        user: The user part of the Request-URI, unescaped.
        ours: Whether the Request-URI's host and port are ours.
        for_us: Whether it names the server itself: no user, or the registrar's name.
        tale: Where decisions about it are noted.
        call_id: Its Call-ID.
        from_tag: Its From tag.
        to_tag: Its To tag; empty outside a dialog.
        from_uri: Its From URI as it stands.
        to_uri: Its To URI as it stands.
        branch: The branch of its topmost Via.
        server: Its server transaction; None for an ACK, and before one is opened.
        routed: Whether Route values that are not ours are left.
        dialog: Whether it belongs to a dialog that went through us.
        dialog_flow: The flow to the dialog's other end, where the Record-Route told.
        before: Whether that dialog began in an earlier run of the engine.
        astray: Whether it leads elsewhere than to that other end, as far as is known.
        gateway: The gateway at the dialog's other end, where it asks callers who they are.
        login: Who proved to be its sender.
        trusted: Whether its source needs no credentials.
        groups: Target groups not yet tried.
        branches: Where it was sent.
        dropped: The index of our own Route line, to be left out when it is forwarded; 0 for none.
        base: The lines to send, without what differs from branch to branch; empty until needed.
        insert_at: Where Via, Record-Route and Route lines go in `base`.
        breadth: The Max-Breadth it came with (RFC 5393 §5).
        call: The call it begins.
        ended: The call it ends, where it is listed; None again once it was answered.
        answered: Whether a final response was sent.
        cancelled: Whether the caller gave up.
        waiting: How many questions are open.
        patience: How long its targets are waited for; as it was when it came.
        routes: The rules around plans; as they were when it came.
        hunting: Whether a plan has it tried at several destinations, one after the other.
        planned: Whether a plan decided where it goes.
        group_at: Where the branches of the present group begin.
        redirects: How many redirections were followed.
        unrelayed: Whether it was told of that nobody can relay its media.
        winner: The branch whose 2xx the caller gets, or got; None before, and where it was refused.
    """

    __slots__ = (
        "_message",
        "answered",
        "astray",
        "base",
        "before",
        "branch",
        "branches",
        "breadth",
        "call",
        "call_id",
        "cancelled",
        "dialog",
        "dialog_flow",
        "dropped",
        "ended",
        "flow",
        "for_us",
        "from_tag",
        "from_uri",
        "gateway",
        "group_at",
        "groups",
        "hunting",
        "insert_at",
        "login",
        "loop_hash",
        "method",
        "ours",
        "patience",
        "planned",
        "redirects",
        "request_uri",
        "routed",
        "routes",
        "server",
        "tale",
        "to_tag",
        "to_uri",
        "trusted",
        "unrelayed",
        "uri",
        "user",
        "usual",
        "via",
        "via_line",
        "waiting",
        "winner",
    )

    def __init__(
        self, method: bytes, request_uri: bytes, flow: Flow, call_id: bytes, tale: list[Decision]
    ) -> None:
        self.method, self.request_uri, self.flow = method, request_uri, flow
        self.call_id, self.tale = call_id, tale
        self.usual: Found | None = None
        self._message: Message | None = None
        self.via: ViaForm | Via | None = None
        self.via_line = self.user = self.branch = b""
        self.from_tag = self.to_tag = self.from_uri = self.to_uri = b""
        self.uri: Uri | None = None
        self.ours = self.for_us = self.routed = False
        self.server: ServerTransaction | None = None
        self.dialog = self.trusted = self.answered = self.cancelled = False
        self.before = self.astray = False
        self.dialog_flow: Flow | None = None
        self.gateway: Mark | None = None
        self.login: Login | None = None
        self.groups = _NO_GROUPS
        self.branches: list[Branch] = []
        self.base = _NO_LINES
        self.insert_at = 1
        self.dropped = self.waiting = self.group_at = self.redirects = 0
        self.hunting = self.planned = self.unrelayed = False
        self.patience: Patience | None = None
        self.routes: Routes | None = None
        self.breadth = DEFAULT_BREADTH
        self.loop_hash = b""
        self.call: Call | None = None
        self.ended: Call | None = None
        self.winner: Branch | None = None

    @property
    def message(self) -> Message:
        """The request, edited on its way; empty once it was answered."""
        message = self._message
        if message is None:
            message = self._message = self._spelled_out()
        return message

    @message.setter
    def message(self, message: Message) -> None:
        self._message = message

    def _spelled_out(self) -> Message:
        """Make the lines of a request of the usual form, as far as it has come."""
        if self.usual is None:
            return _NOTHING
        message = parse(self.usual.string)
        message.lines[message.at[VIA]] = self.via_line
        if self.dialog and message.at[ROUTE]:
            self.dropped, message.at[ROUTE] = message.at[ROUTE], 0
        return message

    def settle(self) -> None:
        """Let go of what only an unanswered request needs."""
        self.base, self.groups = _NO_LINES, _NO_GROUPS
        self.usual = self.ended = None
        self._message = _NOTHING

    @property
    def natted(self) -> bool:
        """Whether only the way it came leads back to its sender.

        A Via of another proxy says nothing of the phone's own NAT.
        """
        if self.usual is not None:
            return self.flow.reliable or usual.is_elsewhere(self.usual, self.flow)
        if self.via is None or self.message.repeated >> VIA & 1:
            return False
        return self.flow.reliable or behind_nat(self.via, self.flow)

    @property
    def sent_by_port(self) -> int:
        """The port its topmost Via tells: where its sender listens (RFC 3261 §18.1.1)."""
        port = self.usual[usual.VIA_PORT] if self.usual is not None else b""
        told = int(port or 0) if self.via is None else self.via.port
        return told or self.flow.transport.default_port

    @property
    def has_body(self) -> bool:
        """Whether it carries a body."""
        if self.usual is not None:
            return self.usual.end() < len(self.usual.string)
        return bool(self.message.body)

    @property
    def user_agent(self) -> bytes:
        """The value of its User-Agent header; empty where there is none."""
        if self.usual is not None:
            return self.usual[usual.AGENT] or b""
        return self.message.value(USER_AGENT)

    def credentials(self, header: int) -> list[bytes]:
        """Return the value of each `names.AUTHORIZATION` or `names.PROXY_AUTHORIZATION` header."""
        if self.usual is not None:
            served = header == AUTHORIZATION
            value = self.usual[usual.AUTHORIZATION if served else usual.PROXY_AUTHORIZATION]
            return [value] if value else []
        return self.message.values(header)


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
        route: Our Record-Route value in it, if there is just one.
        cancel_wanted: Whether it is to be cancelled as soon as that is allowed (§9.1).
        cancel_sent: Whether it was.
        cancel_reason: The Reason line its CANCEL will carry, or empty.
        fallen_back: Whether it came back to UDP since the far side took no TCP.
        over: Whether it has ended, by a final response or without one.
        carried: How its call's media are relayed, or that this is still to be seen, or that they
            were offered unrelayed; None where nobody looks at them.
        side: Which side of that call sent the request.
        described: Whether the request described media.
        rang: Whether it was cancelled for ringing too long, and what it says to that is waited for.
        ended: The To tags of those who answered too late here, and were hung up.
    """

    __slots__ = (
        "alternatives",
        "began",
        "cancel_reason",
        "cancel_sent",
        "cancel_wanted",
        "carried",
        "client",
        "context",
        "described",
        "ended",
        "fallen_back",
        "final",
        "flow",
        "heard",
        "last_status",
        "over",
        "rang",
        "ring_s",
        "route",
        "side",
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
        self.described = self.rang = False
        self.cancel_reason = self.route = b""
        self.ended: tuple[bytes, ...] = ()
        self.carried: Carried | Delegated | Undecided | Direct | None = None
        self.side: Side = CALLER


class NumberedBranch(Branch):
    """A branch whose CSeq has another number than its sender's, who gets his own back.

    Attributes:
        cseq: The sender's CSeq line.
    """

    __slots__ = ("cseq",)

    def __init__(self, context: Context, target: Target, now: Instant, ring_s: float) -> None:
        super().__init__(context, target, now, ring_s)
        message = context.message
        self.cseq = message.lines[message.at[CSEQ]]

    def restore(self, response: Message) -> None:
        """Put the sender's CSeq into a response to it."""
        response.lines[response.at[CSEQ]] = self.cseq


def open_branch(context: Context, target: Target, now: Instant, ring_s: float) -> Branch:
    """Return a branch of a request to one target."""
    amendment = target.amendment
    kind = Branch if amendment is None or not amendment.number else NumberedBranch
    return kind(context, target, now, ring_s)
