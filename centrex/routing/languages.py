r"""Whether a pattern matches all that another one does, and a number that it matches.

It reads what dial plans are made of: digits and letters, `.`, `\d`, classes, groups, alternatives and
repetition. Of a pattern with anything else it says nothing; what it says is certain.
"""

from collections.abc import Iterator
from typing import Final

_OTHER: Final = 1 << 128
"""Stands for every character beyond ASCII."""
_ALL: Final = (1 << 129) - 1
_DIGITS: Final = sum(1 << ord(one) for one in "0123456789")
_WORDS: Final = sum(1 << n for n in range(128) if chr(n).isalnum() or n == ord("_"))
_SPACES: Final = sum(1 << ord(one) for one in "\t\n\f\r ")
_ESCAPES: Final = {
    "d": _DIGITS, "w": _WORDS, "s": _SPACES,
    "D": _ALL & ~_DIGITS, "W": _ALL & ~_WORDS, "S": _ALL & ~_SPACES,
}  # fmt: skip
_LIKED: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_MOST_STATES: Final = 2000
_MOST_STEPS: Final = 5000
_MOST_REPEATED: Final = 100


class _Unread(Exception):
    """The pattern has something that is not read here."""


class Language:
    """What a pattern matches, as a machine of states.

    Args:
        pattern: A pattern that RE2 takes.
    """

    def __init__(self, pattern: str) -> None:
        self._free: list[list[int]] = []
        self._edges: list[list[tuple[int, int]]] = []
        self._text, self._at = pattern, 0
        self.known = True
        try:
            first, self._end = self._either()
            self._start = self._closed({first})
        except _Unread:
            self.known = False
        self.known = self.known and self._at == len(pattern)

    # reading

    def _new(self) -> int:
        if len(self._free) >= _MOST_STATES:
            raise _Unread
        self._free.append([])
        self._edges.append([])
        return len(self._free) - 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        one = self._peek()
        if not one:
            raise _Unread
        self._at += 1
        return one

    def _either(self) -> tuple[int, int]:
        first, last = self._new(), self._new()
        while True:
            begin, end = self._row()
            self._free[first].append(begin)
            self._free[end].append(last)
            if self._peek() != "|":
                return first, last
            self._at += 1

    def _row(self) -> tuple[int, int]:
        first = last = self._new()
        while self._peek() not in ("", "|", ")"):
            begin, end = self._repeated()
            self._free[last].append(begin)
            last = end
        return first, last

    def _repeated(self) -> tuple[int, int]:
        here = self._at
        part = self._one()
        after = self._at
        least, most = self._times()
        if self._at == after:
            return part
        if self._peek() == "?":  # lazy: the same, where the whole is matched
            self._at += 1
        if self._peek() in ("*", "+", "?", "{"):
            raise _Unread
        end = self._at
        first = last = begin = self._new()
        for number in range(max(least, most, 1)):
            self._at = here
            begin, close = self._one()
            self._free[last].append(begin)
            if number >= least:
                self._free[begin].append(close)
            last = close
        if most < 0:
            self._free[last].append(begin)
            if not least:
                self._free[begin].append(last)
        elif not most:
            self._free[first].append(last)
            raise _Unread  # nothing at all, a number of times: nobody writes that
        self._at = end
        return first, last

    def _times(self) -> tuple[int, int]:
        """Return how often the part before may stand here; -1 for without end."""
        match self._peek():
            case "*":
                found = 0, -1
            case "+":
                found = 1, -1
            case "?":
                found = 0, 1
            case "{":
                return self._counted()
            case _:
                return 1, 1
        self._at += 1
        return found

    def _counted(self) -> tuple[int, int]:
        close = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : max(close, 0)].partition(",")
        if not least.isdecimal() or (most and not most.isdecimal()):
            raise _Unread
        self._at = close + 1
        times = int(least), int(most) if most else -1 if comma else int(least)
        if max(times) > _MOST_REPEATED or (times[1] >= 0 and times[1] < times[0]):
            raise _Unread
        return times

    def _one(self) -> tuple[int, int]:
        one = self._take()
        if one == "(":
            if self._peek() == "?":
                if not self._text.startswith("?:", self._at):
                    raise _Unread
                self._at += 2
            inner = self._either()
            if self._take() != ")":
                raise _Unread
            return inner
        if one in ")*+?{|^$":
            raise _Unread
        letters = {".": _ALL & ~(1 << 10)}.get(one) or (
            self._class() if one == "[" else self._letter(one)
        )
        first, last = self._new(), self._new()
        self._edges[first].append((letters, last))
        return first, last

    def _letter(self, one: str) -> int:
        if one == "\\":
            one = self._take()
            if one in _ESCAPES:
                return _ESCAPES[one]
            if one.isalnum():
                raise _Unread
        if ord(one) > 127:
            raise _Unread
        return 1 << ord(one)

    def _class(self) -> int:
        negated = self._peek() == "^"
        self._at += negated
        found, first = 0, True
        while first or self._peek() != "]":
            first = False
            one = self._take()
            if one == "[" or (one == "]" and not found):
                raise _Unread
            letters = self._letter(one)
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                begin, end = letters, self._letter(self._take())
                if begin.bit_count() != 1 or end.bit_count() != 1 or end < begin:
                    raise _Unread
                letters = (end << 1) - begin
            found |= letters
        self._at += 1
        return _ALL & ~found if negated else found

    # asking

    def _closed(self, states: set[int]) -> frozenset[int]:
        todo = list(states)
        while todo:
            for state in self._free[todo.pop()]:
                if state not in states:
                    states.add(state)
                    todo.append(state)
        return frozenset(states)

    def _steps(self, states: frozenset[int], letters: int = _ALL) -> Iterator[tuple[int, int]]:
        for state in states:
            for mask, after in self._edges[state]:
                if mask & letters:
                    yield mask & letters, after

    def _after(self, states: frozenset[int], letter: int) -> frozenset[int]:
        return self._closed({after for _, after in self._steps(states, letter)})

    def sample(self) -> str | None:
        """Return the shortest number that matches, of digits where it can be; None if unknown."""
        if not self.known:
            return None
        seen, todo = {self._start}, [(self._start, "")]
        while todo and len(seen) < _MOST_STEPS:
            states, text = todo.pop(0)
            if self._end in states and text:
                return text
            for letters, _ in self._steps(states):
                letter = _one_of(letters)
                after = self._after(states, 1 << ord(letter)) if letter else frozenset[int]()
                if letter and after not in seen:
                    seen.add(after)
                    todo.append((after, text + letter))
        return None

    def covers(self, other: "Language") -> bool:
        """Whether everything that another one matches is certain to match here, too."""
        if not self.known or not other.known:
            return False
        begin = other._start, self._start
        seen, todo = {begin}, [begin]
        while todo:
            theirs, ours = todo.pop()
            if other._end in theirs and self._end not in ours:
                return False
            if len(seen) > _MOST_STEPS:
                return False
            masks = [mask for mask, _ in (*other._steps(theirs), *self._steps(ours))]
            wanted = 0
            for mask, _ in other._steps(theirs):
                wanted |= mask
            for letter in _parts(wanted, masks):
                pair = other._after(theirs, letter), self._after(ours, letter)
                if pair not in seen:
                    seen.add(pair)
                    todo.append(pair)
        return True


def _one_of(letters: int) -> str:
    liked = next((one for one in _LIKED if letters >> ord(one) & 1), "")
    return liked or next((chr(n) for n in range(33, 127) if letters >> n & 1), "")


def _parts(letters: int, masks: list[int]) -> Iterator[int]:
    """Yield one letter of each part of some letters that no mask tells apart any further."""
    parts = [letters] if letters else []
    for mask in set(masks):
        parts = [half for part in parts for half in (part & mask, part & ~mask) if half]
    for part in parts:
        yield part & -part
