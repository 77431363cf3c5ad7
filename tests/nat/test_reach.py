"""RFC 3581 and RFC 3261 §18.2.1: where a request really came from."""

import pytest

from centrex.base import Flow, Transport
from centrex.nat.reach import amend_via, behind_nat
from centrex.sip.message import parse
from centrex.sip.reading import top_via
from tests.support.proxy import FakeFlows


def flow(host: str = "192.0.2.7", port: int = 5060, transport: Transport = Transport.UDP) -> Flow:
    return FakeFlows().get(host, port, transport)


def amended(via: str, where: Flow) -> str:
    message = parse(f"OPTIONS sip:a@b SIP/2.0\r\n{via}\r\n\r\n".encode())
    form, branch = top_via(message)
    return amend_via(message.lines[1], form, branch, where).decode()


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ("SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.7"),
        (
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;rport",
            "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1;rport=5060;received=192.0.2.7",
        ),
        (
            "SIP/2.0/UDP phone.local:5070;rport;branch=z9hG4bK1",
            "SIP/2.0/UDP phone.local:5070;branch=z9hG4bK1;rport=5060;received=192.0.2.7",
        ),
    ],
)  # fmt: skip
def test_received_and_rport(via: str, expected: str) -> None:
    assert amended(f"Via: {via}", flow()) == f"Via: {expected}"


@pytest.mark.parametrize(
    "via",
    [
        "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=6.6.6.6",
        "SIP/2.0/UDP 10.0.0.1;received=6.6.6.6;branch=z9hG4bK1;rport=66",
        "SIP/2.0/UDP 10.0.0.1;rport=66;branch=z9hG4bK1",
        "SIP/2.0/UDP 10.0.0.1;RPORT=66;Received=6.6.6.6;branch=z9hG4bK1",
    ],
)
def test_what_the_sender_says_of_itself_is_taken_out(via: str) -> None:
    line = amended(f"Via: {via}", flow())
    assert "66" not in line
    assert line.lower().count("received=") == 1
    assert line.lower().count("rport") <= 1
    assert "branch=z9hG4bK1" in line


def test_other_parameters_stay() -> None:
    line = amended(
        "v: SIP/2.0/UDP [2001:db8::7]:5070;branch=z9hG4bK1;rport;ttl=1;x=y;z",
        flow("2001:db8::9", 1),
    )
    assert line.endswith(";rport=1;received=2001:db8::9")
    for part in ("[2001:db8::7]:5070", ";ttl=1", ";x=y", ";z"):
        assert part in line


@pytest.mark.parametrize(
    ("via", "where", "natted"),
    [
        ("SIP/2.0/UDP 192.0.2.7", flow(), False),
        ("SIP/2.0/UDP 192.0.2.7:5060", flow(), False),
        ("SIP/2.0/UDP 192.0.2.7:5070", flow(), True),
        ("SIP/2.0/UDP 192.0.2.7:5070", flow(port=5070), False),
        ("SIP/2.0/UDP 10.0.0.1", flow(), True),
        ("SIP/2.0/UDP phone.local", flow(), True),
        ("SIP/2.0/TCP 192.0.2.7:5060", flow(port=40000, transport=Transport.TCP), False),
        ("SIP/2.0/TCP 10.0.0.1:5060", flow(port=40000, transport=Transport.TCP), True),
        ("SIP/2.0/UDP [2001:db8::7]", flow("2001:db8::7"), False),
        ("SIP/2.0/UDP [2001:DB8::7]", flow("2001:db8::7"), False),
    ],
)
def test_behind_nat(via: str, where: Flow, natted: bool) -> None:
    form, _ = top_via(
        parse(f"OPTIONS sip:a@b SIP/2.0\r\nVia: {via};branch=z9hG4bK1\r\n\r\n".encode())
    )
    assert behind_nat(form, where) is natted
