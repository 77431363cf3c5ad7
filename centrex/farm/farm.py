"""The relays of a proxy: which of them a call goes to, and what each of them is to carry.

It keeps what every relay is believed to carry, so that one that lost its connection or was started
anew is told again, and so that the calls are shared equally. It sends by links that never wait.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Literal, Protocol

from centrex.base import Instant
from centrex.farm.relay import Link, Relay, RelayState, Unsaid
from centrex.media.terms import Session, Slot

_MISSED: Final = 3
"""Heartbeats missed after which a relay gets no new calls."""
_FORGET_S: Final = 3600.0
"""How long a relay that is gone, or was refused, stays in the list."""
_MAX_RELAYS: Final = 256
_MAX_REFUSED: Final = 16
"""Names that were refused and are listed: anybody may try any name."""


class Observer(Protocol):
    """Whoever is told what becomes of relays and sessions."""

    def relay_came(self, relay: Relay) -> None:
        """A relay has logged in."""

    def relay_settled(self, relay: Relay) -> None:
        """A relay has told what it carries, and was told what it is to carry."""

    def relay_left(self, relay: Relay, why: str) -> None:
        """A relay's connection is gone."""

    def relay_silent(self, relay: Relay, silent: bool) -> None:
        """A relay misses heartbeats, or is heard again."""

    def relay_refused(self, name: str, source: str, why: str) -> None:
        """Somebody could not log in."""

    def session_ended(self, relay: Relay, name: str, why: str, figures: dict[str, Any]) -> None:
        """A relay has ended a session by itself."""

    def notice(self, relay: Relay, session: Session, kind: str, words: str) -> None:
        """A relay has something to say about a session."""

    def adopt(self, relay: Relay, session: Session) -> bool:
        """A relay carries a session from before we were started; whether it is to go on."""


class Farm:
    """All relays.

    Args:
        observer: Is told what happens.
        heartbeat_s: Seconds between two signs of life.
        boot: Names this run of the proxy, unlike every other one.
    """

    def __init__(self, observer: Observer, *, heartbeat_s: float, boot: str) -> None:
        self.observer, self.heartbeat_s, self.boot = observer, heartbeat_s, boot
        self._relays: dict[str, Relay] = {}
        self._turns = itertools.count(1)

    def __iter__(self) -> Iterator[Relay]:
        return iter(tuple(self._relays.values()))

    def get(self, name: str) -> Relay | None:
        """Return a relay by its name."""
        return self._relays.get(name)

    def open(
        self, now: Instant, families: Sequence[Literal[4, 6]] = (), tried: Collection[str] = ()
    ) -> Relay | None:
        """Return the relay that gets the next call: the least loaded one; None while there is none.

        Args:
            now: The time.
            families: The IP versions of which it must have ports.
            tried: The names of relays that could not serve the call.
        """
        best: Relay | None = None
        least = (1.0, 0)
        for relay in self._relays.values():
            load = relay.room_for(families)
            rank = (load, relay.turn)
            if rank < least and relay.name not in tried:
                best, least = relay, rank
        if best is not None:
            best.turn = next(self._turns)
        return best

    def lacks(self, families: Sequence[Literal[4, 6]]) -> Literal[4, 6] | None:
        """Return an IP version of which no relay that takes calls has an address; None for none."""
        there = [relay for relay in self._relays.values() if relay.is_willing]
        if there:
            for family in families:
                if not any(relay.speaks(family) for relay in there):
                    return family
        return None

    @property
    def expects_ports(self) -> bool:
        """Whether ports are being leased at a relay that would take calls."""
        return any(relay.expects_ports for relay in self._relays.values())

    def put(self, relay: Relay, session: Session, now: Instant) -> None:
        """Have a relay carry a session, or what has changed in it.

        Of a change it is told at once: what comes from an end's new address it would not relay.
        """
        rang = relay.expected.pop(session.id, None)
        known = relay.sessions.get(session.id)
        relay.sessions[session.id] = session
        relay.send("put", session=session)
        if rang is not None:
            relay.tell_expected()
        if known is not None and known.streams != session.streams:
            if session.size < known.size:
                relay.top_up()  # its ports are free
            relay.hurry()

    def end(self, relay: Relay, name: str, reason: str, now: Instant) -> None:
        """Have a relay end a session."""
        if relay.sessions.pop(name, None) is not None:
            relay.send("end", id=name, why=reason)
            relay.top_up()

    def expect(self, relay: Relay, name: str, unsaid: Unsaid) -> None:
        """A relay is going to carry a session; it is told once there is something to carry."""
        relay.expected[name] = unsaid
        if relay.is_shared:
            relay.tell_expected()

    def forgo(self, relay: Relay, name: str) -> None:
        """A session that a relay expected is not going to be: its slots are free again."""
        relay.forgo(name)

    def give_back(self, relay: Relay, slots: Iterable[Slot]) -> None:
        """Take back slots that were taken just now, and are of no use."""
        relay.give_back(slots)

    def drain(self, name: str, *, on: bool) -> Relay | None:
        """Give a relay no new calls, or some again; None if there is no such relay."""
        relay = self._relays.get(name)
        if relay is not None and relay.state is not RelayState.REFUSED:
            relay.draining = on
            relay.send("drain", on=on)
            return relay
        return None

    # what links report

    def may_come(self, name: str, now: Instant) -> str:
        """Return why a relay of that name may not log in; empty where it may."""
        relay = self._relays.get(name)
        if relay is None:
            known = sum(one.state is not RelayState.REFUSED for one in self._relays.values())
            return "there are too many relays" if known >= _MAX_RELAYS else ""
        there = relay.link is not None and relay.state is RelayState.AVAILABLE
        if there and now - relay.heard < self.heartbeat_s * _MISSED:
            return f"a relay named {name} is logged in already"
        return ""

    def came(self, name: str, link: Link, told: dict[str, Any], now: Instant) -> Relay:
        """A relay has proved who it is; it may replace a connection of its own that fell silent."""
        relay = self._relays.get(name)
        if relay is None:
            relay = self._relays[name] = Relay(name, now)
            relay.draining = bool(told["draining"])
        if relay.link is not None:
            old, relay.link = relay.link, None
            old.close()
        anew = relay.told.get("boot") != told["boot"]
        relay.told, relay.beat, relay.foreign = told, {}, 0
        relay.capacity = max(int(told["capacity"]), 1)
        relay.is_shared = told["proxies"] > 1
        relay.came(link, list(told["hosts"]), now, anew=anew)
        relay.send("drain", on=relay.draining)
        self.observer.relay_came(relay)
        return relay

    def holds(self, relay: Relay, held: dict[str, tuple[Session, str]], now: Instant) -> None:
        """Make what a relay carries and what it is believed to carry one.

        Args:
            relay: The relay.
            held: What it carries: sessions, and which run of ours has told it last.
            now: The time.
        """
        for name, (session, boot) in held.items():
            if name in relay.sessions:
                continue
            ours = boot == self.boot
            # nobody can answer a call that was begun by a former run of ours
            if not ours and session.answered and self.observer.adopt(relay, session):
                relay.sessions[name] = session
            else:
                relay.send("end", id=name, why="the call is over")
        for name, session in relay.sessions.items():
            if name not in held or held[name][0].revision < session.revision:
                relay.send("put", session=session)
        relay.keep()
        self.observer.relay_settled(relay)

    def left(self, relay: Relay, link: Link, why: str, now: Instant) -> None:
        """A connection is gone."""
        if relay.link is link:
            relay.left(why, now)
            self.observer.relay_left(relay, why)

    def refused(self, name: str, source: str, why: str, now: Instant) -> None:
        """Somebody could not log in; is listed unless a relay of that name is there.

        One that was there before, and has left, is gone since then, and what is known of it stays: it
        may have been anybody who used its name.
        """
        relay = self._relays.get(name)
        if relay is None:
            never = [one for one in self if "boot" not in one.told]
            if len(never) >= _MAX_REFUSED:
                del self._relays[min(never, key=lambda one: one.since).name]
            relay = self._relays[name] = Relay(name, now)
        if relay.link is None:
            relay.state, relay.why = RelayState.REFUSED, why
            if "boot" not in relay.told:
                relay.since = now
            relay.told = {**relay.told, "source": source}
        self.observer.relay_refused(name, source, why)

    def ended(self, relay: Relay, name: str, why: str, figures: dict[str, Any]) -> None:
        """A relay has ended a session by itself."""
        session = relay.sessions.pop(name, None)
        if session is not None:
            figures = {**figures, "call_id": session.call_id}
            self.observer.session_ended(relay, name, why, figures)

    def noticed(self, relay: Relay, name: str, kind: str, words: str) -> None:
        """A relay has something to say about a session."""
        session = relay.sessions.get(name)
        if session is not None:
            self.observer.notice(relay, session, kind, words)

    def heard(self, relay: Relay, beat: dict[str, Any], now: Instant) -> None:
        """A relay gives a sign of life."""
        relay.heard, relay.beat = now, beat
        self.crowded(relay, beat["sessions"], beat["expected"])
        if relay.state is RelayState.SILENT:
            relay.state, relay.since = RelayState.AVAILABLE, now
            self.observer.relay_silent(relay, False)

    def crowded(self, relay: Relay, sessions: int, expected: int) -> None:
        """A relay tells how full it is.

        Args:
            relay: The relay.
            sessions: How many it carries, whosever they are.
            expected: How many calls ring that it may have to carry, as far as it was told.
        """
        others = expected - relay.told_expected
        relay.foreign = max(sessions - len(relay.sessions), 0) + max(others, 0)

    def tick(self, now: Instant) -> None:
        """Once a second: notice who is silent, lease again, forget who is long gone."""
        for name, relay in tuple(self._relays.items()):
            if relay.link is None:
                if now - relay.since > _FORGET_S and not relay.count:
                    del self._relays[name]
                continue
            silent = now - relay.heard > self.heartbeat_s * _MISSED
            if silent and relay.state is RelayState.AVAILABLE:
                relay.state, relay.since = RelayState.SILENT, now
                self.observer.relay_silent(relay, True)
            relay.settle()
