"""The commands that show and edit a running instance's configuration: `config.*`.

They check what they are given; the editing is `centrex.runtime.editing`'s.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from centrex.config.describe import describe
from centrex.runtime.control import CommandRefused, Handler
from centrex.runtime.editing import LONGEST_CONFIRM_S

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine


class ConfigCommands:
    """The configuration commands of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._editing = engine.editing

    def handlers(self) -> Mapping[str, Handler]:
        """Return each command's handler by its name."""
        return {
            "config.describe": self.describe,
            "config.open": self.open,
            "config.preview": self.preview,
            "config.apply": self.apply,
            "config.confirm": self.confirm,
            "config.rollback": self.roll_back,
        }

    def describe(self, params: dict[str, Any]) -> dict[str, Any]:
        """Every dialog with its keys: label, help, unit, bounds, effect."""
        return describe()

    async def open(self, params: dict[str, Any]) -> dict[str, Any]:
        """The configuration as an editor starts from it, secrets masked; less where it has it."""
        return await self._editing.open(str(params.get("unless") or ""))

    async def preview(self, params: dict[str, Any]) -> dict[str, Any]:
        """What changes would do, and what is wrong with them."""
        return await self._editing.preview(_fingerprint(params), params.get("changes"))

    async def apply(self, params: dict[str, Any]) -> dict[str, Any]:
        """Make changes: the file is written and read again, or nothing is."""
        fingerprint, changes = _fingerprint(params), params.get("changes")
        return await self._editing.apply(fingerprint, changes, _confirm_s(params))

    async def confirm(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep a change that waits to be confirmed."""
        return await self._editing.confirm()

    async def roll_back(self, params: dict[str, Any]) -> dict[str, Any]:
        """Undo a change that waits to be confirmed."""
        return await self._editing.roll_back()


def _fingerprint(params: Mapping[str, Any]) -> str:
    fingerprint = params.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise CommandRefused("invalid", "fingerprint is what config.open told")
    return fingerprint


def _confirm_s(params: Mapping[str, Any]) -> float:
    seconds = params.get("confirm_s", 0)
    if (
        not isinstance(seconds, int | float)
        or isinstance(seconds, bool)
        or not 0 <= seconds <= LONGEST_CONFIRM_S
    ):
        message = f"confirm_s is a number of seconds, at most {LONGEST_CONFIRM_S}"
        raise CommandRefused("invalid", message)
    return float(seconds)
