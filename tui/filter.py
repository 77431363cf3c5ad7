"""The filter language of every list: words that must all be there.

`yealink` keeps rows that hold the word anywhere, `!yealink` those that do not, `state:up` those
with the word in that column; a word in quotation marks may hold blanks. Case does not matter.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    text: str
    column: str
    negated: bool


class Filter:
    """What somebody has typed after `/`.

    Args:
        text: The words.
        columns: Names that may stand before a colon; any other name is part of the word.
    """

    def __init__(self, text: str = "", columns: tuple[str, ...] = ()) -> None:
        self.text = text.strip()
        self._words = tuple(_word(part, columns) for part in _parts(self.text))

    def __bool__(self) -> bool:
        return bool(self._words)

    def keeps(self, row: Mapping[str, str]) -> bool:
        """Return whether a row, a text for each column, is to be seen."""
        return all(self._has(word, row) is not word.negated for word in self._words)

    @staticmethod
    def _has(word: _Word, row: Mapping[str, str]) -> bool:
        if word.column:
            return word.text in row.get(word.column, "").lower()
        return any(word.text in value.lower() for value in row.values())


def _word(part: str, columns: tuple[str, ...]) -> _Word:
    negated = part.startswith("!") and len(part) > 1
    text = part[1:] if negated else part
    column, colon, rest = text.partition(":")
    if colon and rest and column.lower() in columns:
        return _Word(text=rest.lower(), column=column.lower(), negated=negated)
    return _Word(text=text.lower(), column="", negated=negated)


def _parts(text: str) -> list[str]:
    parts: list[str] = []
    word, quoted = "", False
    for char in text:
        if char == '"':
            quoted = not quoted
        elif char == " " and not quoted:
            parts.append(word)
            word = ""
        else:
            word += char
    return [part for part in (*parts, word) if part]


Keeps = Callable[[Mapping[str, str]], bool]
