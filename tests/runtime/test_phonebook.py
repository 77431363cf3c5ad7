"""The directory as desk phones read it."""

import json
import urllib.request
import xml.etree.ElementTree as ET
from pathlib import Path

import anyio.to_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.runtime.http_server import HttpServer
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


@pytest.mark.parametrize("path", FORMS)
def test_each_maker_s_form(path: str) -> None:
    root, entry, name, number = FORMS[path]
    page = pages(lambda: BOOK)(path, "")
    assert (page.status, page.kind) == (200, "text/xml; charset=utf-8")
    book = ET.fromstring(page.body)
    assert book.tag == root
    told = [(one.findtext(name), one.findtext(number)) for one in book.findall(entry)]
    assert told == [(one.name, one.number) for one in BOOK]


def test_json() -> None:
    page = pages(lambda: BOOK)("/phonebook.json", "")
    assert json.loads(page.body)["entries"][1] == {
        "number": "1002", "name": "Bob", "company": "", "here": False,
    }  # fmt: skip


def test_searching() -> None:
    assert [one.number for one in matching(BOOK, "ana LOVE")] == ["1001"]
    assert [one.number for one in matching(BOOK, "100")] == ["1001", "1002"]
    assert matching(BOOK, "nobody") == []
    assert b"Bob" not in pages(lambda: BOOK)("/yealink.xml", "ada").body


def test_what_is_not_there() -> None:
    page = pages(lambda: BOOK)("/", "")
    assert page.status == 404
    assert b"/yealink.xml" in page.body


def test_there_is_a_bound() -> None:
    many = [Entry(str(number), "x", "", here=True) for number in range(MOST + 1)]
    assert len(matching(many, "")) == MOST
    book = ET.fromstring(pages(lambda: many)("/cisco.xml", "").body)
    assert len(book.findall("DirectoryEntry")) == 32, "more than these a phone does not take"


@given(st.text(max_size=30), st.sampled_from(list(FORMS)))
def test_no_name_breaks_the_form(name: str, path: str) -> None:
    book = ET.fromstring(pages(lambda: [Entry("1", name, name, here=True)])(path, "").body)
    assert len(book.findall(FORMS[path][1])) == 1


def test_the_query_is_read() -> None:
    server = HttpServer(pages(lambda: BOOK), "the phone book")
    assert b"Bob" in server.reply(b"GET /yealink.xml?q=bo%62 HTTP/1.1\r\n\r\n").body
    assert b"Bob" not in server.reply(b"GET /yealink.xml?q=ada HTTP/1.1\r\n\r\n").body
    assert server.reply(b"GET /?" + b"a=1&" * 40 + b" HTTP/1.1\r\n\r\n").status == 400


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
            told = [(one.number, one.name, one.here) for one in entries(engine)]
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
