"""What a relay writes down of its sessions, and what the next one reads of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.farm.ledger import Ledger, entered, heading, record_of
from centrex.farm.wire import encode
from centrex.media.terms import Session
from tests.support.farmlink import FakePlane, Joined, Watcher, session


def record(one: Session, proxy: str = "office", boot: str = "b1") -> bytes:
    return record_of(heading(proxy, boot), encode("put", session=one))


def test_what_is_read_is_what_holds() -> None:
    ledger = Ledger()
    first, second = Session("s1", "c1", 1), Session("s2", "c2", 1)
    ledger.put("s1", record(first))
    written = ledger.fresh()
    ledger.put("s2", record(second, "branch", "b9"))
    ledger.put("s1", record(first._replace(revision=2)))
    ledger.end("s2")
    ledger.end("unknown")
    written += ledger.fresh()
    assert ledger.fresh() == b""
    (one,) = entered(written)
    assert (one.proxy, one.boot, one.session) == ("office", "b1", first._replace(revision=2))
    assert one.record == ledger.whole()


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30), st.integers(0, 30))
def test_written_little_by_little_or_whole_it_says_the_same(
    steps: list[tuple[int, bool]], whole_at: int
) -> None:
    ledger, written = Ledger(), b""
    holds: dict[str, Session] = {}
    for number, (name, ends) in enumerate(steps):
        one = Session(f"s{name}", f"c{name}", number)
        if ends:
            ledger.end(one.id)
            holds.pop(one.id, None)
        else:
            ledger.put(one.id, record(one))
            holds[one.id] = one
        written = ledger.whole() if number == whole_at else written + ledger.fresh()
    assert {one.session.id: one.session for one in entered(written)} == holds


def test_it_is_made_anew_where_most_of_it_is_over() -> None:
    ledger = Ledger()
    one = record(Session("s", "c" * 10_000, 1))
    for _ in range(200):
        ledger.put("s", one)
        ledger.fresh()
    assert ledger.is_long
    assert ledger.whole() == one
    assert not ledger.is_long


@pytest.mark.parametrize(
    "spoiled",
    [
        b'{"t":"put","session":["s","c",1',
        b"\xff\n",
        b'{"t":"put"}\n',
        b'{"t":"of","proxy":1}\n',
        b'{"t":"something"}\n',
    ],
)
def test_what_cannot_be_read_is_left_out(spoiled: bytes) -> None:
    good = record(Session("s", "c", 1))
    assert [one.session.id for one in entered(good + spoiled)] == ["s"]
    assert not list(entered(spoiled))
    assert not list(entered(encode("put", session=Session("s", "c", 1)))), "whose?"


def test_the_proxy_finds_its_calls_at_the_next_relay() -> None:
    """Both are killed: the next proxy is another run of the same one, and asked to adopt them."""
    custody = Custody()
    ledger = custody.ledger = Ledger()
    link = Joined(Farm(Watcher(), heartbeat_s=5.0, boot="boot-1"), FakePlane(), custody)
    link.run()
    stays, goes, gone = (session(name, link.relay) for name in ("stays", "goes", "gone"))
    for one in (stays, goes, gone):
        link.farm.put(link.relay, one, 0.0)
    link.farm.end(link.relay, "goes", "hung up", 1.0)
    link.run()
    custody.forget("gone")  # it fell silent
    link.plane.broken = "port 4 is in use"
    link.farm.put(link.relay, session("refused", link.relay), 1.0)
    link.run()
    later = Custody()
    later.ledger = Ledger()
    for found in entered(ledger.fresh()):
        later.restore(found)
    watcher = Watcher()
    watcher.adopts = True
    again = Joined(Farm(watcher, heartbeat_s=5.0, boot="boot-2"), FakePlane(), later)
    again.run()
    assert [one for one in watcher.seen if one[0] == "adopt"] == [("adopt", "one", "stays")]
    assert again.relay.sessions == {"stays": stays}
    assert [found.session.id for found in entered(later.ledger.whole())] == ["stays"]
