"""The settings area: what this server is, at a glance."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len

from tui.history import at
from tui.widgets.lines import Line, Panel, Run, fit, wrap
from tui.words import listeners, many, span

_NAME: Final = 10
_LEAST: Final = 38
"""Cells below which a fact would not be readable, which decides how many stand side by side."""
_NOT_YET: Final = "comes with a later version"
_TALL: Final = 40
"""Lines of a terminal from which on warnings may take more of them."""
_FEW: Final = 3
_MANY: Final = 8
"""Lines that warnings take at most, where there is little room and where there is much."""
_REST: Final = " … i shows all"


def in_force(config: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """Return the value of a key from the answer to `config`."""
    entry = at(config, "values", {})
    found = entry.get(key, default) if isinstance(entry, Mapping) else default
    return found.get("value", default) if isinstance(found, Mapping) else found


def relay_fact(relays: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return how many relays there are, by which way their packets go, and how good that is."""
    draining = sum(relay.get("state") == "draining" for relay in relays)
    online = [relay for relay in relays if relay.get("state") in ("available", "draining")]
    if not relays:
        return "none", "dim"
    paths = sorted({str(relay.get("path", "")) for relay in online if relay.get("path")})
    by = f", {', '.join(paths)}" if paths else ""
    less = f", {draining} draining" if draining else ""
    style = "good" if len(online) > draining else "warn" if draining else "bad"
    return f"{len(online)} of {len(relays)} online{less}{by}", style


class SettingsArea(Panel):
    """The area at the head of the main screen."""

    DEFAULT_CSS = "SettingsArea { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._facts: list[tuple[str, str, str]] = []
        self._warnings: tuple[str, ...] = ()

    def take(
        self,
        status: Mapping[str, Any],
        relays: Sequence[Mapping[str, Any]],
        config: Mapping[str, Any],
        *,
        mode: str,
        uptime_s: float,
    ) -> None:
        """Show the facts of this moment."""
        registrar, auth = at(status, "registrar", {}), at(status, "auth", {})
        logins = f"realm {auth.get('realm', '')}, {many(auth.get('logins', 0), 'login')}"
        wan = in_force(config, "wan.enabled")
        later = {name: in_force(config, f"{name}.enabled") for name in ("plugins", "siplog")}
        self._warnings = tuple(map(str, at(status, "warnings", ())))
        self._facts = [
            ("instance", self._named(status), ""),
            ("server", listeners(at(status, "listeners", ())), ""),
            ("domain", str(status.get("domain", "")), "strong"),
            ("WAN", self._wan(status, wanted=bool(wan)), "dim"),
            (
                "registrar",
                f"{registrar.get('store', '')}, {many(registrar.get('users', 0), 'user')}, "
                f"{many(registrar.get('bindings', 0), 'phone')}",
                "",
            ),
            (
                ("login", logins, "")
                if auth.get("enabled", True)
                else ("login", "✗ off: anybody may call", "bad")
            ),
            ("relays", *relay_fact(relays)),
            ("plug-ins", _NOT_YET if later["plugins"] else "off", "dim"),
            ("SIP log", f"on, {_NOT_YET}" if later["siplog"] else "off", "dim"),
            ("version", str(status.get("version", "")), ""),
            ("mode", mode, "warn" if "read-only" in mode else ""),
            ("up", span(uptime_s), ""),
        ]
        self.compose_lines()

    @property
    def in_full(self) -> list[tuple[str, str]]:
        """Every fact and every warning, none of them cut."""
        facts = [(name, value) for name, value, _ in self._facts]
        return facts + [("warning", words) for words in self._warnings]

    @staticmethod
    def _named(status: Mapping[str, Any]) -> str:
        description = status.get("description", "")
        return f"{status.get('instance', '')}" + (f" – {description}" if description else "")

    @staticmethod
    def _wan(status: Mapping[str, Any], *, wanted: bool) -> str:
        wan = status.get("wan")
        if isinstance(wan, Mapping) and wan.get("address"):
            return f"{wan['address']} by {wan.get('method', '')} at {wan.get('at', '')}"
        return f"detection {_NOT_YET}" if wanted else "not looked for"

    def compose_lines(self) -> None:
        """Lay the facts out in as many columns as are readable."""
        width = max(1, self.size.width)
        columns = max(1, min(4, width // _LEAST))
        each = width // columns
        rows = -(-len(self._facts) // columns)
        lines: list[Line] = []
        for row in range(rows):
            runs: list[Run] = []
            for name, value, style in self._facts[row * columns : (row + 1) * columns]:
                runs += [
                    (f" {name:<{_NAME}}", "dim"),
                    (fit(value, each - _NAME - 1), style),
                ]
            lines.append(runs)
        self.show([*lines, *self._warned(width)])

    def _warned(self, width: int) -> list[Line]:
        """Return the warnings over the whole width; where they are too long, how to read them."""
        room = max(8, width - 4)
        most = _MANY if self.app.size.height >= _TALL else _FEW
        told = [
            ("⚠ " if not at else "  ", part)
            for words in self._warnings
            for at, part in enumerate(wrap(words, room))
        ]
        if len(told) > most:
            mark, last = told[most - 1]
            left = max(0, room - len(_REST))
            told[most - 1] = (mark, fit(last, min(left, cell_len(last))).rstrip() + _REST)
        return [[(f" {mark}", "warn"), (part, "warn")] for mark, part in told[:most]]

    def on_resize(self) -> None:
        """Lay the facts out anew."""
        self._drawn.clear()
        self.compose_lines()
