"""Where bindings are kept: what a store must offer, and the store in memory.

The store knows users and times, not SIP: it keeps what `register` decided, finds it again, tells
what has expired, and which users changed for whoever writes that down. It reads no file and no
clock.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from centrex.base import NEVER, Instant, Unavailable
from centrex.registrar.binding import Binding, Change, ChangeKind, in_order

_PAUSE: Final = 0.01
_SWEEP: Final = 1000


class MustAsk:
    """The answer of a store that has to look elsewhere first.

    The caller puts the question as an effect, goes on with something else, and finds the tuple of
    bindings in the answer.

    Attributes:
        user: The canonical user to ask for.
    """

    __slots__ = ("user",)

    def __init__(self, user: bytes) -> None:
        self.user = user


class Bindings(Protocol):
    """What the proxy and the registrar need of a store, be it memory or a database."""

    def canonical(self, user: bytes) -> bytes:
        """Return the one spelling of an unescaped user that all its equals share."""

    def lookup(self, user: bytes, now: Instant) -> tuple[Binding, ...] | MustAsk:
        """Return a user's live bindings, best q first, then newest; or that one must ask."""

    def put(self, user: bytes, bindings: Sequence[Binding], changes: Sequence[Change]) -> None:
        """Keep these bindings of a user, and no others."""

    def remove(self, user: bytes) -> tuple[Binding, ...]:
        """Forget a user; return what he had."""

    def names(self) -> list[bytes]:
        """Return all canonical users who have bindings; a copy."""


class _Entry:
    __slots__ = ("bindings", "due")

    def __init__(self, bindings: tuple[Binding, ...], due: int) -> None:
        self.bindings, self.due = bindings, due


class Registry:
    """The store in memory.

    Each user stands in one bucket, named by the whole second at which he is looked at next: within
    a second of the end of his first binding, or before. A refresh does not move him; the look does.

    Args:
        case_sensitive: Whether users that differ only in case are different users.
        max_bindings: How many bindings are kept in all.
        feed: Whether somebody takes the changes.
    """

    __slots__ = (
        "_buckets",
        "_by_user",
        "_case_sensitive",
        "_changed",
        "_count",
        "_feed",
        "_lapsed",
        "_max_bindings",
        "_pending",
        "_resume_at",
        "_seconds",
    )

    def __init__(
        self, *, case_sensitive: bool = False, max_bindings: int = 1_000_000, feed: bool = True
    ) -> None:
        self._case_sensitive, self._max_bindings, self._feed = case_sensitive, max_bindings, feed
        self._by_user: dict[bytes, _Entry] = {}
        self._buckets: dict[int, set[bytes]] = {}
        self._seconds: list[int] = []
        self._lapsed: list[tuple[bytes, Binding]] = []
        self._resume_at: Instant = 0.0
        self._changed: dict[bytes, tuple[Binding, ...]] = {}
        self._pending = self._count = 0

    @property
    def users(self) -> int:
        """How many users have bindings."""
        return len(self._by_user)

    @property
    def bindings(self) -> int:
        """How many bindings there are, the expired but not yet swept included."""
        return self._count

    def canonical(self, user: bytes) -> bytes:
        """Return the one spelling of a user: in lower case if that is the rule.

        Args:
            user: Unescaped already, once (`uri.unescape_user`): `%2541` and `%41` are not equal.
        """
        return user if self._case_sensitive else user.lower()

    def lookup(self, user: bytes, now: Instant) -> tuple[Binding, ...]:
        """Return a user's live bindings, best q first, then newest; empty for none or nobody.

        Args:
            user: Unescaped, in any case.
            now: Monotonic seconds.
        """
        entry = self._by_user.get(self.canonical(user))
        if entry is None:
            return ()
        if entry.due - 1 > now:
            return entry.bindings
        return tuple(one for one in entry.bindings if one.expires_at > now)

    def put(self, user: bytes, bindings: Sequence[Binding], changes: Sequence[Change]) -> None:
        """Keep these bindings of a user, and no others, and note that they changed.

        Args:
            user: Unescaped, in any case.
            bindings: All of them, in any order.
            changes: What became of each since the look-up; without any, nothing is stored.

        Raises:
            Unavailable: The table is full.
        """
        if not changes:
            return
        user = self.canonical(user)
        entry = self._by_user.get(user)
        before = entry.bindings if entry else ()
        more = len(bindings) - len(before)
        if more > 0 and self._count + more > self._max_bindings:
            raise Unavailable("the table of registrations is full")
        self._note_lapsed(user, before, bindings, changes)
        after = in_order(bindings)
        self._store(user, after, entry)
        self._note_changed(user, after, len(changes))

    def restore(self, user: bytes, bindings: Sequence[Binding]) -> None:
        """Put back what was written down before; like `put`, but nothing new to write."""
        user = self.canonical(user)
        self._store(user, in_order(bindings), self._by_user.get(user))

    def remove(self, user: bytes) -> tuple[Binding, ...]:
        """Forget a user and return the bindings he had."""
        user = self.canonical(user)
        entry = self._by_user.get(user)
        if entry is None:
            return ()
        before = entry.bindings
        self._store(user, (), entry)
        self._note_changed(user, (), len(before))
        return before

    def __iter__(self) -> Iterator[tuple[bytes, tuple[Binding, ...]]]:
        """Go through all users; the table must not change meanwhile."""
        return ((user, entry.bindings) for user, entry in self._by_user.items())

    def names(self) -> list[bytes]:
        """Return all canonical users, in the order in which they came; a copy."""
        return list(self._by_user)

    @property
    def deadline(self) -> Instant:
        """When `expire` wants to be called next; `NEVER` while nothing is registered."""
        if self._lapsed:
            return self._resume_at
        return max(float(self._seconds[0]), self._resume_at) if self._seconds else NEVER

    def expire(self, now: Instant, limit: int = _SWEEP) -> list[tuple[bytes, Binding]]:
        """Drop what has expired and return it with its users.

        Args:
            now: Monotonic seconds.
            limit: How many users are looked at in one call; the next deadline comes soon after.
        """
        gone, self._lapsed = self._lapsed, []
        self._resume_at = now + _PAUSE
        while limit > 0 and self._seconds and self._seconds[0] <= now:
            second = self._seconds[0]
            bucket = self._buckets[second]
            while bucket and limit > 0:
                limit -= 1
                self._look(bucket.pop(), now, gone)
            if not bucket:
                heapq.heappop(self._seconds)
                del self._buckets[second]
        return gone

    @property
    def pending(self) -> int:
        """How many changes nobody has taken yet."""
        return self._pending

    def take_changes(self) -> Mapping[bytes, tuple[Binding, ...]]:
        """Return each canonical user who changed since the last call, with all he has now.

        However many they are, it takes no time; the values may be read in another thread.
        """
        changed, self._changed, self._pending = self._changed, {}, 0
        return changed

    def held(self, user: bytes) -> tuple[Binding, ...]:
        """Return all bindings of a canonical user, the expired but not yet swept included."""
        entry = self._by_user.get(user)
        return entry.bindings if entry else ()

    def _look(self, user: bytes, now: Instant, gone: list[tuple[bytes, Binding]]) -> None:
        entry = self._by_user[user]
        alive = tuple(one for one in entry.bindings if one.expires_at > now)
        ended = len(entry.bindings) - len(alive)
        if ended:
            gone.extend((user, one) for one in entry.bindings if one.expires_at <= now)
            self._note_changed(user, alive, ended)
            self._count -= ended
        if not alive:
            del self._by_user[user]
            return
        entry.bindings, entry.due = alive, _due(alive)
        self._enter(user, entry.due)

    def _store(self, user: bytes, bindings: tuple[Binding, ...], entry: _Entry | None) -> None:
        if entry is None:
            if bindings:
                due = _due(bindings)
                self._by_user[user] = _Entry(bindings, due)
                self._enter(user, due)
                self._count += len(bindings)
            return
        self._count += len(bindings) - len(entry.bindings)
        if not bindings:
            self._leave(user, entry.due)
            del self._by_user[user]
            return
        entry.bindings = bindings
        due = _due(bindings)
        if due < entry.due:
            self._leave(user, entry.due)
            entry.due = due
            self._enter(user, due)

    def _enter(self, user: bytes, second: int) -> None:
        bucket = self._buckets.get(second)
        if bucket is None:
            self._buckets[second] = {user}
            heapq.heappush(self._seconds, second)
        else:
            bucket.add(user)

    def _leave(self, user: bytes, second: int) -> None:
        # An empty bucket stays until its second comes: there are no more than seconds to come.
        self._buckets[second].discard(user)

    def _note_changed(self, user: bytes, bindings: tuple[Binding, ...], changes: int) -> None:
        if self._feed:
            self._changed[user] = bindings
            self._pending += changes

    def _note_lapsed(
        self,
        user: bytes,
        before: Sequence[Binding],
        after: Sequence[Binding],
        changes: Sequence[Change],
    ) -> None:
        """Remember for `expire` what had expired unswept, and is simply not there any more."""
        delta = 0
        for change in changes:
            if change.kind is ChangeKind.ADDED:
                delta += 1
            elif change.kind is ChangeKind.REMOVED:
                delta -= 1
        if len(before) + delta == len(after):
            return
        told = {id(one.previous) for one in changes} | {id(one) for one in after}
        self._lapsed.extend((user, one) for one in before if id(one) not in told)


def _due(bindings: Sequence[Binding]) -> int:
    """Return the first whole second at which the first of these bindings has ended."""
    if len(bindings) == 1:
        return int(bindings[0].expires_at) + 1
    return int(min([one.expires_at for one in bindings])) + 1
