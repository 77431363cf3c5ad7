"""Documents of `dialog`: names, attributes and values of RFC 4235 §4.4's schema, and of no others."""

from xml.etree import ElementTree as ET

from centrex.watching import dialoginfo
from centrex.watching.dialoginfo import Lamp, lamp_id

NS = "{urn:ietf:params:xml:ns:dialog-info}"
EVENTS = {"cancelled", "rejected", "replaced", "local-bye", "remote-bye", "error", "timeout"}
ALICE = b"sip:alice@example.com"


def check(body: bytes) -> ET.Element:
    """Hold a document against the schema."""
    root = ET.fromstring(body)
    assert root.tag == f"{NS}dialog-info"
    assert set(root.attrib) == {"version", "state", "entity"}
    for dialog in root:
        assert dialog.tag == f"{NS}dialog"
        assert set(dialog.attrib) == {"id", "direction"}
        assert dialog.attrib["direction"] in {"initiator", "recipient"}
        state = dialog[0]
        assert state.tag == f"{NS}state"
        assert state.text in {"trying", "proceeding", "early", "confirmed", "terminated"}
        assert set(state.attrib.get("event", "timeout").split()) <= EVENTS
        assert [one.tag for one in dialog[1:]] in ([], [f"{NS}remote"])
    return root


def test_a_call_that_is_up() -> None:
    lamp = Lamp(b"as7d900as8", dialoginfo.INITIATOR, b"sip:bob@example.com", b"confirmed")
    root = check(dialoginfo.document(1, ALICE, [lamp], trusted=True))
    assert root.attrib == {"version": "1", "state": "full", "entity": "sip:alice@example.com"}
    assert root[0].findtext(f"{NS}remote/{NS}identity") == "sip:bob@example.com"


def test_strangers_are_not_told_who_it_is() -> None:
    lamp = Lamp(b"x", dialoginfo.RECIPIENT, b"sip:bob@example.com", b"early")
    body = dialoginfo.document(0, ALICE, [lamp], trusted=False)
    check(body)
    assert b"bob" not in body


def test_a_call_that_ended_tells_why() -> None:
    lamp = Lamp(b"x", dialoginfo.RECIPIENT, b"", b"terminated", dialoginfo.REMOTE_BYE)
    root = check(dialoginfo.document(0, ALICE, [lamp], trusted=True))
    assert root[0][0].attrib == {"event": "remote-bye"}


def test_nobody_talks() -> None:
    assert len(check(dialoginfo.document(0, ALICE, [], trusted=True))) == 0


def test_hostile_text_stays_text() -> None:
    evil = b'"><dialog/>&\x00<'
    lamp = Lamp(b"x", dialoginfo.RECIPIENT, evil, b"early")
    root = check(dialoginfo.document(0, evil, [lamp], trusted=True))
    assert root.attrib["entity"] == root[0].findtext(f"{NS}remote/{NS}identity")


def test_a_call_is_named_apart_for_each_end_and_does_not_give_its_call_id_away() -> None:
    names = {lamp_id(b"call-1", direction) for direction in (b"initiator", b"recipient")}
    assert len(names) == 2
    assert not any(b"call" in name for name in names)
