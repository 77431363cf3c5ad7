"""What keeping messages costs: a call through core and hands, without, with, and at rest, by turns.

Run it as `python -m tests.bench.hands [ROUNDS]`. Sockets are left out, which makes the share look larger
than it is in a server. One kind is measured twice, to show how far the
figures may be trusted.
"""

import gc
import statistics
import sys
import time
from typing import Any

from centrex.base import Flow
from centrex.runtime.bus import Bus
from centrex.runtime.capture import CHUNK, MOMENTS, Capture
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
    while len(capture) < MOMENTS - CHUNK:  # what has to be let go of costs, too
        seconds(Hands, scripts, capture)
    resting = Capture()
    resting.on = False
    kinds: dict[str, tuple[type[Hands], Capture]] = {
        "without": (_Forgetful, resting),
        "the same": (_Forgetful, resting),
        "resting": (Hands, resting),
        "keeping": (Hands, capture),
    }
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    names = list(kinds)
    for number in range(rounds):
        names = [
            *names[1:],
            names[0],
        ]  # who comes next finds the memory as the one before has left it
        for name in names if number % 2 else names[::-1]:
            spent[name].append(seconds(kinds[name][0], scripts, kinds[name][1]))
    least = {
        name: statistics.mean(sorted(times)[: rounds // 2 + 1]) for name, times in spent.items()
    }
    for name, each in least.items():
        ratio = each / least["without"]
        print(f"{name:9} {each / _COUNT * 1e6:7.2f} us a call {ratio:7.4f}")  # noqa: T201


if __name__ == "__main__":
    main()
