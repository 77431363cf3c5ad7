"""Which calls go through rtpengine, and what it is asked about their messages.

A message that describes media waits for rtpengine's description and then goes on; whatever follows it
on the same branch waits behind it. It knows what is an offer and what an answer (RFC 3264, RFC 6337);
which instance serves a call, and who asks again, is `centrex.farm.rtpengines`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from centrex import sdp
from centrex.base import Instant
from centrex.farm.bencode import Encodable
from centrex.farm.rtpengines import Reply, failure
from centrex.media.exchange import CALLEE, CALLER, Where, is_hidden
from centrex.proxy import forward, upstream
from centrex.proxy.ask import Consult
from centrex.proxy.carried import Delegated
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import (
    Described,
    callee_of,
    caller_of,
    described,
    far_end,
    need,
    unrelayed,
)
from centrex.proxy.media_body import with_body
from centrex.proxy.media_path import METHODS, Mode
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_WAITING: Final = 8
"""Responses of one branch that wait; further ones come again, if they matter."""
_MOST_KNOWN: Final = 8
"""Translations kept for each call: repeated messages need no question."""

Fields: TypeAlias = Mapping[str, Encodable]


@dataclass(slots=True)
class _Request:
    """A request that waits."""

    branch: Branch
    token: bytes
    data: bytes
    found: Described
    fields: Fields


@dataclass(slots=True)
class _Response:
    """A response that waits: for its own description, or for those before it."""

    branch: Branch
    status: int
    to_tag: bytes
    data: bytes
    found: Described | None = None
    fields: Fields | None = None


@dataclass(slots=True)
class _Search:
    """A request of a call that may be rtpengine's from before we were started."""

    branch: Branch
    token: bytes
    data: bytes


@dataclass(slots=True)
class _Restore:
    """What is left to tell so that a call's media are again as they were."""

    carried: Delegated
    left: deque[Fields]


_Waiting: TypeAlias = _Request | _Response | _Search | _Restore


class Delegating:
    """Has media relayed by rtpengine.

    Args:
        mode: Relay where it is needed, or always.
        refuse: Whether a call that needs a relay is refused while there is none.
    """

    def __init__(self, *, mode: Mode, refuse: bool) -> None:
        self.mode, self.refuse = mode, refuse
        self._carried: dict[bytes, Delegated] = {}
        self._asked: dict[int, _Waiting] = {}
        self._queues: dict[Branch, deque[_Response]] = {}

    def __len__(self) -> int:
        return len(self._carried)

    def of(self, call_id: bytes) -> Delegated | None:
        """See `MediaPath`."""
        return self._carried.get(call_id)

    def calls_of(self, name: str) -> list[bytes]:
        """Return the Call-IDs that an instance serves."""
        return [call_id for call_id, carried in self._carried.items() if carried.by == name]

    # what goes downstream

    def outward(
        self, core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`."""
        ctx = branch.context
        if ctx.method not in METHODS or branch.flow is None:
            return data
        carried = self._carried.get(ctx.call_id)
        if ctx.to_tag:
            if carried is not None:
                return self._within(core, carried, branch, token, data, now)
            if not self._may_be_old(core, ctx):
                return data
            query: Fields = {"command": "query", "call-id": ctx.call_id}
            self._ask(core, ctx.call_id, query, _Search(branch, token, data))
            return None
        if ctx.method != b"INVITE" or ctx.call is None:
            return data
        found = described(core, ctx, data, now)
        caller, callee = caller_of(ctx), callee_of(branch, branch.flow)
        if carried is None:
            if self.mode == "never":
                return data
            why = "always relayed" if self.mode == "always" else need(found, caller, callee)
            if not why:
                core.decide(ctx, (now, Rule.MEDIA_DIRECT, "nothing stands between the phones"))
                return data
            core.decide(ctx, (now, Rule.MEDIA_RELAYED, "rtpengine", why))
            carried = self._carried[ctx.call_id] = Delegated(ctx.call_id, ctx.from_tag)
        carried.natted = [caller.natted, callee.natted]
        branch.carried, branch.side = carried, CALLER
        carried.offers.append(token)
        if found is None:
            return data
        fields = self._offer(carried, ctx.from_tag, b"", found, caller, callee)
        fields["via-branch"] = token
        return self._translate_request(core, branch, token, data, found, fields)

    def _may_be_old(self, core: "Core", ctx: Context) -> bool:
        """Whether a request within a dialog may be of a call that began before we were started."""
        return self.mode != "never" and ctx.has_body and core.calls.get(ctx.call_id) is None

    def _within(
        self,
        core: "Core",
        carried: Delegated,
        branch: Branch,
        token: bytes,
        data: bytes,
        now: Instant,
    ) -> bytes | None:
        """A request within the dialog of a call that is relayed."""
        ctx, flow = branch.context, branch.flow
        assert flow is not None
        side = CALLER if ctx.from_tag == carried.caller_tag else CALLEE
        branch.carried, branch.side = carried, side
        found = described(core, ctx, data, now)
        if found is None:
            return data
        carried.natted[side] |= caller_of(ctx).natted
        here = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[side])
        there = far_end(flow, natted=carried.natted[1 - side])
        answers = ctx.method == b"ACK" or (
            ctx.method == b"PRACK" and carried.offered_by == ctx.to_tag
        )
        if answers:
            fields = self._answer(carried, ctx.to_tag, ctx.from_tag, found, here, there)
        else:
            fields = self._offer(carried, ctx.from_tag, ctx.to_tag, found, here, there)
        return self._translate_request(core, branch, token, data, found, fields)

    def _translate_request(
        self,
        core: "Core",
        branch: Branch,
        token: bytes,
        data: bytes,
        found: Described,
        fields: Fields,
    ) -> bytes | None:
        carried = branch.carried
        assert isinstance(carried, Delegated)
        branch.described = fields["command"] == "offer"
        known = carried.known.get(_key(fields))
        if known is not None:
            return with_body(data, sdp.replace(found.content_type, found.body, known))
        waiting = _Request(branch, token, data, found, fields)
        self._ask(core, carried.call_id, fields, waiting, at=carried.by)
        return None

    # what goes upstream

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`."""
        response = _Response(branch, status, to_tag, data)
        queue = self._queues.get(branch)
        if queue is not None:
            if len(queue) >= _MOST_WAITING:
                core.statistics.drop(Rule.MEDIA_UNRELAYED.value)
            elif not any((one.status, one.data) == (status, data) for one in queue):
                queue.append(response)
            return None
        changed = self._translate_response(core, response, now)
        if changed is None:
            self._queues[branch] = deque((response,))
        return changed

    def _translate_response(self, core: "Core", response: _Response, now: Instant) -> bytes | None:
        """Return a response with its description translated; None where that is asked for."""
        branch, data = response.branch, response.data
        ctx, carried = branch.context, branch.carried
        assert isinstance(carried, Delegated)
        if response.status >= 200 and ctx.method == b"INVITE":
            self._settle(core, carried, branch)
        found = described(core, ctx, data, now)
        if found is None or branch.flow is None:
            return data
        side = CALLEE if branch.side == CALLER else CALLER
        here = far_end(branch.flow, natted=carried.natted[side])
        there = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[branch.side])
        theirs = ctx.to_tag or response.to_tag
        if branch.described:
            fields = self._answer(carried, ctx.from_tag, theirs, found, here, there)
        elif ctx.method == b"INVITE":
            fields = self._offer(carried, theirs, ctx.to_tag and ctx.from_tag, found, here, there)
        else:
            return data  # neither an offer nor an answer (RFC 6337 §2.2)
        if not ctx.to_tag and branch.described and branch.client is not None:
            fields["via-branch"] = branch.client.key[0]
        known = carried.known.get(_key(fields))
        if known is not None:
            return with_body(data, sdp.replace(found.content_type, found.body, known))
        response.found, response.fields = found, fields
        self._ask(core, carried.call_id, fields, response, at=carried.by)
        return None

    def _settle(self, core: "Core", carried: Delegated, branch: Branch) -> None:
        """A call was answered by this branch: what was opened for others is given back."""
        won = branch.client.key[0] if branch.client is not None else b""
        for token in carried.offers:
            if token != won and not branch.context.to_tag:
                fields: Fields = {
                    "command": "delete",
                    "call-id": carried.call_id,
                    "from-tag": carried.caller_tag,
                    "via-branch": token,
                }
                self._tell(core, carried, fields)
        carried.offers.clear()

    def _next(self, core: "Core", branch: Branch, now: Instant) -> None:
        """Let what waits behind a response go on, as far as it can."""
        queue = self._queues[branch]
        while queue:
            response = queue[0]
            data = self._translate_response(core, response, now)
            if data is None:
                return
            queue.popleft()
            upstream.pass_on(core, branch, response.status, response.to_tag, data, now)
        del self._queues[branch]

    # questions

    def _offer(
        self,
        carried: Delegated,
        from_tag: bytes,
        to_tag: bytes,
        found: Described,
        here: Where,
        there: Where,
    ) -> dict[str, Encodable]:
        fields = {"command": "offer", **_common(carried, from_tag, found, here, there)}
        if to_tag:
            fields["to-tag"] = to_tag
        carried.offered_by = from_tag
        return fields

    def _answer(
        self,
        carried: Delegated,
        offerer: bytes,
        answerer: bytes,
        found: Described,
        here: Where,
        there: Where,
    ) -> dict[str, Encodable]:
        common = _common(carried, offerer, found, here, there)
        carried.offered_by = b""
        return {"command": "answer", **common, "to-tag": answerer}

    def _ask(
        self, core: "Core", call_id: bytes, fields: Fields, waiting: _Waiting, *, at: str = ""
    ) -> None:
        number = core.next_ask()
        self._asked[number] = waiting
        elsewhere = fields["command"] != "answer"
        core.asks.append(Consult(number, call_id, fields, at=at, elsewhere=elsewhere))

    def _tell(self, core: "Core", carried: Delegated, fields: Fields) -> None:
        """Tell something whose answer is of no interest."""
        if carried.by:
            number, call_id = core.next_ask(), carried.call_id
            core.asks.append(Consult(number, call_id, fields, at=carried.by, elsewhere=False))

    def consulted(self, core: "Core", number: int, reply: Reply | str, now: Instant) -> None:
        """See `MediaPath`."""
        waiting = self._asked.pop(number, None)
        if isinstance(waiting, _Request):
            self._request_back(core, waiting, reply, now)
        elif isinstance(waiting, _Response):
            self._response_back(core, waiting, reply, now)
        elif isinstance(waiting, _Search):
            self._searched(core, waiting, reply, now)
        elif waiting is not None:
            self._restore(core, waiting)

    def _request_back(
        self, core: "Core", waiting: _Request, reply: Reply | str, now: Instant
    ) -> None:
        branch, data, found = waiting.branch, waiting.data, waiting.found
        carried = branch.carried
        assert isinstance(carried, Delegated)
        new = self._taken(carried, waiting.fields, reply)
        if branch.over:
            return
        if isinstance(new, bytes):
            data = with_body(data, sdp.replace(found.content_type, found.body, new))
        else:
            self._given_up(branch, carried)
            unrelayed(core, branch, new.words, now, refuse=self.refuse)
            if branch.context.answered:
                return
        forward.send_on(core, branch, waiting.token, data, now)

    def _given_up(self, branch: Branch, carried: Delegated) -> None:
        """A call that no rtpengine took on is none of ours."""
        branch.carried = None
        if not carried.by:
            self._carried.pop(carried.call_id, None)

    def _response_back(
        self, core: "Core", waiting: _Response, reply: Reply | str, now: Instant
    ) -> None:
        branch, data, found = waiting.branch, waiting.data, waiting.found
        carried = branch.carried
        if isinstance(carried, Delegated) and found is not None and waiting.fields is not None:
            new = self._taken(carried, waiting.fields, reply)
            if isinstance(new, bytes):
                data = with_body(data, sdp.replace(found.content_type, found.body, new))
            else:
                unrelayed(core, branch, new.words, now, refuse=False)
        self._queues[branch].popleft()
        upstream.pass_on(core, branch, waiting.status, waiting.to_tag, data, now)
        self._next(core, branch, now)

    def _taken(self, carried: Delegated, fields: Fields, reply: Reply | str) -> "bytes | _Failure":
        """Return the description that rtpengine gave, noted; or why it gave none."""
        if isinstance(reply, str):
            return _Failure(reply)
        why = failure(reply.fields)
        if why:
            return _Failure(f"rtpengine at {reply.name} says: {why}")
        new = reply.fields.get(b"sdp")
        if not isinstance(new, bytes) or not new.startswith(b"v="):
            return _Failure(f"rtpengine at {reply.name} gave no description")
        if carried.by != reply.name:
            carried.by = reply.name
            carried.known.clear()
        while len(carried.known) >= _MOST_KNOWN:
            del carried.known[next(iter(carried.known))]
        carried.known[_key(fields)] = new
        if fields["command"] == "offer":
            carried.offer = fields
        elif carried.offer is not None:
            carried.stable, carried.offer = [carried.offer, fields], None
        return new

    def _searched(self, core: "Core", waiting: _Search, reply: Reply | str, now: Instant) -> None:
        """An instance was asked whether it has a call of which we know nothing."""
        branch, ctx = waiting.branch, waiting.branch.context
        data: bytes | None = waiting.data
        if isinstance(reply, Reply) and not failure(reply.fields):
            carried = self._carried.setdefault(ctx.call_id, Delegated(ctx.call_id, ctx.from_tag))
            carried.by = reply.name
            data = self._within(core, carried, branch, waiting.token, waiting.data, now)
        if data is not None:
            forward.send_on(core, branch, waiting.token, data, now)

    # the end of it

    def refused(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None or ctx.method not in (b"INVITE", b"UPDATE") or carried.offer is None:
            return
        carried.offer, carried.offered_by = None, b""
        carried.known.clear()
        stable = deque(one for one in carried.stable if isinstance(one, Mapping))
        self._restore(core, _Restore(carried, stable))

    def _restore(self, core: "Core", what: _Restore) -> None:
        """Tell the next of what was agreed on before."""
        if what.left:
            fields = what.left.popleft()
            self._ask(core, what.carried.call_id, fields, what, at=what.carried.by)

    def end(self, core: "Core", call_id: bytes, reason: str, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.pop(call_id, None)
        if carried is not None:
            self._tell(core, carried, {"command": "delete", "call-id": call_id})

    def hung_up(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is not None:
            self.end(core, ctx.call_id, "hung up", now)
        elif self.mode != "never":
            fields: Fields = {"command": "delete", "call-id": ctx.call_id}
            core.asks.append(Consult(core.next_ask(), ctx.call_id, fields, elsewhere=False))


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why there is no description."""

    words: str


def _common(
    carried: Delegated, from_tag: bytes, found: Described, here: Where, there: Where
) -> dict[str, Encodable]:
    """Return what is said with every offer and answer."""
    hidden = here.natted or any(
        media.port and is_hidden(media.host, here.source) for media in found.description.media
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


def _key(fields: Fields) -> tuple[object, ...]:
    return tuple(fields.get(name) for name in ("command", "from-tag", "to-tag", "sdp"))
