"""Edits of the configuration that nobody has applied yet: collected, undone, carried to a new base.

It knows the wishes of `config.preview` and `config.apply`; what the values mean is for the
instance to judge.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from tui.history import at

Change: TypeAlias = dict[str, Any]
Row: TypeAlias = dict[str, Any]

CREDENTIALS: Final = "auth.credentials"
_MISSING: Final = object()


class Draft:
    """What somebody wants changed.

    Args:
        opened: The answer to `config.open`: what the edits start from.
    """

    def __init__(self, opened: Mapping[str, Any]) -> None:
        self._opened = opened
        self._sets: dict[str, Any] = {}
        self._unsets: dict[str, Any] = {}
        self._steps: list[Change] = []

    @property
    def fingerprint(self) -> str:
        """Which file the edits start from."""
        return str(self._opened.get("fingerprint", ""))

    @property
    def file(self) -> str:
        """That file's name."""
        return str(self._opened.get("file", ""))

    @property
    def in_force(self) -> Mapping[str, Any]:
        """What runs otherwise than that file says: by key, a list of rows with nothing."""
        return dict(self._opened.get("in_force", {}))

    def __len__(self) -> int:
        return len(self._sets) + len(self._unsets) + len(self._steps)

    def origin(self, key: str) -> str:
        """Return where a key's value comes from: `default`, `file` or `--set`."""
        return str(dict(self._opened.get("origins", {})).get(key, "default"))

    def saved(self, key: str) -> Any:
        """Return a key's value in the file, or its default."""
        return at(dict(self._opened.get("values", {})), key, None)

    def value(self, key: str) -> Any:
        """Return a key's value as it would be."""
        if key in self._sets:
            return self._sets[key]
        return self._unsets[key] if key in self._unsets else self.saved(key)

    def is_changed(self, key: str) -> bool:
        """Return whether a key's value would change."""
        return key in self._sets or key in self._unsets

    def set(self, key: str, value: Any) -> None:
        """Want a key to have a value; its saved one takes the wish back."""
        self.revert(key)
        if value != self.saved(key):
            self._sets[key] = value

    def unset(self, key: str, default: Any) -> None:
        """Want a key to have its default."""
        self.revert(key)
        if self.origin(key) != "default":
            self._unsets[key] = default

    def revert(self, key: str) -> None:
        """Take the wish for a key back."""
        self._sets.pop(key, None)
        self._unsets.pop(key, None)

    def clear(self) -> None:
        """Take all wishes back."""
        self._sets.clear()
        self._unsets.clear()
        self._steps.clear()

    # -- lists -------------------------------------------------------------------------------

    def saved_rows(self, name: str) -> list[Row]:
        """Return a list's rows in the file."""
        rows = self.saved(name)
        return [dict(row) for row in rows] if isinstance(rows, list | tuple) else []

    def rows(self, name: str) -> list[Row]:
        """Return a list's rows as they would be; those touched have a `_mark`."""
        rows = copy.deepcopy(self.saved_rows(name))
        for step in self._steps:
            if step["list"] == name:
                _replay(rows, step)
        return rows

    def touched(self, name: str) -> int:
        """Return how many wishes concern a list."""
        return sum(1 for step in self._steps if step["list"] == name)

    def add(self, name: str, value: Row, *, place: int | None = None) -> None:
        """Want a row more, at the end or at a place."""
        self._steps.append({"op": "add", "list": name, "at": place, "value": _bare(value)})

    def update(self, name: str, index: int, value: Row) -> None:
        """Want some of a row's keys otherwise."""
        rows = self.rows(name)
        different = {
            key: one for key, one in _bare(value).items() if rows[index].get(key, _MISSING) != one
        }
        if different:
            self._steps.append({"op": "update", "list": name, "index": index, "value": different})

    def delete(self, name: str, index: int) -> None:
        """Want a row gone, and no password for it any more; `undo` has both back."""
        self._steps.append({"op": "delete", "list": name, "index": index})

    def move(self, name: str, index: int, to: int) -> bool:
        """Want a row elsewhere; return whether there is such a place."""
        if not 0 <= to < len(self.rows(name)) or to == index:
            return False
        self._steps.append({"op": "move", "list": name, "index": index, "to": to})
        return True

    def password(self, login: str, password: str | None) -> None:
        """Want a login to have a password: this one, or one that is made up (None)."""
        self._steps.append(
            {
                "op": "password", "list": CREDENTIALS, "login": login, "users": None,
                "password": password,
            }
        )  # fmt: skip

    def undo(self, name: str) -> bool:
        """Take back the last wish for a list; return whether there was one."""
        for index in range(len(self._steps) - 1, -1, -1):
            if self._steps[index]["list"] == name:
                step = self._steps.pop(index)
                before = self._steps[index - 1] if index else {}
                if step["op"] == "password" and _names(before, step["login"]):
                    del self._steps[index - 1]
                return True
        return False

    # -- handing over ------------------------------------------------------------------------

    def changes(self) -> list[Change]:
        """Return the wishes as `config.preview` and `config.apply` take them, in order."""
        wishes: list[Change] = [
            {"op": "set", "key": key, "value": value} for key, value in self._sets.items()
        ]
        wishes += [{"op": "unset", "key": key} for key in self._unsets]
        gone = self._gone_logins()
        for index, step in enumerate(self._steps):
            if step["op"] == "password" and index < gone.get(step["login"], -1):
                continue
            if step["op"] == "password":
                wishes.append({key: one for key, one in step.items() if key != "list"})
            else:
                wishes.append(copy.deepcopy(step))
        return wishes

    def _gone_logins(self) -> dict[str, int]:
        """Return logins that are to go or to be called otherwise, each with the place of that wish."""
        gone: dict[str, int] = {}
        rows = copy.deepcopy(self.saved_rows(CREDENTIALS))
        for index, step in enumerate(self._steps):
            if step["list"] != CREDENTIALS:
                continue
            renames = step["op"] == "update" and "login" in step["value"]
            if step["op"] == "delete" or renames:
                gone[str(rows[step["index"]].get("login"))] = index
            _replay(rows, step)
        return gone

    def handed_over(self) -> "Draft":
        """Return a draft without wishes that starts where this one ends.

        It is for what is wished while this one is being applied.
        """
        values = copy.deepcopy(dict(self._opened.get("values", {})))
        for key, value in (self._sets | self._unsets).items():
            _put(values, key, copy.deepcopy(value))
        for name in {step["list"] for step in self._steps}:
            _put(values, name, [_bare(row) for row in self.rows(name)])
        origins = dict(self._opened.get("origins", {}))
        origins |= {key: "file" for key in self._sets if self.origin(key) != "--set"}
        origins |= dict.fromkeys(self._unsets, "default")
        return Draft({**self._opened, "values": values, "origins": origins})

    def joined(self, later: "Draft") -> "Draft":
        """Return these wishes and later ones, which start where these end: nothing was applied."""
        whole = Draft(self._opened)
        whole._sets, whole._unsets = dict(self._sets), dict(self._unsets)
        whole._steps = [*self._steps, *later._steps]
        for key, value in later._sets.items():
            whole.set(key, value)
        for key, default in later._unsets.items():
            whole.unset(key, default)
        return whole

    def now_in(self, fingerprint: str) -> None:
        """Take note of the file in which what this one starts from was written."""
        self._opened = {**self._opened, "fingerprint": fingerprint}

    def rebased(self, opened: Mapping[str, Any]) -> tuple["Draft", list[str]]:
        """Return the same wishes upon another file, and in words those that cannot be kept.

        Upon the file they start from, as it is read anew, all can be.
        """
        fresh = Draft(opened)
        same_file = fresh.fingerprint == self.fingerprint
        for key, value in self._sets.items():
            fresh.set(key, value)
        for key, default in self._unsets.items():
            fresh.unset(key, default)
        lost = []
        for name in dict.fromkeys(step["list"] for step in self._steps):
            if same_file or fresh.saved_rows(name) == self.saved_rows(name):
                fresh._steps += [step for step in self._steps if step["list"] == name]
            else:
                fresh._steps += self._passwords_that_stand() if name == CREDENTIALS else []
                lost.append(
                    f"{name} was changed by somebody else: your edits of its rows are dropped"
                )
        return fresh, lost

    def _passwords_that_stand(self) -> list[Change]:
        """Return the new passwords of logins whose rows were neither added nor deleted."""
        gone = self._gone_logins()
        return [
            step
            for step in self._steps
            if step["op"] == "password"
            and step["login"] not in gone
            and not any(_names(one, step["login"]) for one in self._steps)
        ]


def _names(step: Mapping[str, Any], login: str) -> bool:
    """Whether a wish gives a row this login, which has no password then."""
    return step.get("op") in ("add", "update") and step["value"].get("login") == login


def _bare(row: Mapping[str, Any]) -> Row:
    return {key: one for key, one in row.items() if not key.startswith("_")}


def _put(values: dict[str, Any], dotted: str, value: object) -> None:
    *tables, name = dotted.split(".")
    for table in tables:
        values = values.setdefault(table, {})
    values[name] = value


def _replay(rows: list[Row], step: Change) -> None:
    match step["op"]:
        case "add":
            place = len(rows) if step["at"] is None else step["at"]
            rows.insert(place, {**copy.deepcopy(step["value"]), "_mark": "new"})
        case "update":
            row = rows[step["index"]]
            row.update(copy.deepcopy(step["value"]))
            row.setdefault("_mark", "changed")
        case "delete":
            del rows[step["index"]]
        case "move":
            row = rows.pop(step["index"])
            row.setdefault("_mark", "moved")
            rows.insert(step["to"], row)
        case _:
            _replay_password(rows, step)


def _replay_password(rows: list[Row], step: Change) -> None:
    for row in rows:
        if row.get("login") == step["login"]:
            row["_mark"] = "new password" if row.get("_mark") == "new" else "password"
