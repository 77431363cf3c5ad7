"""Ending a call that is not ours: what an operator asks for, a proxy can only do in the ends' names.

A call that is up gets a BYE each way, made of what its INVITE and its answer told: tags, targets,
routes, and a CSeq beyond what has passed (RFC 3261 §12.2.1.1). A call that is not answered yet is
cancelled towards its targets, and its caller gets 487. It forgets nothing of a call but what it ends.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Instant, PeerError
from centrex.calls import Call, CallState
from centrex.proxy import call_life, leg, upstream
from centrex.proxy.context import Context
from centrex.sip.message import Message, parse
from centrex.sip.names import FROM, TO
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

OPERATOR: Final = "operator"
"""Who ended the call, in events and in the journal."""
_REASON: Final = b'Reason: Q.850;cause=31;text="Ended by the operator"'


def hang_up(core: "Core", call: Call, now: Instant) -> None:
    """End a call: BYE both ways where it is up; otherwise CANCEL, and 487 to its caller."""
    if call.state is CallState.UP:
        _end(core, call, now)
    else:
        _refuse(core, call, now)


def _end(core: "Core", call: Call, now: Instant) -> None:
    answer = parse(call.answer)
    invite = call.invite if isinstance(call.invite, Message) else parse(call.invite)
    tags = call.caller_tag, call.callee_tag
    recorded = leg.Recorded(core, answer, tags)
    call_life.ended(core, call, OPERATOR, now)
    callee, caller = answer.value(TO), answer.value(FROM)
    local = call.caller_flow.local
    to_callee = leg.Words(
        call.call_id,
        sender=caller,
        target=callee,
        contact=leg.contact_of(answer) or call.callee,
        cseq=max(call.caller_cseq, leg.number_of(invite)) + 1,
        routes=recorded.to_callee,
        flow=recorded.way(call.callee_flow, from_caller=True),
        local=local,
        who=OPERATOR,
        reason=_REASON,
        gateway=recorded.gateway(call.call_id, tags, from_caller=True),
    )
    to_caller = leg.Words(
        call.call_id,
        sender=callee,
        target=caller,
        contact=leg.contact_of(invite) or call.caller,
        cseq=call.callee_cseq + 1,
        routes=recorded.to_caller,
        flow=recorded.way(call.caller_flow, from_caller=False),
        local=local,
        who=OPERATOR,
        reason=_REASON,
        gateway=recorded.gateway(call.call_id, tags, from_caller=False),
    )
    tale = core.journal.open(call.call_id)
    for words in (to_callee, to_caller):
        try:
            leg.bye(core, words, now, tale, ended=call)
        except PeerError as error:  # the other end is told all the same
            tale.append((now, Rule.LEG_LEFT, words.contact, error.what))


def _refuse(core: "Core", call: Call, now: Instant) -> None:
    """Cancel what rings; the caller is answered at once, whatever the targets do."""
    for server in tuple(core.layer.servers.values()):
        ctx = server.user
        if isinstance(ctx, Context) and ctx.call is call and not ctx.answered:
            ctx.cancelled, ctx.groups, ctx.winner = True, [], None
            core.answer_plain(ctx, 487, (_REASON,), now)
            ctx.tale += (now, Rule.ENDED, OPERATOR), (now, Rule.ANSWERED, 487, "ended here")
            upstream.cancel_others(core, ctx, None, _REASON, now)
            return
    call_life.failed(core, call, None, 487, now)  # its INVITE is gone: nobody waits for an answer
