"""What a relayed packet costs: paced RTP of some calls through a relay's plane in its own process.

`python -m tests.bench.media_path --calls 50 --seconds 5`: prints the CPU time of that process for
each packet it relayed. It measures userspace; what the kernel carries costs that process nothing.
"""

import argparse
import multiprocessing
import os
import select
import socket
import time
from multiprocessing.connection import Connection

from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.rtp.packet import primer
from centrex.runtime.relay.plane import Plane

HOST = "127.0.0.1"
PACE_S = 0.02
SETTLE_S = 2.5
"""How long it takes until each end is certain, and has a socket of its own."""


def relay(pipe: Connection) -> None:
    """Run a plane until told to end; answers with its slots, then with what it cost."""
    plane = Plane(hosts=[(HOST, HOST)], ports=(41000, 48999), kernel=None, silence_s=60)
    plane.start()
    addresses: list[tuple[int, int]] = pipe.recv()
    slots = plane.lease(HOST, 2 * len(addresses))
    for number, (caller, callee) in enumerate(addresses):
        pair = (slots[2 * number], slots[2 * number + 1])
        plane.put(Session(f"s{number}", f"c{number}", 1, True, (_stream(pair, caller, callee),)))
    pipe.send([slot.port for slot in slots])
    pipe.recv()
    before, relayed = time.process_time(), plane.figures()["packets"]
    pipe.send("measuring")
    pipe.recv()
    pipe.send((time.process_time() - before, plane.figures()["packets"] - relayed))
    plane.close()


def _stream(slots: tuple[Slot, Slot], caller: int, callee: int) -> Stream:
    ends = [End(rtp=Address(HOST, port), rtcp=Address(HOST, port + 1)) for port in (caller, callee)]
    return Stream(slots, (ends[0], ends[1]))


def measure(calls: int, seconds: float) -> tuple[float, int, int, int]:
    """Return CPU seconds, packets relayed, packets sent and packets received."""
    sockets = [[_socket(), _socket()] for _ in range(calls)]
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=relay, args=(there,))
    process.start()
    here.send([(one.getsockname()[1], other.getsockname()[1]) for one, other in sockets])
    ports: list[int] = here.recv()
    flat = [one for pair in sockets for one in pair]
    targets = [(HOST, port) for port in ports]
    epoll = select.epoll()
    for one in flat:
        epoll.register(one, select.EPOLLIN)
    by_number = {one.fileno(): one for one in flat}
    _talk(flat, targets, SETTLE_S, epoll, by_number)
    here.send("begin")
    here.recv()
    sent, received = _talk(flat, targets, seconds, epoll, by_number)
    here.send("end")
    cost, relayed = here.recv()
    process.join()
    return cost, relayed, sent, received


def _socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    sock.bind((HOST, 0))
    return sock


def _talk(
    flat: list[socket.socket],
    targets: list[tuple[str, int]],
    seconds: float,
    epoll: select.epoll,
    by_number: dict[int, socket.socket],
) -> tuple[int, int]:
    """Send a packet every 20 ms from each socket, spread over that time; receive what comes."""
    step = PACE_S / len(flat)
    began = time.perf_counter()
    sent = received = 0
    while True:
        passed = time.perf_counter() - began
        if passed >= seconds:
            break
        while sent * step < passed:
            turn, which = divmod(sent, len(flat))
            data = primer(8, turn, 160 * turn, which + 1)
            flat[which].sendto(data, targets[which])
            sent += 1
        received += _receive(epoll, by_number, 0.001)
    return sent, received + _receive(epoll, by_number, 0.1)


def _receive(epoll: select.epoll, by_number: dict[int, socket.socket], wait_s: float) -> int:
    count = 0
    for number, _ in epoll.poll(wait_s):
        try:
            while True:
                by_number[number].recv(2048)
                count += 1
        except BlockingIOError:
            continue
    return count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    cost, relayed, sent, received = measure(given.calls, given.seconds)
    each = cost / relayed * 1e6
    print(f"{relayed} packets relayed of {sent}, {received} received, {each:.2f} us each")  # noqa: T201
    os._exit(0)


if __name__ == "__main__":
    main()
