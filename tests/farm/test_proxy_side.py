"""The proxy's end of the link: who may log in, and what it takes from whom."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.farm import wire
from centrex.farm.farm import Farm
from centrex.farm.proxy_side import LOGIN_S
from tests.support.farmlink import SECRET, FakePlane, Joined, Watcher


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def farm(watcher: Watcher) -> Farm:
    return Farm(watcher, heartbeat_s=5.0, boot="boot-1")


def test_both_prove_that_they_know_the_secret(farm: Farm, watcher: Watcher) -> None:
    link = Joined(farm, FakePlane())
    link.run()
    assert link.relay.name == "one"
    assert watcher.seen == [("came", "one")]
    assert link.relay_side.proxy == "office"
    assert not any(SECRET in line for line in link.seen), "the secret never travels"


def test_a_relay_with_another_secret_is_refused_on_both_sides(farm: Farm, watcher: Watcher) -> None:
    link = Joined(farm, FakePlane(), secret=b"something else")
    link.run()
    assert link.proxy_side.relay is None
    assert link.proxy_side.refusal == "it does not know the secret"
    assert link.relay_side.why == "the proxy has another secret"
    assert watcher.seen == [("refused", "one", "192.0.2.99:40000", "it does not know the secret")]
    (listed,) = farm
    assert (listed.state.value, listed.why) == ("refused", "it does not know the secret")
    assert farm.open(0.0) is None


def test_a_liar_is_refused(farm: Farm) -> None:
    link = Joined(farm, FakePlane())
    link.proxy_side.receive(link.to_proxy.lines.pop().rstrip(), 0.0)
    login = {"t": "login", "proof": "0" * 64, "hosts": [], "capacity": 1}
    link.proxy_side.receive(json.dumps(login).encode(), 0.0)
    assert link.proxy_side.relay is None
    assert link.to_relay.closed
    link.proxy_side.receive(json.dumps(login).encode(), 0.0)
    assert link.proxy_side.relay is None


def test_the_proxy_s_own_proof_is_no_login(farm: Farm) -> None:
    """No reflection: what one side says is of no use for the other."""
    link = Joined(farm, FakePlane())
    link.proxy_side.receive(link.to_proxy.lines.pop().rstrip(), 0.0)
    challenge = json.loads(link.to_relay.lines[0])
    login = {"t": "login", "proof": challenge["proof"], "hosts": [], "capacity": 1}
    link.proxy_side.receive(json.dumps(login).encode(), 0.0)
    assert link.proxy_side.relay is None


def test_a_login_cannot_be_said_again(farm: Farm) -> None:
    """No replay: another connection has another nonce."""
    link = Joined(farm, FakePlane())
    link.run()
    said = [line for line in link.seen if b'"login"' in line or b'"hello"' in line]
    link.cut()
    other = Joined(farm, FakePlane(), nonces=("a" * 32, "c" * 32))
    for line in said:
        other.proxy_side.receive(line.rstrip(), 0.0)
    assert other.proxy_side.relay is None


def test_another_version_is_told_so(farm: Farm) -> None:
    link = Joined(farm, FakePlane())
    hello = json.loads(link.to_proxy.lines.pop())
    hello["v"] = 2
    link.to_proxy.send(json.dumps(hello).encode() + b"\n")
    link.run()
    assert "version 2" in link.relay_side.why


def test_a_login_that_takes_too_long(farm: Farm) -> None:
    link = Joined(farm, FakePlane())
    assert not link.proxy_side.is_late(LOGIN_S)
    assert link.proxy_side.is_late(LOGIN_S + 1)
    link.run()
    assert not link.proxy_side.is_late(1000.0)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"t":"login"}',
        b'{"t":"hello","name":"\\u001b","v":1,"nonce":"x"}',
        b'{"t":"hello"}',
    ],
)
def test_strangers_say_nothing_else(farm: Farm, line: bytes) -> None:
    link = Joined(farm, FakePlane())
    with pytest.raises(PeerError):
        link.proxy_side.receive(line, 0.0)


KINDS = ["leased", "beat", "ended", "notice", "held", "sessions", "hello", "x"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS = st.dictionaries(
    st.sampled_from(["host", "ports", "wanted", "id", "why", "figures", "kind", "words", "rows",
                     "last", "ask", "sessions", "drops"]),
    VALUES,
)  # fmt: skip


@given(st.sampled_from(KINDS), FIELDS)
def test_a_relay_may_say_anything_and_breaks_only_its_link(
    kind: str, fields: dict[str, object]
) -> None:
    farm = Farm(Watcher(), heartbeat_s=5.0, boot="b")
    link = Joined(farm, FakePlane())
    link.run()
    try:
        link.proxy_side.receive(wire.encode(kind, **fields).rstrip(), 1.0)
    except PeerError:
        return


def test_asked_for_figures_come_back(farm: Farm) -> None:
    link = Joined(farm, FakePlane())
    link.run()
    link.relay.send("sessions", ids=["unknown", 5], ask=7)
    link.run()
    assert link.answers == [(7, [], [])]


def test_a_heartbeat_is_read_with_bounds(farm: Farm) -> None:
    joined = Joined(farm, FakePlane())
    joined.run()
    relay = joined.relay
    joined.relay_side.beat({"sessions": 3, "peak": 9})
    joined.run()
    assert (relay.beat["sessions"], relay.beat["ports_spare"]) == (3, 0)
    assert (relay.beat["drops"], relay.beat["proxies"]) == ({}, []), "an older relay tells neither"
    joined.relay_side.beat(
        {
            "drops": {**{f"reason-{n}": n for n in range(99)}, "bad": -1, "worse": "x"},
            "proxies": [[f"p{n}", n % 2 == 0, n] for n in range(99)],
        }
    )
    joined.run()
    assert len(relay.beat["drops"]) == len(relay.beat["proxies"]) == 64
    assert relay.beat["proxies"][1] == {"name": "p1", "connected": False, "sessions": 1}


@pytest.mark.parametrize("row", [7, ["a"], ["a", 1, 1], ["a", True, "1"], ["a", True, True]])
def test_a_relay_that_tells_nonsense_of_its_proxies(farm: Farm, row: object) -> None:
    joined = Joined(farm, FakePlane())
    joined.run()
    joined.relay_side.beat({"proxies": [row]})
    with pytest.raises(PeerError, match="malformed"):
        joined.run()
