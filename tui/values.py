"""A setting's value as somebody reads and types it, and back, with objections in words."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from tui import listed

Spec: TypeAlias = Mapping[str, Any]
"""One key as `config.describe` tells it."""

MASK: Final = "***"
"""What stands for a secret that is set."""
_YES: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class Objection(ValueError):
    """What was typed cannot be; says why."""


def as_text(value: Any, key: str = "") -> str:
    """Return a value as it is typed, for a key if it is a list."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return listed.written(value, key)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {one}" for name, one in value.items())
    return str(value)


def as_shown(value: Any, spec: Spec) -> str:
    """Return a value as it stands in a form, its unit behind it, a secret never."""
    if spec.get("secret"):
        return "•••••• (set)" if value else "(none)"
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "–"
    text = as_text(value, str(spec.get("key", "")))
    if isinstance(value, bool):
        return ("✓ " if value else "✗ ") + text
    if value == 0 and spec.get("zero"):
        return str(spec["zero"])
    if text and spec.get("unit") and not isinstance(value, list | tuple):
        return f"{text} {spec['unit']}"
    return text or "–"


def parse(text: str, spec: Spec) -> Any:
    """Return the value that was typed.

    Raises:
        Objection: It is none for this key.
    """
    text = text.strip()
    if spec.get("list"):
        try:
            items = listed.read(text, str(spec.get("key", "")))
        except listed.Torn as error:
            raise Objection(str(error)) from None
        return [_number(one, spec) for one in items] if spec.get("type") == "integer" else items
    match spec.get("type"):
        case "integer":
            return _number(text, spec)
        case "boolean":
            if text.lower() not in _YES:
                raise Objection("say yes or no")
            return _YES[text.lower()]
        case _:
            return _text(text, spec)


def _text(text: str, spec: Spec) -> str:
    choices = list(spec.get("choices") or ())
    if choices and text not in choices and spec.get("type") == "text" and not spec.get("list"):
        raise Objection(f"must be one of {', '.join(choices)}")
    return text


def _number(text: str, spec: Spec) -> int:
    if unit := spec.get("unit"):
        text = text.removesuffix(str(unit)).strip()
    if text and text.lower() == spec.get("zero"):
        return 0
    try:
        number = int(text.replace("_", ""))
    except ValueError:
        words = "must be whole numbers, with a comma between" if spec.get("list") else None
        raise Objection(words or "must be a whole number") from None
    least, most = spec.get("minimum"), spec.get("maximum")
    if (least is not None and number < least) or (most is not None and number > most):
        raise Objection(f"must be {bounds(spec)}")
    return number


def bounds(spec: Spec) -> str:
    """Return a key's bounds in words; nothing where there are none."""
    least, most = spec.get("minimum"), spec.get("maximum")
    if least is not None and most is not None:
        return f"between {least} and {most}"
    if least is not None:
        return f"{least} or more"
    return f"at most {most}" if most is not None else ""


EFFECTS: Final = {
    "live": "applies at once",
    "new-calls": "applies to calls that begin later",
    "restart": "waits for a restart",
}


def _default(spec: Spec) -> str:
    value = spec.get("default")
    is_word = value == 0 and not isinstance(value, bool) and spec.get("zero")
    return str(spec["zero"]) if is_word else as_text(value, str(spec.get("key", "")))


def explained(spec: Spec) -> list[str]:
    """Return what there is to know of a key: its help, then bounds, default and effect."""
    key, words = str(spec.get("key", "")), str(spec.get("help", ""))
    parts = [str(spec.get("name") or key)]
    if spec.get("list") and not spec.get("choices"):
        words = f"{words} {listed.how(key, str(spec.get('type')))}".lstrip()
    if limits := bounds(spec):
        unit = spec.get("unit")
        parts.append(f"{limits} {unit}" if unit else limits)
    if spec.get("required"):
        parts.append("required")
    elif not spec.get("secret"):
        parts.append(f"default {_default(spec) or '(none)'}")
    if spec.get("available", True):
        effect = str(spec.get("words") or EFFECTS.get(str(spec.get("effect")), ""))
    else:
        effect = "◌ kept; takes effect with a later version"
    return [words, " · ".join(parts), effect]
