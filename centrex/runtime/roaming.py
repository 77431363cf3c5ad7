"""An instance on a machine whose address changes: follows it, and finds it again after a restart.

Knows when to look and what to do about a move; what moves is found out by
`centrex.runtime.monitor`.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from centrex.base import Flow, Instant, Unavailable
from centrex.events import Severity
from centrex.runtime.monitor import AddressWatch, Held, Move, Read, remember, stand_ins

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine


class Roaming:
    """Follows the addresses of one engine while `network.monitor_address` is on.

    Args:
        engine: Whose.
        path: Where the interfaces of its addresses are remembered.
        read: Reads the machine's addresses.
    """

    def __init__(self, engine: "Engine", path: Path, read: Read) -> None:
        self._engine, self._path, self._read = engine, path, read
        self._watch: AddressWatch | None = None
        self._looked: Instant = -math.inf
        self._bound: dict[str, str] = {}
        self._gone: tuple[Held, ...] = ()
        self._complaint = ""

    @property
    def complaint(self) -> str:
        """What is wrong with the addresses now, in words; empty while nothing is."""
        if self._complaint:
            return f"the machine's address is not followed: {self._complaint}"
        gone = " and ".join(f"{held.address} is gone from {held.interface}" for held in self._gone)
        return f"{gone}: nobody reaches the server there" if gone else ""

    def hosts(self) -> Sequence[str]:
        """Return the addresses to bind: the configured ones, or what took their place meanwhile."""
        network = self._engine.config.network
        chosen: Sequence[str] = network.address
        if network.monitor_address:
            try:
                chosen = stand_ins(network.address, self._path, self._read)
            except Unavailable as error:
                self._complain(str(error))
        self._bound = dict(zip(network.address, chosen, strict=True))
        for asked, found in self._bound.items():
            if asked != found:
                self._engine.say("network.address-changed", Severity.NOTICE, old=asked, new=found)
        return chosen

    def look(self, now: Instant) -> None:
        """Look for changed addresses if it is time, and follow them; to be called each second."""
        network = self._engine.config.network
        if not network.monitor_address:
            self._watch, self._looked = None, -math.inf
            self._gone, self._complaint = (), ""
            return
        if now - self._looked < network.monitor_interval:
            return
        self._looked = now
        try:
            if self._watch is None:
                self._begin()
            else:
                self._follow(self._watch)
        except (Unavailable, OSError) as error:
            self._complain(str(error))
        else:
            self._complaint = ""

    def _begin(self) -> None:
        self._watch = watch = AddressWatch(self._bound.values(), self._read)
        for host in watch.unwatched:
            self._engine.say("network.address-unwatched", Severity.WARNING, address=host)
        interfaces = watch.interfaces
        remember(
            {
                asked: interfaces[bound]
                for asked, bound in self._bound.items()
                if bound in interfaces
            },
            self._path,
        )

    def _follow(self, watch: AddressWatch) -> None:
        engine = self._engine
        moves = watch.look()
        self._tell_gone(watch.gone, moves)
        if watch.vanished:
            engine.edges.readdress(watch.vanished)
            engine.resolver.forget()  # another network has other name servers
        for move in moves:
            engine.edges.move(move.old, move.new, self._flows_in_use())
            watch.moved(move)
            asked = next(name for name, bound in self._bound.items() if bound == move.old)
            self._bound[asked] = move.new
            engine.say("network.address-changed", Severity.NOTICE, **move._asdict())

    def _tell_gone(self, gone: tuple[Held, ...], moves: Sequence[Move]) -> None:
        """Say once of each address that it is gone, and that it is back, unless another follows it."""
        before, self._gone = self._gone, gone
        for one in gone:
            if one not in before:
                fields = {"address": one.address, "interface": one.interface}
                self._engine.say("network.address-gone", Severity.ERROR, **fields)
        followed = {move.old for move in moves}
        for one in before:
            if one not in gone and one.address not in followed:
                fields = {"address": one.address, "interface": one.interface}
                self._engine.say("network.address-back", Severity.NOTICE, **fields)

    def _flows_in_use(self) -> Iterator[Flow]:
        for _, bindings in self._engine.registry:
            for binding in bindings:
                if binding.flow is not None:
                    yield binding.flow
        for call in self._engine.core.calls:
            yield call.caller_flow
            if call.callee_flow is not None:
                yield call.callee_flow

    def _complain(self, why: str) -> None:
        """Say once that something is wrong, and again when it is something else."""
        if why != self._complaint:
            self._complaint = why
            self._engine.say("network.address-lost", Severity.ERROR, why=why)
