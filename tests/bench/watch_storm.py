"""A power cut: all phones register anew within half a minute, and all of them are watched.

10,000 watchers, each of one of 10,000 users, in simulated time and without sockets; beside them some
who watch the whole domain, and busy lamps; and then all of the phones watch the whole domain, by TCP and
by UDP. It prints CPU time, NOTIFYs and memory. `power_cut` does the same over real sockets.

Run it as `python -m tests.bench.watch_storm [USERS [WATCHERS [OF_THE_DOMAIN]]]`.
"""

import gc
import resource
import sys
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any, Final

from centrex.base import Flow, Transport
from tests.support.proxy import DOMAIN, Proxy, request, respond
from tests.support.watcher import REGISTRAR

STORM_S: Final = 30.0
_STEP_S: Final = 0.05
_LATENCY_S: Final = 0.02


class Storm:
    """The users, their watchers, and the answers that are under way.

    Args:
        users: How many users there are.
        watchers: How many watch one user each.
        whole: How many watch the domain, by TCP.
        lamps: How many watch the calls of a user instead.
        each: How each phone watches the domain; None where it does not.
    """

    def __init__(
        self,
        users: int,
        watchers: int,
        whole: int,
        lamps: int = 0,
        each: Transport | None = None,
    ) -> None:
        self.proxy = proxy = Proxy(trusted=["10.0.0.0/8"])
        self.users, self.notified, self.octets = users, 0, 0
        self.longest = 0.0
        self.cpu = 0.0
        self.late: dict[bytes, float] = {}
        self.waits: list[float] = []
        self.under_way: list[tuple[float, Flow, bytes]] = []
        for number in range(users):
            self.feed(self.register(number, 1), self.flow(number))
        proxy.now += 5
        for number in range(watchers):
            self.subscribe(number, f"sip:u{number % users}@{DOMAIN}", "reg")
        for number in range(lamps):
            self.subscribe(number, f"sip:u{number % users}@{DOMAIN}", "dialog")
        for number in range(whole):
            flow = proxy.flows.get("10.200.0.1", 20_000 + number, Transport.TCP)
            self.subscribe(number, REGISTRAR, "reg", flow)
        for number in range(users if each else 0):
            assert each is not None
            host = self.flow(number).host
            self.subscribe(number, REGISTRAR, "reg", proxy.flows.get(host, 6000, each))
        self.run(60.0, ())
        self.notified = self.octets = 0
        self.longest = self.cpu = 0.0
        self.waits.clear()

    def behind(self) -> int:
        """Return how many watchers have not been told of everything."""
        watchers = self.proxy.core.watchers
        return sum(watchers.behind(sub) > 0 for sub in watchers.notifier)

    def flow(self, number: int) -> Flow:
        return self.proxy.flows.get(f"10.{number >> 8 & 255}.{number & 255}.9", 5060)

    def register(self, number: int, turn: int) -> bytes:
        """Return a REGISTER; after the cut each phone has another port, as behind a NAT."""
        user, flow = f"u{number}", self.flow(number)
        return request(
            "REGISTER", f"sip:{DOMAIN}", flow, sender=user, target=f"sip:{user}@{DOMAIN}",
            call_id=f"r{number}-{turn}", cseq=turn,
            extra=f"Contact: <sip:{user}@{flow.host}:{5060 + turn}>\nExpires: 3600",
        )  # fmt: skip

    def subscribe(self, number: int, target: str, event: str, flow: Flow | None = None) -> None:
        flow = flow or self.flow(number)
        data = request(
            "SUBSCRIBE", target, flow, sender=f"u{number}",
            call_id=f"s{number}-{event}-{flow.port}", from_tag="w",
            extra=f"Event: {event}\nExpires: 3600\nContact: <sip:u{number}@{flow.host}:{flow.port}>",
        )  # fmt: skip
        self.feed(data, flow)

    def feed(self, data: bytes, flow: Flow) -> None:
        core = self.proxy.core
        began = time.process_time()
        core.receive(data, flow, self.proxy.now)
        self.spent(began)
        self.collect()

    def spent(self, began: float) -> None:
        took = time.process_time() - began
        self.cpu += took
        self.longest = max(self.longest, took)

    def collect(self) -> None:
        """Answer the NOTIFYs among what left, a little later."""
        core, now = self.proxy.core, self.proxy.now
        for flow, data in core.sends:
            if data.startswith(b"NOTIFY"):
                self.notified += 1
                self.octets += len(data)
                self.under_way.append((now + _LATENCY_S, flow, respond(data, 200)))
                user = data[data.find(b'aor="sip:') + 9 :].partition(b"@")[0]
                if user in self.late and b"<sip:u" not in data[:20]:
                    self.waits.append(now - self.late[user])
        core.sends.clear()
        core.events.clear()

    def run(self, seconds: float, arriving: Sequence[tuple[float, int]]) -> None:
        """Let time pass, in which phones register: (seconds from now, number), in order."""
        proxy, start, at = self.proxy, self.proxy.now, 0
        while proxy.now < start + seconds:
            proxy.now += _STEP_S
            while at < len(arriving) and start + arriving[at][0] <= proxy.now:
                number = arriving[at][1]
                self.late[b"u%d" % number] = proxy.now
                self.feed(self.register(number, 2), self.flow(number))
                at += 1
            due = [one for one in self.under_way if one[0] <= proxy.now]
            self.under_way = [one for one in self.under_way if one[0] > proxy.now]
            for _, flow, data in due:
                self.feed(data, flow)
            if proxy.core.deadline <= proxy.now:
                began = time.process_time()
                proxy.core.expire(proxy.now)
                self.spent(began)
                self.collect()


def storm(
    users: int, watchers: int, whole: int, *, lamps: int = 0, traced: bool = False
) -> dict[str, Any]:
    """Raise one storm and return its figures; with `traced`, memory is measured and time is not."""
    if traced:
        tracemalloc.start()
    made = Storm(users, watchers, whole, lamps)
    gc.collect()
    before = tracemalloc.get_traced_memory()[0] if traced else 0
    if traced:
        tracemalloc.reset_peak()
    arriving = [(STORM_S * number / users, number) for number in range(users)]
    made.run(STORM_S, arriving)
    in_storm = made.notified
    made.run(70.0, ())
    gc.collect()
    after, peak = tracemalloc.get_traced_memory() if traced else (0, 0)
    tracemalloc.stop()
    waits = sorted(made.waits)
    return {
        "registrations": users,
        "notifies": made.notified,
        "notifies_in_storm": in_storm,
        "octets": made.octets,
        "cpu_s": made.cpu,
        "longest_ms": made.longest * 1000,
        "told_after_s": waits[len(waits) // 2] if waits else 0.0,
        "told_last_s": waits[-1] if waits else 0.0,
        "subscriptions": len(made.proxy.core.watchers),
        "before_mb": before / 1e6,
        "peak_mb": peak / 1e6,
        "after_mb": after / 1e6,
    }


def everybody(users: int, each: Transport, patience_s: float) -> dict[str, Any]:
    """Have each of the users' phones watch the whole domain through a storm; return its figures."""
    gc.disable()  # the engine has it run when little is going on
    made = Storm(users, 0, 0, each=each)
    core, proxy = made.proxy.core, made.proxy
    first = 60.0
    while made.behind() and first < patience_s:
        made.run(10.0, ())
        first += 10
    made.notified = made.octets = 0
    made.longest = made.cpu = 0.0
    made.run(STORM_S, [(STORM_S * number / users, number) for number in range(users)])
    held = [proxy.registry.held(b"u%d" % number) for number in range(users)]
    served = sum(one.cseq == 2 for bindings in held for one in bindings)
    cpu_s, in_storm, under_way = made.cpu, made.notified, 0
    last = 0.0
    while made.behind() and last < patience_s:
        made.run(10.0, ())
        under_way = max(under_way, core.watchers.notifier.under_way)
        last += 10
    gc.enable()
    seen = [core.watchers.behind(sub) for sub in core.watchers.notifier]
    return {
        "served": served,
        "first_s": first,
        "cpu_s": cpu_s,
        "notifies": in_storm,
        "all_cpu_s": made.cpu,
        "all_notifies": made.notified,
        "octets": made.octets,
        "longest_ms": made.longest * 1000,
        "last_s": last,
        "behind": max(seen),
        "under_way_mb": under_way / 1e6,
        "pause_s": core.watchers.notifier.domain_pause_s,
        "subscriptions": len(seen),
    }


def main() -> None:
    """Measure."""
    users, watchers, whole = [int(word) for word in sys.argv[1:]] + [10_000, 10_000, 20][
        len(sys.argv) - 1 :
    ]
    for name, args in (
        ("nobody watches", (users, 0, 0)),
        ("each watches one", (users, watchers, 0)),
        ("some watch the domain too", (users, watchers, whole)),
    ):
        told = storm(*args)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(  # noqa: T201
            f"{name}: {told['registrations']} REGISTERs in {STORM_S:.0f} s, "
            f"{told['cpu_s']:.2f} s CPU, {told['notifies']} NOTIFYs "
            f"({told['octets'] / 1e6:.1f} MB), longest step {told['longest_ms']:.1f} ms, "
            f"told after {told['told_after_s']:.2f} s (all: {told['told_last_s']:.2f} s); "
            f"process {resident:.0f} MB"
        )
    told = storm(users, watchers, whole, traced=True)
    print(  # noqa: T201
        f"memory with {told['subscriptions']} subscriptions: {told['before_mb']:.0f} MB before, "
        f"{told['peak_mb']:.0f} MB at most, {told['after_mb']:.0f} MB a minute after"
    )
    for each, patience_s in ((Transport.TCP, 1200.0), (Transport.UDP, 100.0)):
        told = everybody(users, each, patience_s)
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(  # noqa: T201
            f"each phone watches the domain by {each.value}: {told['served']} of {users} REGISTERs "
            f"served in {STORM_S:.0f} s with {told['cpu_s']:.2f} s CPU and {told['notifies']} "
            f"NOTIFYs; within {told['last_s']:.0f} s more {told['all_notifies']} in all "
            f"({told['octets'] / 1e9:.2f} GB, {told['all_cpu_s']:.2f} s CPU), then at most "
            f"{told['behind']} changes untold; longest step {told['longest_ms']:.0f} ms, each told "
            f"every {told['pause_s']:.0f} s at most; {told['subscriptions']} subscriptions, process "
            f"{resident:.0f} MB"
        )


if __name__ == "__main__":
    main()
