"""Which way packets take through a relay: the best the system allows, and why not a better one."""

from collections.abc import Sequence
from typing import NamedTuple

from centrex.config.relay import RelayConfig
from centrex.runtime.relay.kernel import KernelPath


class Offload(NamedTuple):
    """The way chosen."""

    name: str
    """`ebpf`, `nftables` or `userspace`."""
    why: str
    """Why it is none better; empty for the best."""
    kernel: KernelPath | None
    """What carries packets in the kernel; None for userspace."""


def open_offload(config: RelayConfig, hosts: Sequence[str]) -> Offload:
    """Choose a relay's data path.

    Raises:
        Unavailable: The kernel is asked for, and does not do it.
    """
    if config.offload == "userspace":
        return Offload("userspace", "as configured", None)
    return Offload("userspace", "no data path in the kernel is built in", None)
