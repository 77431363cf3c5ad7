import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.listed import Torn, how, read, written

TO, TIMES, NAMES = "destinations", "times", "users"


@pytest.mark.parametrize(
    ("typed", "key", "items"),
    [
        ("mon,wed 08:00-12:00", TIMES, ["mon,wed 08:00-12:00"]),
        ("mon,wed 08:00-12:00; sat", TIMES, ["mon,wed 08:00-12:00", "sat"]),
        ("mon, wed 08:00-12:00", TIMES, ["mon, wed 08:00-12:00"]),  # the engine objects
        ("1001, 1002,1003 ,", NAMES, ["1001", "1002", "1003"]),
        ('"a, b", c', NAMES, ["a, b", "c"]),
        ("", TO, []),
        ("1001, 1002 (15 s)", TO, ["1001", {"to": "1002", "ring": 15}]),
        ("1002 (15), 7 (20s)", TO, [{"to": "1002", "ring": 15}, {"to": "7", "ring": 20}]),
        ("zz9 (5 s, expand), 1002 (expand)", TO,
         [{"to": "zz9", "ring": 5, "expand": True}, {"to": "1002", "expand": True}]),
        ("sip:a,b@x;y=1,2, 7", TO, ["sip:a,b@x;y=1,2", "7"]),
        ("sip:a@x (9 s), 7", TO, [{"to": "sip:a@x", "ring": 9}, "7"]),
        ('{ to = "1001", ring = 15 }, 7', TO, [{"to": "1001", "ring": 15}, "7"]),
        ('"x(15)"', TO, ["x(15)"]),
        ('"x(15)" (9 s)', TO, [{"to": "x(15)", "ring": 9}]),
        (r"\1@pstn (20 s), voicemail", TO, [{"to": r"\1@pstn", "ring": 20}, "voicemail"]),
    ],
)  # fmt: skip
def test_a_list_is_read_as_it_was_meant(typed: str, key: str, items: list[Any]) -> None:
    assert read(typed, key) == items


@pytest.mark.parametrize(
    ("typed", "why"),
    [("1002(15 s)", "a blank before"), ("1002 (soon)", "15 s, expand"), ("{ to }", "15 s, expand")],
)
def test_what_has_no_form_is_objected_to(typed: str, why: str) -> None:
    with pytest.raises(Torn, match=why):
        read(typed, TO)


def test_what_is_usual_stands_without_quotes() -> None:
    items = ["1001", {"to": "zz9", "ring": 5, "expand": True}, {"to": "1002", "expand": True}]
    assert written(items, TO) == "1001, zz9 (5 s, expand), 1002 (expand)"
    assert written([{"to": "1", "ring": 0, "expand": False}], TO) == "1"
    assert written(["mon,wed 08:00-12:00", "sat"], TIMES) == "mon,wed 08:00-12:00; sat"
    assert written(["sip:gw.example.com;transport=tcp", "sip:b"], "addresses") == (
        "sip:gw.example.com;transport=tcp, sip:b"
    )


words = st.text(string.ascii_lowercase[:3] + '\\(){},;: "15s', min_size=1, max_size=12)
steps = st.fixed_dictionaries({"to": words}, optional={"ring": st.integers(1, 9)}).filter(
    lambda step: len(step) > 1
)


@given(st.lists(words), st.sampled_from([TO, TIMES, NAMES]))
def test_whatever_a_list_holds_is_typed_as_it_is_shown(items: list[str], key: str) -> None:
    assert read(written(items, key), key) == items


@given(st.lists(words | steps | steps.map(lambda step: {**step, "expand": True})))
def test_whatever_destinations_hold_is_typed_as_it_is_shown(items: list[Any]) -> None:
    assert read(written(items, TO), TO) == items


def test_each_kind_of_list_tells_how_it_is_typed() -> None:
    assert "; between" in how(TIMES)
    assert "1002 (15 s)" in how(TO)
    assert "(expand)" in how(TO)
    assert how("port_range", "integer") == "Numbers with a comma between."


def test_an_address_that_is_switched_off_is_said_to_be() -> None:
    items = ["udp:a:1", {"address": "udp:b:2", "enabled": False}]
    assert written(items, "media.rtpengine") == "udp:a:1, udp:b:2 (off)"
