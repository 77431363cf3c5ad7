from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.registry import Registry
from centrex.watching import reginfo, roll
from centrex.watching.roll import Record, Roll


def binding(contact: bytes, at: float = 0.0) -> Binding:
    return Binding(
        contact, b"", q=1000, expires_at=at + 3600, call_id=b"c", cseq=1, flow=None,
        registered_at=at,
    )  # fmt: skip


def joins(registry: Registry, book: Roll, user: bytes, contact: bytes) -> None:
    one = binding(contact)
    changes = (Change(ChangeKind.ADDED, one, None),)
    registry.put(user, (one,), changes)
    book.changed(user, changes)


class Watcher:
    seen = 0


def fresh() -> tuple[Registry, Roll]:
    registry = Registry()
    book = Roll(registry)
    book.domain = b"example.com"
    return registry, book


def test_nothing_is_kept_while_nobody_watches() -> None:
    registry, book = fresh()
    joins(registry, book, b"bob", b"sip:bob@192.0.2.8")
    assert len(book) == 0
    record = book.watch(b"bob")
    watcher = Watcher()
    record.watchers[watcher] = None
    joins(registry, book, b"bob", b"sip:bob@192.0.2.9")
    assert len(book) == 1
    del record.watchers[watcher]
    book.unwatch(record)
    assert len(book) == 0


def test_the_domain_is_told_in_the_order_of_changes_as_far_as_there_is_room() -> None:
    registry, book = fresh()
    book.open()
    for number in range(10):
        joins(registry, book, b"u%d" % number, b"sip:u%d@192.0.2.8" % number)
    joins(registry, book, b"u0", b"sip:u0@192.0.2.9")
    seen, told = 0, []
    while seen < book.seq:
        elements, seen = book.chunk(seen, 500, 1.0, trusted=True)
        assert len(elements) <= 500
        told += [part.split(b"@")[0] for part in elements.split(b'aor="sip:')[1:]]
    assert told == [b"u%d" % number for number in [*range(1, 10), 0]]
    assert book.chunk(seen, 500, 1.0, trusted=True) == (b"", seen)


def test_one_user_is_told_of_however_little_room_there_is() -> None:
    registry, book = fresh()
    book.open()
    joins(registry, book, b"bob", b"sip:bob@192.0.2.8")
    elements, seen = book.chunk(0, 1, 1.0, trusted=True)
    assert b"192.0.2.8" in elements
    assert seen == book.seq


def test_the_log_of_changes_stays_as_long_as_there_are_users() -> None:
    registry, book = fresh()
    book.open()
    for number in range(10_000):
        joins(registry, book, b"u%d" % (number % 5), b"sip:u@192.0.2.%d" % (number % 200))
        if number % 100 == 0:
            book.sweep(book.seq)
    assert len(book._log) <= 2 * 5 + 1000 + 1
    assert book._seqs == sorted(book._seqs)


def test_ended_contacts_are_bounded() -> None:
    _, book = fresh()
    record = book.watch(b"bob")
    record.watchers[Watcher()] = None
    for number in range(roll.MOST_ENDED + 50):
        book.gone(b"bob", (binding(b"sip:bob@192.0.2.8:%d" % (1000 + number)),), b"expired", 1.0)
    assert len(record.ended) == roll.MOST_ENDED
    assert 0 < record.floor < record.seq
    assert book._ended == roll.MOST_ENDED


def test_what_has_ended_is_forgotten_once_all_know() -> None:
    _, book = fresh()
    record = book.watch(b"bob")
    one, other = Watcher(), Watcher()
    record.watchers.update({one: None, other: None})
    book.gone(b"bob", (binding(b"sip:bob@192.0.2.8"),), reginfo.EXPIRED, 1.0)
    one.seen = book.seq
    book.sweep(None)
    assert record.ended
    other.seen = book.seq
    book.sweep(None)
    assert not record.ended
    assert book._ended == 0


def test_users_and_domain_are_spelt_for_uris() -> None:
    _, book = fresh()
    assert book.aor(b"a b<") == b"sip:a%20b%3C@example.com"


def test_a_record_that_was_forgotten_is_passed_over_in_the_log() -> None:
    registry, book = fresh()
    book.open()
    joins(registry, book, b"bob", b"sip:bob@192.0.2.8")
    gone = registry.remove(b"bob")
    book.gone(b"bob", gone, reginfo.DEACTIVATED, 1.0)
    book.sweep(book.seq)
    assert len(book) == 0
    assert book.chunk(0, 500, 1.0, trusted=True)[0] == b""
    assert isinstance(book.watch(b"bob"), Record)
