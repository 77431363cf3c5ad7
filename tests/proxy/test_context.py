"""A response context begins empty, and a branch with its target's own flow."""

from centrex.proxy.context import Branch, Context
from centrex.routing.target import Target
from centrex.sip.message import parse
from tests.support.proxy import FakeFlows, request


def test_a_new_context_has_decided_nothing() -> None:
    flow = FakeFlows().get("192.0.2.7", 5060)
    message = parse(request("INVITE", "sip:bob@example.com", flow))
    ctx = Context(message.method, message.uri, flow, b"call-1", [])
    assert not any((ctx.dialog, ctx.trusted, ctx.answered, ctx.cancelled))
    assert (ctx.groups, ctx.branches, ctx.login, ctx.dialog_flow) == ([], [], None, None)
    branch = Branch(ctx, Target(b"sip:bob@192.0.2.8", flow), 1.0, 20.0)
    assert branch.flow is flow
    assert not any((branch.over, branch.heard, branch.cancel_wanted, branch.cancel_sent))
