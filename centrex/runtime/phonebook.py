"""The directory for desk phones: the XML that each maker's phones read, and JSON for everything else.

The forms are the makers' own, as their phones' administration guides describe them: remote phone books
of Yealink, Grandstream's AddressBook, Cisco's CiscoIPPhoneDirectory, Snom's SnomIPPhoneDirectory. The
latter two are turned page by page, and searched, by soft keys.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from centrex.base.untrusted import shown
from centrex.runtime.http_server import Asked, Page, Pages, plain

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

MOST: Final = 5_000
"""Entries in one answer; a search, or `start`, finds the others."""
FRESH_S: Final = 2.0
"""How long a list, and a page, is told to all as it was made, in seconds: after a power cut phones ask at once."""
_CISCO_MOST: Final = 32
"""Entries that a Cisco phone takes in one list."""
_SNOM_MOST: Final = 100
"""Entries that a Snom phone is given in one list: as many as its digit keys can choose from."""
_AT_ONCE: Final = 100
"""Entries that are worked on without giving way: about half a millisecond."""
_GIVE_WAY_S: Final = 0.0002
_T = TypeVar("_T")
_XML: Final = "text/xml; charset=utf-8"


class Entry(NamedTuple):
    """Somebody who can be called."""

    number: str
    name: str
    company: str
    here: bool
    """Whether a phone is registered."""


def entries(engine: "Engine") -> Callable[[], list[Entry]]:
    """Look who is there, and return what lists the standing names and whoever is registered beside them.

    That, which takes a while where they are thousands, may be called in any thread; it sorts by name.
    """
    canonical, rows = engine.registry.canonical, engine.config.directory.entries
    registered = engine.registry.names()

    def listed() -> list[Entry]:
        there = set(registered)
        found: dict[bytes, Entry] = {}
        for row in _gently(rows):
            if row.enabled:
                user = canonical(row.name.encode())
                here = user in there or bool(row.contact)
                found[user] = Entry(row.name, row.display or row.name, row.company, here)
        for user in registered:
            if user not in found:
                text = shown(user)
                found[user] = Entry(text, text, "", True)
        return sorted(found.values(), key=lambda one: (one.name.lower(), one.number))

    return listed


def _gently(rows: Iterable[_T]) -> Iterator[_T]:
    """Yield rows, and give way now and then: in a worker thread, while calls go on in another."""
    for number, row in enumerate(rows):
        if number % _AT_ONCE == _AT_ONCE - 1:
            time.sleep(_GIVE_WAY_S)
        yield row


def matching(listed: Iterable[Entry], wanted: str) -> list[Entry]:
    """Return the entries in whose name, number or company every word occurs."""
    words = wanted.lower().split()
    return [
        one
        for one in _gently(listed)
        if all(word in f"{one.name} {one.number} {one.company}".lower() for word in words)
    ]


class _Part(NamedTuple):
    """The part of what was found that one page tells."""

    listed: Sequence[Entry]
    first: int
    """How many come before it."""
    total: int
    most: int
    """How many a page tells."""
    asked: Asked

    @property
    def end(self) -> int:
        return self.first + len(self.listed)

    @property
    def words(self) -> str:
        return f"{self.first + 1} to {self.end} of {self.total}" if self.listed else "nothing found"

    @property
    def title(self) -> str:
        """What a phone shows above the list."""
        return f"<Title>Directory</Title>\n<Prompt>{self.words}</Prompt>\n"

    @property
    def note(self) -> str:
        """What a form without keys says where it does not hold all that was found."""
        if len(self.listed) == self.total:
            return ""
        more = f": start={self.end} tells those that follow" if self.end < self.total else ""
        return f"<!-- {self.words}{more} -->\n"

    def link(self, start: int) -> str:
        """Return the URL of the page that starts elsewhere, as XML has it."""
        fields = {"q": self.asked.wanted} if self.asked.wanted else {}
        query = urlencode(fields | ({"start": str(start)} if start else {}))
        return escape(f"{self.asked.base}{self.asked.path}{'?' if query else ''}{query}")

    def turning(self) -> list[tuple[str, str]]:
        """Return the keys that turn pages: name and URL."""
        found = [("Next", self.link(self.end))] if self.end < self.total and self.listed else []
        if self.first:
            found.append(("Previous", self.link(max(0, self.first - self.most))))
        return found


class _Form(NamedTuple):
    write: Callable[[_Part], str]
    most: int
    """Entries in one page."""
    kind: str


def pages(look: Callable[[], Callable[[], Sequence[Entry]]]) -> Pages:
    """Return what is served: the phone book in each form, at a path of its own.

    Args:
        look: Looks who is there now, and gives what lists them, in a worker thread.
    """
    kept: Sequence[Entry] = ()
    made_at = float("-inf")

    def page(asked: Asked) -> Page | Callable[[], Page]:
        if asked.path in _SEARCHES:
            return Page(200, _XML, _SEARCHES[asked.path](asked.base).encode())
        form = _FORMS.get(asked.path)
        if form is None:
            there = " ".join((*_FORMS, *_SEARCHES))
            return plain(
                404, f"the phone book is at {there}; ?q=NAME searches, start=N leaves N out"
            )
        now = time.monotonic()
        listed = look() if now - made_at >= FRESH_S else None

        def make() -> Page:
            nonlocal kept, made_at
            if listed is not None:
                kept, made_at = listed(), now
            found = matching(kept, asked.wanted)
            rows = found[asked.start : asked.start + form.most]
            part = _Part(rows, asked.start, len(found), form.most, asked)
            return Page(200, form.kind, form.write(part).encode())

        return make

    return page


def _json(part: _Part) -> str:
    rows = [one._asdict() for one in _gently(part.listed)]
    return json.dumps({"start": part.first, "total": part.total, "entries": rows})


def _yealink(part: _Part) -> str:
    return _element("YealinkIPPhoneDirectory", part.note, _entries(part))


def _grandstream(part: _Part) -> str:
    rows = "".join(
        f"<Contact><id>{number}</id><FirstName>{_text(one.name)}</FirstName><LastName/>"
        f'<Company>{_text(one.company)}</Company><Phone type="Work">'
        f"<phonenumber>{_text(one.number)}</phonenumber><accountindex>1</accountindex></Phone>"
        "</Contact>\n"
        for number, one in enumerate(_gently(part.listed), part.first + 1)
    )
    return _element("AddressBook", f"<version>1</version>\n{part.note}", rows)


def _cisco(part: _Part) -> str:
    keys = [
        ("Dial", "SoftKey:Dial"),
        ("EditDial", "SoftKey:EditDial"),
        *part.turning(),
        ("Search", f"{part.asked.base}{_CISCO_SEARCH}"),
        ("Exit", "SoftKey:Exit"),
    ]
    rows = "".join(
        f"<SoftKeyItem><Name>{name}</Name><URL>{url}</URL><Position>{place}</Position></SoftKeyItem>\n"
        for place, (name, url) in enumerate(keys, 1)
    )
    return _element("CiscoIPPhoneDirectory", part.title, _entries(part) + rows)


def _snom(part: _Part) -> str:
    keys = [("Search", f"{part.asked.base}{_SNOM_SEARCH}"), *part.turning()]
    rows = "".join(
        f"<SoftKeyItem><Name>F{place}</Name><Label>{name}</Label><URL>{url}</URL></SoftKeyItem>\n"
        for place, (name, url) in enumerate(keys, 1)
    )
    return _element("SnomIPPhoneDirectory", part.title, _entries(part) + rows)


def _cisco_search(base: str) -> str:
    return _search("CiscoIPPhoneInput", f"{base}/cisco.xml", "A")


def _snom_search(base: str) -> str:
    return _search("SnomIPPhoneInput", f"{base}/snom.xml", "a")


def _search(root: str, url: str, text: str) -> str:
    """Return a form that asks for a name and then for a page; `text` says that letters are typed."""
    return _element(
        root,
        f"<Title>Directory</Title>\n<Prompt>Name, number or company</Prompt>\n<URL>{url}</URL>\n",
        "<InputItem><DisplayName>Search</DisplayName><QueryStringParam>q</QueryStringParam>"
        f"<DefaultValue/><InputFlags>{text}</InputFlags></InputItem>\n",
    )


def _entries(part: _Part) -> str:
    return "".join(
        f"<DirectoryEntry><Name>{_text(one.name)}</Name>"
        f"<Telephone>{_text(one.number)}</Telephone></DirectoryEntry>\n"
        for one in _gently(part.listed)
    )


def _element(root: str, head: str, rows: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>\n{head}{rows}</{root}>\n'


def _text(value: str) -> str:
    """Return a text that XML may hold, whatever stands in it (XML 1.0 §2.2)."""
    return escape(shown(value))


_CISCO_SEARCH: Final = "/cisco-search.xml"
_SNOM_SEARCH: Final = "/snom-search.xml"
_FORMS: Final = {
    "/phonebook.json": _Form(_json, MOST, "application/json"),
    "/yealink.xml": _Form(_yealink, MOST, _XML),
    "/phonebook.xml": _Form(_grandstream, MOST, _XML),
    "/cisco.xml": _Form(_cisco, _CISCO_MOST, _XML),
    "/snom.xml": _Form(_snom, _SNOM_MOST, _XML),
}
"""Grandstream's phones ask for `phonebook.xml` themselves."""
_SEARCHES: Final = {_CISCO_SEARCH: _cisco_search, _SNOM_SEARCH: _snom_search}
