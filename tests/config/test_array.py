"""A list that stands one item on a line, edited so that each item keeps its remarks."""

import tomllib

import pytest

from centrex.config.array import Array

TEXT = """\
[media]
rtpengine = [  # ours
    # the first
    "udp:a:1",  # in the cellar

    # the second
    { address = "udp:b:2", enabled = false }, # attic
    "udp:c:3"  # last
    # nothing below
]
mode = "auto"
"""
PATH = ("media", "rtpengine")


def changed(verb: str, *arguments: int | str, text: str = TEXT) -> str:
    array = Array(text, PATH)
    getattr(array, verb)(*arguments)
    said = array.text
    tomllib.loads(said)
    return said.partition("[  # ours\n")[2].partition("]\nmode")[0]


def test_nothing_done_changes_nothing() -> None:
    assert Array(TEXT, PATH).text == TEXT


def test_an_item_moves_with_the_remarks_above_and_behind_it() -> None:
    assert changed("move", 2, 0) == (
        '    "udp:c:3",  # last\n    # the first\n    "udp:a:1",  # in the cellar\n\n'
        '    # the second\n    { address = "udp:b:2", enabled = false } # attic\n'
        "    # nothing below\n"
    )


def test_an_item_that_goes_takes_its_remarks_along() -> None:
    assert changed("delete", 1) == (
        '    # the first\n    "udp:a:1",  # in the cellar\n    "udp:c:3"  # last\n'
        "    # nothing below\n"
    )


def test_an_item_that_becomes_another_one_keeps_its_remarks() -> None:
    assert '    # the second\n    "udp:d:4", # attic\n' in changed("replace", 1, '"udp:d:4"')


def test_a_new_item_stands_as_far_in_as_the_others() -> None:
    assert '  # last\n    "udp:d:4"\n    # nothing' in changed("insert", 3, '"udp:d:4"')
    assert '"udp:c:3",  # last' in changed("insert", 3, '"udp:d:4"')
    ends_with_comma = TEXT.replace('"udp:c:3"', '"udp:c:3",')
    assert '    "udp:d:4",\n    #' in changed("insert", 3, '"udp:d:4"', text=ends_with_comma)


@pytest.mark.parametrize(
    "text",
    [
        '[media]\nrtpengine = ["udp:a:1"]\n',
        '[media]\nrtpengine = [\n  "udp:a:1", "udp:b:2",\n]\n',
        '[media]\nrtpengine = [\n  ["a"],\n]\n',
        '[media]\nmode = "auto"\n[other]\nrtpengine = [\n  "a",\n]\n',
        'media.rtpengine = [\n  "a",\n]\n',
    ],
)
def test_a_list_of_another_form_is_left_to_others(text: str) -> None:
    tomllib.loads(text)
    with pytest.raises(ValueError, match="one item on a line"):
        Array(text, PATH)
