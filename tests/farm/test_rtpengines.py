"""Which rtpengine is asked, how often, and what becomes of those that do not answer."""

from collections import Counter

import pytest

from centrex.base import PeerError
from centrex.farm.bencode import Encodable, Value, decode, encode
from centrex.farm.rtpengines import Reply, Rtpengines, State, failure

NAMES = ("udp:192.0.2.1:2223", "udp:192.0.2.2:2223", "udp:192.0.2.3:2223")
STATISTICS: dict[str, object] = {
    "result": "ok",
    "statistics": {"currentstatistics": {"sessionsown": 4}},
}


class World:
    """Instances that a test lets answer or not."""

    def __init__(self, *names: str) -> None:
        self.now = 100.0
        self.told: list[tuple[str, str]] = []
        self.dead: set[str] = set()
        self.reply: dict[str, object] = {"result": "ok"}
        self.statistics: dict[str, object] = STATISTICS
        self.asked: list[tuple[str, bytes, Value]] = []
        self.all = Rtpengines(names or NAMES, self, salt=b"salt", heartbeat_s=5, now=self.now)

    def came(self, name: str) -> None:
        self.told.append(("came", name))

    def left(self, name: str) -> None:
        self.told.append(("left", name))

    def began_anew(self, name: str) -> None:
        self.told.append(("anew", name))

    def work(self) -> None:
        """Let all that was sent be answered by those that are there."""
        while self.all.sends:
            sends, self.all.sends = self.all.sends, []
            for name, data in sends:
                cookie, _, body = data.partition(b" ")
                question = decode(body)
                assert isinstance(question, dict)
                ping = question[b"command"] == b"statistics"
                if not ping:
                    self.asked.append((name, cookie, question))
                if name not in self.dead:
                    reply = encode(self.statistics if ping else self.reply)  # type: ignore[arg-type]
                    assert self.all.receive(name, cookie + b" " + reply, self.now)

    def later(self, seconds: float) -> None:
        until = self.now + seconds
        while self.all.deadline <= until:
            self.now = max(self.now, self.all.deadline)
            self.all.expire(self.now)
            self.work()
        self.now = until

    def ask(self, call_id: bytes = b"call", **more: object) -> "Reply | str":
        self.all.ask(7, call_id, {"command": "offer"}, self.now, **more)  # type: ignore[arg-type]
        self.work()
        self.later(5)
        ((number, reply),) = self.all.results
        self.all.results = []
        assert number == 7
        return reply


@pytest.fixture
def world() -> World:
    made = World()
    made.later(0.5)
    return made


def test_each_is_asked_whether_it_is_there(world: World) -> None:
    assert world.told == [("came", name) for name in NAMES]
    assert [one.state for one in world.all] == [State.AVAILABLE] * 3
    assert world.all.get(NAMES[0]).figures == {b"sessionsown": 4}  # type: ignore[union-attr]
    assert world.all.get("another") is None


def test_before_one_was_heard_nobody_is_asked() -> None:
    world = World()
    world.all.ask(1, b"call", {"command": "offer"}, world.now)
    assert world.all.results == [(1, "no rtpengine answers")]


def test_a_call_stays_with_one_and_calls_are_shared(world: World) -> None:
    first = [world.all.ranked(b"call-%d" % n)[0].name for n in range(3000)]
    assert first == [world.all.ranked(b"call-%d" % n)[0].name for n in range(3000)]
    assert all(900 < count < 1100 for count in Counter(first).values())


def test_one_that_goes_takes_only_its_own_calls_along(world: World) -> None:
    before = {n: world.all.ranked(b"%d" % n)[0].name for n in range(300)}
    world.all.drain(NAMES[1], on=True)
    after = {n: world.all.ranked(b"%d" % n)[0].name for n in range(300)}
    assert all(after[n] == name for n, name in before.items() if name != NAMES[1])
    assert NAMES[1] not in after.values()
    assert world.all.ranked(b"x", NAMES[1])[0].name == NAMES[1], "its own calls stay there"
    assert world.all.drain("another", on=True) is None


def up(seconds: object) -> dict[str, object]:
    """Statistics of one that runs for so long."""
    return {"result": "ok", "statistics": {"totalstatistics": {"uptime": seconds}}}


@pytest.mark.parametrize("spelled", [str, int])
def test_one_that_was_started_anew_is_known_by_its_age(spelled: type) -> None:
    world = World(NAMES[0])
    told: list[object] = []
    for age in (100, 105, 110, 3, 8, 12, 1, 6):
        world.statistics = up(spelled(age))
        world.later(5 if told else 0.5)
        told.append(world.told[1:])
        world.told[1:] = []
    anew = [("anew", NAMES[0])]
    assert told == [[], [], [], anew, [], [], anew, []]


def test_so_is_one_that_dies_young() -> None:
    world = World(NAMES[0])
    world.all._heartbeat_s = 0.5
    for age in (2, 1, 1):
        world.statistics = up(age)
        world.later(0.5)
    assert world.told == [("came", NAMES[0]), ("anew", NAMES[0])]


@pytest.mark.parametrize("age", ["", "soon", "9" * 30, []])
def test_one_that_does_not_tell_its_age_is_believed_to_go_on(age: object) -> None:
    world = World(NAMES[0])
    for number, said in enumerate((up(100), up(age), STATISTICS, up(115))):
        world.statistics = said
        world.later(5 if number else 0.5)
    assert world.told == [("came", NAMES[0])]


def test_a_question_is_answered(world: World) -> None:
    reply = world.ask()
    assert isinstance(reply, Reply)
    assert reply.name == world.all.ranked(b"call")[0].name
    assert failure(reply.fields) == ""


def test_it_is_asked_again_and_then_elsewhere(world: World) -> None:
    first, second, _ = (one.name for one in world.all.ranked(b"call"))
    world.dead.add(first)
    reply = world.ask()
    assert isinstance(reply, Reply)
    assert reply.name == second
    names = [name for name, _, _ in world.asked]
    assert names == [first, first, first, second]
    cookies = [cookie for _, cookie, _ in world.asked]
    assert len(set(cookies[:3])) == 1, "a repetition is told by its cookie"
    assert cookies[3] != cookies[0]
    assert ("left", first) in world.told
    assert first not in [one.name for one in world.all.ranked(b"call")]
    world.dead.clear()
    world.later(6)
    assert world.told[-1] == ("came", first)
    assert world.all.ranked(b"call")[0].name == first


def test_what_may_not_be_asked_elsewhere_fails(world: World) -> None:
    first = world.all.ranked(b"call")[0].name
    world.dead.add(first)
    assert world.ask(elsewhere=False) == "no rtpengine answers"
    assert {name for name, _, _ in world.asked} == {first}


def test_the_one_that_serves_a_call_is_asked_first(world: World) -> None:
    last = world.all.ranked(b"call")[-1].name
    reply = world.ask(at=last)
    assert isinstance(reply, Reply)
    assert reply.name == last


def seek(world: World, *replies: dict[str, Encodable]) -> list[str]:
    """Ask who has a call; return who was asked. Each answers in its turn what is given."""
    asked, left = [], list(replies)
    world.all.ask(7, b"call", {"command": "query"}, world.now)
    while world.all.sends:
        ((name, data),) = world.all.sends
        world.all.sends.clear()
        asked.append(name)
        cookie = data.partition(b" ")[0]
        assert world.all.receive(name, cookie + b" " + encode(left.pop(0)), world.now)
    return asked


UNKNOWN: dict[str, Encodable] = {"result": "error", "error-reason": "Unknown call-id"}


def test_a_call_is_sought_until_somebody_has_it(world: World) -> None:
    first, second, third = (one.name for one in world.all.ranked(b"call"))
    world.all.drain(second, on=True)
    assert seek(world, UNKNOWN, {"result": "ok"}) == [first, second]
    ((number, reply),) = world.all.results
    assert isinstance(reply, Reply)
    assert (number, reply.name, failure(reply.fields)) == (7, second, "")
    world.all.results.clear()
    assert seek(world, UNKNOWN, UNKNOWN, UNKNOWN) == [first, second, third]
    ((_, reply),) = world.all.results
    assert isinstance(reply, Reply)
    assert failure(reply.fields) == "Unknown call-id"


def test_a_call_is_sought_where_nobody_has_spoken_yet() -> None:
    world = World()
    assert not world.all.is_settled
    assert len(seek(world, UNKNOWN, UNKNOWN, {"result": "ok"})) == 3
    assert world.all.is_settled, "each has answered by now"


def test_whether_each_is_there_is_known_once_the_last_is_given_up() -> None:
    world = World()
    world.dead.add(NAMES[2])
    world.later(0.5)
    assert not world.all.is_settled
    world.later(0.5)
    assert world.all.is_settled


@pytest.mark.parametrize(
    "says",
    [
        {"result": "load limit"},
        {"result": "error", "error-reason": "Ran out of ports"},
    ],
)
def test_one_that_is_full_is_passed_over(world: World, says: dict[str, str]) -> None:
    first, second, _ = (one.name for one in world.all.ranked(b"call"))
    world.all.ask(7, b"call", {"command": "offer"}, world.now)
    ((name, data),) = world.all.sends
    assert name == first
    world.all.sends = []
    cookie = data.partition(b" ")[0]
    world.all.receive(name, cookie + b" " + encode(says), world.now)
    assert [name for name, _ in world.all.sends] == [second]
    assert not world.all.results


def test_nobody_listens_there(world: World) -> None:
    """An ICMP error tells at once what silence would tell later."""
    first, second, _ = (one.name for one in world.all.ranked(b"call"))
    world.all.ask(7, b"call", {"command": "offer"}, world.now)
    world.all.sends = []
    world.all.failed(first, world.now)
    assert [name for name, _ in world.all.sends] == [second]
    assert ("left", first) in world.told


def test_all_are_gone(world: World) -> None:
    world.dead.update(NAMES)
    assert world.ask() == "no rtpengine answers"
    assert len(world.asked) == 9
    world.later(20)
    assert world.ask() == "no rtpengine answers"
    assert len(world.asked) == 9, "nobody is left to be asked"


def test_strangers_and_late_replies_are_not_taken(world: World) -> None:
    first = world.all.ranked(b"call")[0].name
    world.all.ask(7, b"call", {"command": "offer"}, world.now)
    cookie = world.all.sends[0][1].partition(b" ")[0]
    body = encode({"result": "ok"})
    assert not world.all.receive("another", cookie + b" " + body, world.now)
    assert not world.all.receive(first, b"other " + body, world.now)
    assert not world.all.receive(first, b"", world.now)
    assert not world.all.results
    for wrong in (b"le", b"i1e", b"x", b""):
        with pytest.raises(PeerError):
            world.all.receive(first, cookie + b" " + wrong, world.now)
    assert world.all.receive(first, cookie + b" " + body, world.now)
    assert not world.all.receive(first, cookie + b" " + body, world.now), "once is enough"


def test_there_is_a_bound(world: World) -> None:
    for number in range(10_001):
        world.all.ask(number + 1, b"call", {"command": "offer"}, world.now)
    assert world.all.results == [(10_001, "too many questions to rtpengine are open")]


def test_why_it_did_not() -> None:
    assert failure({b"result": b"error", b"error-reason": b"Unknown call-id"}) == "Unknown call-id"
    assert failure({b"result": b"load limit"}) == "load limit"
    assert failure({}) == "it did not say why"
    assert len(failure({b"error-reason": b"x" * 10_000})) == 200
