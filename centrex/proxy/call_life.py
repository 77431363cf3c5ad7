"""What a call goes through as its messages pass: into the table, the statistics and the log.

It decides nothing; the ports that relay a call's media are given back from here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant
from centrex.calls import Call, CallState
from centrex.events import Field, Kind, Severity
from centrex.proxy import lamp_life
from centrex.proxy.context import Branch, Context
from centrex.sip import usual
from centrex.sip.message import Message
from centrex.sip.names import CSEQ
from centrex.trace import Decision, Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_CALLING: Final = CallState.CALLING
_RINGING: Final = CallState.RINGING
_UP: Final = CallState.UP
_ENDED: Final = Rule.ENDED
_TIMEOUT: Final = "timeout"
"""Who has ended a call of which nobody has spoken for long."""
_MOVING: Final = frozenset({b"INVITE", b"UPDATE"})
"""Methods by which an end says where it is from now on (RFC 3261 §12.2)."""
_HOSTS: Final = 4
"""Hosts of one end that are remembered."""


def began(core: "Core", ctx: Context, now: Instant) -> None:
    """An INVITE that begins a call is about to be forwarded."""
    to = ctx.to_uri
    call = core.calls.begin(ctx.call_id, ctx.from_uri, to, ctx.from_tag, ctx.flow, now)
    if call is None:
        return
    ctx.call = call
    call.invite = _as_it_came(ctx)
    core.statistics.call_began()
    if core.watchers.lamps.on:
        lamp_life.began(core, ctx, call, now)
    if core.details_calls:
        fields: Mapping[str, Field] = {"src": ctx.flow.name, "from": ctx.from_uri, "to": to}
        core.tell(Kind.CALLS, Severity.DEBUG, "call.started", fields, ctx.call_id)


def rings(call: Call, flow: Flow | None, status: int, now: Instant) -> None:
    """A target rings, or sends early media."""
    call.seen = now
    if call.state is _CALLING and status >= 180:
        call.state, call.callee_flow = _RINGING, flow


def answered(
    core: "Core", call: Call, branch: Branch, to_tag: bytes, data: bytes, now: Instant
) -> None:
    """A target picked up; `to_tag` is its part of the dialog's name, `data` what goes upstream."""
    if call.state is _UP and call.callee_tag != to_tag:
        return  # another INVITE of it was answered before
    flow = branch.flow
    call.state, call.callee_flow = _UP, flow
    call.answered = call.seen = now
    call.callee_tag, call.route, call.answer = to_tag, branch.route, data
    call.user = branch.target.user
    if core.watchers.lamps.on:
        lamp_life.answered(core, branch.context, call, branch, now)
    if core.details_calls:
        fields: Mapping[str, Field] = {
            "src": flow.name if flow else "",
            "from": call.caller,
            "to": call.callee,
            "after": _rounded(now - call.began),
        }
        core.tell(Kind.CALLS, Severity.DEBUG, "call.answered", fields, call.call_id)


def answered_instead(
    core: "Core", branch: Branch, to_tag: bytes, data: bytes, now: Instant
) -> None:
    """A target picked up whose INVITE is not the one its call is listed with.

    A proxy before us has forked the call, or the list had no room when it began. What was led back to
    us is listed by its first way. See `answered`.
    """
    ctx = branch.context
    call = core.calls.get(ctx.call_id)
    if call is None and not core.places.led_back(ctx):
        began(core, ctx, now)
        call = ctx.call
        if call is not None:
            call.began = branch.began
    elif call is not None and _is_another_of(call, ctx) and not core.places.led_back(ctx):
        call.invite, call.callee = _as_it_came(ctx), ctx.to_uri
    else:
        return
    if call is not None:
        answered(core, call, branch, to_tag, data, now)


def _is_another_of(call: Call, ctx: Context) -> bool:
    """Whether an INVITE has the same caller as a call that nobody has answered."""
    came = call.caller_tag, call.caller_flow.host
    return call.state is not _UP and came == (ctx.from_tag, ctx.flow.host)


def _as_it_came(ctx: Context) -> bytes | Message:
    return ctx.message if ctx.usual is None else ctx.usual.string


def failed(core: "Core", call: Call, ctx: Context | None, status: int, now: Instant) -> None:
    """No target picked up, of the INVITE that a call is listed with.

    Args:
        core: The core.
        call: The call.
        ctx: Its INVITE; None where that is gone.
        status: What the caller was told.
        now: The time.
    """
    goes_on = call.state is _UP  # another INVITE of it was answered
    known = not goes_on and core.calls.end(call)
    # one that was forgotten while it rang may have been relayed once more, towards its next target
    if core.relaying is not None and (known or goes_on or core.calls.get(call.call_id) is None):
        if ctx is None:
            core.relaying.end(core, call.call_id, "the call failed", now)
        else:
            core.relaying.failed(core, ctx, now)
    if not known:
        return
    core.statistics.call_ended(failed=True)
    if core.watchers.lamps.on:
        lamp_life.failed(core, call, status, now)
    if core.tells_calls:
        fields: Mapping[str, Field] = {
            "src": call.caller_flow.name,
            "from": call.caller,
            "to": call.callee,
            "status": status,
            "after": _rounded(now - call.began),
        }
        core.tell(Kind.CALLS, Severity.NOTICE, "call.failed", fields, call.call_id)


def hung_up(core: "Core", ctx: Context, now: Instant) -> None:
    """A BYE passes; it ends the call if it is of the dialog that was answered."""
    call = core.calls.get(ctx.call_id)
    if call is None:
        if core.relaying is not None:
            core.relaying.hung_up(core, ctx, now)
    elif call.has_dialog(ctx.from_tag, ctx.to_tag):
        ctx.ended = call
        who = "caller" if ctx.from_tag == call.caller_tag else "callee"
        _end(core, call, who, ctx.tale, now)
    elif core.relaying is not None and not call.callee_tag:
        core.relaying.hung_up(core, ctx, now)  # another INVITE of its call may have been answered


def spoke(core: "Core", ctx: Context, now: Instant) -> None:
    """A request passes within a call, which it neither begins nor ends."""
    call = core.calls.get(ctx.call_id)
    if call is None:
        return
    call.seen = now
    number = (
        ctx.usual[usual.NUMBER] if ctx.usual is not None else ctx.message.value(CSEQ).split()[0]
    )
    host = ctx.flow.host
    if ctx.from_tag == call.caller_tag:
        call.caller_cseq = max(call.caller_cseq, int(number))
        if ctx.method in _MOVING and host != call.caller_flow.host:
            call.caller_hosts = (*call.caller_hosts, host)[-_HOSTS:]
    elif ctx.to_tag == call.caller_tag:
        call.callee_cseq = max(call.callee_cseq, int(number))
        if ctx.method in _MOVING:
            call.callee_hosts = (*call.callee_hosts, host)[-_HOSTS:]


def ended(core: "Core", call: Call, who: str, now: Instant) -> None:
    """A call that is up is ended by somebody who is no part of it."""
    _end(core, call, who, core.journal.open(call.call_id), now)


def forgotten(core: "Core", call: Call, now: Instant) -> None:
    """Nobody has spoken of a call for very long: it counts as over, but whoever talks still is heard."""
    if call.state is _UP:
        _end(core, call, _TIMEOUT, core.journal.open(call.call_id), now)
    elif core.calls.end(call):
        if core.relaying is not None:
            core.relaying.end(core, call.call_id, "the call was forgotten", now)
        core.statistics.call_ended(failed=True)
        if core.watchers.lamps.on:
            lamp_life.ended(core, call, "timeout", now)


def _rounded(seconds: float) -> float:
    """Return seconds with three places; `round` takes ten times as long."""
    return int(seconds * 1000 + 0.5) / 1000


def _end(core: "Core", call: Call, who: str, tale: list[Decision], now: Instant) -> None:
    if not core.calls.end(call):
        return
    if core.relaying is not None:
        if who == _TIMEOUT:
            core.relaying.forgotten(core, call.call_id, now)
        else:
            core.relaying.end(core, call.call_id, "hung up", now, tag=call.callee_tag)
    core.statistics.call_ended()
    if core.watchers.lamps.on:
        lamp_life.ended(core, call, who, now)
    duration = _rounded(now - call.answered)
    tale.append((now, _ENDED, who, duration))
    if core.tells_calls:
        fields: Mapping[str, Field] = {
            "src": call.caller_flow.name,
            "from": call.caller,
            "to": call.callee,
            "by": who,
            "after": _rounded(call.answered - call.began),
            "duration": duration,
        }
        core.tell(Kind.CALLS, Severity.INFO, "call.ended", fields, call.call_id)
