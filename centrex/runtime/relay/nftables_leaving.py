"""The leaving map's elements, and how many entries need each.

Entries with one source, one port to leave from and one target share an element; they must agree on
the address to leave from, for nothing in such a packet tells any more which of them it followed.
"""

from collections.abc import Iterable
from typing import NamedTuple

from centrex.base import Unavailable
from centrex.runtime.relay.nftables_elements import Element


class _Use(NamedTuple):
    data: bytes
    users: int


_UNUSED = _Use(b"", 0)


class Change(NamedTuple):
    """What a change of entries does to the map."""

    gone: list[bytes]
    come: list[Element]
    uses: dict[bytes, _Use]


class Leaving:
    """Who uses which element, as far as the kernel has agreed to it."""

    def __init__(self) -> None:
        self._uses: dict[bytes, _Use] = {}

    def plan(self, gone: Iterable[Element], come: Iterable[Element]) -> Change:
        """Say what becomes of the map if some entries' elements go and others' come.

        Raises:
            Unavailable: Two entries would need one element to say different things.
        """
        uses: dict[bytes, _Use] = {}
        for element in gone:
            before = uses.get(element.key) or self._uses[element.key]
            uses[element.key] = before._replace(users=before.users - 1)
        for element in come:
            before = uses.get(element.key) or self._uses.get(element.key, _UNUSED)
            if before.users and before.data != element.data:
                raise Unavailable("its packets could not be told from those of another stream")
            uses[element.key] = _Use(element.data, before.users + 1)
        change = Change([], [], uses)
        for key, after in uses.items():
            before = self._uses.get(key, _UNUSED)
            changed = before.data != after.data
            if before.users and (changed or not after.users):
                change.gone.append(key)
            if after.users and (changed or not before.users):
                change.come.append(Element(key, after.data))
        return change

    def settle(self, change: Change) -> None:
        """Take a change as done."""
        for key, use in change.uses.items():
            if use.users:
                self._uses[key] = use
            else:
                self._uses.pop(key, None)
