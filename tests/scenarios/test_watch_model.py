"""Whatever happens, in whatever order: what a watcher has been told is what is there."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.proxy import watchers as proxy_watchers
from centrex.watching import roll
from centrex.watching.roll import Standing
from tests.support.calling import Phone, start
from tests.support.proxy import DOMAIN, Proxy
from tests.support.watcher import Watcher, registry_view, wait

USERS = ("ann", "bob", "cat")
Step = tuple[str, int, int]

steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["register", "leave", "move", "move", "lapse", "sweep", "remove", "stand", "call", "ring", "answer",
             "refuse", "hang up", "refresh", "late", "deaf", "wait"]
        ),
        st.integers(0, 2),
        st.integers(0, 2),
    ),
    max_size=40,
)  # fmt: skip


class World:
    """Three users with up to three phones each, and watchers of all kinds."""

    def __init__(self) -> None:
        self.proxy = Proxy(users=USERS, trusted=["192.0.2.77"])
        self.cseq = 1
        self.directory: dict[bytes, Standing] = {}
        self.calls = 0
        self.open: dict[str, tuple[Phone, bytes]] = {}
        self.up: dict[str, tuple[str, str]] = {}
        tcp = Transport.TCP
        self.watchers = [
            Watcher(self.proxy, call_id="all"),
            Watcher(self.proxy, call_id="all-by-tcp", port=7000, transport=tcp),
            *[Watcher(self.proxy, call_id=f"reg-{user}") for user in USERS],
        ]
        self.lamps = [Watcher(self.proxy, call_id=f"lamp-{user}") for user in USERS]
        for number, watcher in enumerate(self.watchers):
            watcher.subscribe(USERS[number - 2] if number > 1 else "")
        for user, watcher in zip(USERS, self.lamps, strict=True):
            watcher.subscribe(user, "dialog")

    def wait(self, seconds: float) -> None:
        wait(self.proxy, seconds, *self.watchers, *self.lamps)

    def registers(self, user: str, number: int, *, expires: int = 3600, contact: str = "") -> None:
        flow = self.proxy.flows.get(f"192.0.2.{10 + number}", 5060)
        phone = Phone(self.proxy, user, flow.host, register=False)
        self.cseq += 1
        phone.sends(
            "REGISTER",
            f"sip:{DOMAIN}",
            target=f"sip:{user}@{DOMAIN}",
            cseq=self.cseq,
            call_id=f"reg-{user}-{number}",
            extra=f'Contact: <{contact or phone.contact}>;+sip.instance="<urn:{number}>"\n'
            f"Expires: {expires}",
        )

    def step(self, what: str, first: int, second: int) -> None:
        user = USERS[first]
        proxy = self.proxy
        does: dict[str, Callable[[], object]] = {
            "register": lambda: self.registers(user, second, expires=60 + 60 * second),
            "leave": lambda: self.registers(user, second, expires=0),
            "move": lambda: self.registers(
                user, second, contact=f"sip:{user}@192.0.2.{50 + self.cseq % 100}"
            ),
            "lapse": lambda: self.wait(61.0 * (1 + second)),
            "sweep": self.sweep,
            "remove": lambda: proxy.core.watchers.removed(
                user.encode(), proxy.registry.remove(user.encode()), proxy.now
            ),
            "stand": lambda: self.stand(user.encode(), second),
            "call": lambda: self.call(user, USERS[second]),
            "ring": lambda: self.says(180),
            "answer": lambda: self.says(200),
            "refuse": lambda: self.says(486),
            "hang up": self.hang_up,
            "refresh": lambda: self.watchers[first].subscribe(
                USERS[first - 2] if first > 1 else ""
            ),
            "late": lambda: self.again(first),
            "deaf": lambda: self.deaf(first),
            "wait": lambda: self.wait(0.3 * (1 + second)),
        }
        does[what]()
        for watcher in (*self.watchers, *self.lamps):
            watcher.take(proxy.taken())

    def sweep(self) -> None:
        for user, binding in self.proxy.registry.expire(self.proxy.now):
            self.proxy.core.watchers.expired(user, binding, self.proxy.now)

    def stand(self, user: bytes, how: int) -> None:
        self.directory.pop(user, None)
        if how:
            self.directory[user] = Standing(b"x", b"sip:x@192.0.2.9" if how > 1 else b"")
        watchers = self.proxy.core.watchers
        watchers.configure(DOMAIN.encode(), dict(self.directory), self.proxy.now)

    def call(self, caller: str, callee: str) -> None:
        self.calls += 1
        call_id = f"call-{self.calls}"
        phone = Phone(self.proxy, caller, "192.0.2.60", register=False)
        for flow, data in phone.calls(callee, branch=f"z9hG4bK{call_id}", call_id=call_id):
            if start(data) == "INVITE" and self.proxy.core.calls.get(call_id.encode()):
                answering = Phone(self.proxy, callee, flow.host, flow.port, register=False)
                self.open.setdefault(call_id, (answering, data))
                self.up[call_id] = (caller, callee)

    def says(self, status: int) -> None:
        if not self.open:
            return
        call_id = next(iter(self.open))
        phone, invite = self.open[call_id]
        phone.says(invite, status)
        if status >= 200:
            del self.open[call_id]

    def hang_up(self) -> None:
        for call in self.proxy.core.calls:
            if call.answered:
                caller, callee = self.up[call.call_id.decode()]
                phone = Phone(self.proxy, caller, "192.0.2.60", register=False)
                phone.sends(
                    "BYE", f"sip:{callee}@192.0.2.10", cseq=2, call_id=call.call_id.decode(),
                    target=f"sip:{callee}@{DOMAIN}", to_tag=callee,
                )  # fmt: skip
                return

    def again(self, number: int) -> None:
        """A watcher ends its subscription and begins another one."""
        watcher = self.watchers[number]
        target = USERS[number - 2] if number > 1 else ""
        watcher.subscribe(target, expires=0)
        fresh = Watcher(
            self.proxy, call_id=f"{watcher.call_id}+", port=watcher.flow.port,
            transport=watcher.flow.transport,
        )  # fmt: skip
        self.watchers[number] = fresh
        fresh.subscribe(target)

    def deaf(self, number: int) -> None:
        """A watcher's answer is late by some seconds."""
        watcher = self.watchers[number]
        watcher.answers = 0
        self.wait(3)
        watcher.answers = 200
        watcher.take(())

    def check(self) -> None:
        self.sweep()
        self.wait(45)
        everybody = registry_view(self.proxy)
        for number, watcher in enumerate(self.watchers):
            wanted = everybody
            if number > 1:
                aor = f"sip:{USERS[number - 2]}@{DOMAIN}"
                wanted = {aor: everybody[aor]} if aor in everybody else {}
            assert watcher.state.startswith("active"), watcher.call_id
            assert watcher.view() == wanted, watcher.call_id
        there: dict[str, list[tuple[str, str]]] = {user: [] for user in USERS}
        for call in self.proxy.core.calls:
            caller, callee = self.up.get(call.call_id.decode(), ("", ""))
            state = {"calling": "trying", "ringing": "early", "up": "confirmed"}[call.state.value]
            if caller:
                there[caller].append(("initiator", state))
                there[callee].append(("recipient", state))
        for user, lamp in zip(USERS, self.lamps, strict=True):
            lamp.subscribe(user, "dialog")
            told = [one for one in lamp.lamp() if one[1] != "terminated"]
            assert sorted(told) == sorted(there[user]), user


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_what_was_told_is_what_is_there(history: list[Step]) -> None:
    world = World()
    for one in history:
        world.step(*one)
    world.check()


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardly anything that ended is kept, and a document holds one user."""
    monkeypatch.setattr(roll, "MOST_ENDED", 1)
    monkeypatch.setattr(proxy_watchers, "DATAGRAM_ROOM", 1)
    monkeypatch.setattr(proxy_watchers, "STREAM_ROOM", 600)


@pytest.mark.usefixtures("cramped")
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps)
def test_so_it_is_where_there_is_room_for_hardly_anything(history: list[Step]) -> None:
    world = World()
    for one in history:
        world.step(*one)
    world.check()


def test_what_ended_and_was_forgotten_untold_is_told_by_telling_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roll, "MOST_ENDED", 1)
    world = World()
    world.registers("ann", 0)
    world.wait(3)
    for number in range(3):
        world.registers("ann", 0, contact=f"sip:ann@192.0.2.{90 + number}")
    world.check()
