"""A call to a `sips:` URI goes by TLS all the way, wherever a plan or a redirection leads it (RFC 5630)."""

import pytest

from centrex.base import Transport
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, rules, start
from tests.support.hunting import planned
from tests.support.proxy import DOMAIN, Proxy

FAR, GATEWAY = "203.0.113.9", "198.51.100.1"
ROW = {
    "name": "pstn",
    "addresses": (f"sip:{GATEWAY}", f"sips:{GATEWAY}", f"sip:{GATEWAY}:5071;transport=tls"),
    "check_interval": 0,
}
PLAIN = {"name": "plain", "addresses": (f"sip:{GATEWAY}",), "check_interval": 0}
WORDS = b"the call asks for TLS on all its way"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"], trusted=["192.0.2.7"])


def calls(proxy: Proxy, user: str, scheme: str = "sips") -> Sent:
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    return alice.calls(f"{scheme}:{user}@{DOMAIN}", branch=f"z9hG4bK{scheme}")


def went(sent: Sent) -> list[tuple[Transport, str, int]]:
    return [
        (flow.transport, flow.host, flow.port) for flow, data in sent if start(data) == "INVITE"
    ]


@pytest.mark.parametrize(
    ("to", "there"),
    [
        (f"sips:x@{FAR}", (Transport.TLS, FAR, 5061)),
        (f"sip:x@{FAR};transport=TLS", (Transport.TLS, FAR, 5061)),
        ("5@pstn", (Transport.TLS, GATEWAY, 5061)),
    ],
)
def test_a_plan_leads_there(proxy: Proxy, to: str, there: tuple[Transport, str, int]) -> None:
    planned(proxy, {"name": "n", "destinations": (to,)}, gateways=[ROW, PLAIN])
    assert went(calls(proxy, "n")) == [there]


@pytest.mark.parametrize("to", [f"sip:x@{FAR}", f"sip:x@{FAR};transport=tcp", "5@plain"])
def test_or_nowhere(proxy: Proxy, to: str) -> None:
    planned(proxy, {"name": "n", "destinations": (to,)}, gateways=[ROW, PLAIN])
    sent = calls(proxy, "n")
    assert (went(sent), start(sent[-1][1])) == ([], "480")
    (skipped,) = [facts for _, rule, *facts in proxy.journal.story(b"call-1")
                  if rule is Rule.PLAN_SKIPPED]  # fmt: skip
    assert skipped[1] == WORDS.decode()
    assert len(went(calls(proxy, "n", "sip"))) == 1, "where nobody asks for TLS, it is led there"


def test_a_gateways_next_address_is_a_secure_one_too(proxy: Proxy) -> None:
    planned(proxy, {"name": "n", "destinations": ("5@pstn",)}, gateways=[ROW])
    calls(proxy, "n")
    tried = {one for one in went(proxy.advance(30)) if one[0] is not Transport.TLS}
    assert not tried
    assert Rule.GATEWAY_SILENT in rules(proxy)


@pytest.mark.parametrize(("to", "led"), [("sip", False), ("sips", True)])
def test_so_does_a_redirection(proxy: Proxy, to: str, *, led: bool) -> None:
    planned(proxy, follows=True)
    bob = Phone(proxy, "bob", "192.0.2.8", 40_000, transport=Transport.TLS)
    sent = calls(proxy, "bob")
    sent = bob.says(bob.gets(sent, "INVITE"), 302, extra=f"Contact: <{to}:x@{FAR}>\n")
    assert went(sent) == ([(Transport.TLS, FAR, 5061)] if led else [])
