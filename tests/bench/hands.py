"""What keeping messages costs: a call through core and hands, with and without, by turns.

Run it as `python -m tests.bench.hands [ROUNDS]`. Sockets are left out, which makes the share look larger
than it is in a server.
"""

import gc
import statistics
import sys
import time
from typing import Any

from centrex.base import Flow
from centrex.runtime.bus import Bus
from centrex.runtime.capture import Capture
from centrex.runtime.hands import Hands
from tests.bench.micro import Step, call_script, fresh

_COUNT = 2000


class _Sink:
    """A link that takes everything."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        return len(data)


class _Forgetful(Hands):
    """Hands that keep nothing, but for that the same."""

    def take(self, data: bytes, flow: Flow) -> None:
        if self._summing_up:
            return
        try:
            self._receive(data, flow, self.now())
        except Exception as error:  # noqa: BLE001 - as in what it stands for
            self._failed(error, flow.name)
        if self._sends:
            self._send()

    def finish(self) -> None:
        core = self.core
        if core.sends:
            self._send()
        if core.asks:
            core.asks.clear()
        if core.events:
            for event in core.events:
                self._bus.publish(event)
            core.events.clear()
        if self._looks_at and core.layer.timers.armed:
            core.layer.timers.armed = False
        self._changed()


def seconds(kind: type[Hands], scripts: list[list[Step]], capture: Capture) -> float:
    """Return the CPU time of playing all calls once."""
    proxy = fresh()
    alice, bob = proxy.flows.get("192.0.2.7", 5060), proxy.flows.get("192.0.2.8", 5060)
    alice.link = bob.link = _Sink()
    nobody: Any = None
    core = proxy.core
    hands = kind(core, Bus(()), nobody, nobody, nobody, lambda: None, capture)
    now = 1000.0
    hands.now = lambda: now
    # as from a socket: each is an object of its own, that goes when nobody keeps it
    calls = [
        [(bytes(bytearray(data)), bob if late else alice) for data, late in steps]
        for steps in scripts
    ]
    calls.reverse()
    gc.collect()
    gc.freeze()
    gc.disable()  # as the engine has it
    began = time.process_time()
    while calls:
        now += 0.005
        for data, flow in calls.pop():
            hands.take(data, flow)
            hands.finish()
        core.expire(now)
        hands.finish()
    spent = time.process_time() - began
    gc.unfreeze()
    assert core.statistics.calls_total == _COUNT, core.statistics.calls_total
    return spent


def main() -> None:
    """Measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    proxy = fresh()
    scripts = [call_script(proxy, number) for number in range(_COUNT)]
    capture = Capture()
    spent: dict[type[Hands], list[float]] = {_Forgetful: [], Hands: []}
    order: list[type[Hands]] = [_Forgetful, Hands]
    for _ in range(rounds):
        for kind in order:
            spent[kind].append(seconds(kind, scripts, capture))
        order.reverse()  # who comes second finds the memory as the first has left it
    without, kept = (sorted(spent[kind])[: rounds // 2 + 1] for kind in (_Forgetful, Hands))
    for name, times in (("without", without), ("with", kept)):
        print(f"{name:8} {statistics.mean(times) / _COUNT * 1e6:7.2f} us a call")  # noqa: T201
    print(f"ratio    {statistics.mean(kept) / statistics.mean(without):7.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
