"""A UDP path that loses packets, with the dice of a seed: the same run, the same losses.

Each leg has a socket of its own. What the server sends to it goes on to the leg's client, all else
to the server; either way a packet is lost with the given probability. The client is whoever has
sent last from elsewhere than the server.
"""

import random
import select
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeAlias

Address: TypeAlias = tuple[str, int]
_BATCH = 64


class _Leg:
    def __init__(self, host: str, seed: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.inward, self.outward = random.Random(seed), random.Random(seed + 1)
        self.client: Address | None = None


class LossyPath:
    """The path, served by a thread while the context is open.

    Args:
        server: Where the server listens.
        hosts: The loopback address of each leg.
        loss: The probability, 0 to 1, that a packet is lost, in each direction of each leg.
        seed: Of the dice.
    """

    def __init__(
        self, server: Address, hosts: Sequence[str], *, loss: float, seed: int = 1
    ) -> None:
        self.server, self.loss = server, loss
        self.passed = self.lost = 0
        self._legs = [_Leg(host, seed + 2 * number) for number, host in enumerate(hosts)]
        self._woken, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="lossy path")

    def leg(self, number: int) -> Address:
        """The address of a leg, which its client takes for the server's."""
        name = self._legs[number].socket.getsockname()
        return str(name[0]), int(name[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waker.send(b"\0")
        self._thread.join(10)
        for leg in self._legs:
            leg.socket.close()
        self._woken.close()
        self._waker.close()

    def _serve(self) -> None:
        by_socket = {leg.socket: leg for leg in self._legs}
        while True:
            ready, _, _ = select.select([self._woken, *by_socket], [], [])
            if self._woken in ready:
                return
            for one in ready:
                for _ in range(_BATCH):
                    if not self._carry(by_socket[one]):
                        break

    def _carry(self, leg: _Leg) -> bool:
        try:
            data, sender = leg.socket.recvfrom(65535)
        except BlockingIOError:
            return False
        if sender == self.server:
            dice, towards = leg.outward, leg.client
        else:
            leg.client = sender
            dice, towards = leg.inward, self.server
        if dice.random() < self.loss or towards is None:
            self.lost += 1
        else:
            self.passed += 1
            leg.socket.sendto(data, towards)
        return True
