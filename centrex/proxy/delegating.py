"""Which calls go through rtpengine, and what it is asked about their messages.

A message that describes media waits for rtpengine's description and then goes on; whatever follows it
on the same branch waits behind it. It knows what is an offer and what an answer (RFC 3264, RFC 6337);
which instance serves a call, and who asks again, is `centrex.farm.rtpengines`.
"""

from collections import deque
from typing import TYPE_CHECKING, Final

from centrex import sdp
from centrex.base import Instant
from centrex.farm.bencode import Encodable
from centrex.farm.rtpengines import Reply, failure
from centrex.media.exchange import CALLEE, CALLER, Side, Where
from centrex.proxy import forward, upstream
from centrex.proxy.ask import Consult
from centrex.proxy.carried import DIRECT, UNDECIDED, Delegated
from centrex.proxy.context import Branch, Context
from centrex.proxy.delegated_calls import DelegatedCalls
from centrex.proxy.ends import (
    Described,
    callee_of,
    caller_of,
    caller_tag_of,
    described,
    dialog_of,
    far_end,
    is_opaque,
    left_alone,
    may_carry,
    offered,
    overheard,
    overheard_late,
    response_unrelayed,
    unrelayed,
    why_relayed,
)
from centrex.proxy.forked import may_begin, takes_part
from centrex.proxy.media_body import with_body
from centrex.proxy.media_path import METHODS, OFFERS, Mode
from centrex.proxy.ng_question import Fields, common, key, stand_in
from centrex.proxy.ng_waiting import Failure, Probe, Request, Response, Restore, Search, Waiting
from centrex.proxy.orphans import Orphan
from centrex.proxy.unanswered import (
    UNREAD_OFFER,
    declined,
    heard,
    hides_offer,
    unread_offer,
    unread_request,
    without_answer,
)
from centrex.sip.message import parse

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_WAITING: Final = 8
"""Responses of one branch that wait; further ones come again, if they matter."""
_MOST_KNOWN: Final = 8
"""Translations kept for each call: repeated messages need no question."""
_PING: Final[Fields] = {"command": "ping"}


class Delegating(DelegatedCalls):
    """Has media relayed by rtpengine.

    Args:
        mode: Relay where it is needed, or always.
        refuse: Whether a call that needs a relay is refused while there is none.
    """

    def __init__(self, *, mode: Mode, refuse: bool) -> None:
        super().__init__()
        self.mode, self.refuse = mode, refuse
        self._asked: dict[int, Waiting] = {}
        self._queues: dict[Branch, deque[Response]] = {}

    def tell(self, now: Instant) -> None:
        """See `MediaPath`; messages have waited for what rtpengine was told."""

    # what goes downstream

    def outward(
        self, core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`."""
        ctx = branch.context
        if ctx.method not in METHODS or branch.flow is None:
            return data
        if ctx.to_tag:
            return self._in_dialog(core, branch, token, data, now)
        carried = self._carried.get(ctx.call_id)
        if ctx.method != b"INVITE" or not may_begin(core, ctx, carried):
            return data
        found = offered(core, ctx, data, now)
        caller, callee = caller_of(ctx), callee_of(branch, branch.flow)
        if found is None and is_opaque(ctx, data):
            why = why_relayed(self.mode, None, caller, callee, CALLER)
            return unread_request(core, branch, data, now, why, relayed=False, refuse=self.refuse)
        if carried is None:
            why = why_relayed(self.mode, found, caller, callee, CALLER)
            if not why:
                left_alone(core, branch, found, now, self.mode, (caller, callee))
                return data
            carried = self._take_on(core, ctx, ctx.from_tag, why, now)
        elif not takes_part(core, branch, carried, found, now, refuse=self.refuse):
            return None if ctx.answered else data
        carried.joins(ctx, b"" if found is None else found.text)
        carried.natted = [caller.natted, callee.natted]
        branch.carried, branch.side = carried, CALLER
        carried.offers.append(token)
        if found is None:
            if not self.refuse or carried.by:
                return data
            self._ask(core, ctx.call_id, _PING, Probe(branch, token, data))
            return None
        fields = self._offer(carried, ctx.from_tag, b"", found, caller, callee)
        fields["via-branch"] = token
        return self._translate_request(core, branch, token, data, found, fields)

    def _in_dialog(
        self, core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """A request within a dialog; an offer in a call that is not relayed is looked at anew."""
        ctx, flow = branch.context, branch.flow
        assert flow is not None
        carried = self._carried.get(ctx.call_id)
        if carried is not None:
            return self._within(core, carried, branch, token, data, now)
        if self._may_be_old(core, ctx):
            query: Fields = {"command": "query", "call-id": ctx.call_id}
            self._ask(core, ctx.call_id, query, Search(branch, token, data))
            return None
        if self.mode == "never" or ctx.method not in OFFERS:
            if self.mode == "auto" and ctx.has_body:
                self._orphans.hear(ctx.call_id, lambda: overheard_late(core, branch, data, now))
            return data
        caller_tag = caller_tag_of(core, ctx)
        found = offered(core, ctx, data, now)
        if caller_tag not in (ctx.from_tag, ctx.to_tag):
            return data
        branch.side = side = CALLER if ctx.from_tag == caller_tag else CALLEE
        here, there = caller_of(ctx), far_end(branch, flow, natted=False)
        why = why_relayed(
            self.mode, found, *((here, there) if side == CALLER else (there, here)), side
        )
        if not why and may_carry(found):
            why = self._orphans.why(ctx.call_id)
        if found is None and (is_opaque(ctx, data) or ctx.method == b"UPDATE"):
            return unread_request(core, branch, data, now, why, relayed=False, refuse=self.refuse)
        if not why:
            left_alone(core, branch, found, now, self.mode)
            return data
        if found is None:  # what is offered in its answer begins the media
            branch.carried = UNDECIDED
            return data
        carried = self._take_on(core, ctx, caller_tag, why, now)
        return self._within(core, carried, branch, token, data, now)

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
        found = offered(core, ctx, data, now)
        if found is None and is_opaque(ctx, data):
            return unread_request(core, branch, data, now, "", relayed=True, refuse=True)
        if found is not None and carried.has_passed(found.text):
            return data
        branch.carried, branch.side = carried, side
        if found is None:
            return data
        if carried.is_foreign(ctx.to_tag if side == CALLER else ctx.from_tag):
            return with_body(data, stand_in(found, None))
        carried.natted[side] |= caller_of(ctx).natted
        here = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[side])
        there = far_end(branch, flow, natted=carried.natted[1 - side])
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
        known = carried.known.get(key(fields))
        if known is not None and "via-branch" not in fields:  # each who is called is named to it
            return with_body(data, sdp.replace(found.content_type, found.body, known))
        waiting = Request(branch, token, data, found, fields)
        self._ask(core, carried.call_id, fields, waiting, at=carried.by)
        return None

    # what goes upstream

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`."""
        if branch.carried is DIRECT:
            why = overheard(core, branch, data, now)
            if why:
                tag = caller_tag_of(core, branch.context)
                self._orphans.add(branch.context.call_id, Orphan(tag, [False, False], why))
            return data
        if branch.carried is UNDECIDED and (status >= 200 or not branch.context.answered):
            self._decide(core, branch, data, now)
        if not isinstance(branch.carried, Delegated):
            return data
        response = Response(branch, status, to_tag, data)
        queue = self._queues.get(branch)
        if queue is not None:
            if len(queue) >= _MOST_WAITING:
                core.statistics.drop("rtpengine-queue-full")
            elif not any((one.status, one.data) == (status, data) for one in queue):
                queue.append(response)
            return None
        changed = self._translate_response(core, response, now)
        if changed is None and isinstance(branch.carried, Delegated):
            self._queues[branch] = deque((response,))
        return changed

    def _translate_response(self, core: "Core", response: Response, now: Instant) -> bytes | None:
        """Return a response with its description translated; None where that is asked for.

        None, too, where its call was refused and so is none of ours any more.
        """
        branch, data = response.branch, response.data
        ctx, carried = branch.context, branch.carried
        assert isinstance(carried, Delegated)
        settled = response.status >= 200 and ctx.method == b"INVITE"
        if settled:
            self._settle(core, carried, branch, response.to_tag)
            carried.agree(_asker(ctx))
        data, found = heard(core, branch, response.status, data, now)
        response.data = data
        if found is None and not branch.described and hides_offer(ctx, data):
            self._let_go(core, carried, UNREAD_OFFER, now)
            return unread_offer(core, branch, response.status, data, now, refuse=self.refuse)
        if found is None or branch.flow is None or carried.has_passed(found.text):
            if settled:
                self._hear(core, carried)
            return data
        tag = dialog_of(branch, response.to_tag)
        if carried.is_foreign(tag):
            _, shown = carried.answers.get(carried.callee_tag, ({}, None))
            return with_body(data, stand_in(found, shown if branch.described else None))
        if not branch.described and ctx.method != b"INVITE":
            return data  # neither an offer nor an answer (RFC 6337 §2.2)
        fields = self._question(carried, branch, found, ctx.to_tag or response.to_tag)
        first = not ctx.to_tag and branch.described
        if first and branch.client is not None:
            fields["via-branch"] = branch.client.key[0]
        known = carried.known.get(key(fields))
        if known is not None and (not first or carried.told == tag):
            return with_body(data, sdp.replace(found.content_type, found.body, known))
        if first:
            carried.told = tag
        response.found, response.fields = found, fields
        self._ask(core, carried.call_id, fields, response, at=carried.by)
        return None

    def _question(
        self, carried: Delegated, branch: Branch, found: Described, theirs: bytes
    ) -> dict[str, Encodable]:
        """Return what is asked about a response's description; `theirs` is the tag of who describes."""
        ctx = branch.context
        here, there = _back(branch, carried)
        if branch.described:
            return self._answer(carried, ctx.from_tag, theirs, found, here, there)
        return self._offer(carried, theirs, ctx.to_tag and ctx.from_tag, found, here, there)

    def _decide(self, core: "Core", branch: Branch, data: bytes, now: Instant) -> None:
        """A response in a call of which nothing was described before: see whether it is relayed."""
        ctx, flow = branch.context, branch.flow
        found = described(core, ctx, data, now)
        if found is None or flow is None:
            return
        branch.carried = self._carried.get(ctx.call_id)
        if branch.carried is not None:
            return
        there = caller_of(ctx)
        here = far_end(branch, flow, natted=False) if ctx.to_tag else callee_of(branch, flow)
        side: Side = CALLEE if branch.side == CALLER else CALLER
        ends = (there, here) if side == CALLEE else (here, there)
        why = why_relayed(self.mode, found, *ends, side)
        if not why and may_carry(found):
            why = self._orphans.why(ctx.call_id)
        if why:
            carried = self._take_on(core, ctx, caller_tag_of(core, ctx), why, now)
            carried.natted = [end.natted for end in ends]
            branch.carried = carried
            if not ctx.to_tag:
                carried.joins(ctx, b"")
        else:
            left_alone(core, branch, found, now, self.mode)

    def _hear(self, core: "Core", carried: Delegated) -> None:
        """Who picked up has answered the offer before, and others since: theirs must not hold."""
        if carried.told in (b"", carried.callee_tag):
            return
        carried.told = carried.callee_tag
        fields, _ = carried.answers.get(carried.callee_tag, (None, b""))
        if fields is not None:
            self._restore(core, Restore(carried, deque((fields,))))

    def _settle(self, core: "Core", carried: Delegated, branch: Branch, to_tag: bytes) -> None:
        """A call was answered by this branch: what was opened for others is given back."""
        if not branch.context.to_tag:
            if carried.callee_tag or branch.context.answered:
                return  # it was by another one
            carried.callee_tag = to_tag
            carried.goes_to(branch.context)
            carried.natted[CALLEE] = _back(branch, carried)[0].natted
        won = branch.client.key[0] if branch.client is not None else b""
        for token in carried.offers:
            if token != won and not branch.context.to_tag:
                told = {"call-id": carried.call_id, "from-tag": carried.caller_tag}
                self._tell(core, carried, {"command": "delete", **told, "via-branch": token})
        carried.offers.clear()

    def _next(self, core: "Core", branch: Branch, now: Instant) -> None:
        """Let what waits behind a response go on, as far as it can."""
        queue = self._queues[branch]
        while queue:
            response = queue[0]
            data: bytes | None = response.data
            if isinstance(branch.carried, Delegated):  # else what came before it was not taken on
                data = self._translate_response(core, response, now)
            if data is None and isinstance(branch.carried, Delegated):
                return
            if data is None:  # its call was refused
                break
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
        fields = {"command": "offer", **common(carried, from_tag, found, here, there)}
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
        carried.offered_by = b""
        told = common(carried, offerer, found, here, there)
        return {"command": "answer", **told, "to-tag": answerer}

    def _ask(
        self, core: "Core", call_id: bytes, fields: Fields, waiting: Waiting, *, at: str = ""
    ) -> None:
        number = core.next_ask()
        self._asked[number] = waiting
        elsewhere = fields["command"] != "answer"
        core.asks.append(Consult(number, call_id, fields, at=at, elsewhere=elsewhere))

    def consulted(self, core: "Core", number: int, reply: Reply | str, now: Instant) -> None:
        """See `MediaPath`."""
        waiting = self._asked.pop(number, None)
        if isinstance(waiting, Request):
            self._request_back(core, waiting, reply, now)
        elif isinstance(waiting, Response):
            self._response_back(core, waiting, reply, now)
        elif isinstance(waiting, Probe):
            self._probed(core, waiting, reply, now)
        elif isinstance(waiting, Search):
            self._searched(core, waiting, reply, now)
        elif waiting is not None:
            self._restore(core, waiting)

    def _request_back(
        self, core: "Core", waiting: Request, reply: Reply | str, now: Instant
    ) -> None:
        branch, data, found = waiting.branch, waiting.data, waiting.found
        carried = branch.carried
        assert isinstance(carried, Delegated)
        new = self._taken(core, carried, waiting, reply, now)
        if branch.over:
            return
        if isinstance(new, bytes):
            data = with_body(data, sdp.replace(found.content_type, found.body, new))
        else:
            self._given_up(branch, carried)
            unrelayed(core, branch, new.words, now, refuse=self.refuse)
            if branch.context.answered:
                return
            if waiting.fields["command"] == "answer":
                data = without_answer(core, branch.context, parse(data), now)
        forward.send_on(core, branch, waiting.token, data, now)

    def _given_up(self, branch: Branch, carried: Delegated) -> None:
        """A call that no rtpengine took on is none of ours."""
        branch.carried, carried.offered_by = None, b""
        if not carried.by:
            self._lose_track(carried.call_id)

    def _response_back(
        self, core: "Core", waiting: Response, reply: Reply | str, now: Instant
    ) -> None:
        branch, data, found = waiting.branch, waiting.data, waiting.found
        carried = branch.carried
        if isinstance(carried, Delegated) and found is not None and waiting.fields is not None:
            new = self._taken(core, carried, waiting, reply, now)
            if isinstance(new, bytes):
                data = with_body(data, sdp.replace(found.content_type, found.body, new))
            else:
                passes = self._passes(core, waiting, found, new.words, now)
                if passes is None:
                    del self._queues[branch]
                    return
                data = passes
        self._queues[branch].popleft()
        upstream.pass_on(core, branch, waiting.status, waiting.to_tag, data, now)
        self._next(core, branch, now)

    def _passes(
        self, core: "Core", waiting: Response, found: Described, why: str, now: Instant
    ) -> bytes | None:
        """Return a response as it is to pass that rtpengine did not translate; None if it is not to."""
        branch, status, data = waiting.branch, waiting.status, waiting.data
        if branch.described:
            return declined(core, branch, status, parse(data), why, now)[0]
        assert isinstance(branch.carried, Delegated)
        self._given_up(branch, branch.carried)  # the answer to it is to pass as it did
        return response_unrelayed(core, branch, status, data, found, why, now, self.refuse)

    def _taken(
        self,
        core: "Core",
        carried: Delegated,
        waiting: Request | Response,
        reply: Reply | str,
        now: Instant,
    ) -> bytes | Failure:
        """Return the description that rtpengine gave, noted; or why it gave none."""
        fields, asker = waiting.fields, _asker(waiting.branch.context)
        assert fields is not None
        if isinstance(reply, str):
            return Failure(reply)
        why = failure(reply.fields)
        if why:
            return Failure(f"rtpengine at {reply.name} says: {why}")
        new = reply.fields.get(b"sdp")
        if not isinstance(new, bytes) or not new.startswith(b"v="):
            return Failure(f"rtpengine at {reply.name} gave no description")
        if carried.by != reply.name or (fields["command"] == "offer" and "to-tag" in fields):
            carried.known.clear()  # to a new offer an answer in the old words is another answer
        self._served(core, waiting.branch.context, carried, reply.name, now)
        if carried.later:
            new = sdp.with_later_version(new, carried.later)
        while len(carried.known) >= _MOST_KNOWN:
            del carried.known[next(iter(carried.known))]
        carried.known[key(fields)] = new
        if fields["command"] == "answer" and fields["from-tag"] == carried.caller_tag:
            self._keep(carried, fields, new)
        carried.note(asker, fields, early=_is_early(waiting))
        return new

    def _keep(self, carried: Delegated, fields: Fields, new: bytes) -> None:
        """Keep what somebody who was called has answered, in case it is the one who picks up."""
        tag = fields["to-tag"]
        assert isinstance(tag, bytes)
        if carried.is_foreign(tag):
            return
        while len(carried.answers) >= _MOST_KNOWN and tag not in carried.answers:
            del carried.answers[next(iter(carried.answers))]
        carried.answers[tag] = fields, new

    def _probed(self, core: "Core", waiting: Probe, reply: Reply | str, now: Instant) -> None:
        """Whether an rtpengine is there is known: whatever it says, it has said it."""
        branch, carried = waiting.branch, waiting.branch.carried
        if branch.over:
            return
        if isinstance(reply, str):
            assert isinstance(carried, Delegated)
            self._given_up(branch, carried)
            unrelayed(core, branch, reply, now, refuse=self.refuse)
            if branch.context.answered:
                return
        forward.send_on(core, branch, waiting.token, waiting.data, now)

    def _searched(self, core: "Core", waiting: Search, reply: Reply | str, now: Instant) -> None:
        """An instance was asked whether it has a call of which we know nothing."""
        branch, ctx = waiting.branch, waiting.branch.context
        data: bytes | None = waiting.data
        if isinstance(reply, Reply) and not failure(reply.fields):
            carried = self._carried.get(ctx.call_id)
            if carried is None:
                carried = self._keep_track(core, Delegated(ctx.call_id, ctx.from_tag))
            self._served(core, ctx, carried, reply.name, now)
            data = self._within(core, carried, branch, waiting.token, waiting.data, now)
        if data is not None:
            forward.send_on(core, branch, waiting.token, data, now)

    # the end of it

    def refused(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None or ctx.method not in OFFERS:
            return
        undone = carried.pending.pop(_asker(ctx), None)
        if undone is None:
            return
        if carried.offered_by == undone[0]["from-tag"]:
            carried.offered_by = b""
        carried.known.clear()
        # what the other side offers meanwhile (RFC 3261 §14.2) is told again, too
        left = [fields for said in carried.pending.values() for fields in said]
        self._restore(core, Restore(carried, deque([*carried.stable, *left])))

    def _restore(self, core: "Core", what: Restore) -> None:
        """Tell the next of what was agreed on before."""
        if what.left:
            fields = what.left.popleft()
            self._ask(core, what.carried.call_id, fields, what, at=what.carried.by)

    def hung_up(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        callee_tag = carried.callee_tag if carried is not None else b""
        is_its = bool(callee_tag) and callee_tag in (ctx.from_tag, ctx.to_tag)
        if core.calls.get(ctx.call_id) is not None and not is_its:
            return  # another INVITE of its call is on its way yet
        if carried is not None:
            self.end(core, ctx.call_id, "hung up", now)
        elif self.mode != "never":
            fields: Fields = {"command": "delete", "call-id": ctx.call_id}
            core.asks.append(Consult(core.next_ask(), ctx.call_id, fields, elsewhere=False))


def _asker(ctx: Context) -> tuple[bytes, bool]:
    """Return whose request belongs to an offer, and whether that is an UPDATE, as one within a re-INVITE is."""
    return ctx.from_tag, ctx.method == b"UPDATE"


def _is_early(waiting: Request | Response) -> bool:
    """Whether an answer comes with a re-INVITE that may yet be refused."""
    early = isinstance(waiting, Response) and waiting.status < 200
    return early and bool(waiting.branch.context.to_tag)


def _back(branch: Branch, carried: Delegated) -> tuple[Where, Where]:
    """Return how whoever answers a request is reached, and how its sender is."""
    ctx, flow = branch.context, branch.flow
    assert flow is not None
    side = CALLEE if branch.side == CALLER else CALLER
    natted = carried.natted
    here = far_end(branch, flow, natted=natted[side]) if ctx.to_tag else callee_of(branch, flow)
    return here, Where(ctx.flow.host, ctx.flow.local.host, natted[branch.side])
