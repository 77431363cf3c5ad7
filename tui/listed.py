"""A list as one line that is read and typed: what parts its items, and what an item may say.

Commas part items, and `;` times of a plan, which have commas of their own. An item that would be torn
stands in double quotes, a double quote in it twice. It refuses to know what the items are good for.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_QUOTED: Final = r"\"(?:[^\"]|\"\")*\"(?:\s+\([^()]*\))?"
_PARTS: Final[Mapping[str, re.Pattern[str]]] = {
    # a comma in a URI parts nothing unless a blank follows; nor does one in brackets
    ",": re.compile(
        rf"\s*({_QUOTED}|\{{[^{{}}]*\}}|sips?:(?:\s\([^()]*\)|[^,]|,(?=\S))*"
        r"|(?:\s\([^()]*\)|[^,])*?)\s*(?:,|$)",
        re.IGNORECASE,
    ),
    ";": re.compile(rf"\s*({_QUOTED}|[^;]*?)\s*(?:;|$)"),
}
_DETAILED: Final = re.compile(r"(\"(?:[^\"]|\"\")*\"|.*\S)\s+\(([^()]*)\)")
_GLUED: Final = re.compile(r"[^\"]*\S\(\s*\d+\s*s?\s*\)")
_RING: Final = re.compile(r"(\d{1,5})\s*s?")
_FORM: Final = "in brackets stand how long it rings and expand, as in 1002 (15 s, expand)"


class Torn(ValueError):
    """An item has no form that can be understood; says why."""


def is_times(key: str) -> bool:
    """Return whether a key's items are times of a plan."""
    return key.endswith("times")


def _is_destinations(key: str) -> bool:
    return key.endswith("destinations")


def how(key: str, of: str = "text") -> str:
    """Return in words how a list is typed."""
    if is_times(key):
        return "Put ; between several."
    if _is_destinations(key):
        return "Commas between; 1002 (15 s) rings 15 s, 300 (expand) takes its plan."
    return "Numbers with a comma between." if of == "integer" else "Put commas between several."


def written(items: Sequence[Any], key: str) -> str:
    """Return a list as it is typed."""
    mark = ";" if is_times(key) else ","
    return f"{mark} ".join(_item(item, mark) for item in items)


def _item(item: Any, mark: str) -> str:
    if isinstance(item, Mapping) and "address" in item:
        return f"{_quoted(str(item['address']), mark)} (off)"
    if not isinstance(item, Mapping) or "to" not in item:
        return _quoted(str(item), mark)
    ring, expand = item.get("ring") or 0, bool(item.get("expand"))
    details = [f"{ring} s"] * bool(ring) + ["expand"] * expand
    name = _quoted(str(item["to"]), mark)
    return f"{name} ({', '.join(details)})" if details else name


def _quoted(text: str, mark: str) -> str:
    """Return a text that is read as one item, and as no more than a text."""
    plain = text and text == text.strip() and text[0] not in '"{' and text[-1] != ")"
    if plain and " (" not in text and [*_parts(text, mark)] == [text]:
        return text
    return '"' + text.replace('"', '""') + '"'


def _parts(text: str, mark: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _PARTS[mark].match(text, at)
        assert found is not None  # whatever there is, up to the next mark or the end
        at = found.end()
        if found[1].strip():
            yield found[1]


def read(text: str, key: str) -> list[Any]:
    """Return the items of a list that was typed.

    Raises:
        Torn: One has no form that can be understood.
    """
    parts = _parts(text, ";" if is_times(key) else ",")
    return [_destination(part) if _is_destinations(key) else _bare(part) for part in parts]


def _bare(part: str) -> str:
    if len(part) > 1 and part[0] == part[-1] == '"':
        return part[1:-1].replace('""', '"')
    return part


def _destination(part: str) -> Any:
    if part.startswith("{"):
        return _from_toml(part)
    if _GLUED.fullmatch(part) and not _DETAILED.fullmatch(part):
        raise Torn('put a blank before (15 s), or "…" around a name that ends so')
    found = _DETAILED.fullmatch(part)
    if found is None:
        return _bare(part)
    details: dict[str, Any] = {}
    for word in filter(None, map(str.strip, found[2].split(","))):
        if ring := _RING.fullmatch(word):
            details["ring"] = int(ring[1])
        elif word.lower() == "expand":
            details["expand"] = True
        else:
            raise Torn(_FORM)
    to = _bare(found[1])
    return {"to": to, **details} if details else to


def _from_toml(part: str) -> Any:
    try:
        table: Any = tomllib.loads(f"step = {part}")["step"]
    except tomllib.TOMLDecodeError:
        raise Torn(_FORM) from None
    return table
