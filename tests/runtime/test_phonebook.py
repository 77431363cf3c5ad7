"""The directory as desk phones read it."""

import json
import threading
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.runtime import phonebook as module
from centrex.runtime.http_server import Asked, HttpServer, Page
from centrex.runtime.phonebook import MOST, Entry, entries, matching, pages
from tests.support.engine import Phone, instance
from tests.support.ports import free_port, loopback

BOOK = [
    Entry("1001", "Ada <Lovelace> & Co", "Analytical", here=True),
    Entry("1002", "Bob", "", here=False),
]
FORMS = {
    "/yealink.xml": ("YealinkIPPhoneDirectory", "DirectoryEntry", "Name", "Telephone"),
    "/snom.xml": ("SnomIPPhoneDirectory", "DirectoryEntry", "Name", "Telephone"),
    "/cisco.xml": ("CiscoIPPhoneDirectory", "DirectoryEntry", "Name", "Telephone"),
    "/phonebook.xml": ("AddressBook", "Contact", "FirstName", "Phone/phonenumber"),
}
MANY = [Entry(str(10_000 + number), f"N {number}", "Acme & Co", here=True) for number in range(70)]
BASE = "http://192.0.2.1:8080"


def page(listed: Sequence[Entry], asked: Asked) -> Page:
    made = pages(lambda: lambda: listed)(asked)
    return made if isinstance(made, Page) else made()


def book(path: str, listed: Sequence[Entry] = BOOK, **asked: Any) -> ET.Element:
    made = page(listed, Asked(path, base=BASE, **asked))
    assert (made.status, made.kind) == (200, "text/xml; charset=utf-8")
    return ET.fromstring(made.body)


def keys(directory: ET.Element) -> dict[str, str]:
    """Return what a phone's soft keys do, in the order in which they stand."""
    rows = sorted(
        (
            int(one.findtext("Position") or 0),
            one.findtext("Label") or one.findtext("Name") or "",
            one,
        )
        for one in directory.findall("SoftKeyItem")
    )
    return {name: one.findtext("URL") or "" for _, name, one in rows}


@pytest.mark.parametrize("path", FORMS)
def test_each_maker_s_form(path: str) -> None:
    root, entry, name, number = FORMS[path]
    directory = book(path)
    assert directory.tag == root
    told = [(one.findtext(name), one.findtext(number)) for one in directory.findall(entry)]
    assert told == [(one.name, one.number) for one in BOOK]


def test_json() -> None:
    told = json.loads(page(BOOK, Asked("/phonebook.json")).body)
    assert (told["start"], told["total"]) == (0, 2)
    assert told["entries"][1] == {"number": "1002", "name": "Bob", "company": "", "here": False}


def test_searching() -> None:
    assert [one.number for one in matching(BOOK, "ana LOVE")] == ["1001"]
    assert [one.number for one in matching(BOOK, "100")] == ["1001", "1002"]
    assert matching(BOOK, "nobody") == []
    assert [one.findtext("Name") for one in book("/yealink.xml", wanted="bob")[:]] == ["Bob"]


def test_what_is_not_there() -> None:
    nothing = page(BOOK, Asked("/"))
    assert nothing.status == 404
    assert b"/yealink.xml" in nothing.body


async def turned(url: str, key: str, listed: Sequence[Entry]) -> list[ET.Element]:
    """Follow a soft key as long as there is one."""
    server = HttpServer(pages(lambda: lambda: listed), "the phone book")
    found = []
    while url:
        page = await server.reply(f"GET {url} HTTP/1.1\r\n\r\n".encode())
        assert page.status == 200
        found.append(ET.fromstring(page.body))
        url = keys(found[-1]).get(key, "")
    return found


@pytest.mark.parametrize(("path", "most"), [("/cisco.xml", 32), ("/snom.xml", 100)])
async def test_a_phone_that_takes_no_more_turns_pages(path: str, most: int) -> None:
    listed = [one._replace(number=str(at)) for at, one in enumerate([*MANY * 4, *BOOK])]
    parts = await turned(f"{BASE}{path}?q=acme+n", "Next", listed)
    told = [[one.findtext("Telephone") for one in part.iter("DirectoryEntry")] for part in parts]
    assert [number for part in told for number in part] == [str(at) for at in range(280)]
    assert all(len(part) == most for part in told[:-1])
    prompts = [part.findtext("Prompt") for part in parts]
    assert (prompts[0], prompts[1]) == (f"1 to {most} of 280", f"{most + 1} to {2 * most} of 280")
    last = f"{BASE}{path}?q=acme+n&start={most * (len(parts) - 1)}"
    back = [part.findtext("Prompt") for part in await turned(last, "Previous", listed)]
    assert back == prompts[::-1]


def test_the_keys_of_a_cisco_phone() -> None:
    """Its own come first: with keys of ours, those that it would show by itself are gone."""
    first, last = book("/cisco.xml", MANY), book("/cisco.xml", MANY, start=64)
    assert list(keys(first)) == ["Dial", "EditDial", "Next", "Search", "Exit"]
    assert list(keys(last)) == ["Dial", "EditDial", "Previous", "Search", "Exit"]
    assert keys(last)["Dial"] == "SoftKey:Dial"
    assert keys(book("/cisco.xml", MANY, start=10))["Previous"] == f"{BASE}/cisco.xml"


@pytest.mark.parametrize("maker", ["cisco", "snom"])
def test_a_phone_has_a_form_to_search_by(maker: str) -> None:
    form = book(urlsplit(keys(book(f"/{maker}.xml"))["Search"]).path)
    assert form.tag.lower() == f"{maker}ipphoneinput"
    assert form.findtext("URL") == f"{BASE}/{maker}.xml"
    (field,) = form.findall("InputItem")
    assert field.findtext("QueryStringParam") == "q"
    assert (field.findtext("InputFlags") or "").lower() == "a", "text"


def test_nothing_found_is_said() -> None:
    directory = book("/cisco.xml", wanted="nobody")
    assert directory.findtext("Prompt") == "nothing found"
    assert not directory.findall("DirectoryEntry")


@pytest.mark.parametrize("path", ["/yealink.xml", "/phonebook.xml"])
def test_there_is_a_bound_which_is_told(path: str) -> None:
    listed = [Entry(f"no. {number}", "x", "", here=True) for number in range(MOST + 8)]
    first, rest = page(listed, Asked(path)).body, page(listed, Asked(path, start=MOST)).body
    assert (first.count(b">no. "), rest.count(b">no. ")) == (MOST, 8)
    assert b"<!-- 1 to 5000 of 5008: start=5000 tells those that follow -->" in first
    assert b"<!-- 5001 to 5008 of 5008 -->" in rest
    assert b"<!--" not in page(BOOK, Asked(path)).body


def test_json_is_told_in_parts_too() -> None:
    listed = [Entry(str(number), "x", "", here=True) for number in range(MOST + 8)]
    told = json.loads(page(listed, Asked("/phonebook.json", start=MOST)).body)
    assert (told["start"], told["total"], len(told["entries"])) == (MOST, MOST + 8, 8)


async def test_all_ask_for_one_list_while_it_is_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """To collect and to sort thousands of names takes time; searches are many."""
    asked: list[int] = []

    def listed() -> list[Entry]:
        asked.append(threading.get_ident())
        return BOOK

    monkeypatch.setattr(module, "FRESH_S", 60.0)
    server = HttpServer(pages(lambda: listed), "the phone book")
    for path in FORMS:
        await server.reply(f"GET {path}?q={path} HTTP/1.1\r\n\r\n".encode())
    assert len(asked) == 1
    assert asked != [threading.get_ident()], "calls are not held up"
    monkeypatch.setattr(module, "FRESH_S", 0.0)
    await server.reply(b"GET /yealink.xml HTTP/1.1\r\n\r\n")
    assert len(asked) == 2


@given(st.text(max_size=30), st.sampled_from(list(FORMS)))
def test_no_name_breaks_the_form(name: str, path: str) -> None:
    directory = book(path, [Entry("1", name, name, here=True)])
    assert len(directory.findall(FORMS[path][1])) == 1


@given(st.text(max_size=30), st.sampled_from(["/cisco.xml", "/snom.xml"]))
def test_what_is_searched_for_is_carried_on(wanted: str, path: str) -> None:
    listed = [Entry("1", wanted, "", here=True)] * 101
    directory = book(path, listed, wanted=wanted)
    fields = parse_qs(urlsplit(keys(directory)["Next"]).query, keep_blank_values=True)
    assert fields.get("q", [""]) == [wanted]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (b"q=bo%62", ["Bob"]),
        (b"q=ada", ["Ada <Lovelace> & Co"]),
        (b"start=1", ["Bob"]),
        (b"q=100&start=1", ["Bob"]),
        (b"start=2", []),
    ],
)
async def test_the_query_is_read(query: bytes, found: list[str]) -> None:
    server = HttpServer(pages(lambda: lambda: BOOK), "the phone book")
    answer = await server.reply(b"GET /yealink.xml?%b HTTP/1.1\r\n\r\n" % query)
    assert [one.findtext("Name") for one in ET.fromstring(answer.body)] == found


async def test_a_query_has_a_bound() -> None:
    server = HttpServer(pages(lambda: lambda: BOOK), "the phone book")
    answer = await server.reply(b"GET /yealink.xml?" + b"a=1&" * 40 + b" HTTP/1.1\r\n\r\n")
    assert answer.status == 400


async def test_in_a_server(tmp_path: Path) -> None:
    listen = f"{loopback()}:{free_port()}"
    settings = {
        "directory.listen": listen,
        "directory.entries": [
            {"name": "door", "display": "Front door", "contact": "sip:door@192.0.2.9"},
            {"name": "boss", "display": "Boss"},
            {"name": "gone", "enabled": False},
        ],
    }
    async with (
        instance(tmp_path, settings) as made,
        made.running() as engine,
    ):
        with Phone((made.host, made.port), "zoe") as zoe:
            await zoe.register()
            told = [(one.number, one.name, one.here) for one in entries(engine)()]
            assert told == [
                ("boss", "Boss", False),
                ("door", "Front door", True),
                ("zoe", "zoe", True),
            ]

            def fetch() -> bytes:
                url = f"http://{listen}/yealink.xml?q=door"
                with urllib.request.urlopen(url, timeout=5) as answer:
                    body: bytes = answer.read()
                    return body

            assert b"Front door" in await anyio.to_thread.run_sync(fetch)
