"""The catalogue of every configuration key, read off the models once.

It turns type, default, description, unit, bounds and choices into plain values that a loader, a
form, a manual or a default file can go by. It holds no configuration and reads no file.
"""

import difflib
import functools
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from centrex.config.model import Config

Kind: TypeAlias = Literal["text", "secret", "integer", "boolean", "list", "rows", "map"]
Effect: TypeAlias = Literal["live", "new-calls", "restart"]
"""When a running instance takes a change: at once, from the next call on, or when it restarts."""
Path: TypeAlias = tuple[str | int, ...]

_PART: Final = re.compile(r"([A-Za-z0-9_-]+)((?:\[\d+\])*)")
_SCALARS: Final[Mapping[Any, Kind]] = {
    bool: "boolean",
    int: "integer",
    str: "text",
    SecretStr: "secret",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of the configuration, as a form or a manual needs it."""

    name: str
    """Dotted, with `[]` where rows are counted: `auth.credentials[].login`."""
    label: str
    """Its name in a form, a few words."""
    kind: Kind
    """What it holds; `rows` is a list of tables."""
    items: Kind | None
    """What the items of a `list` are; nothing for any other kind."""
    default: Any
    """The default as TOML would have it; nothing for a required key."""
    required: bool
    """Whether a file (or a row) without it is refused."""
    description: str
    unit: str
    minimum: int | None
    maximum: int | None
    choices: tuple[str, ...]
    """The values it may take, or a form should offer."""
    form: str
    """What the text means: `file`, `folder`, `port`, `networks`, … or nothing."""
    effect: Effect
    """When a running instance takes a change; `live` where that means nothing yet."""
    calls: str
    """What a change does to calls in progress, in words."""
    available: bool
    """False where it takes effect with a later version only."""
    zero: str = ""
    """What 0 means, in a word, where it is no number like the others."""
    short: str = ""
    """Of a `list` whose items may be tables: the key whose text alone stands for one of them."""

    @property
    def has_rows(self) -> bool:
        """Whether its items are edited one by one."""
        return self.kind == "rows" or bool(self.short)


_LIVE: Final = "applies at once; calls in progress go on"
_NEW_CALLS: Final = "applies to calls that begin later; calls in progress go on as they are"
_RESTART: Final = "waits for a restart, during which calls keep their media"
_LATER: Final = "no effect yet: takes effect with a later version"
_WORDS: Final[Mapping[Effect, str]] = {
    "live": _LIVE,
    "new-calls": _NEW_CALLS,
    "restart": _RESTART,
}


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(str(choice) for choice in get_args(annotation))
    if get_origin(annotation) in (tuple, Annotated):
        return _choices(get_args(annotation)[0])
    return ()


def _row_model(annotation: Any) -> type[BaseModel] | None:
    """Return the model of a list of tables, or nothing for anything else."""
    if get_origin(annotation) is tuple:
        item = get_args(annotation)[0]
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
    return None


def _kind(annotation: Any) -> Kind:
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if _row_model(annotation):
        return "rows"
    if get_origin(annotation) is tuple:
        return "list"
    if get_origin(annotation) is dict:
        return "map"
    if get_origin(annotation) in (Literal, Union, types.UnionType):
        return "text"
    return _SCALARS[annotation]


def _items(annotation: Any) -> Kind | None:
    """Return what a list is a list of, or nothing for anything else."""
    if get_origin(annotation) is Annotated:
        return _items(get_args(annotation)[0])
    if get_origin(annotation) is tuple and _row_model(annotation) is None:
        return _kind(get_args(annotation)[0])
    return None


def plain(value: Any) -> Any:
    """Turn a setting's value into what TOML or JSON would have; secrets come out in clear."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def _bound(field: FieldInfo, name: str) -> int | None:
    return next((getattr(m, name) for m in field.metadata if hasattr(m, name)), None)


def _effect(told: Any) -> Effect:
    return "restart" if told == "restart" else "new-calls" if told == "new-calls" else "live"


def _key(name: str, field: FieldInfo) -> Key:
    extra = field.json_schema_extra
    told: Mapping[str, Any] = extra if isinstance(extra, dict) else {}
    available = bool(told.get("available", True))
    effect = _effect(told.get("effect") if available else "live")
    calls = str(told.get("calls", _WORDS[effect] if available else _LATER))
    if effect == "restart" and "a restart" not in calls:
        calls = f"waits for a restart; {calls}"
    required = field.is_required()
    default = None if required else field.get_default(call_default_factory=True, validated_data={})
    return Key(
        name=name,
        label=field.title or "",
        kind=_kind(field.annotation),
        items=_items(field.annotation),
        default=None if default is PydanticUndefined else plain(default),
        required=required,
        description=field.description or "",
        unit=str(told.get("unit", "")),
        minimum=_bound(field, "ge"),
        maximum=_bound(field, "le"),
        choices=tuple(told.get("choices", ())) or _choices(field.annotation),
        form=str(told.get("kind", "")),
        effect=effect,
        calls=calls,
        available=available,
        zero=str(told.get("zero", "")),
        short=str(told.get("short", "")),
    )


def _long_form(annotation: Any) -> type[BaseModel] | None:
    """Return the model that may stand for a text in a list, or nothing for anything else."""
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        if found := _long_form(part):
            return found
    return None


def _walk(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        dotted = f"{prefix}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _walk(field.annotation, f"{dotted}.")
            continue
        key = _key(dotted, field)
        yield key
        row = _long_form(field.annotation) if key.short else _row_model(field.annotation)
        if row is not None:
            yield from _walk(row, f"{dotted}[].")


def row_model(rows: str) -> type[BaseModel]:
    """Return the model of a list's rows. Raises `KeyError` where it has none."""
    model: type[BaseModel] = Config
    *tables_above, last = rows.split(".")
    for name in tables_above:
        inner = model.model_fields[name].annotation
        assert isinstance(inner, type)
        model = inner
    annotation = model.model_fields[last].annotation
    found = _row_model(annotation) or _long_form(annotation)
    if found is None:
        raise KeyError(rows)
    return found


@functools.cache
def catalogue() -> Mapping[str, Key]:
    """Return every key by its dotted name, in the order of the models."""
    return types.MappingProxyType({key.name: key for key in _walk(Config, "")})


@functools.cache
def tables() -> Mapping[str, str]:
    """Return every table with its description: `network`, `network.guard`, `auth` and so on."""
    found: dict[str, str] = {}

    def walk(model: type[BaseModel], prefix: str) -> None:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found[f"{prefix}{name}"] = field.description or ""
                walk(field.annotation, f"{prefix}{name}.")

    walk(Config, "")
    return types.MappingProxyType(found)


@functools.cache
def titles() -> Mapping[str, str]:
    """Return the title of every dialog by its table, in the order of the dialogs."""
    return types.MappingProxyType(
        {name: field.title or name for name, field in Config.model_fields.items()}
    )


def split(dotted: str) -> Path:
    """Split `auth.credentials[0].login` into its parts; an empty tuple where it has no such form."""
    parts: list[str | int] = []
    for piece in dotted.split("."):
        match = _PART.fullmatch(piece)
        if match is None:
            return ()
        parts.append(match[1])
        parts.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(parts)


def join(path: Iterable[str | int]) -> str:
    """Put the parts of a path together again."""
    dotted = ""
    for part in path:
        if isinstance(part, int):
            dotted += f"[{part}]"
        else:
            dotted += f".{part}" if dotted else part
    return dotted


def generic(dotted: str) -> str:
    """Return a key's name with its row numbers blanked: `auth.credentials[].login`."""
    return re.sub(r"\[[^\]]*\]", "[]", dotted)


def find(dotted: str) -> Key | None:
    """Return what is known of a key; row numbers may stand in it."""
    return catalogue().get(generic(dotted))


def nearest_key(dotted: str) -> str:
    """Return the known key or table closest to an unknown one, or nothing.

    The same name in another table counts as close: `network.realm` leads to `auth.realm`.
    """
    wanted = generic(dotted)
    known = [*catalogue(), *tables()]
    table, _, name = wanted.rpartition(".")
    siblings = [key for key in known if key.rpartition(".")[0] == table]
    for pool in (siblings, known):
        if close := difflib.get_close_matches(wanted, pool, n=1, cutoff=0.75):
            return close[0]
    same = [key for key in catalogue() if key.rpartition(".")[2] == name]
    return same[0] if same else ""


def nearest_choice(value: str, choices: Iterable[str]) -> str:
    """Return the choice closest to an unknown value, or nothing."""
    known = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.5)
    return known[close[0]] if close else ""
