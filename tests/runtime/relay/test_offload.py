"""The best data path there is, and why it is none better."""

import pytest
from pydantic import SecretStr

from centrex.base import Unavailable
from centrex.config.relay import ProxyLink, RelayConfig
from centrex.runtime.relay import offload
from centrex.runtime.relay.offload import Offload, open_offload
from tests.support.fake_kernel import FakeKernel


def config(how: str) -> RelayConfig:
    proxy = ProxyLink(address="192.0.2.1", port=5090, secret=SecretStr("hush"))
    return RelayConfig(proxies=(proxy,)).model_copy(update={"offload": how})


class Doors:
    """Data paths that can be had, or not."""

    def __init__(self, patch: pytest.MonkeyPatch, **refusals: str) -> None:
        self.refusals = refusals
        self.asked: list[tuple[str, int]] = []
        patch.setattr(offload, "open_ebpf", lambda name, limit: self.open("ebpf", name, limit))
        patch.setattr(
            offload, "open_nftables", lambda name, ports, limit: self.open("nftables", name, limit)
        )

    def open(self, kind: str, name: str, limit: int) -> FakeKernel:
        self.asked.append((name, limit))
        if kind in self.refusals:
            raise Unavailable(self.refusals[kind])
        kernel = FakeKernel()
        kernel.name = kind
        return kernel


def test_the_best_one(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Doors(monkeypatch)
    found = open_offload(config("auto"), "one-1234")
    assert (found.name, found.why) == ("ebpf", "")
    assert doors.asked == [("one-1234", 48_000)]


def test_the_second_best_says_why_it_is_not_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    Doors(monkeypatch, ebpf="eBPF: no right")
    found = open_offload(config("kernel"), "one")
    assert (found.name, found.why) == ("nftables", "eBPF: no right")


def test_one_that_the_host_keeps_idle_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeKernel, "caveat", "this host forwards nothing")
    Doors(monkeypatch, ebpf="eBPF: no right")
    found = open_offload(config("auto"), "one")
    assert (found.name, found.why) == ("nftables", "eBPF: no right; this host forwards nothing")
    assert found.kernel is not None, "it may yet"


def test_userspace_always_works(monkeypatch: pytest.MonkeyPatch) -> None:
    Doors(monkeypatch, ebpf="eBPF: no right", nftables="nftables: no right")
    found = open_offload(config("auto"), "one")
    assert found == Offload("userspace", "eBPF: no right; nftables: no right", None)


def test_a_kernel_that_must_and_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    Doors(monkeypatch, ebpf="eBPF: no right", nftables="nftables: no right")
    with pytest.raises(Unavailable, match="eBPF: no right; nftables: no right"):
        open_offload(config("kernel"), "one")


def test_userspace_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Doors(monkeypatch)
    assert open_offload(config("userspace"), "one") == Offload("userspace", "as configured", None)
    assert not doors.asked
