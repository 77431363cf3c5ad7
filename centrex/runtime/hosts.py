"""The names this machine knows without asking DNS: /etc/hosts, `localhost`, single labels.

Reads the file again when it changed, looking at most every few seconds. What it does not know is
for `centrex.runtime.dns`.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from centrex.routing.rfc3263 import Answer, Question, numeric_host

MAX_OCTETS: Final = 1_048_576
"""What is read of the file; the rest is left."""
_LOOK_S: Final = 5.0
_LOCALHOST: Final = ("127.0.0.1", "::1")

_Stamp = tuple[int, int, int]


class HostsFile:
    """A hosts(5) file.

    Args:
        path: The file; one that cannot be read is an empty one.
        clock: Monotonic seconds.
    """

    def __init__(
        self, path: Path | str = "/etc/hosts", *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._clock = Path(path), clock
        self._look_at = -1.0
        self._stamp: _Stamp | None = None
        self._names: dict[str, list[str]] = {}

    def answer(self, question: Question) -> Answer | None:
        """Return the answer to a question that DNS is not to be asked; None for all others.

        A name found here has no NAPTR and SRV records, and neither has a single label: such names
        are one machine, not a SIP domain.
        """
        addresses = self.addresses(_owner(question))
        if question.kind in {"NAPTR", "SRV"}:
            return () if addresses or "." not in _owner(question) else None
        if not addresses:
            return None
        return [address for address in addresses if (":" in address) == (question.kind == "AAAA")]

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return the addresses of a lower-case name, in the order of the file."""
        self._refresh()
        found = self._names.get(name)
        if found:
            return tuple(found)
        # RFC 6761 §6.3: never to be asked of DNS, whatever the file says.
        return _LOCALHOST if name == "localhost" or name.endswith(".localhost") else ()

    def _refresh(self) -> None:
        now = self._clock()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._names = _read(self._path)


def _owner(question: Question) -> str:
    """Return the domain a question is about: of SRV without the service and protocol labels."""
    labels = question.name.split(".")
    while question.kind == "SRV" and len(labels) > 1 and labels[0].startswith("_"):
        del labels[0]
    return ".".join(labels)


def _stamp(path: Path) -> _Stamp | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(path: Path) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    try:
        with path.open("rb") as file:
            content = file.read(MAX_OCTETS)
    except OSError:
        return names  # a machine without a hosts file is in order
    for line in content.decode("utf-8", "replace").splitlines():
        address, *aliases = line.partition("#")[0].split() or [""]
        numeric = numeric_host(address)
        for alias in aliases if numeric else ():
            known = names.setdefault(alias.rstrip(".").lower(), [])
            if numeric not in known:
                known.append(numeric)
    return names
