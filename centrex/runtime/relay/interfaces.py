"""What the kernel says of an interface, by netdevice(7)."""

import fcntl
import socket
import struct

_HARDWARE, _MTU = 0x8927, 0x8921


def kind(name: str) -> int:
    """Return an interface's kind of hardware (linux/if_arp.h); 0 where it is gone."""
    return _told(name, _HARDWARE, "=H")


def mtu(index: int) -> int:
    """Return the octets of the longest IP packet that leaves by an interface; 0 where it is gone."""
    try:
        name = socket.if_indextoname(index)
    except OSError:
        return 0
    return _told(name, _MTU, "=i")


def _told(name: str, question: int, shape: str) -> int:
    request = name.encode().ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            answer = fcntl.ioctl(asked, question, request)
        except OSError:
            return 0
    number: int = struct.unpack_from(shape, answer, 16)[0]
    return number
