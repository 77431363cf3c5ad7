import socket
from pathlib import Path

from centrex.runtime.relay import interfaces

LOOPBACK = 772


def test_the_loopback_is_known() -> None:
    assert interfaces.kind("lo") == LOOPBACK
    told = Path("/sys/class/net/lo/mtu").read_text(encoding="ascii")
    assert interfaces.mtu(socket.if_nametoindex("lo")) == int(told)


def test_what_is_gone_is_nothing() -> None:
    assert interfaces.kind("nowhere") == 0
    assert interfaces.mtu(999_999) == 0
