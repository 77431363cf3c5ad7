"""The registrations that somebody watches, in the order in which they changed.

One user's watcher is told of his record; a watcher of the whole domain of every record that changed
since the number he has seen. So what a watcher costs is one number, however many users there are and
however far behind he is; what has ended is kept until all have been told of it. Who is registered the
registry knows: records only hold what it forgets.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from centrex.base import Instant
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.registry import Bindings, MustAsk
from centrex.sip.uri import escape_user
from centrex.watching import reginfo
from centrex.watching.reginfo import Contact, binding_id

MOST_ENDED: Final = 100
"""Ended contacts kept of one user; instead of older ones it is told that all have ended, and what is left."""
MOST_ENDED_IN_ALL: Final = 100_000
_SLACK: Final = 1000


class Standing(NamedTuple):
    """A name that is always in the directory."""

    display: bytes
    contact: bytes
    """Its fixed contact; empty where it has none."""


class Seer(Protocol):
    """Whoever has been told of some changes."""

    seen: int


class Record:
    """What is told of one user beside his bindings.

    Attributes:
        user: Who, in canonical spelling.
        seq: The number of his last change.
        floor: The number of the last ended contact that was forgotten untold; 0 for none.
        ended: The contacts that ended, each with the number of that change, oldest first.
        refreshed: The names of contacts that were refreshed since they came.
        watchers: Who watches this user alone.
    """

    __slots__ = ("ended", "floor", "refreshed", "seq", "user", "watchers")

    def __init__(self, user: bytes) -> None:
        self.user = user
        self.seq = self.floor = 0
        self.ended: dict[bytes, tuple[int, Contact]] = {}
        self.refreshed: set[bytes] = set()
        self.watchers: dict[Seer, None] = {}


class Roll:
    """Records of the users who are watched.

    Args:
        registry: Who is registered.

    Attributes:
        domain: The domain in the users' URIs.
        directory: The standing names, in canonical spelling.
        seq: The number of the last change.
        whole: Whether somebody watches the whole domain.
    """

    def __init__(self, registry: Bindings) -> None:
        self._registry = registry
        self.domain = b""
        self.directory: Mapping[bytes, Standing] = {}
        self.seq = 0
        self.whole = False
        self._records: dict[bytes, Record] = {}
        self._with_ended: dict[Record, None] = {}
        self._ended = 0
        self._seqs: list[int] = []
        self._log: list[Record] = []

    def __len__(self) -> int:
        return len(self._records)

    # who is watched

    def watch(self, user: bytes) -> Record:
        """Return the record of a canonical user, from now on kept."""
        record = self._records.get(user)
        if record is None:
            record = self._records[user] = Record(user)
            if self.whole:
                self._move(record)
        return record

    def unwatch(self, record: Record) -> None:
        """Let go of a record that nobody watches alone any more."""
        if not record.watchers and not self.whole:
            self._forget(record)

    def open(self) -> None:
        """Keep a record of every user who is registered or stands in the directory."""
        if self.whole:
            return
        self.whole = True
        for user in self._registry.names():
            self._records.setdefault(user, Record(user))
        for user in self.directory:
            self._records.setdefault(user, Record(user))
        self._seqs, self._log = [], []
        for record in self._records.values():
            self._move(record)

    def close(self) -> None:
        """Keep only the records of users who are watched alone."""
        self.whole = False
        self._seqs, self._log = [], []
        for record in [one for one in self._records.values() if not one.watchers]:
            self._forget(record)

    # what changes

    def changed(self, user: bytes, changes: Iterable[Change]) -> tuple[Record, bool] | None:
        """Take in what a registration did.

        Args:
            user: In canonical spelling.
            changes: What became of each contact.

        Returns:
            The record, and whether more happened than that contacts stay; None where nobody watches.
        """
        record = self._at(user)
        if record is None:
            return None
        news = False
        self._move(record)
        for change in changes:
            name = binding_id(change.binding)
            if change.kind is ChangeKind.REMOVED:
                self._end(record, change.binding, reginfo.UNREGISTERED)
                news = True
                continue
            self._unend(record, name)
            before = change.previous
            if before is None or binding_id(before) != name:
                record.refreshed.discard(name)
                if before is not None:
                    self._end(record, before, reginfo.UNREGISTERED)
                news = True
            else:
                record.refreshed.add(name)
        return record, news

    def gone(
        self, user: bytes, bindings: Iterable[Binding], event: bytes, now: Instant
    ) -> Record | None:
        """Take in that bindings have ended without the phone's doing; None where nobody watches."""
        record = self._at(user)
        if record is None:
            return None
        there = {binding_id(one) for one in self._bindings(user, now)}
        self._move(record)
        for binding in bindings:
            if binding_id(binding) not in there:
                self._end(record, binding, event)
        return record

    def stand(self, directory: Mapping[bytes, Standing]) -> list[Record]:
        """Take over the standing names; return the records that this changes."""
        before, self.directory = self.directory, directory
        found = []
        for user in [*before, *(name for name in directory if name not in before)]:
            old, new = before.get(user), directory.get(user)
            if old == new:
                continue
            record = self._at(user)
            if record is None:
                continue
            self._move(record)
            if old is not None:
                self._end_contact(record, self._standing(user, old), reginfo.DEACTIVATED)
            if new is not None:
                self._unend(record, self._standing(user, new).id)
            found.append(record)
        return found

    # what is told

    def aor(self, user: bytes) -> bytes:
        """Return a user's URI."""
        return b"sip:%b@%b" % (escape_user(user), self.domain)

    def element(self, record: Record, now: Instant, *, trusted: bool) -> bytes:
        """Return what is told of one user.

        Args:
            record: His record.
            now: Monotonic seconds.
            trusted: Whether the watcher may know where the phones are.
        """
        aor = self.aor(record.user)
        contacts = self._present(record, now)
        state = reginfo.ACTIVE
        if not contacts:
            state = reginfo.TERMINATED if record.ended else reginfo.INIT
        contacts += [contact for _, contact in record.ended.values()]
        if not trusted:
            contacts = [contact._replace(uri=aor) for contact in contacts]
        return reginfo.registration(aor, state, contacts)

    def chunk(self, seen: int, room: int, now: Instant, *, trusted: bool) -> tuple[bytes, int]:
        """Return what changed in the domain after some number, as far as there is room.

        Returns:
            The elements, and the number up to which they tell; at least one user is told of.
        """
        out: list[bytes] = []
        since = seen
        for number in range(bisect_right(self._seqs, seen), len(self._seqs)):
            record = self._log[number]
            if record.seq != self._seqs[number]:
                continue  # it changed again, and stands further behind
            element = self.element(record, now, trusted=trusted)
            if record.floor > since > 0:
                # something has ended of which nobody knows any more: all is, and this is all there is
                aor = self.aor(record.user)
                element = reginfo.registration(aor, reginfo.TERMINATED, ()) + element
            room -= len(element)
            if room < 0 and out:
                return b"".join(out), seen
            out.append(element)
            seen = record.seq
        return b"".join(out), self.seq

    def behind(self, seen: int) -> int:
        """Return how many changes in the domain there are after some number, at most."""
        return len(self._seqs) - bisect_right(self._seqs, seen)

    def sweep(self, seen: int | None) -> None:
        """Forget what has ended and is known to all who watch.

        Args:
            seen: The lowest number a watcher of the domain has seen; None where nobody watches it.
        """
        for record in list(self._with_ended):
            known = [one.seen for one in record.watchers]
            if seen is not None:
                known.append(seen)
            least = min(known, default=self.seq)
            for name in [name for name, (seq, _) in record.ended.items() if seq <= least]:
                self._unend(record, name)
            if not record.ended and self._is_empty(record):
                self._forget(record)

    def _is_empty(self, record: Record) -> bool:
        if record.watchers or record.user in self.directory:
            return False
        held = self._registry.lookup(record.user, 0.0)
        return isinstance(held, MustAsk) or not held

    def _at(self, user: bytes) -> Record | None:
        return self.watch(user) if self.whole else self._records.get(user)

    def _move(self, record: Record) -> None:
        """Give a record the next number."""
        self.seq += 1
        record.seq = self.seq
        if not self.whole:
            return
        self._seqs.append(self.seq)
        self._log.append(record)
        if len(self._log) > 2 * len(self._records) + _SLACK:
            pairs = zip(self._seqs, self._log, strict=True)
            self._log = [one for seq, one in pairs if one.seq == seq]
            self._seqs = [one.seq for one in self._log]

    def _forget(self, record: Record) -> None:
        self._ended -= len(record.ended)
        self._with_ended.pop(record, None)
        self._records.pop(record.user, None)
        record.ended = {}
        record.seq = -1  # where it still stands in the log, it is passed over

    def _end(self, record: Record, binding: Binding, event: bytes) -> None:
        contact = Contact(binding_id(binding), binding.contact, reginfo.TERMINATED, event)
        self._end_contact(record, contact, event)

    def _end_contact(self, record: Record, contact: Contact, event: bytes) -> None:
        self._unend(record, contact.id)
        if len(record.ended) >= MOST_ENDED or (record.ended and self._ended >= MOST_ENDED_IN_ALL):
            name, (seq, _) = next(iter(record.ended.items()))
            self._unend(record, name)
            record.floor = seq
        ended = contact._replace(state=reginfo.TERMINATED, event=event)
        record.ended[contact.id] = (record.seq, ended)
        record.refreshed.discard(contact.id)
        self._with_ended[record] = None
        self._ended += 1

    def _unend(self, record: Record, name: bytes) -> None:
        if record.ended.pop(name, None) is not None:
            self._ended -= 1
            if not record.ended:
                del self._with_ended[record]

    def _present(self, record: Record, now: Instant) -> list[Contact]:
        found = []
        standing = self.directory.get(record.user)
        if standing is not None:
            found.append(self._standing(record.user, standing))
        for one in self._bindings(record.user, now):
            name = binding_id(one)
            event = reginfo.REFRESHED if name in record.refreshed else reginfo.REGISTERED
            left = max(round(one.expires_at - now), 1)
            found.append(Contact(name, one.contact, reginfo.ACTIVE, event, left, one.q))
        return found

    def _standing(self, user: bytes, standing: Standing) -> Contact:
        uri = standing.contact or self.aor(user)
        name = reginfo.contact_id(uri, b"standing")
        return Contact(name, uri, reginfo.ACTIVE, reginfo.CREATED, display=standing.display)

    def _bindings(self, user: bytes, now: Instant) -> Sequence[Binding]:
        held = self._registry.lookup(user, now)
        return () if isinstance(held, MustAsk) else held

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    @property
    def names(self) -> Collection[bytes]:
        """The users of whom there is a record."""
        return self._records.keys()
