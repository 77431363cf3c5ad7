import pytest

from centrex.base import Unavailable
from centrex.runtime import local_address
from centrex.runtime.local_address import LIFE_S, LocalAddresses, is_ours, local_address_for


@pytest.mark.wire
def test_loopback_is_reached_from_loopback() -> None:
    assert local_address_for("127.0.0.7") == "127.0.0.1"
    assert local_address_for("127.0.0.7") == "127.0.0.1"


@pytest.mark.wire
def test_which_addresses_are_of_this_machine() -> None:
    assert is_ours("127.0.0.9")
    assert is_ours("0.0.0.0")
    assert not is_ours("192.0.2.1")
    assert not is_ours("2001:db8::1")


@pytest.mark.parametrize(
    "remote", ["example.com", "", "127.1", "1.2.3.4.5", "::x", "a\0b", "[::1]"]
)
def test_what_is_no_address_is_refused_without_a_look_up(remote: str) -> None:
    with pytest.raises(Unavailable, match="no way to"):
        LocalAddresses().towards(remote)


def test_an_answer_is_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["192.0.2.1", "192.0.2.2", "192.0.2.3"])
    monkeypatch.setattr(local_address, "_ask_kernel", lambda _: next(answers))
    now = 100.0
    addresses = LocalAddresses(lambda: now)
    assert addresses.towards("198.51.100.1") == "192.0.2.1"
    now += LIFE_S - 0.1
    assert addresses.towards("198.51.100.1") == "192.0.2.1"
    assert addresses.towards("198.51.100.2") == "192.0.2.2"
    now += 0.1
    assert addresses.towards("198.51.100.1") == "192.0.2.3"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def kernel(host: str) -> str:
        asked.append(host)
        return host

    monkeypatch.setattr(local_address, "BOUND", 2)
    monkeypatch.setattr(local_address, "_ask_kernel", kernel)
    addresses = LocalAddresses(lambda: 1.0)
    for host in ("a", "b", "a", "c", "a"):
        assert addresses.towards(host) == host
    assert asked == ["a", "b", "c", "a"]
