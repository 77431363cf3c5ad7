"""What is answered, or only counted, without keeping anything of it: broken, unreadable, too much."""

from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant, PeerError
from centrex.events import Kind, Severity
from centrex.proxy import refusals
from centrex.sip.message import Message, can_be_answered, parse
from centrex.sip.names import CALL_ID
from centrex.sip.response import build_response
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_WARNING: Final = b'Warning: 399 centrex "%b"'
_RETRY: Final = b"Retry-After: 10"


def refuse(core: "Core", message: Message, flow: Flow, now: Instant) -> None:
    """Answer a request that is broken, or note why that cannot be."""
    fault = message.fault
    core.statistics.drop(Rule.MALFORMED.value)
    if fault is None:
        return
    tale = core.journal.open(message.value(CALL_ID))
    tale.append((now, Rule.REQUEST, message.method, message.uri, b"", flow.name))
    tale.append((now, Rule.MALFORMED, fault.what, fault.rule))
    if not can_be_answered(message):
        return
    tale.append((now, Rule.ANSWERED, fault.status, fault.what))
    refusals.note_broken(core, message, flow, fault.status, fault.what)
    extra = (_WARNING % fault.what.replace('"', "'").encode(),)
    tag = core.ids.token()
    core.sends.append((flow, build_response(message, fault.status, to_tag=tag, extra=extra)))


def refuse_broken(core: "Core", data: bytes, flow: Flow) -> None:
    """Answer 500 to a request that met a fault of ours, as far as it can be answered."""
    try:
        message = parse(data)
    except PeerError:
        return
    if can_be_answered(message):
        tag = core.ids.token()
        core.sends.append((flow, build_response(message, 500, to_tag=tag)))


def overloaded(core: "Core", message: Message, flow: Flow, now: Instant) -> None:
    """Turn away a request for which there is no room (§21.5.4)."""
    core.statistics.drop(Rule.OVERLOADED.value)
    tale = core.journal.open(message.value(CALL_ID))
    tale.append((now, Rule.REQUEST, message.method, message.uri, b"", flow.name))
    tale.append((now, Rule.OVERLOADED, flow.name))
    if can_be_answered(message):
        refusals.note_broken(core, message, flow, 503, "there is no room for another request")
        core.sends.append((flow, build_response(message, 503, extra=(_RETRY,))))


def unreadable(core: "Core", error: PeerError, flow: Flow) -> None:
    """Count what is no message at all."""
    core.statistics.drop("unreadable")
    if Kind.NETWORK in core.wanted:
        fields = {"src": flow.name, "what": error.what}
        core.notify(Kind.NETWORK, Severity.DEBUG, "message.unreadable", fields)
