"""The directory for desk phones: the XML that each maker's phones read, and JSON for everything else.

The forms are the makers' own, as their phones' administration guides describe them: remote phone books
of Yealink, Grandstream's AddressBook, Cisco's CiscoIPPhoneDirectory, Snom's SnomIPPhoneDirectory.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from xml.sax.saxutils import escape

from centrex.base.untrusted import shown
from centrex.runtime.http_server import Page, Pages, plain

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

MOST: Final = 5_000
"""Entries in one answer; a search finds the others."""
FRESH_S: Final = 2.0
"""How long all phones are told the same, in seconds: after a power cut they ask at once."""
_CISCO_MOST: Final = 32
"""Entries that a Cisco phone takes in one list."""
_XML: Final = "text/xml; charset=utf-8"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Entry(NamedTuple):
    """Somebody who can be called."""

    number: str
    name: str
    company: str
    here: bool
    """Whether a phone is registered."""


def entries(engine: "Engine") -> list[Entry]:
    """Return the standing names and whoever is registered beside them, by name."""
    registry = engine.registry
    found: dict[bytes, Entry] = {}
    for row in engine.config.directory.entries:
        if row.enabled:
            user = registry.canonical(row.name.encode())
            here = bool(registry.held(user)) or bool(row.contact)
            found[user] = Entry(row.name, row.display or row.name, row.company, here)
    for user in registry.names():
        if user not in found:
            text = shown(user)
            found[user] = Entry(text, text, "", True)
    return sorted(found.values(), key=lambda one: (one.name.lower(), one.number))


def matching(listed: Iterable[Entry], wanted: str) -> list[Entry]:
    """Return the entries in whose name, number or company every word occurs."""
    words = wanted.lower().split()
    chosen = [
        one
        for one in listed
        if all(word in f"{one.name} {one.number} {one.company}".lower() for word in words)
    ]
    return chosen[:MOST]


def pages(listed: Callable[[], Sequence[Entry]]) -> Pages:
    """Return what is served: the phone book in each form, at a path of its own.

    Args:
        listed: Gives the entries as they are now.
    """

    def page(path: str, wanted: str) -> Page:
        if path == "/phonebook.json":
            rows = [one._asdict() for one in matching(listed(), wanted)]
            return Page(200, "application/json", json.dumps({"entries": rows}).encode())
        form = _FORMS.get(path)
        if form is None:
            there = " ".join(["/phonebook.json", *_FORMS])
            return plain(404, f"the phone book is at {there}; ?q=NAME searches")
        return Page(200, _XML, (_HEAD + form(matching(listed(), wanted))).encode())

    return page


def _yealink(listed: Sequence[Entry]) -> str:
    return _book("YealinkIPPhoneDirectory", "DirectoryEntry", listed)


def _snom(listed: Sequence[Entry]) -> str:
    return _book("SnomIPPhoneDirectory", "DirectoryEntry", listed, "<Title>Directory</Title>\n")


def _cisco(listed: Sequence[Entry]) -> str:
    prompt = f"{min(len(listed), _CISCO_MOST)} of {len(listed)}"
    head = f"<Title>Directory</Title>\n<Prompt>{prompt}</Prompt>\n"
    return _book("CiscoIPPhoneDirectory", "DirectoryEntry", listed[:_CISCO_MOST], head)


def _book(book: str, entry: str, listed: Sequence[Entry], head: str = "") -> str:
    rows = "".join(
        f"<{entry}><Name>{_text(one.name)}</Name><Telephone>{_text(one.number)}</Telephone></{entry}>\n"
        for one in listed
    )
    return f"<{book}>\n{head}{rows}</{book}>\n"


def _grandstream(listed: Sequence[Entry]) -> str:
    rows = "".join(
        f"<Contact><id>{number}</id><FirstName>{_text(one.name)}</FirstName><LastName/>"
        f'<Company>{_text(one.company)}</Company><Phone type="Work">'
        f"<phonenumber>{_text(one.number)}</phonenumber><accountindex>1</accountindex></Phone>"
        "</Contact>\n"
        for number, one in enumerate(listed, 1)
    )
    return f"<AddressBook>\n<version>1</version>\n{rows}</AddressBook>\n"


def _text(value: str) -> str:
    """Return a text that XML may hold, whatever stands in it (XML 1.0 §2.2)."""
    return escape(shown(value))


_FORMS: Final[dict[str, Callable[[Sequence[Entry]], str]]] = {
    "/yealink.xml": _yealink,
    "/phonebook.xml": _grandstream,
    "/cisco.xml": _cisco,
    "/snom.xml": _snom,
}
"""Grandstream's phones ask for `phonebook.xml` themselves."""
