"""Which way packets take through a relay: the best the system allows, and why not a better one."""

from collections.abc import Callable
from typing import NamedTuple

from centrex.base import Unavailable
from centrex.config.relay import RelayConfig
from centrex.runtime.relay.ebpf.path import open_ebpf
from centrex.runtime.relay.kernel import KernelPath
from centrex.runtime.relay.nftables import open_nftables

ENTRIES_PER_SESSION = 16
"""RTP and RTCP, both ways, of four media lines: more than nearly all calls have."""


class Offload(NamedTuple):
    """The way chosen."""

    name: str
    """`ebpf`, `nftables` or `userspace`."""
    why: str
    """Why it is none better; empty for the best."""
    kernel: KernelPath | None
    """What carries packets in the kernel; None for userspace."""


def open_offload(config: RelayConfig, name: str) -> Offload:
    """Choose a relay's data path.

    Args:
        config: The relay's configuration.
        name: Its name on this machine.

    Raises:
        Unavailable: The kernel is asked for, and does not do it.
    """
    if config.offload == "userspace":
        return Offload("userspace", "as configured", None)
    limit = config.max_sessions * ENTRIES_PER_SESSION
    ways: tuple[Callable[[], KernelPath], ...] = (
        lambda: open_ebpf(name, limit=limit),
        lambda: open_nftables(name, ports=config.port_range, limit=limit),
    )
    return _first(ways, must=config.offload == "kernel")


def _first(ways: tuple[Callable[[], KernelPath], ...], *, must: bool) -> Offload:
    complaints: list[str] = []
    for way in ways:
        try:
            kernel = way()
        except Unavailable as error:
            complaints.append(str(error))
        else:
            if kernel.caveat:  # it is kept all the same: the host may be set otherwise any time
                complaints.append(kernel.caveat)
            return Offload(kernel.name, "; ".join(complaints), kernel)
    why = "; ".join(complaints)
    if must:
        raise Unavailable(f'offload = "kernel", but {why}')
    return Offload("userspace", why, None)
