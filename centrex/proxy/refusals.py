"""What this server itself refuses: a call that never began, a registration; counted and told.

Told only to those who listen closely, so that a stranger's broken requests fill no log file.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Flow
from centrex.events import Field, Kind, Severity
from centrex.proxy.answer import Answer
from centrex.proxy.context import Context
from centrex.sip.message import Message
from centrex.sip.names import CALL_ID, FROM, TO

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_CALL: Final = "call.refused"
_REGISTRATION: Final = "registration.refused"


def note(core: "Core", ctx: Context, answer: Answer) -> None:
    """A request gets a final response of ours that is no challenge."""
    if ctx.method == b"INVITE":
        if ctx.to_tag or ctx.call is not None:
            return
        core.statistics.calls_total += 1
        core.statistics.calls_failed += 1
        if core.details_calls:
            fields = _fields(ctx.flow, answer.status, answer.words)
            fields = {**fields, "from": ctx.from_uri, "to": ctx.to_uri}
            core.tell(Kind.CALLS, Severity.DEBUG, _CALL, fields, ctx.call_id)
    elif ctx.method == b"REGISTER" and core.details_registrations and not answer.told:
        fields = {**_fields(ctx.flow, answer.status, answer.words), "aor": ctx.to_uri}
        core.tell(Kind.REGISTRATIONS, Severity.DEBUG, _REGISTRATION, fields, ctx.call_id)


def note_broken(core: "Core", message: Message, flow: Flow, status: int, words: str) -> None:
    """A request that is broken, or for which there is no room, is answered, and nothing kept of it."""
    if message.method == b"INVITE" and core.details_calls:
        kind, name = Kind.CALLS, _CALL
    elif message.method == b"REGISTER" and core.details_registrations:
        kind, name = Kind.REGISTRATIONS, _REGISTRATION
    else:
        return
    fields = _fields(flow, status, words)
    fields = {**fields, "from": message.value(FROM), "to": message.value(TO)}
    core.tell(kind, Severity.DEBUG, name, fields, message.value(CALL_ID))


def _fields(flow: Flow, status: int, words: str) -> dict[str, Field]:
    return {"src": flow.name, "status": status, "why": words}
