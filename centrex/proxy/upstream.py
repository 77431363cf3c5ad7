"""What becomes of a branch: its responses, its silence, its end (RFC 3261 §16.7, §16.8, §16.10).

Provisional responses and 2xx go upstream at once; other final ones are kept until every target has
failed, and the best of them goes.
"""

import math
from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant
from centrex.calls import CallState
from centrex.proxy import call_life, gateway_login, gateways, hunting, lamp_life, leg
from centrex.proxy.answer import Answer
from centrex.proxy.best_response import best_response, merge_challenges
from centrex.proxy.carried import DIRECT
from centrex.proxy.context import Branch, Context, NumberedBranch, open_branch
from centrex.proxy.forward import (
    CANCEL_UNHEARD,
    CROSSED,
    RING,
    enter_instead,
    is_out_of_time,
    next_group,
    ring_s_of,
    silence_s,
    tenths,
    try_alternative,
)
from centrex.routing.next_hop import next_hop
from centrex.routing.target import Target
from centrex.sip.message import Message, parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CALL_ID, CONTENT_LENGTH, CSEQ, FROM, RETRY_AFTER, ROUTE, TO, VIA
from centrex.sip.response import build_response
from centrex.sip.via import split_values
from centrex.trace import Rule
from centrex.transaction import ServerTransaction
from centrex.transaction.machine import In, State

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_UP: Final = CallState.UP
_TARGET_PROGRESS: Final = Rule.TARGET_PROGRESS
_TARGET_ANSWERED: Final = Rule.TARGET_ANSWERED
_ELSEWHERE: Final = b'Reason: SIP;cause=200;text="Call completed elsewhere"'
_RANG_OUT: Final = b'Reason: SIP;cause=480;text="Rang too long"'
_LOOK_AGAIN: Final = 60.0
_CROSSING_S: Final = 1.0
"""How long the last target's answer may be under way when its CANCEL is sent."""
_OBEYING_S: Final = 0.5
"""How long a target that is to ring again may take to end the call it was told to end."""
_NO_VIA: Final = "its response has lost the Via lines of the request"
_LOGIN_REFUSED: Final = b'Warning: 399 centrex "the gateway refuses the server\'s login"'
_OF_NO_USE: Final = frozenset({401, 407, 408, 480, 500, 503})
"""What a caller who gave up is not told: his phone would try again, or elsewhere, or report a fault."""
_GRAIN: Final = 0.001
"""Seconds by which sums of durations may differ from the clock."""


def on_response(core: "Core", branch: Branch, response: Message, now: Instant) -> None:
    """A response that its transaction passed up."""
    status = response.status
    if isinstance(branch, NumberedBranch):
        branch.restore(response)
    if not response.repeated >> VIA & 1 and response.lines[response.at[VIA]].find(b",") < 0:
        # no Via is left for whoever sent the request: it must not be passed on (§16.7 step 3)
        if status >= 200:
            branch_failed(core, branch, 502, Rule.TARGET_UNREACHABLE, _NO_VIA, now)
        return
    if status >= 300:
        _on_failure(core, branch, response, now)
        return
    ctx = branch.context
    begins = ctx.method == b"INVITE" and not ctx.to_tag
    named = begins or branch.carried is not None
    to_tag = parse_name_addr(response.value(TO)).tag if named else b""
    pass_up(core, branch, status, to_tag, _for_upstream(ctx, response), now)


def pass_up(
    core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
) -> None:
    """A provisional response or a 2xx; `data` is what goes upstream, but for relayed media."""
    ctx = branch.context
    # what comes too late to go upstream begins nothing, for nobody would end it
    passes = status >= 200 or not (branch.over or ctx.answered)
    if passes and branch.carried is not None and core.relaying is not None:
        if status >= 200 and branch.carried is not DIRECT:
            if (ctx.answered or ctx.winner is not None) and _is_surplus(branch, to_tag):
                branch.over = True
                leg.end(core, branch, parse(data), now)
                return
            if not ctx.answered:
                ctx.winner = branch  # though its answer may have to wait for a relay
        changed = core.relaying.inward(core, branch, status, to_tag, data, now)
        if changed is None:
            return
        data = changed
    pass_on(core, branch, status, to_tag, data, now)


def pass_on(
    core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
) -> None:
    """A provisional response or a 2xx whose media are settled; `data` is what goes upstream."""
    if status < 200:
        on_provisional(core, branch, status, data, now)
    else:
        on_success(core, branch, status, to_tag, data, now)


def on_provisional(core: "Core", branch: Branch, status: int, data: bytes, now: Instant) -> None:
    """A target says that it is still at it; `data` is what goes upstream of it."""
    ctx = branch.context
    first = branch.heard == 0.0 or branch.last_status != status
    branch.heard, branch.last_status = now, status
    if branch.cancel_wanted and not branch.cancel_sent:
        send_cancel(core, branch, now, branch.cancel_reason)
    if status == 100 or branch.over or ctx.answered:
        return
    if ctx.method != b"INVITE":
        return  # RFC 4320 §4.1: to a non-INVITE request no other provisional response than 100
    if first:
        ctx.tale.append((now, _TARGET_PROGRESS, branch.target.uri, status))
    if ctx.call is not None and ctx.call.state is not _UP:
        call_life.rings(ctx.call, branch.flow, status, now)
        if core.watchers.lamps.on and status >= 180:
            lamp_life.rings(core, ctx, ctx.call, now)
    if ctx.server is not None:
        core.layer.respond(ctx.server, status, data, now)


def on_success(
    core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
) -> None:
    """A target accepted; `data` is what goes upstream of it (§16.7 steps 5 and 10).

    One that the caller has no use for any more is hung up instead.
    """
    ctx = branch.context
    branch.over = True
    if (ctx.answered or ctx.winner is not None) and _is_surplus(branch, to_tag):
        leg.end(core, branch, parse(data), now)
        return
    first = not ctx.answered
    if first:
        ctx.answered, ctx.winner = True, branch
        ctx.tale.append((now, _TARGET_ANSWERED, branch.target.uri, status))
        if ctx.call is not None:
            call_life.answered(core, ctx.call, branch, to_tag, data, now)
        elif ctx.method == b"INVITE" and not ctx.to_tag:
            call_life.answered_instead(core, branch, to_tag, data, now)
    elif ctx.method != b"INVITE":
        return
    server = ctx.server
    if server is not None and not core.layer.respond(server, status, data, now):
        # it always goes upstream (§16.7 step 5), even after another final response
        core.sends.append((ctx.flow, data))
    if first:
        ctx.settle()
        if len(ctx.branches) > 1:
            if core.relaying is not None:
                core.relaying.won(core, branch, now)
            cancel_others(core, ctx, branch, _ELSEWHERE, now)
            ctx.branches = [one for one in ctx.branches if not one.over]


def _is_surplus(branch: Branch, to_tag: bytes) -> bool:
    """Whether the 2xx of a call that has its final answer is one too many.

    It is, where its caller was refused; where a plan decided, as then one destination has the call; and
    where the relay of its media serves another branch. Who picks up second of the contacts of one user,
    or behind one of them, is the caller's affair (§16.7 step 5, §13.2.2.4).
    """
    ctx = branch.context
    if ctx.method != b"INVITE" or ctx.to_tag or ctx.server is None:
        return False
    winner, call = ctx.winner, ctx.call
    if winner is None:
        return True
    if winner is branch and not ctx.answered:
        return False  # it waits for a relay
    if call is not None and call.callee_tag == to_tag:
        return False  # the winner's own, once more
    if ctx.planned:
        return call is not None or winner is not branch
    return winner is not branch and branch.carried is not None and branch.carried is not DIRECT


def _on_failure(core: "Core", branch: Branch, response: Message, now: Instant) -> None:
    ctx = branch.context
    if branch.over or ctx.answered:
        return
    status = response.status
    reason = response.lines[0][12:]
    if branch.rang and status == 487:  # the answer to the CANCEL it got for ringing too long
        on_crossed(core, branch, now)
        return
    core.decide(ctx, (now, Rule.TARGET_REFUSED, branch.target.uri, status, reason))
    if status == 503 and try_elsewhere(core, branch, "it answered 503", now):
        return
    is_to_gateway = branch.target.gateway or ctx.gateway is not None
    if is_to_gateway and _answer_gateway(core, branch, response, now):
        return
    branch.over = True
    if status >= 400 or not hunting.redirected(core, ctx, branch, response, now):
        take_off_via(response)
        response.rescan()
        branch.final = response  # of a redirection that is followed nobody is told (§16.7 step 4)
    if status >= 600:
        if hunting.ends_hunt(core, ctx, status):
            ctx.groups = []
        cancel_others(core, ctx, branch, b"", now)
    carry_on(core, ctx, now)


def _answer_gateway(core: "Core", branch: Branch, response: Message, now: Instant) -> bool:
    """Send a request again with the credentials that a gateway asks for; False where it asks others.

    It goes the way the challenge came, whatever the target's name may lead to by now. Where they are
    refused the gateway's next address may take them; the challenge itself is not for the caller, whose
    phone would take it for one of ours.
    """
    ctx, target = branch.context, branch.target
    answer = gateway_login.answer(core, branch, response, now)
    if answer is None:
        return False
    if isinstance(answer, Target):
        enter_instead(core, branch, answer, now, branch.flow)
        return True
    following = gateways.next_address(target)
    if following is not None:
        enter_instead(core, branch, following, now)
        return True
    tag = b"" if ctx.to_tag else core.ids.token()
    branch.over = True
    branch.final = parse(build_response(ctx.message, 500, to_tag=tag, extra=(_LOGIN_REFUSED,)))
    carry_on(core, ctx, now)
    return True


def try_elsewhere(
    core: "Core", branch: Branch, why: str, now: Instant, *, is_gone: bool = True
) -> bool:
    """Go on with the next address of a branch's target, if one is left (RFC 3263 §4.3).

    That is a branch of its own: what is still to come from the address before it, its silence or a
    late answer, does not concern the new one.

    Args:
        core: The core.
        branch: The branch.
        why: Why it does not go on there, for the gateway that it may have been.
        now: The time.
        is_gone: Whether that tells of the gateway, too, and not of this request alone.
    """
    ctx = branch.context
    if is_out_of_time(ctx, now):
        return False
    if not branch.alternatives:
        return _next_address(core, branch, why, now, is_gone=is_gone)
    successor = open_branch(ctx, branch.target, now, ring_s_of(core, ctx, branch.target, now))
    successor.alternatives, branch.alternatives = branch.alternatives, []
    branch.over = True
    ctx.branches.append(successor)
    following = successor.alternatives[0]
    if try_alternative(core, successor, now):
        if branch.flow is not None and not isinstance(following, Flow):
            _next_place(core, branch, branch.flow, why, now, is_gone=is_gone)
        return True
    ctx.branches.remove(successor)
    branch.over = False
    return False


def _next_place(
    core: "Core", branch: Branch, flow: Flow, why: str, now: Instant, *, is_gone: bool
) -> None:
    """Note that a branch goes on at another place of its target's name."""
    core.decide(branch.context, (now, Rule.NEXT_ADDRESS, branch.target.uri, flow.name, why))
    if branch.target.gateway and is_gone:
        core.gateways.unserved(branch.target, flow)


def _next_address(core: "Core", branch: Branch, why: str, now: Instant, *, is_gone: bool) -> bool:
    """Go on with the next address of a gateway that cannot be reached; False if none is left."""
    ctx, target = branch.context, branch.target
    if target.gateway and is_gone:
        core.gateways.missed(core, target, why, now)
    following = gateways.next_address(target)
    if following is None or ctx.cancelled or ctx.answered:
        return False
    core.decide(ctx, (now, Rule.GATEWAY_SILENT, target.uri, following.uri))
    enter_instead(core, branch, following, now)
    return True


def branch_failed(
    core: "Core", branch: Branch, status: int, rule: Rule, why: str | float, now: Instant
) -> None:
    """End a branch without a response of its own, as if it had answered `status` (§16.7, §16.9)."""
    ctx = branch.context
    if branch.over:
        return
    branch.over = True
    core.decide(ctx, (now, rule, branch.target.uri, why))
    if rule is Rule.TARGET_SILENT:
        core.contacts.missed(core, branch, now)
    if ctx.server is None or ctx.answered:
        return
    words = b'Warning: 399 centrex "%b"' % _WORDS.get(rule, "the target failed").encode()
    tag = b"" if ctx.to_tag else core.ids.token()
    data = build_response(ctx.message, status, to_tag=tag, extra=(words,))
    branch.final = parse(data)
    carry_on(core, ctx, now)


_WORDS: Final = {
    Rule.TARGET_SILENT: "the target does not answer: it is off or out of reach",
    Rule.TARGET_RANG_OUT: "nobody picked up in time",
    Rule.TARGET_UNREACHABLE: "the target cannot be reached from here",
    Rule.DNS_FAILED: "the target's name cannot be resolved",
    Rule.TARGET_CANCELLED: "the caller gave up",
    Rule.TARGET_NOT_STOPPED: "the target does not obey that it was told to stop ringing",
}


def carry_on(core: "Core", ctx: Context, now: Instant) -> None:
    """Once every branch has ended: try the next group, or answer with the best final response."""
    if ctx.answered or not all(branch.over for branch in ctx.branches):
        return
    if is_out_of_time(ctx, now):
        ctx.groups = []
    if not ctx.cancelled and next_group(core, ctx, now):
        if core.watchers.lamps.on and ctx.call is not None and ctx.call.state is not _UP:
            lamp_life.moved(core, ctx, ctx.call, now)
        return
    begins = ctx.group_at if ctx.hunting else 0
    finals = [branch.final for branch in ctx.branches[begins:] if branch.final is not None]
    if not finals:
        return
    verdict = None if ctx.cancelled else hunting.verdict(ctx, finals)
    if verdict is not None:
        core.conclude(ctx, Answer(verdict[0], Rule.NOBODY_ANSWERED, words=verdict[1]), now)
        ctx.settle()
        ctx.branches = []
        return
    best = best_response(finals)
    status = best.status
    if ctx.cancelled and (status // 100 == 3 or status in _OF_NO_USE):  # §16.10, §9.2
        core.answer_plain(ctx, 487, (), now)
    elif status == 408 and ctx.method != b"INVITE" and ctx.server is not None:
        # RFC 4320 §4.2: a 408 to a non-INVITE request comes too late to be of use
        ctx.answered = True
        _never_answer(core, ctx, ctx.server, now)
    elif status == 503:
        _without_retry_after(best)
        best.lines[0] = b"SIP/2.0 500 Server Internal Error"
        best.status = 500
        core.refuse(ctx, best, now)
    else:
        merge_challenges(best, finals)
        core.refuse(ctx, best, now)
    ctx.settle()
    ctx.branches = []


def _never_answer(core: "Core", ctx: Context, server: ServerTransaction, now: Instant) -> None:
    """Let a request time out at its sender, whose repetitions are still absorbed until then."""
    if core.relaying is not None and ctx.to_tag:
        core.relaying.refused(core, ctx, now)
    left = core.timing.timeout - (now - server.began)
    if server.flow.reliable or left <= 0:
        core.layer.abandon(server)
    else:
        core.layer.timers.arm(float(math.ceil(left)), now, server, In.TIMEOUT)


def _without_retry_after(response: Message) -> None:
    for index in reversed(response.indices(RETRY_AFTER)):
        del response.lines[index]
    response.rescan()


def _for_upstream(ctx: Context, response: Message) -> bytes:
    """Return a response as it leaves: without our Via."""
    take_off_via(response)
    lines = response.lines
    if ctx.flow.reliable and not response.at[CONTENT_LENGTH]:  # a stream needs it (§18.3)
        lines = [*lines, b"Content-Length: %d" % len(response.body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + response.body


def take_off_via(response: Message) -> None:
    """Remove our Via, the topmost (§16.7 step 3). Indices of the message are stale afterwards."""
    index = response.at[VIA]
    line = response.lines[index]
    comma = line.find(b",")
    if comma > 0 and b'"' in line[:comma]:
        values = split_values(line[line.find(b":") + 1 :])
        comma = line.find(values[1]) - 1 if len(values) > 1 else -1
    if comma > 0:
        response.lines[index] = b"Via: " + line[comma + 1 :].lstrip()
        return
    del response.lines[index]


# silence


def on_silence(core: "Core", branch: Branch, now: Instant) -> None:
    """The start response timeout is over: go on, or give a target up that has said nothing."""
    client = branch.client
    if branch.over or client is None:
        return
    silent_s = silence_s(core, branch)
    if not client.invite:
        # it may still answer, in good time; whoever takes it first has it
        elsewhere = try_elsewhere(core, branch, silence(silent_s), now, is_gone=False)
        if not elsewhere and branch.context.groups:
            branch_failed(core, branch, 408, Rule.TARGET_SILENT, silent_s, now)
        return
    if branch.heard or (branch.context.to_tag and not branch.context.cancelled):
        # within a dialog silence ends the call (§12.2.1.2), so it lasts until timer B says so
        on_rung(core, branch, now)
        return
    if client.state is State.CALLING:
        client.state = State.PROCEEDING  # no more repetitions, but it may still answer
    branch.cancel_wanted = True
    core.layer.timers.arm(core.timing.timeout, now, branch, CANCEL_UNHEARD)
    if try_elsewhere(core, branch, silence(silent_s), now):
        return
    branch_failed(core, branch, 408, Rule.TARGET_SILENT, silent_s, now)


def silence(seconds: float) -> str:
    """Return in words that nothing came."""
    return f"it gave no sign of life for {seconds:g} s"


def on_rung(core: "Core", branch: Branch, now: Instant) -> None:
    """Look whether a ringing target has had its time (rollover, final answer), which is our timer C."""
    if branch.over:
        return
    rung = now - branch.began
    left = branch.ring_s - rung
    if left > _GRAIN:
        # whole seconds as long as there are any, at most a minute at a time: timers are of few durations
        soon = float(int(left)) if left >= 1 else tenths(left)
        core.layer.timers.arm(min(_LOOK_AGAIN, soon), now, branch, RING)
        return
    if branch.cancel_sent and not branch.rang:
        # somebody else answered, or the caller gave up, and it does not obey
        silent_s = round(now - branch.heard)
        branch_failed(core, branch, 487, Rule.TARGET_NOT_STOPPED, silent_s, now)
        return
    send_cancel(core, branch, now, _RANG_OUT)
    ctx = branch.context
    last = not ctx.groups or is_out_of_time(ctx, now)
    if branch.cancel_sent and (last or _rings_again(ctx, branch)):
        # an answer that crosses the last one's CANCEL is still in time to win
        branch.rang = True
        core.layer.timers.arm(_CROSSING_S if last else _OBEYING_S, now, branch, CROSSED)
        return
    branch_failed(core, branch, 480, Rule.TARGET_RANG_OUT, round(rung), now)


def _rings_again(ctx: Context, branch: Branch) -> bool:
    """Whether the next INVITE goes where this one went: it would be taken for a copy (§8.2.2.2)."""
    flow = branch.flow
    if flow is None:
        return False
    here = flow.transport, flow.host, flow.port
    return any(
        target.flow is flow if target.flow is not None else next_hop(target.uri) == here
        for target in ctx.groups[0]
    )


def on_crossed(core: "Core", branch: Branch, now: Instant) -> None:
    """A target was told to stop ringing, has had its time for that, and has said nothing since."""
    branch_failed(core, branch, 480, Rule.TARGET_RANG_OUT, round(now - branch.began), now)


def on_cancel_unheard(core: "Core", branch: Branch, now: Instant) -> None:
    """A cancelled branch has had 64 x T1 for its final response (§9.1)."""
    client = branch.client
    if client is not None and client.state <= State.PROCEEDING:
        core.layer.forget_client(client)
        branch_failed(core, branch, 408, Rule.TARGET_SILENT, core.timing.timeout, now)


# CANCEL


def cancel(core: "Core", ctx: Context, reasons: list[bytes], now: Instant) -> None:
    """The caller gave up: every branch is cancelled, nothing further is tried (§16.10)."""
    if ctx.answered or ctx.cancelled:
        return
    ctx.cancelled = True
    ctx.groups = []
    core.decide(ctx, (now, Rule.CANCELLED))
    cancel_others(core, ctx, None, b"\r\n".join(reasons), now)


def cancel_others(
    core: "Core", ctx: Context, winner: Branch | None, reason: bytes, now: Instant
) -> None:
    """Cancel each branch that has not ended, save one."""
    for branch in tuple(ctx.branches):
        if branch is winner or branch.over:
            continue
        core.decide(ctx, (now, Rule.TARGET_CANCELLED, branch.target.uri))
        branch.alternatives = []
        if branch.client is None:
            branch_failed(core, branch, 487, Rule.TARGET_CANCELLED, "not yet sent", now)
        elif branch.heard:
            send_cancel(core, branch, now, reason)
        else:
            branch.cancel_wanted, branch.cancel_reason = True, reason


def send_cancel(core: "Core", branch: Branch, now: Instant, reason: bytes = b"") -> None:
    """Cancel one branch that has answered provisionally (§9.1)."""
    client = branch.client
    if branch.cancel_sent or client is None or not client.request or not client.invite:
        return
    branch.cancel_sent = True
    invite = parse(client.request)
    lines, at = invite.lines, invite.at
    number = invite.value(CSEQ).split(None, 1)[0]
    out = [
        b"CANCEL %b SIP/2.0" % invite.uri,
        lines[at[VIA]],
        b"Max-Forwards: 70",
        *(lines[i] for i in invite.indices(ROUTE)),
        lines[at[FROM]],
        lines[at[TO]],
        lines[at[CALL_ID]],
        b"CSeq: %b CANCEL" % number,
    ]
    if reason:
        out.append(reason)
    out.append(b"Content-Length: 0\r\n\r\n")
    core.layer.open_client((client.key[0], b"CANCEL"), b"\r\n".join(out), client.flow, None, now)
    core.layer.timers.arm(core.timing.timeout, now, branch, CANCEL_UNHEARD)
