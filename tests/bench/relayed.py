"""What relaying adds to a call: microseconds of CPU per call in the core, and in the relay's process.

Run it as `python -m tests.bench.relayed [-p]`; `-p` profiles the core's part instead. No packet of
media passes; sockets, threads and data path of the relay are real, the link between the two is not.
"""

import cProfile
import gc
import pstats
import sys

from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.media.terms import Slot
from centrex.proxy.relaying import Relaying
from centrex.runtime.relay.plane import Plane
from tests.bench.micro import call_script, fresh, spent, talks
from tests.support.farmlink import FakePlane, Joined, Watcher
from tests.support.proxy import Proxy

HOST = "127.0.0.1"
_CALLS = 2000


def _with_media(proxy: Proxy, plane: object) -> Joined:
    """Give a proxy one relay, with a link in memory."""
    farm = Farm(Watcher(), heartbeat_s=5.0, boot="b")
    joined = Joined(farm, plane, Custody(), capacity=100_000)  # type: ignore[arg-type]
    joined.to_relay.source = f"{HOST}:40000"  # or its loopback address would be nobody's
    joined.run()
    proxy.core.relaying = Relaying(farm, mode="always", refuse=False)  # type: ignore[arg-type]
    return joined


def _supply(joined: Joined) -> list[bytes]:
    """Take the lines for the relay off the link, and lease it ports for nothing."""
    lines, joined.to_relay.lines = joined.to_relay.lines, []
    for stock in joined.relay._stocks.values():
        stock.asked = 0
        if len(stock.slots) < 256:
            stock.slots.extend(Slot(HOST, HOST, 30000 + 2 * number) for number in range(512))
    return [line for line in lines if b'"lease"' not in line]


def main() -> None:
    """Measure."""
    players = [fresh() for _ in range(5)]  # the same seed gives the same branches
    scripts = [call_script(players[0], number, described=True) for number in range(_CALLS)]
    joined = _with_media(players[1], FakePlane(HOST))
    relayed = []
    for number in range(_CALLS):
        relayed.append(call_script(players[1], number, described=True))
        _supply(joined)
    joined = _with_media(players[2], FakePlane(HOST))
    lines: list[bytes] = []
    work = talks(players[2], relayed, lambda: lines.extend(_supply(joined)))
    if "-p" in sys.argv:
        gc.disable()
        profile = cProfile.Profile()
        profile.runcall(work)
        pstats.Stats(profile).sort_stats("tottime").print_stats(50)
        return
    told = {"core, direct": spent(talks(players[3], scripts), _CALLS)}
    told["core, relayed"] = spent(work, _CALLS)
    assert players[2].core.statistics.calls_total == _CALLS
    assert not len(players[2].core.calls)
    assert len(lines) == 2 * _CALLS, len(lines)  # all were relayed
    plane = Plane(hosts=[(HOST, HOST)], ports=(20000, 59999), kernel=None, silence_s=60)
    plane.start()
    joined = _with_media(players[4], plane)
    told["core and relay"] = spent(talks(players[4], relayed, joined.run), _CALLS)
    assert plane.total == _CALLS, plane.total
    plane.close()
    for name, cost in told.items():
        print(f"{name:16}{cost:7.1f} us")  # noqa: T201
    count, octets = len(lines) / _CALLS, sum(map(len, lines)) / _CALLS
    print(f"{count:.1f} lines to the relay for each call, {octets:.0f} octets")  # noqa: T201


if __name__ == "__main__":
    main()
