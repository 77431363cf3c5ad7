"""What is checked before anything is done, step by step."""

import pytest

from centrex.proxy.answer import Answer
from centrex.proxy.checks import extensions, hops, hops_left, loops, own_routes, scheme, syntax
from centrex.proxy.context import Context
from centrex.sip.message import parse
from centrex.sip.reading import top_via
from centrex.trace import Rule
from tests.support.proxy import Proxy, request


def context(
    proxy: Proxy, *, method: str = "MESSAGE", uri: str = "sip:bob@example.com", **more: object
) -> Context:
    flow = proxy.flows.get("192.0.2.7", 5060)
    message = parse(request(method, uri, flow, **more))  # type: ignore[arg-type]
    ctx = Context(message.method, message.uri, flow, b"call-1", [])
    ctx.message, ctx.via = message, top_via(message)[0]
    assert syntax(proxy.core, ctx, proxy.now) is None
    assert scheme(proxy.core, ctx, proxy.now) is None
    return ctx


@pytest.mark.parametrize(
    ("value", "left"), [("70", 70), ("0", 0), ("  7", 7), ("255", 255), ("007", 7)]
)
def test_hops(value: str, left: int) -> None:
    ctx = context(Proxy(), hops=None, extra=f"Max-Forwards: {value}")
    assert hops_left(ctx.message) == left
    outcome = hops(Proxy().core, ctx, 0.0)
    assert (outcome is None) == bool(left)


def test_no_max_forwards_counts_as_70() -> None:
    assert hops_left(context(Proxy(), hops=None).message) == 70


def test_where_a_request_leads_is_read_once() -> None:
    proxy = Proxy()
    for uri, ours, for_us in [
        ("sip:bob@example.com", True, False),
        ("sip:example.com", True, True),
        ("sip:registrar@example.com", True, True),
        ("sip:bob@example.com:5060", True, False),
        ("sip:bob@example.com:5070", False, False),
        ("sip:bob@far.example", False, False),
        ("tel:+49", True, False),
        ("tel:49;phone-context=far.example", False, False),
    ]:
        ctx = context(proxy, uri=uri)
        assert (ctx.ours, ctx.for_us) == (ours, for_us), uri


def test_a_loop_needs_our_own_via_with_the_same_mark() -> None:
    proxy = Proxy()
    mark = context(proxy)
    loops(proxy.core, mark, 0.0)
    end = mark.loop_hash.decode()
    mine = f"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx{end}"
    outcome = loops(proxy.core, context(proxy, extra=mine), 0.0)
    assert isinstance(outcome, Answer)
    assert outcome.rule is Rule.LOOP
    for other in (
        mine.replace("192.0.2.1", "192.0.2.99"),
        mine.replace(end, ".00000000"),
        mine.replace(f"z9hG4bKx{end}", f"z9hG4bK;x={end}"),
    ):
        assert loops(proxy.core, context(proxy, extra=other), 0.0) is None
    assert loops(proxy.core, context(proxy, extra=mine, uri="sip:carol@example.com"), 0.0) is None


def test_proxy_require() -> None:
    proxy = Proxy()
    assert extensions(proxy.core, context(proxy), 0.0) is None
    assert extensions(proxy.core, context(proxy, extra="Proxy-Require: PATH"), 0.0) is None
    outcome = extensions(proxy.core, context(proxy, extra="Proxy-Require: path, x"), 0.0)
    assert isinstance(outcome, Answer)
    assert outcome.extra == (b"Unsupported: x",)


def test_a_strict_routers_request_is_judged_by_its_real_target() -> None:
    proxy = Proxy()
    ctx = context(
        proxy, uri="sip:192.0.2.1:5060;lr", extra="Route: <sip:p;lr>, <sip:bob@far.example>"
    )
    assert ctx.for_us
    own_routes(proxy.core, ctx, 0.0)
    assert ctx.message.uri == b"sip:bob@far.example"
    assert (ctx.ours, ctx.for_us) == (False, False)
