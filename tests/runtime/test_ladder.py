import json

from centrex.base import Flow, Local, Transport
from centrex.runtime import ladder
from centrex.runtime.capture import Passed
from centrex.runtime.envelope import LINE_LIMIT
from centrex.trace import Rule
from tests.support.proxy import NoLink


def flow(host: str, transport: Transport = Transport.UDP) -> Flow:
    local = Local(transport, "192.0.2.1", 5060)
    return Flow(transport, host, 5060, address=(host, 5060), link=NoLink(), local=local)


A, B = flow("192.0.2.7"), flow("192.0.2.8", Transport.TLS)
INVITE = b"INVITE sip:b@x SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n"
PASSED = [
    Passed(1.0, A, INVITE, True),
    Passed(1.0, A, b"SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\n\r\n", False),
    Passed(1.0, B, INVITE, False),
    Passed(2.0, B, RINGING, True),
    Passed(2.0, A, RINGING, False),
]
STORY = [
    (1.0, Rule.REQUEST, b"INVITE", b"sip:b@x", b"sip:a@x", A.name),
    (1.0, Rule.TARGET_TRIED, b"sip:b@x", B.name),
    (2.0, Rule.TARGET_PROGRESS, b"sip:b@x", 180),
    (3.0, Rule.CANCELLED),
]


def test_messages_and_decisions_stand_in_the_order_of_cause_and_effect() -> None:
    rows, lost = ladder.entries(PASSED, STORY, "{:.0f}".format)
    assert lost == 0
    assert [row.get("summary") or row["rule"] for row in rows] == [
        "INVITE sip:b@x",
        "request",
        "target-tried",
        "100 Trying (INVITE)",
        "INVITE sip:b@x",
        "180 Ringing (INVITE)",
        "target-progress",
        "180 Ringing (INVITE)",
        "cancelled",
    ]
    assert (rows[0]["from"], rows[0]["to"]) == ("udp 192.0.2.7:5060", "centrex")
    assert (rows[4]["from"], rows[4]["to"], rows[4]["transport"]) == ("centrex", B.name, "tls")
    assert rows[0]["raw"] == INVITE.decode()
    assert rows[0]["size"] == len(INVITE)
    assert ladder.parties(PASSED) == [A.name, "centrex", B.name]
    assert ladder.parties([]) == ["centrex"]


def asked(flow_: Flow, line: str, sender: str, to: str, *, incoming: bool) -> Passed:
    head = f"{line} SIP/2.0\r\nFrom: {sender};tag=1\r\nTo: {to}\r\nCSeq: 1 INVITE\r\n\r\n"
    return Passed(1.0, flow_, head.encode(), incoming)


def test_columns_are_known_by_their_users() -> None:
    a, b, c, d = (flow(f"192.0.2.{number}") for number in range(11, 15))
    passed = [
        asked(a, "INVITE sip:300@x", "<sip:1%3001@x>", "<sip:300@x>", incoming=True),
        asked(b, "INVITE sip:1002@192.0.2.12", "<sip:1:001@x>", "<sip:300@x>", incoming=False),
        asked(c, "INVITE sip:300-0x5f@192.0.2.13", "<sip:1@x>", "<sip:300@x>", incoming=False),
        asked(d, "INVITE sip:@", "<", "<sip:300@x>", incoming=True),
        Passed(1.0, d, RINGING, True),
        asked(d, "BYE sip:1@x", "<sip:300@x>", "<sip:1001@x>;tag=9", incoming=True),
    ]
    assert ladder.users(passed) == {a.name: "1001", b.name: "1002", c.name: "300"}


def test_a_long_call_keeps_its_newest_messages_within_an_answer() -> None:
    odd = [
        Passed(float(n), A, b"X" * 10 + b"\xff\x00\n\xe2\x80\xae" * 800, True) for n in range(99)
    ]
    rows, lost = ladder.entries(odd, [], str)
    assert 0 < lost < 99
    assert len(rows) == 99 - lost
    assert rows[-1]["at"] == "98.0"
    assert len(json.dumps(rows)) < LINE_LIMIT


def test_a_request_that_was_not_kept_is_missing() -> None:
    assert ladder.missing(STORY, PASSED) == 0
    assert ladder.missing(STORY, PASSED[1:]) == 1
    assert ladder.missing(STORY, []) == 1


def test_a_request_of_the_servers_own_is_not_missing() -> None:
    made = (3.0, Rule.REQUEST_MADE, b"BYE", b"sip:b@x", b"sip:a@x", "operator")
    assert ladder.missing([*STORY, made], PASSED) == 0
    rows, _ = ladder.entries(PASSED, [*STORY, made], str)
    assert "the server itself sends BYE" in rows[-1]["text"]


def test_what_is_no_message_has_a_summary_all_the_same() -> None:
    rows, _ = ladder.entries([Passed(1.0, A, b"SIP/2.0 \xff\x1b", True)], [], str)
    assert rows[0]["summary"].startswith("\\xff")


def test_text_acts_upon_no_terminal() -> None:
    nasty = Passed(1.0, A, b"X \x1b[2J\r\nFrom: \xe2\x80\xae\x00\r\n\r\n", True)
    rows, _ = ladder.entries([nasty], STORY, str)
    text = ladder.as_text(b"c\x07", "a called b.", rows, ladder.parties([nasty]))
    assert all(one.isprintable() for one in text.split("\n"))
    assert "a called b." in text
    assert "udp 192.0.2.7:5060 -> centrex" in text
    assert "\\x1b[2J" in text
    assert "[cancelled]" in text


def test_packets_go_between_the_true_addresses() -> None:
    first, *_, last = ladder.packets(PASSED[:3], lambda instant: instant + 100)
    assert (first.source, first.target) == (("192.0.2.7", 5060), ("192.0.2.1", 5060))
    assert (first.at, first.stream, first.data, first.comment) == (101.0, False, INVITE, "")
    assert (last.source, last.target) == (("192.0.2.1", 5060), ("192.0.2.8", 5060))
    assert (last.stream, last.comment) == (True, "TLS, decrypted")
