"""Where a phone is whose connection has broken during a call, and that has registered by another one since.

Without outbound (RFC 5626) nothing tells that both are one phone's. It is taken to be so where just one
connection is there of the same user, of the same transport and from the same host.
"""

from typing import TYPE_CHECKING

from centrex.base import Flow, Instant, PeerError, Transport
from centrex.nat.route_token import Dialog, read_flow_token
from centrex.proxy.context import Context
from centrex.proxy.named import user_in
from centrex.registrar.registry import MustAsk
from centrex.sip.uri import parse_uri

if TYPE_CHECKING:
    from centrex.proxy.core import Core


def flow_now(core: "Core", ctx: Context, dialog: Dialog, now: Instant) -> Flow | None:
    """Return the way to a dialog's other end whose Record-Route value names a flow; None for none."""
    flow = core.flow_of_token(dialog.flow)
    known = read_flow_token(dialog.flow)
    if flow is not None or known is None or known[0] is Transport.UDP:
        return flow
    user = _whose(core, ctx, now, from_caller=dialog.from_caller)
    bindings = core.registry.lookup(user, now) if user else ()
    if isinstance(bindings, MustAsk):
        return None
    flows = {one.flow for one in bindings if one.flow is not None and one.flow.open}
    same = [one for one in flows if (one.transport, one.host) == known[:2]]
    return same[0] if len(same) == 1 else None


def _whose(core: "Core", ctx: Context, now: Instant, *, from_caller: bool) -> bytes:
    """Return the user at the dialog's other end: whose phone answered, else whom To names."""
    call = core.calls.get(ctx.call_id)
    if call is not None and call.user and from_caller:
        return call.user
    try:
        return user_in(core, parse_uri(ctx.to_uri), now)
    except PeerError:
        return b""
