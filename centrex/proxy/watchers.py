"""Tells watchers what they subscribed to: from what the core learns to NOTIFYs, and what comes of them.

Changes are gathered for a tenth of a second and then told in turn, as `watching.notifier` says; where
nobody watches, nothing is gathered. How one subscribes is in `proxy.subscribe`.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from centrex.base import NEVER, Flow, Instant
from centrex.events import Kind, Severity
from centrex.proxy import lamp_life
from centrex.proxy.hunting import has_plan
from centrex.proxy.named import user_in
from centrex.registrar.binding import Binding, Change
from centrex.sip.uri import parse_uri
from centrex.trace import Rule
from centrex.transaction.key import MAGIC_COOKIE
from centrex.transaction.layer import USER_TIMER
from centrex.watching import dialoginfo, reginfo
from centrex.watching.lamps import Lamps
from centrex.watching.notifier import MOST_UNDER_WAY, TICK_S, Notifier
from centrex.watching.package import REG
from centrex.watching.roll import Record, Roll, Standing
from centrex.watching.subscription import (
    DEACTIVATED,
    GONE,
    LAZILY,
    NO_RESOURCE,
    REJECTED,
    SOON,
    Subscription,
)

if TYPE_CHECKING:
    from centrex.proxy.core import Core

TURN: Final = USER_TIMER + 5
"""Timer: somebody may be due to be told."""
STREAM_ROOM: Final = 60_000
"""Octets of a document that goes by a connection."""
BEHIND_S: Final = 30.0
"""Watchers of the domain who wait for longer than this are worth a warning."""
DATAGRAM_ROOM: Final = 800
"""The same by UDP: with the headers it stays below 1300 octets (RFC 3261 §18.1.1)."""
_SWEEP_S: Final = 10.0
_GRAIN: Final = 1e-6


class Watchers:
    """The watchers of one core.

    Args:
        core: Whose.

    Attributes:
        notifier: The subscriptions.
        roll: The registrations that are watched.
        lamps: The calls that are.
        registers: Whether anybody watches registrations.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.notifier = Notifier()
        self.roll = Roll(core.registry)
        self.lamps = Lamps()
        self.registers = False
        self._name = b""
        self._reg: dict[Subscription, Record | None] = {}
        self._whole: dict[Subscription, None] = {}
        self._of_lamp: dict[bytes, dict[Subscription, None]] = {}
        self._changed: dict[Record, int] = {}
        self._switched: dict[bytes, None] = {}
        self._domain_changed = 0
        self._behind_since: Instant = NEVER
        self._is_behind = False
        self._due: Instant = NEVER
        self._swept: Instant = 0.0
        self._chunks: dict[tuple[int, int, bool], tuple[bytes, int]] = {}
        self._chunks_of: tuple[int, Instant] = (-1, 0.0)

    def __len__(self) -> int:
        return len(self.notifier)

    def configure(self, domain: bytes, directory: Mapping[bytes, Standing], now: Instant) -> None:
        """Take over the domain and the standing names; end what they leave without an object."""
        core, name = self._core, self._core.places.registrar_name
        renamed = self.roll.domain not in (b"", domain)
        moved = self._name not in (b"", name)
        self.roll.domain, self._name = domain, name
        for record in self.roll.stand(directory):
            self._mark(record, SOON)
        for sub in self.notifier:
            if sub.login and not core.access.gate.knows(sub.login):
                self.end(sub, REJECTED, now)
            elif renamed or (moved and not sub.user):
                self.end(sub, DEACTIVATED, now)
            elif sub.user and not self.exists(sub.user, now):
                self.end(sub, NO_RESOURCE, now)
        self._soon(now)

    def exists(self, user: bytes, now: Instant) -> bool:
        """Whether a user can be watched: he exists, or where nobody logs in, he may come."""
        core = self._core
        return (
            not core.access.enabled
            or core.knows_user(user)
            or has_plan(core, user)
            or user in self.roll.directory
            or bool(core.registry.lookup(user, now))
        )

    # who watches

    def begin(self, sub: Subscription, now: Instant) -> None:
        """Somebody watches from now on."""
        self.notifier.add(sub)
        if sub.package is not REG:
            if not self.lamps.on:
                self.lamps.on = True
                lamp_life.light_all(self._core, now)
            self._of_lamp.setdefault(sub.user, {})[sub] = None
            self.lamps.watch(sub.user)
        elif sub.user:
            record = self.roll.watch(sub.user)
            record.watchers[sub] = None
            self._reg[sub] = record
        else:
            self.roll.open()
            self._reg[sub] = None
            self._whole[sub] = None
        self.registers = bool(self._reg)

    def resume(self, subs: Iterable[Subscription], now: Instant) -> int:
        """Go on with subscriptions from before a crash: all is told anew, each in his turn.

        Returns:
            How many there are; those of logins and users that are no more are not among them.
        """
        count = 0
        knows = self._core.access.gate.knows
        for sub in subs:
            key = sub.call_id, sub.own_tag, sub.their_tag
            if (
                (sub.login and not knows(sub.login))
                or (sub.user and not self.exists(sub.user, now))
                or self.notifier.find(*key) is not None
                or self.notifier.room_for(sub.owner) is not None
            ):
                continue
            self.begin(sub, now)
            self.notifier.prolong(sub, sub.expires_at)
            self.notifier.touch(sub, now)
            count += 1
        if count:
            self._soon(now)
        return count

    def end(self, sub: Subscription, reason: bytes, now: Instant) -> None:
        """End a subscription, for a reason that its watcher is told in his turn (RFC 6665 §4.1.3)."""
        if self.notifier.remove(sub, reason):
            self._tell_end(sub, now)
            self.notifier.touch(sub, now)
            self._soon(now)

    def _lose(self, sub: Subscription, why: str, now: Instant) -> None:
        """A watcher cannot be told any more (RFC 6665 §4.2.2)."""
        if self.notifier.remove(sub, GONE):
            self._tell_end(sub, now, why)
        self._release(sub)

    def _release(self, sub: Subscription) -> None:
        """Nothing is told of a subscription any more: let go of what it watched."""
        if sub.over:
            return
        sub.over = True
        self.notifier.release(sub)
        if sub.package is not REG:
            others = self._of_lamp[sub.user]
            del others[sub]
            if not others:
                del self._of_lamp[sub.user]
                self.lamps.unwatch(sub.user)
            if not self._of_lamp:
                self.lamps.clear()
            return
        record = self._reg.pop(sub)
        if record is not None:
            del record.watchers[sub]
            self.roll.unwatch(record)
        else:
            del self._whole[sub]
            if not self._whole:
                self.roll.close()
        self.registers = bool(self._reg)

    def _tell_end(self, sub: Subscription, now: Instant, why: str = "") -> None:
        core = self._core
        reason = why or sub.ending.decode()
        rule, package = Rule.SUBSCRIPTION_ENDED, sub.package.name
        core.journal.note(sub.call_id, (now, rule, sub.target, package, reason))
        core.notify(
            Kind.SUBSCRIPTIONS,
            Severity.INFO,
            "subscription.ended",
            {
                "src": sub.flow.name,
                "watcher": sub.watcher,
                "target": sub.target,
                "package": package.decode(),
                "why": reason,
            },
            sub.call_id,
        )

    # what changes

    def registered(self, user: bytes, changes: Iterable[Change], now: Instant) -> None:
        """A phone has registered, refreshed or signed off."""
        found = self.roll.changed(self._core.registry.canonical(user), changes)
        if found is not None:
            self._mark(found[0], SOON if found[1] else LAZILY)
            self._soon(now)

    def expired(self, user: bytes, binding: Binding, now: Instant) -> None:
        """A registration was not renewed in time."""
        self._gone(user, (binding,), reginfo.EXPIRED, now)

    def removed(self, user: bytes, bindings: Iterable[Binding], now: Instant) -> None:
        """The operator has removed registrations."""
        self._gone(user, bindings, reginfo.DEACTIVATED, now)

    def _gone(self, user: bytes, bindings: Iterable[Binding], event: bytes, now: Instant) -> None:
        if self.registers:
            user = self._core.registry.canonical(user)
            record = self.roll.gone(user, bindings, event, now)
            if record is not None:
                self._mark(record, SOON)
                self._soon(now)

    def lamp_switched(self, user: bytes, now: Instant) -> None:
        """A call of a canonical user has come to another state."""
        if user in self._of_lamp:
            self._switched[user] = None
            self._soon(now)

    def _mark(self, record: Record, want: int) -> None:
        if record.watchers:
            self._changed[record] = max(self._changed.get(record, 0), want)
        if self._whole:
            self._domain_changed = max(self._domain_changed, want)

    def local_user(self, raw: bytes, now: Instant) -> bytes:
        """Return the canonical user a URI names; empty where it is not one of ours."""
        return self._core.registry.canonical(user_in(self._core, parse_uri(raw), now))

    # turns

    def _soon(self, now: Instant, after_s: float = TICK_S) -> None:
        if now + after_s < self._due - _GRAIN:
            self._due = now + after_s
            self._core.layer.timers.arm(after_s, now, self, TURN)

    def turn(self, now: Instant) -> None:
        """Tell whoever is due."""
        if now < self._due - _GRAIN:
            return  # another turn was to come sooner, and has been
        self._due = NEVER
        notifier = self.notifier
        for sub in notifier.ended(now):
            self._tell_end(sub, now)
            notifier.touch(sub, now)
        self._spread(now)
        for sub in notifier.turns(now):
            self.tell(sub, now)
        self._look_behind(now)
        if now - self._swept >= _SWEEP_S and self.registers:
            self._swept = now
            self.roll.sweep(min((sub.seen for sub in self._whole), default=None))
        pause_s = notifier.pause_s
        if pause_s is not None:
            self._soon(now, pause_s)

    def behind(self, sub: Subscription) -> int:
        """Return how many changes a watcher is still to be told of, at most."""
        if sub in self._whole:
            return self.roll.behind(0 if sub.full else sub.seen)
        return int(bool(sub.want))

    def behind_s(self, now: Instant) -> float:
        """Return for how long watchers of the domain have waited without an end."""
        return max(now - self._behind_since, 0.0)

    def _look_behind(self, now: Instant) -> None:
        """Tell when there are more watchers of the domain than can be told in time, and when not."""
        waiting, under_way = self.notifier.waiting, self.notifier.under_way
        behind_s, warned = self.behind_s(now), self._is_behind
        if not waiting:
            self._behind_since, self._is_behind = NEVER, False
        elif self._behind_since == NEVER:
            self._behind_since = now
        else:
            self._is_behind = behind_s >= BEHIND_S
        if warned == self._is_behind:
            return
        fields = {"waiting": waiting, "octets": under_way, "behind_s": round(behind_s)}
        name = "subscriptions.behind" if waiting else "subscriptions.caught-up"
        severity = Severity.WARNING if waiting else Severity.NOTICE
        self._core.notify(Kind.SUBSCRIPTIONS, severity, name, fields)

    def _spread(self, now: Instant) -> None:
        """Mark the watchers of what changed since the last turn."""
        touch = self.notifier.touch
        changed, self._changed = self._changed, {}
        for record, want in changed.items():
            for sub in tuple(record.watchers):
                if isinstance(sub, Subscription):
                    touch(sub, now, want)
        switched, self._switched = self._switched, {}
        for user in switched:
            for sub in self._of_lamp.get(user, ()):
                touch(sub, now)
        want, self._domain_changed = self._domain_changed, 0
        if want:
            for sub in self._whole:
                touch(sub, now, want)

    # NOTIFY

    def tell(self, sub: Subscription, now: Instant) -> None:
        """Send a subscription's next NOTIFY."""
        core, flow = self._core, sub.flow
        if flow.reliable and not flow.open and flow.inbound:
            self._lose(sub, "its connection is gone", now)
            return
        body = self._document(sub, flow, now)
        branch = MAGIC_COOKIE + core.ids.token()
        data = sub.notify(branch, flow, body, now)
        sub.full = False
        self.notifier.sent(sub, now, len(data))
        core.layer.open_client((branch, b"NOTIFY"), data, flow, sub, now)
        if sub.ending:
            self._release(sub)
        self._soon(now)

    def _document(self, sub: Subscription, flow: Flow, now: Instant) -> bytes:
        version, sub.version = sub.version, sub.version + 1
        if sub.package is not REG:
            lamps = self.lamps.of(sub.user, now)
            return dialoginfo.document(version, sub.target, lamps, trusted=sub.trusted)
        record, roll = self._reg[sub], self.roll
        if record is not None:
            # where something has ended of which nobody knows any more, everything is told
            sub.full = sub.full or sub.seen < record.floor
            sub.seen = roll.seq
            element = roll.element(record, now, trusted=sub.trusted)
            return reginfo.document(version, element, full=sub.full)
        room = STREAM_ROOM if flow.reliable or sub.ending else DATAGRAM_ROOM
        if sub.ending == DEACTIVATED or self.notifier.under_way >= MOST_UNDER_WAY:
            room = DATAGRAM_ROOM  # who is to subscribe anew is told everything then
        elements, sub.seen = self._chunk(0 if sub.full else sub.seen, room, now, sub.trusted)
        sub.more = sub.seen < roll.seq
        return reginfo.document(version, elements, full=sub.full)

    def _chunk(self, seen: int, room: int, now: Instant, trusted: bool) -> tuple[bytes, int]:
        """Return what changed since then; many who watch the domain have seen just as much."""
        if self._chunks_of != (self.roll.seq, now):
            self._chunks_of = (self.roll.seq, now)
            self._chunks = {}
        key = (seen, room, trusted)
        found = self._chunks.get(key)
        if found is None:
            found = self._chunks[key] = self.roll.chunk(seen, room, now, trusted=trusted)
        return found

    def answered(self, sub: Subscription, status: int, now: Instant) -> None:
        """A NOTIFY was answered."""
        if status < 200 or sub.over:
            return
        if 500 <= status < 600 and status != 501:
            sub.full = True  # it may have been lost on the watcher: told anew, but not at once
            self.notifier.answered(sub, now, more=False)
            self.notifier.touch(sub, now, LAZILY)
        elif status >= 300:
            self._lose(sub, f"answered {status}", now)
            return
        else:
            self.notifier.answered(sub, now, more=sub.more)
        self._soon(now)

    def failed(self, sub: Subscription, why: str, now: Instant) -> None:
        """A NOTIFY was not answered, or could not be sent."""
        if not sub.over:
            self._lose(sub, why, now)

    def close(self, now: Instant) -> None:
        """The server stops: tell all watchers to subscribe anew (RFC 6665 §4.1.3, deactivated)."""
        for sub in self.notifier:
            if self.notifier.remove(sub, DEACTIVATED):
                self._tell_end(sub, now)
                self.tell(sub, now)
