"""A data path in the kernel that only remembers what it was told, and counts what it is told to."""

from collections.abc import Mapping, Sequence

from centrex.base import Unavailable
from centrex.runtime.relay.kernel import Carried, Entry, Key


class FakeKernel:
    """See `KernelPath`."""

    name = "fake"
    caveat = ""
    unsure = False

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.table = {entry.key: entry for entry in entries}
        self.counts: dict[Key, Carried] = {}
        self.log: list[tuple[str, tuple[Key, ...]]] = []
        self.refuses = False
        self.closed: bool | None = None

    def install(self, entries: Sequence[Entry]) -> None:
        if self.refuses:
            raise Unavailable("not today")
        self.log.append(("install", tuple(entry.key for entry in entries)))
        self.table.update({entry.key: entry for entry in entries})

    def remove(self, keys: Sequence[Key]) -> Mapping[Key, Carried]:
        self.log.append(("remove", tuple(keys)))
        gone = [key for key in keys if self.table.pop(key, None) is not None]
        return {key: self.counts.pop(key, Carried(0, 0, 0)) for key in gone}

    def carried(self) -> Mapping[Key, Carried]:
        return {key: self.counts.get(key, Carried(0, 0, 0)) for key in self.table}

    def entries(self) -> Sequence[Entry]:
        return list(self.table.values())

    def close(self, *, keep: bool) -> None:
        self.closed = keep
