"""A STUN server on loopback that tells what it is told to tell."""

import ipaddress
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_COOKIE = 0x2112A442


class StunServer:
    """Answers each question.

    Args:
        host: Where it listens.
        address: What it tells; empty for no answer.
    """

    def __init__(self, host: str, address: str = "") -> None:
        self.address = address
        self.asked = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self.place = f"{host}:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        while True:
            data, source = self._socket.recvfrom(2048)
            if data == b"end":
                return
            self.asked += 1
            if self.address:
                number = int(ipaddress.IPv4Address(self.address)) ^ _COOKIE
                told = struct.pack(">HHHHI", 0x0020, 8, 1, 0, number)
                head = struct.pack(">HHI", 0x0101, len(told), _COOKIE)
                self._socket.sendto(head + data[8:20] + told, source)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
