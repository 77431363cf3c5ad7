"""Documents of `reg`: names, attributes and values of RFC 3680 §5.4's schema, and of no others."""

from xml.etree import ElementTree as ET

from centrex.watching import reginfo
from centrex.watching.reginfo import Contact, contact_id

NS = "{urn:ietf:params:xml:ns:reginfo}"
STATES = {"init", "active", "terminated"}
EVENTS = {
    "active": {"registered", "created", "refreshed", "shortened"},
    "terminated": {"expired", "deactivated", "probation", "unregistered", "rejected"},
}


def check(body: bytes) -> ET.Element:
    """Hold a document against the schema."""
    root = ET.fromstring(body)
    assert root.tag == f"{NS}reginfo"
    assert set(root.attrib) == {"version", "state"}
    assert root.attrib["state"] in {"full", "partial"}
    assert int(root.attrib["version"]) >= 0
    for registration in root:
        assert registration.tag == f"{NS}registration"
        assert set(registration.attrib) == {"aor", "id", "state"}
        assert registration.attrib["state"] in STATES
        for contact in registration:
            assert contact.tag == f"{NS}contact"
            assert {"id", "state", "event"} <= set(contact.attrib)
            assert set(contact.attrib) <= {"id", "state", "event", "expires", "q"}
            assert contact.attrib["event"] in EVENTS[contact.attrib["state"]]
            assert [one.tag for one in contact][:1] == [f"{NS}uri"]
            assert {one.tag for one in contact} <= {f"{NS}uri", f"{NS}display-name"}
    return root


def test_a_document_like_the_rfcs_first_example() -> None:
    # RFC 3680 §5.5: one registration with two contacts, one of them ended
    element = reginfo.registration(
        b"sip:user@example.com",
        reginfo.ACTIVE,
        [
            Contact(b"76", b"sip:user@pc887.example.com", b"active", b"registered", 7322, 800),
            Contact(b"77", b"sip:user@university.edu", b"terminated", b"expired"),
        ],
    )
    root = check(reginfo.document(0, element, full=True))
    (registration,) = root
    assert registration.attrib["aor"] == "sip:user@example.com"
    first, second = registration
    assert first.attrib == {
        "id": "76", "state": "active", "event": "registered", "expires": "7322", "q": "0.8",
    }  # fmt: skip
    assert first.findtext(f"{NS}uri") == "sip:user@pc887.example.com"
    assert second.attrib == {"id": "77", "state": "terminated", "event": "expired"}


def test_nobody_is_registered() -> None:
    element = reginfo.registration(b"sip:joe@example.com", reginfo.INIT, [])
    (registration,) = check(reginfo.document(3, element, full=False))
    assert (registration.attrib["state"], len(registration)) == ("init", 0)


def test_hostile_text_stays_text() -> None:
    evil = b'"/><contact id="x" state="active">\x00'
    element = reginfo.registration(
        b"sip:" + evil, reginfo.ACTIVE, [Contact(b"1", evil, b"active", b"created", display=evil)]
    )
    root = check(reginfo.document(0, element, full=True))
    (contact,) = root[0]
    assert contact.findtext(f"{NS}uri") == contact.findtext(f"{NS}display-name")


def test_a_contact_keeps_its_name_and_shares_it_with_no_other() -> None:
    assert contact_id(b"sip:a@b") == contact_id(b"sip:a@b")
    names = {contact_id(b"a"), contact_id(b"a", b"i"), contact_id(b"a", b"i", 1), contact_id(b"b")}
    assert len(names) == 4
