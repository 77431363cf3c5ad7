import pytest

from centrex.base import Refused
from centrex.runtime.stories import find_story
from centrex.trace import Journal, Rule


def test_a_story_is_found_by_its_name_or_by_a_part_that_is_its_alone() -> None:
    journal = Journal()
    for call_id in (b"one@x", b"one", b"two@x"):
        journal.note(call_id, (1.0, Rule.CANCELLED))
    assert find_story(journal, "one")[0] == b"one"
    call_id, story = find_story(journal, "two")
    assert (call_id, story) == (b"two@x", ((1.0, Rule.CANCELLED),))


@pytest.mark.parametrize(
    ("asked", "message", "nearest"),
    [
        ("@x", "several calls", ["two@x", "one@x"]),
        ("three", "nothing is known", ["two@x", "one@x"]),
        ("", "nothing is known", ["two@x", "one@x"]),
    ],
)
def test_who_is_not_found_is_told_who_is_near(asked: str, message: str, nearest: list[str]) -> None:
    journal = Journal()
    for call_id in (b"one@x", b"two@x"):
        journal.note(call_id, (1.0, Rule.CANCELLED))
    with pytest.raises(Refused, match=message) as caught:
        find_story(journal, asked)
    assert (caught.value.code, caught.value.detail) == ("not-found", {"nearest": nearest})
