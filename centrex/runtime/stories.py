"""Finding the story of a call or a registration by its Call-ID, or by a part of it that is its alone."""

from collections.abc import Sequence
from typing import Final

from centrex.base import Refused
from centrex.trace import Decision, Journal

NEAREST: Final = 5


def octets(text: str) -> bytes:
    """Return a Call-ID as it came over the wire, from what somebody typed or JSON has brought."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character: no message can hold it
        return text.encode("utf-8", "backslashreplace")


def find_story(journal: Journal, asked: str) -> tuple[bytes, Sequence[Decision]]:
    """Return a Call-ID and what was decided under it.

    Args:
        journal: Where decisions are noted.
        asked: The Call-ID, or a part of one.

    Raises:
        Refused: Nothing is known of it, or it is a part of several; tells the nearest.
    """
    call_id = octets(asked)
    story = journal.story(call_id)
    if story:
        return call_id, story
    nearest = journal.call_ids(call_id, limit=NEAREST + 1) if call_id else ()
    if len(nearest) == 1:
        return nearest[0], journal.story(nearest[0])
    message = (
        "several calls have that in their Call-ID"
        if nearest
        else "nothing is known of that Call-ID"
    )
    names = [
        one.decode("utf-8", "backslashreplace")
        for one in nearest or journal.call_ids(limit=NEAREST)
    ]
    raise Refused("not-found", message, {"nearest": names})
