"""What an open dashboard costs a call: set-up times without it and with it, by turns.

A server is given 200 calls a second, with nobody looking and with `centrex attach` in a terminal of
200 by 60, one after the other on the same engine, so many pairs; and a second server that runs inside
its dashboard. It prints the set-up times by the kernel's clock, the ratio of each pair's 99th
percentiles and their spread, and what else the machine did meanwhile, which spoils them.

Run it as `python -m tests.bench.dashboard [--pairs N] [--seconds S] [--rate R] [--screen KEY]`.
"""

import argparse
import gc
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

from tests.support.ports import loopback
from tests.support.server import COMMAND, CentrexServer
from tests.support.terminal import Terminal
from tests.support.timed_calls import Timed, TimedCalls

SIZE: Final = (200, 60)
_SETTLE_S: Final = 2.0
"""How long a dashboard is left alone before it is measured, and an engine after one has gone."""
_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One stretch of calls."""

    mode: str
    timed: Timed
    cpu: dict[str, float]
    """Of a core, in percent: the engine, the dashboard, and all that is no part of this."""

    def at(self, percent: int) -> float:
        """Return a percentile of the set-up times, in microseconds."""
        return quantiles(self.timed.setup_us, n=100, method="inclusive")[percent - 1]


def _generate(server: tuple[str, int], domain: str, pipe: Connection) -> None:
    """Place calls when told to; a process of its own."""
    calls = TimedCalls(server, domain, loopback(), loopback())
    gc.freeze()
    gc.disable()
    pipe.send(calls.register())
    while (wish := pipe.recv()) is not None:
        pipe.send(calls.run(*wish))
        gc.collect()
    calls.close()


class Generator:
    """The process that places calls."""

    def __init__(self, server: CentrexServer) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        # a context that copies this process: it is started while there is one thread only
        context = multiprocessing.get_context("fork")
        address = (server.host, server.port)
        self._process = context.Process(
            target=_generate, args=(address, server.domain, theirs), daemon=True
        )
        self._process.start()
        if not (self._pipe.poll(20) and self._pipe.recv()):
            raise SystemExit("the callees could not be registered")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    def run(self, rate: float, seconds: float) -> Timed:
        """Have calls placed for some time."""
        self._pipe.send((rate, seconds))
        timed = self._pipe.recv()
        assert isinstance(timed, Timed)
        return timed

    def close(self) -> None:
        """Let it end."""
        self._pipe.send(None)
        self._process.join(10)


@contextmanager
def watched(terminal: Terminal) -> Iterator[None]:
    """Take what a terminal is sent, meanwhile, as an emulator would."""
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            terminal.read(0.1)
            terminal.output = b""

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def cpu_of(*pids: int) -> float:
    """Return the CPU seconds that processes have used, and their children that have ended."""
    spent = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent += sum(map(int, fields[11:15]))
    return spent * _TICK_S


def cpu_of_all() -> float:
    """Return the CPU seconds that the whole machine has used."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) * _TICK_S


def measure(
    mode: str, generator: Generator, engine: int, face: int, args: argparse.Namespace
) -> Round:
    """Measure one stretch."""
    began = time.monotonic()
    parts = [pid for pid in {engine, face} if pid]
    before = [cpu_of_all(), cpu_of(engine), cpu_of(face) if face else 0.0]
    ours = cpu_of(*parts, generator.pid, os.getpid())
    timed = generator.run(args.rate, args.seconds)
    took = time.monotonic() - began
    ours = cpu_of(*parts, generator.pid, os.getpid()) - ours
    after = [cpu_of_all(), cpu_of(engine), cpu_of(face) if face else 0.0]
    whole, of_engine, of_face = (100 * (b - a) / took for a, b in zip(before, after, strict=True))
    others = max(0.0, whole - 100 * ours / took)
    return Round(
        mode=mode, timed=timed, cpu={"engine": of_engine, "face": of_face, "others": others}
    )


def _tell(one: Round) -> None:
    cpu = "  ".join(f"{name} {part:5.1f}" for name, part in one.cpu.items() if part)
    print(  # noqa: T201
        f"{one.mode:<10} {one.timed.ended:>6}/{one.timed.placed:<6} p50 {one.at(50):7.0f}  "
        f"p90 {one.at(90):7.0f}  p99 {one.at(99):7.0f}  max {max(one.timed.setup_us):7.0f} µs"
        f"   CPU %: {cpu}",
        flush=True,
    )


def attached(folder: Path, args: argparse.Namespace) -> list[Round]:
    """Measure a headless engine without and with a dashboard attached, in pairs."""
    rounds: list[Round] = []
    # in a session of its own, as a service is
    alone = CentrexServer(folder, overrides={"auth.enabled": False}, through=("setsid",))
    with alone as server:
        generator = Generator(server)
        generator.run(args.rate, 2.0)  # what is made at the first call is made
        command = ["env", f"CENTREX_ROOT={server._root.name}", *COMMAND, "attach"]
        command += ["--config", str(server.config)]

        def headless() -> Round:
            time.sleep(_SETTLE_S)
            return measure("headless", generator, server.pid, 0, args)

        def looked_at() -> Round:
            with Terminal(command, size=SIZE) as terminal:
                terminal.sees("attached")
                terminal.press(args.screen)
                with watched(terminal):
                    time.sleep(_SETTLE_S)
                    one = measure("attached", generator, server.pid, terminal.pid, args)
                terminal.press("q")
                terminal.ends()
            return one

        for number in range(args.pairs):
            for turn in (headless, looked_at) if number % 2 == 0 else (looked_at, headless):
                rounds.append(turn())
                _tell(rounds[-1])
        generator.close()
    return rounds


def inside(folder: Path, args: argparse.Namespace) -> list[Round]:
    """Measure an engine that runs inside its dashboard."""
    rounds: list[Round] = []
    server = CentrexServer(folder, overrides={"auth.enabled": False})
    command = ["env", f"CENTREX_ROOT={server._root.name}", *COMMAND, "--config", str(server.config)]
    with Terminal(command, size=SIZE) as terminal:
        terminal.sees("in-process", "server.started")
        generator = Generator(server)
        terminal.press(args.screen)
        with watched(terminal):
            generator.run(args.rate, 2.0)
            for _ in range(args.pairs):
                time.sleep(_SETTLE_S)
                rounds.append(measure("in-process", generator, terminal.pid, 0, args))
                _tell(rounds[-1])
            time.sleep(_SETTLE_S)  # until it has seen that there are no calls, and asks nothing
        generator.close()
        terminal.press("q")
        terminal.ends()
    server.kill_relay()
    server._root.cleanup()
    return rounds


def _pooled(rounds: Sequence[Round]) -> Round:
    """Return all calls of some rounds as one."""
    times = [one for each in rounds for one in each.timed.setup_us]
    return Round(mode=rounds[0].mode, timed=Timed(setup_us=times), cpu={})


def compared(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the medians of each mode, and the ratios of the pairs."""
    told: dict[str, Any] = {}
    for mode in dict.fromkeys(one.mode for one in rounds):
        of_mode = [one for one in rounds if one.mode == mode]
        told[mode] = {
            f"p{part}_us": median(one.at(part) for one in of_mode) for part in (50, 90, 99)
        }
    bare = [one for one in rounds if one.mode == "headless"]
    seen = [one for one in rounds if one.mode == "attached"]
    for part in (50, 99) if bare else ():
        ratios = [b.at(part) / a.at(part) for a, b in zip(bare, seen, strict=True)]
        told[f"p{part}_ratio"] = (min(ratios), median(ratios), max(ratios))
        told[f"p{part}_pooled"] = _pooled(seen).at(part) / _pooled(bare).at(part)
    return told


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=6, help="rounds of each mode")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--rate", type=float, default=200.0, help="calls a second")
    parser.add_argument("--screen", default="1", help="the key of the screen that is looked at")
    parser.add_argument("--only", choices=("attached", "in-process"), help="leave the other out")
    return parser.parse_args(words)


def main() -> None:
    """Measure."""
    args = options()
    with tempfile.TemporaryDirectory(prefix="centrex-bench-") as name:
        rounds = [] if args.only == "in-process" else attached(Path(name) / "attached", args)
        rounds += [] if args.only == "attached" else inside(Path(name) / "inside", args)
    told = compared(rounds)
    print()  # noqa: T201
    for mode in ("headless", "attached", "in-process"):
        if mode in told:
            figures = "  ".join(f"{key} {value:.0f}" for key, value in told[mode].items())
            print(f"{mode:<10} median of {args.pairs} rounds: {figures}")  # noqa: T201
    for part in [part for part in (50, 99) if f"p{part}_ratio" in told]:
        least, middle, most = told[f"p{part}_ratio"]
        print(  # noqa: T201
            f"attached / headless, p{part}: {middle:.2f} (of {args.pairs} pairs {least:.2f} to "
            f"{most:.2f}; of all calls together {told[f'p{part}_pooled']:.2f})"
        )


if __name__ == "__main__":
    main()
