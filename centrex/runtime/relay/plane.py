"""Where the packets pass: one thread, all sockets, the learning, and what is handed to the kernel.

What becomes of a packet is for `centrex.runtime.relay.passing`. Everything else happens between
packets, a little at a time, so that none waits for it. The methods may be called from any thread.
"""

import itertools
import math
import os
import select
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from typing import Any, Final

from centrex.base import Ids, Instant, Unavailable
from centrex.media.terms import Address, Session, Slot
from centrex.rtp import packet
from centrex.runtime.precedence import Precedence
from centrex.runtime.relay import turns
from centrex.runtime.relay.carrier import Carrier, both
from centrex.runtime.relay.floods import Floods
from centrex.runtime.relay.held import Held, HeldStream, figures
from centrex.runtime.relay.kernel import KernelPath
from centrex.runtime.relay.passing import Passing
from centrex.runtime.relay.ports import Opener, Pair, Port, usable
from centrex.runtime.relay.spares import Spares
from centrex.runtime.relay.ticks import Ticks
from centrex.runtime.relay.totals import Totals

_TICK_S: Final = 0.02
_LOOK_S: Final = 1.0
_IDLE_S: Final = 1.0
"""How long the thread sleeps while there is no session."""
_SLICE_S: Final = 0.01
"""How often it is seen what else is to be done."""
_TOGETHER: Final = 8
"""Sessions looked after at a time: so few that no packet waits for long, so many that few wait."""
_AT_ONCE: Final = 64
"""Packets taken in before anybody else may have a word."""
_PRIMES: Final = 9
"""How often an end that is not learned is sent something: within some 20 seconds."""
_RTCP_PRIMES: Final = (2, 4)
"""From which to which time ports for RTCP are among them: phones send their first report later."""
_PRIME_FIRST_S: Final = 0.15
"""Later than a phone's first packet, that is: nothing is sent to whoever is heard before."""
_PRIME_LONGEST_S: Final = 5.0
_KEEPALIVE_S: Final = 15.0
_NOTICES: Final = 4096


class Plane:
    """The sockets and sessions of a relay.

    Args:
        hosts: Each address of ours, and what the far side is told in its place.
        ports: The first and last port.
        kernel: Carries streams whose ends are known; None where nothing does.
        silence_s: After how much silence a session ends.
        draw: Returns a random number below its argument.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        hosts: Iterable[tuple[str, str]],
        ports: tuple[int, int],
        kernel: KernelPath | None,
        silence_s: float,
        draw: Callable[[int], int] | None = None,
        clock: Callable[[], Instant] = time.monotonic,
    ) -> None:
        # two pools: ports are drawn by whoever leases them, primers by the thread of the packets
        draw, primer = (draw or Ids(os.urandom).below for _ in range(2))
        self._opener = Opener(hosts, ports, draw)
        self._spares = Spares(draw)
        self._silence_s, self._draw, self._clock = silence_s, primer, clock
        self._epoll = select.epoll()
        self._lock = threading.Lock()
        self._passing = Passing(self._epoll, lambda: self._opener.shown, self._lock)
        self._carrier = self._passing.carrier = Carrier(kernel, self._passing.drain, clock())
        self._floods = Floods(self._passing.mute, self._tell)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._passing.listen(self._bell, self._rung)
        self._ticks = Ticks()
        self._passing.listen(self._ticks.number, self._ticked)
        self.news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable when there are notices, or a fault."""
        self._ports: dict[int, Port] = {}
        self._pairs: dict[tuple[str, int], Pair] = {}
        self._held: dict[str, Held] = {}
        self._primes: list[tuple[Instant, int, Held]] = []
        self.notices: deque[tuple[str, str, str, dict[str, Any] | None]] = deque()
        """Session, kind, words, figures where it has ended: for whoever tells the proxies."""
        self._look_at = self._round_began = 0.0
        self._round: list[str] = []
        self._round_size = self._round_done = 0
        self._numbers = itertools.count()
        self._ending = False
        self._precedence = Precedence()
        self.fault: Exception | None = None
        """What ended the thread of the packets; None while all is well."""
        self._totals = Totals()
        self._thread = threading.Thread(target=self._run, name="media", daemon=True)

    def start(self) -> None:
        """Begin to relay."""
        self._thread.start()

    def close(self, *, keep: bool = False) -> None:
        """End; what the kernel carries stays there if it is to be kept for the next process."""
        if self._epoll.closed:
            return
        self._ending = True
        if self._thread.is_alive():
            self._wake()
            self._thread.join()
        with self._lock:
            for pair in self._pairs.values():
                pair.close()
            self._pairs.clear()
            self._ports.clear()
            self._passing.lanes.end()
            self._epoll.close()
            os.close(self._bell)
            self._ticks.close()
            os.close(self.news)
            self._carrier.close(keep=keep)

    # ports and sessions

    @property
    def hosts(self) -> dict[str, str]:
        """Each address of ours, and what the far side is told in its place."""
        return dict(self._opener.shown)

    def offer(self, hosts: Iterable[tuple[str, str]]) -> None:
        """Have other addresses from now on; what is open at those that are left out stays open."""
        self._opener.shown = dict(hosts)

    def lease(self, host: str, count: int) -> list[Slot]:
        """Open ports; fewer than asked for where the range is used up.

        Raises:
            Unavailable: The address is none of ours, or the system gives no more sockets.
        """
        if host not in self._opener.shown:
            raise Unavailable(f"{host} is no address of this relay")
        leased = self._from_spares(host, count)
        try:
            for _ in range(count - len(leased)):
                pair = self._opener.any(host)
                if pair is None:
                    leased += self._from_spares(host, count - len(leased), hurry=True)
                    break
                self._enter(pair)
                leased.append(pair.slot)
        except OSError as error:
            if not leased:
                raise Unavailable(f"no port at {host}: {error.strerror or error}") from error
        return leased

    @property
    def total(self) -> int:
        """How many sessions have begun."""
        return self._totals.sessions

    @property
    def pairs(self) -> int:
        """How many pairs of ports each address has."""
        return self._opener.pairs

    def reserve(self, host: str, port: int) -> Slot | None:
        """Open a certain pair of ports; None where it cannot be had."""
        with self._lock:
            try:
                pair = self._pair(Slot(host, self._opener.shown.get(host, host), port))
            except Unavailable:
                return None
            return pair.slot if pair.rtp.owner is None else None

    def _from_spares(self, host: str, count: int, *, hurry: bool = False) -> list[Slot]:
        """Lend ports that are open; fewer than asked for where there are no more."""
        leased: list[Slot] = []
        with self._lock:
            now = self._clock()
            while len(leased) < count:
                pair = self._spares.take(host, now, hurry=hurry)
                if pair is None:
                    break
                for port in (pair.rtp, pair.rtcp):
                    self._totals.take(port)
                    port.drops.clear()
                shown = self._opener.shown[host]
                pair.slot = pair.slot._replace(shown=shown)
                leased.append(pair.slot)
        return leased

    def free(self, slots: Iterable[Slot]) -> None:
        """Close ports that serve no session."""
        with self._lock:
            for slot in slots:
                pair = self._pairs.get((slot.host, slot.port))
                if pair is not None and pair.rtp.owner is None:
                    self._leave(pair)

    def put(self, session: Session) -> None:
        """Take in a session, or what has changed in it. An older revision changes nothing.

        Raises:
            Unavailable: A port it needs is in use by somebody else.
        """
        now = self._clock()
        with self._lock:
            held = self._held.get(session.id)
            if held is not None and session.revision <= held.session.revision:
                return
            if held is None:
                held = Held(session, now)
            try:
                fresh = self._joined(held, session)
            except Unavailable:
                self._let_go(held, session)
                self._totals.refused += 1
                raise
            self._totals.sessions += session.id not in self._held
            self._held[session.id] = held
            held.session, held.streams = session, fresh
            self._totals.peak = max(self._totals.peak, len(self._held))
            changed = [
                port
                for stream, told in zip(fresh, session.streams, strict=True)
                if stream is not None and told is not None
                for port in stream.expect(told.ends, now)
            ]
            self._reopened(changed, now)
            self._prime_from(held, now)
            may_sleep = len(self._held) == 1
        if may_sleep:
            self._wake()

    def refuse(self) -> None:
        """Count a session that cannot be served, as another proxy has its ports, or all have too many."""
        with self._lock:
            self._totals.refused += 1

    def _joined(self, held: Held, session: Session) -> list[HeldStream | None]:
        """Return the streams of a session with their sockets, opened where they are not."""
        old = held.streams
        known = {stream.slots: stream for stream in old if stream is not None}
        _check_slots(session, known)
        fresh: list[HeldStream | None] = []
        for told in session.streams:
            stream = known.get(told.slots) if told is not None else None
            if told is not None and stream is None:
                first, second = (self._pair(slot, held) for slot in told.slots)
                stream = HeldStream(told.slots, (first, second), held)
            fresh.append(stream if told is not None else None)
        kept = [stream for stream in fresh if stream is not None]
        for gone in old:
            if gone is not None and gone not in kept:
                self._close(gone.pairs)
        return fresh

    def _let_go(self, held: Held, session: Session) -> None:
        """Close what was opened for a session that cannot be served as it is."""
        kept = set(held.pairs())
        for stream in session.streams:
            for slot in stream.slots if stream is not None else ():
                pair = self._pairs.get((slot.host, slot.port))
                if pair is not None and pair not in kept and pair.rtp.owner in (None, held):
                    self._leave(pair)

    def _pair(self, slot: Slot, held: Held | None = None) -> Pair:
        """Return the pair of a slot, opened if it is not.

        Raises:
            Unavailable: It is another session's, or cannot be had.
        """
        pair = self._pairs.get((slot.host, slot.port))
        if pair is not None and pair.rtp.owner not in (None, held):
            raise Unavailable(f"port {slot.port} of {slot.host} is another call's")
        if pair is not None and pair.spare:
            self._spares.claim(pair)
        if pair is None:
            try:
                pair = self._opener.at(slot.host, slot.port)
            except OSError as error:
                raise Unavailable(f"{slot.host}: {error.strerror or error}") from error
            if pair is None:
                raise Unavailable(f"port {slot.port} of {slot.host} is in use")
            self._register(pair)
        return pair

    def end(self, name: str) -> dict[str, Any] | None:
        """End a session and close its ports; return its figures, None if there is none."""
        with self._lock:
            return self._end(name, self._clock())

    def drop(self, name: str) -> None:
        """End a session, whose figures nobody wants."""
        with self._lock:
            self._end(name, self._clock(), wanted=False)

    def _end(self, name: str, now: Instant, *, wanted: bool = True) -> dict[str, Any] | None:
        held = self._held.pop(name, None)
        if held is None:
            return None
        held.primed = _PRIMES
        ports = list(held.ports())
        self._tally(held)
        for port in ports:
            if port.early:
                self._passing.expire(port, math.inf)
        self._carrier.take_back(ports)
        told = figures(held, now) if wanted else None
        for port in ports:
            port.owner = None  # so that nothing is left for the collector
        self._close(held.pairs())
        return told

    def held(self) -> list[Session]:
        """Return the sessions there are."""
        with self._lock:
            return [held.session for held in self._held.values()]

    def sessions(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the figures of all sessions, or of some."""
        now = self._clock()
        with self._lock:
            chosen = self._held.keys() if names is None else names
            found = [self._held[name] for name in chosen if name in self._held]
            for held in found:
                self._tally(held)
            return [figures(held, now) for held in found]

    def figures(self) -> dict[str, Any]:
        """Return what was counted in all."""
        with self._lock:
            totals = self._totals.copy()
            pairs, held = list(self._pairs.values()), list(self._held.values())
        for one in held:
            with self._lock:
                self._tally(one)
        everything = self._opener.pairs * max(usable(self._opener.shown), 1)
        told = totals.figures(pairs, held, everything)
        return {**told, "kernel_failures": self._carrier.failures}

    def _tally(self, held: Held) -> None:
        """Bring the figures of a session up to date."""
        for port in held.ports():
            self._passing.lanes.tally(port)

    def _enter(self, pair: Pair) -> None:
        with self._lock:
            self._register(pair)

    def _register(self, pair: Pair) -> None:
        self._pairs[pair.slot.host, pair.slot.port] = pair
        for port in (pair.rtp, pair.rtcp):
            self._ports[port.sock.fileno()] = port
            self._passing.enter(port)

    def _close(self, pairs: Iterable[Pair]) -> None:
        """A call needs these no longer; they are kept for others."""
        now = self._clock()
        for pair in pairs:
            if self._spares.is_full or self._pairs.get(_name(pair)) is not pair:
                self._leave(pair)
            else:
                self._renew(pair, now)

    def _renew(self, pair: Pair, now: Instant) -> None:
        self._carrier.take_back((pair.rtp, pair.rtcp))
        fresh = self._pairs[_name(pair)] = pair.renewed()
        for old, new in ((pair.rtp, fresh.rtp), (pair.rtcp, fresh.rtcp)):
            self._floods.forget(old)
            self._passing.renew(old, new)
            self._totals.take(old)
            self._ports[new.sock.fileno()] = new
        self._spares.put(fresh, now)

    def _leave(self, pair: Pair) -> None:
        if self._pairs.pop(_name(pair), None) is None:
            return
        if pair.spare:
            self._spares.claim(pair)
        self._carrier.take_back((pair.rtp, pair.rtcp))
        for port in (pair.rtp, pair.rtcp):
            self._floods.forget(port)
            del self._ports[port.sock.fileno()]
            self._passing.leave(port)
            self._totals.take(port)
        pair.close()

    # the loop

    def _run(self) -> None:
        try:
            self._relay()
        except Exception as error:  # noqa: BLE001 - the door of the thread: told by whoever looks
            self.fault = error
            os.eventfd_write(self.news, 1)

    def _relay(self) -> None:
        turns.shorten()
        self._precedence.take()
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        poll, pass_on = self._epoll.poll, self._passing.pass_on
        clock, lock = self._clock, self._lock
        due = clock()
        self._pace()
        while not self._ending:
            ready = poll(None, _AT_ONCE)
            now = clock()
            pass_on(ready, now)
            if now >= due:
                with lock:
                    self._between(now)
                due = now + _SLICE_S

    def _wake(self) -> None:
        """Have the thread of the packets look what is to be done now."""
        os.eventfd_write(self._bell, 1)

    def _rung(self, now: Instant) -> None:
        os.eventfd_read(self._bell)
        self._pace()

    def _pace(self) -> None:
        self._ticks.every(_TICK_S if self._held else _IDLE_S)

    def _ticked(self, now: Instant) -> None:
        self._ticks.take()

    def _reopened(self, ports: list[Port], now: Instant) -> None:
        """Signalling has told something new of some ends."""
        for port in ports:
            self._carrier.take_back(both(port))
        for port in ports:
            self._carrier.claim(port, now)
            self._passing.aim(port)
        for port in ports:
            for one in both(port):
                if one.early:
                    self._passing.release(one, now)
        for port in ports:
            self._carrier.hand_over(port, now)

    # between packets

    def _between(self, now: Instant) -> None:
        self._passing.lanes.bury()
        self._pace()
        while self._primes and self._primes[0][0] <= now:
            self._prime(heappop(self._primes)[2], now)
        if self._carrier.is_unsure:
            self._carrier.read(self._ports.values(), now)
        self._floods.relieve(now)
        self._look(now)

    def _prime_from(self, held: Held, now: Instant) -> None:
        """Have ends that are not learned be sent something, soon and then less and less often."""
        waits = held.primed < _PRIMES
        held.primed = 0
        if not waits:
            self._prime_later(held, now)

    def _prime_later(self, held: Held, now: Instant) -> None:
        wait_s = min(_PRIME_FIRST_S * 2**held.primed, _PRIME_LONGEST_S)
        heappush(self._primes, (now + wait_s, next(self._numbers), held))

    def _prime(self, held: Held, now: Instant) -> None:
        """Send something to ends that are not learned, so that NATs open and nobody waits."""
        if held.primed >= _PRIMES or held.session.id not in self._held:
            return
        for port in held.described():
            if port.latch.source is None and (
                not port.rtcp or _RTCP_PRIMES[0] <= held.primed < _RTCP_PRIMES[1]
            ):
                self._send_primer(port, held, port.latch.targets)
        held.primed += 1
        if held.primed < _PRIMES:
            self._prime_later(held, now)

    def _send_primer(self, port: Port, held: Held, targets: Iterable[Address]) -> None:
        end, number = held.end_at(port), self._draw(1 << 31)
        if not end.is_rtp:
            if port.rtcp:
                return
            data = b""  # RFC 6263 §4.1
        elif port.rtcp:
            data = packet.receiver_report(number)
        else:
            data = packet.primer(end.payload, number, number, number)
        for address in targets:
            if (":" in address.host) == (":" in port.address.host):
                with suppress(OSError):
                    port.sock.sendto(data, port.wire(address))

    def _look(self, now: Instant) -> None:
        """Look after a part of the sessions: all of them in a second, none of them in a rush."""
        due = int((now - self._round_began) / _LOOK_S * self._round_size) - self._round_done
        for _ in range(min(due, len(self._round)) if due >= _TOGETHER else 0):
            self._round_done += 1
            name = self._round.pop()
            held = self._held.get(name)
            if held is not None and not self._is_well(held, now):
                self._look_after(name, held, now)
        if now >= self._look_at:
            self._begin_round(now)

    def _is_well(self, held: Held, now: Instant) -> bool:
        """Whether nothing can be amiss with a session: it was looked after as it is, and all its ends are heard."""
        watch, heard = held.watch, self._passing.lanes.heard
        if held.seen is not held.session or watch.one_way or not watch.answered_at:
            return False
        well = False
        for pair in held.pairs():
            port = pair.rtp
            well = port.lane >= 0 and now - heard[port.lane] <= _LOOK_S
            if not well or port.early or pair.rtcp.early or self._floods.watch(held, pair, now):
                return False
        return well

    def _begin_round(self, now: Instant) -> None:
        self._precedence.insist()
        self._carrier.read(self._ports.values(), now)
        while self._round:  # what was not come to in time
            name = self._round.pop()
            if name in self._held and not self._is_well(self._held[name], now):
                self._look_after(name, self._held[name], now)
        self._round = list(self._held)
        self._round_size, self._round_done, self._round_began = len(self._round), 0, now
        self._look_at = now + _LOOK_S
        self._passing.expire_waiting(now)
        for pair in self._spares.overdue(now):
            self._leave(pair)

    def _look_after(self, name: str, held: Held, now: Instant) -> None:
        self._tally(held)
        held.seen = held.session
        heard = held.heard()
        if held.watch.is_over(held.session, held.alive(heard), self._silence_s, now):
            told = self._end(name, now)
            self._tell(name, "ended", f"silent for {self._silence_s:g} s", told)
            return
        news = held.watch.look(held.session, heard, now)
        if news is not None:
            self._tell(name, *news)
            if news[0] == "deadlock":
                self._prime_from(held, now)
        for pair in held.pairs():
            self._floods.watch(held, pair, now)
        for words in held.displaced():
            self._tell(name, "displaced", words)
        self._keep_open(held, now)
        for port in held.ports():
            self._passing.expire(port, now)
            if not port.rtcp:
                self._passing.settle(port, now)

    def _tell(self, name: str, kind: str, words: str, told: dict[str, Any] | None = None) -> None:
        if len(self.notices) >= _NOTICES and kind != "ended":
            return  # but who does not learn of an end counts that call for ever
        self.notices.append((name, kind, words, told))
        os.eventfd_write(self.news, 1)

    def _keep_open(self, held: Held, now: Instant) -> None:
        """Send something to an end behind NAT that is not being sent anything (RFC 6263)."""
        if int(now) % int(_KEEPALIVE_S):
            return
        for stream, told in zip(held.streams, held.session.streams, strict=True):
            if stream is None or told is None:
                continue
            for side, pair in enumerate(stream.pairs):
                other = stream.pairs[1 - side].rtp
                if told.ends[side].natted and now - other.heard > _KEEPALIVE_S:
                    self._send_primer(pair.rtp, held, pair.rtp.latch.targets)


def _check_slots(session: Session, known: Iterable[tuple[Slot, Slot]]) -> None:
    """See that each port serves one line of a session, and the same one as before.

    Raises:
        Unavailable: It does not.
    """
    told = [stream.slots for stream in session.streams if stream is not None]
    ports = [(slot.host, slot.port) for slots in {*told, *known} for slot in slots]
    if len(set(told)) < len(told) or len(set(ports)) < len(ports):
        raise Unavailable("a port serves two of its lines")


def _name(pair: Pair) -> tuple[str, int]:
    return pair.slot.host, pair.slot.port
