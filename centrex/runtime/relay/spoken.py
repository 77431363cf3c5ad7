"""The relay's own log: a line each on standard error, with its time.

What its far sides say is escaped, as for a terminal. An error that ends the process has no time: it is
the last that is written, and whoever started the relay finds it by that (`last_words`).
"""

import re
import sys
from datetime import UTC, datetime
from typing import Final

from centrex.base.untrusted import shown

_LONGEST: Final = 1000
_TIMED: Final = re.compile(r"\d{4}-\d\d-\d\dT\S+Z ")
_WORDS_LONGEST: Final = 400
_RAISED: Final = re.compile(r"[\s|+]*[A-Za-z_][\w.]*(Error|Unavailable|Interrupt|Exit)\b.*")
"""The line of a traceback that names the error, in a group of errors too."""


def say(words: str) -> None:
    """Write a line."""
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    sys.stderr.write(f"{stamp} {shown(words, _LONGEST)}\n")


def last_words(text: str) -> str:
    """Return the error that a relay ended with, in one line; empty where it wrote none.

    Args:
        text: All it wrote, or the end of that.
    """
    lines = text.splitlines()
    after = next((n for n in range(len(lines), 0, -1) if _TIMED.match(lines[n - 1])), 0)
    said = lines[after:]
    if any("Traceback (most recent call last)" in line for line in said):
        said = [line for line in said if _RAISED.fullmatch(line)][-1:]
    words = " ".join(" ".join(said).lstrip(" |+").split())
    return words[-_WORDS_LONGEST:]
