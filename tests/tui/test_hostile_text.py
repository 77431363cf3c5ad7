"""What strangers send reaches the terminal spelled out, on every screen, in every question."""

import re
import sys

import pytest

from tests.support.pretend import FORBIDDEN
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PROGRAM = [sys.executable, "-m", "tests.support.hostile"]
SEEN = rb"\x1b"  # the payload's first character, spelled out

SPELLED_OUT = (
    "log line", "phones", "remove?", "calls", "ladder", "raw", "relays", "streams", "bans",
    "release?", "watchers", "route", "review", "logins",
)  # fmt: skip
"""Where it stands."""


@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=["80x24", "200x60"])
def test_no_control_or_deceptive_character_of_a_stranger_leaves(size: tuple[int, int]) -> None:
    with Terminal(PROGRAM, size=size) as terminal:
        terminal.sees("Statistics", SEEN.decode())
        seen = []
        for name, keys in {
            "log line": ("k", "enter"),
            "back": ("escape", "escape"),
            "phones": ("3",),
            "remove?": ("d",),
            "no": ("n",),
            "calls": ("4",),
            "ladder": ("enter",),
            "raw": ("enter",),
            "decision": ("escape", "j", "enter"),
            "strange arrow": ("escape", "j", "enter"),
            "calls again": ("escape", "escape"),
            "end?": ("e",),
            "nothing": ("n",),
            "relays": ("5",),
            "streams": ("enter",),
            "closed": ("escape",),
            "drain?": ("d",),
            "not now": ("n",),
            "bans": ("6",),
            "release?": ("d",),
            "leave": ("n",),
            "watchers": ("7",),
            "route": ("8", "1", "enter"),
            "config": ("2",),
            "edited": ("tab", "j", "enter"),
            "review": ("v",),
            "back again": ("escape",),
            "logins": (":", "config auth", "enter"),
            "login": ("tab", "tab", "enter"),
            "out": ("escape",),
            "delete?": ("x",),
            "kept": ("n",),
            "help": ("?",),
            "shut": ("escape",),
            "filtered": ("3", "/", "owned", "enter"),
            "copied": ("y",),
        }.items():
            before = len(terminal.output)
            terminal.press(*keys)
            terminal.rests()
            if name in SPELLED_OUT:
                terminal.sees(SEEN.decode(), since=before)
            seen.append(name)
        terminal.press("q")
        for _ in ("the edits", "the calls"):
            terminal.rests()
            terminal.press("y")
        assert terminal.ends() == 0
    assert set(SPELLED_OUT) <= set(seen)
    # the clipboard's sequence carries base64; everything else is what is drawn
    drawn = re.sub(rb"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", b"", terminal.output)
    for bad in FORBIDDEN:
        assert bad.encode() not in drawn, bad
    assert b"\x1b]0;" not in drawn  # the title of the window is nobody's to set


def test_the_payload_would_be_seen_if_it_were_not_escaped() -> None:
    """A control: what the test looks for does come through a terminal."""
    code = "import sys; from tests.support.pretend import HOSTILE; print(HOSTILE)"
    with Terminal([sys.executable, "-c", code]) as terminal:
        terminal.ends()
        for bad in FORBIDDEN:
            assert bad.encode() in terminal.output, bad
