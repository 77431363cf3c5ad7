"""Decisions are data: nothing is refused without one, and each story can be told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.proxy import core as core_module
from centrex.sip.message import parse
from centrex.trace.explain import explain
from tests.support.calling import Phone, names, start
from tests.support.proxy import DOMAIN, Proxy

URIS = [
    f"sip:{DOMAIN}",
    f"sip:registrar@{DOMAIN}",
    f"sip:bob@{DOMAIN}",
    f"sip:carol@{DOMAIN}",
    f"sip:nobody@{DOMAIN}",
    f"sip:erin@{DOMAIN}",
    "sip:x@198.51.100.1",
    "sip:x@far.example",
    "mailto:x@y",
    "tel:+4930",
    "sip:192.0.2.1;lr",
]
EXTRAS = [
    "",
    "Proxy-Require: wings",
    "Require: wings",
    "Max-Breadth: 0",
    "Route: <sip:192.0.2.1;lr>",
    "Route: <sip:198.51.100.1;lr>",
    "Route: <sip:192.0.2.1;lr;cx=0123456789abcdef>",
    "Contact: *\nExpires: 60",
    "Contact: <sip:alice@192.0.2.7>;expires=1",
    "Path: <sip:192.0.2.9;lr>",
    "Contact: broken<",
    'Proxy-Authorization: Digest username="alice", realm="example.com", nonce="n", uri="u", response="r"',
    'Authorization: Digest username="alice", realm="example.com"',
]
METHODS = ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "BYE", "SUBSCRIBE", "NOTIFY", "CANCEL", "X"]


@given(
    st.sampled_from(METHODS),
    st.sampled_from(URIS),
    st.sampled_from(EXTRAS),
    st.fixed_dictionaries(
        {"hops": st.sampled_from([0, 1, 70, None]), "to_tag": st.sampled_from(["", "b"])}
    ),
    st.tuples(st.booleans(), st.booleans()),
)
def test_every_refusal_leaves_a_story_that_can_be_told(
    method: str, uri: str, extra: str, more: dict[str, Any], how: tuple[bool, bool]
) -> None:
    auth, drained = how
    proxy = Proxy(users=["alice", "bob", "carol"], auth=auth, trusted=["192.0.2.9"])
    Phone(proxy, "bob", "192.0.2.9")
    Phone(proxy, "erin", "192.0.2.9", 40000, transport=Transport.TCP).flow.open = False
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    if drained:
        proxy.core.drain()
    sent = alice.sends(method, uri, extra=extra, **more)
    answers = [parse(data) for flow, data in sent if flow is alice.flow]
    for answer in answers:
        if answer.status >= 300:
            story = proxy.journal.story(b"call-1")
            assert story, answer.lines[0]
            told = explain(b"call-1", story, str)
            assert told.headline
            assert "{" not in told.headline
            assert len(told.lines) == len(story)


@pytest.mark.parametrize(
    ("old", "new"),
    [("branch=", "branch=\x01"), ("Via: SIP/2.0/UDP", "Via: SIP/2.0")],
)
def test_what_is_refused_statelessly_leaves_a_story_too(old: str, new: str) -> None:
    proxy = Proxy()
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    data = alice.write("MESSAGE", f"sip:bob@{DOMAIN}").replace(old.encode(), new.encode(), 1)
    (answer,) = proxy.receive(data, alice.flow)
    assert start(answer[1]) == "400"
    assert proxy.journal.story(b"call-1")


def test_overload_leaves_a_story_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_module, "MAX_TRANSACTIONS", 0)
    proxy = Proxy()
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    assert names(alice.sends("MESSAGE", f"sip:bob@{DOMAIN}")) == ["503"]
    assert proxy.journal.story(b"call-1")
