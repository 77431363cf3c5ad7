"""Several rtpengines as one: which of them serves a call, and who asks again or elsewhere.

A machine without I/O: questions in, datagrams out; datagrams and time in, replies out. A call's
instance follows from its Call-ID, so that it is found again after a restart, and calls are shared
equally among those that answer (rendezvous hashing). What is asked is for whoever asks.

Source: the NG control protocol of rtpengine, as its documentation describes it: a cookie, a space, a
bencoded dictionary; a repeated cookie gets the same reply and does nothing again.
"""

import enum
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from centrex.base import Instant, PeerError
from centrex.farm.bencode import Encodable, Value, decode, encode

_WAITS_S: Final = (0.1, 0.2, 0.4)
"""How long each of the tries at one instance waits for a reply."""
_MOST_ASKED: Final = 3
"""Instances asked, one after the other, before a question is given up."""
_MOST_OPEN: Final = 10_000
"""Questions open at once; further ones fail."""
_UNSURE_S: Final = 2.0
"""It tells whole seconds for how long it runs, and its answer may be late."""
_LONGEST_REASON: Final = 200
_NONE: Final = "no rtpengine answers"
_BUSY: Final = "too many questions to rtpengine are open"


class Reply(NamedTuple):
    """What an instance answered."""

    name: str
    """Which."""
    fields: Mapping[bytes, Value]


class State(enum.Enum):
    """How an instance is."""

    UNKNOWN = "unknown"
    """It was never heard."""
    AVAILABLE = "available"
    GONE = "gone"
    """It does not answer."""


class Observer(Protocol):
    """Whoever is told what becomes of instances."""

    def came(self, name: str) -> None:
        """One answers, for the first time or again."""

    def left(self, name: str) -> None:
        """One answers no more."""

    def began_anew(self, name: str) -> None:
        """One was started anew: it has forgotten its calls."""


class Rtpengine:
    """One instance.

    Attributes:
        name: Its control address, as it was configured.
        state: How it is.
        draining: Whether it is to get no new calls.
        figures: What it last said of itself.
        began: When it was started, by its own account; None until it has told.
        up_s: For how many seconds it ran when it told that last.
        heard: When it was heard last.
        since: Since when its state is what it is.
    """

    def __init__(self, name: str, now: Instant) -> None:
        self.name = name
        self.state, self.draining = State.UNKNOWN, False
        self.figures: Mapping[bytes, Value] = {}
        self.heard = self.since = now
        self.pinged = -math.inf
        self.began: Instant | None = None
        self.up_s = 0

    @property
    def takes_calls(self) -> bool:
        """Whether it may get a new call."""
        return self.state is State.AVAILABLE and not self.draining


class _Open:
    """A question and how far it has come; number 0 is our own."""

    __slots__ = ("body", "due", "left", "number", "seeks", "tries")

    def __init__(
        self, number: int, body: bytes, left: list[Rtpengine], *, seeks: bool = False
    ) -> None:
        self.number, self.body, self.left = number, body, left
        self.seeks = seeks
        self.tries, self.due = 0, math.inf


class Rtpengines:
    """The instances.

    Args:
        names: Their control addresses.
        observer: Is told what becomes of them.
        salt: What cookies begin with, unlike any other proxy's or an earlier run's.
        heartbeat_s: How often each is asked whether it is there.
        now: The time.

    Attributes:
        sends: Datagrams to send: to which instance, and what.
        results: Questions that are answered, by their numbers: a reply, or words on failure.
    """

    def __init__(
        self,
        names: Sequence[str],
        observer: Observer,
        *,
        salt: bytes,
        heartbeat_s: float,
        now: Instant,
    ) -> None:
        self._all = {name: Rtpengine(name, now) for name in names}
        self._observer, self._salt, self._heartbeat_s = observer, salt, heartbeat_s
        self._open: dict[bytes, _Open] = {}
        self._count = 0
        self.sends: list[tuple[str, bytes]] = []
        self.results: list[tuple[int, Reply | str]] = []

    def __iter__(self) -> Iterator[Rtpengine]:
        return iter(self._all.values())

    def get(self, name: str) -> Rtpengine | None:
        """Return an instance by its name."""
        return self._all.get(name)

    @property
    def is_settled(self) -> bool:
        """Whether of each it is known if it is there."""
        return all(one.state is not State.UNKNOWN for one in self._all.values())

    def ranked(self, call_id: bytes, at: str = "", *, sought: bool = False) -> list[Rtpengine]:
        """Return the instances that may serve a call, the one to ask first before the others.

        Args:
            call_id: The Call-ID.
            at: The one that serves it already, if any; it is asked first, drained or not.
            sought: Whether one has the call already, and it is not known which.
        """
        ranked = sorted(
            (
                one
                for one in self._all.values()
                if (one.state is not State.GONE if sought else one.takes_calls) and one.name != at
            ),
            key=lambda one: hashlib.blake2b(call_id + b" " + one.name.encode()).digest(),
        )
        serving = self._all.get(at)
        if serving is not None and serving.state is not State.GONE:
            ranked.insert(0, serving)
        return ranked

    def ask(
        self,
        number: int,
        call_id: bytes,
        fields: Mapping[str, Encodable],
        now: Instant,
        *,
        at: str = "",
        elsewhere: bool = True,
    ) -> None:
        """Ask something; the answer comes in `results`, now or later.

        A `query` seeks a call: who does not know it is no more than one who does not answer.

        Args:
            number: Under which the answer comes.
            call_id: The call it is about, which decides who is asked.
            fields: The question, `command` among them.
            now: The time.
            at: Who serves the call already.
            elsewhere: Whether others may be asked when the first does not answer.
        """
        seeks = fields["command"] == "query"
        ranked = self.ranked(call_id, at, sought=seeks)[: _MOST_ASKED if elsewhere else 1]
        if not ranked or len(self._open) >= _MOST_OPEN:
            self.results.append((number, _BUSY if ranked else _NONE))
            return
        self._send_first(_Open(number, encode(fields), ranked, seeks=seeks), now)

    def _send_first(self, question: _Open, now: Instant) -> None:
        """Ask the next instance, with a cookie of its own: a late reply of another is none of its."""
        self._count += 1
        cookie = b"%b_%d" % (self._salt, self._count)
        self._open[cookie] = question
        question.tries = 0
        self._send(cookie, question, now)

    def _send(self, cookie: bytes, question: _Open, now: Instant) -> None:
        self.sends.append((question.left[0].name, b"%b %b" % (cookie, question.body)))
        question.due = now + _WAITS_S[question.tries]
        question.tries += 1

    def receive(self, name: str, data: bytes, now: Instant) -> bool:
        """Take in a datagram; False where it answers nothing that was asked of that instance.

        Raises:
            PeerError: It is malformed.
        """
        cookie, _, body = data.partition(b" ")
        question = self._open.get(cookie)
        if question is None or question.left[0].name != name:
            return False
        fields = decode(body)
        if not isinstance(fields, dict):
            raise PeerError("a reply is no dictionary", rule="rtpengine NG protocol")
        del self._open[cookie]
        instance = question.left[0]
        self._heard(instance, now)
        if question.number == 0:
            instance.figures = _figures(fields) or instance.figures
            self._age(instance, fields, now)
        elif len(question.left) > 1 and (
            bool(failure(fields)) if question.seeks else _is_full(fields)
        ):
            question.left.pop(0)
            self._send_first(question, now)
        else:
            self.results.append((question.number, Reply(name, fields)))
        return True

    def _heard(self, instance: Rtpengine, now: Instant) -> None:
        instance.heard = now
        if instance.state is not State.AVAILABLE:
            instance.state, instance.since = State.AVAILABLE, now
            self._observer.came(instance.name)

    def _age(self, instance: Rtpengine, fields: Mapping[bytes, Value], now: Instant) -> None:
        """See by how long it runs whether it was started anew."""
        up_s = _up_s(fields)
        if up_s is None:
            return
        before, instance.began = instance.began, now - up_s
        was_up_s, instance.up_s = instance.up_s, up_s
        if before is not None and (up_s < was_up_s or instance.began - before > _UNSURE_S):
            self._observer.began_anew(instance.name)

    def failed(self, name: str, now: Instant) -> None:
        """The host says that nobody is there (ICMP): those asked there are asked elsewhere at once."""
        for cookie, question in tuple(self._open.items()):
            if question.left[0].name == name:
                self._give_up(cookie, question, now)

    def expire(self, now: Instant) -> None:
        """Ask again what was not answered in time, and whether each is still there."""
        for cookie, question in tuple(self._open.items()):
            if question.due > now:
                continue
            if question.tries < len(_WAITS_S):
                self._send(cookie, question, now)
            else:
                self._give_up(cookie, question, now)
        for instance in self._all.values():
            if now - instance.pinged >= self._heartbeat_s:
                instance.pinged = now
                self._send_first(_Open(0, _HOW, [instance]), now)

    def _give_up(self, cookie: bytes, question: _Open, now: Instant) -> None:
        """This instance does not answer."""
        if self._open.pop(cookie, None) is None:
            return
        instance = question.left.pop(0)
        if instance.state is not State.GONE:
            instance.state, instance.since = State.GONE, now
            self._observer.left(instance.name)
        question.left = [one for one in question.left if one.state is not State.GONE]
        if question.left:
            self._send_first(question, now)
        elif question.number:
            self.results.append((question.number, _NONE))

    @property
    def deadline(self) -> Instant:
        """When `expire` has something to do the next time."""
        due = [one.due for one in self._open.values()]
        due += [one.pinged + self._heartbeat_s for one in self._all.values()]
        return min(due, default=math.inf)

    def drain(self, name: str, *, on: bool) -> Rtpengine | None:
        """Give an instance no new calls, or some again; None if there is no such one."""
        instance = self._all.get(name)
        if instance is not None:
            instance.draining = on
        return instance


_HOW: Final = encode({"command": "statistics"})
"""How an instance is asked whether it is there; what it says of itself is shown."""


def _is_full(fields: Mapping[bytes, Value]) -> bool:
    """Whether an instance takes no more calls: by its own limit, or because its ports are used up."""
    reason = fields.get(b"error-reason")
    used_up = isinstance(reason, bytes) and b"out of ports" in reason.lower()
    return fields.get(b"result") == b"load limit" or used_up


def _figures(fields: Mapping[bytes, Value]) -> Mapping[bytes, Value]:
    told = fields.get(b"statistics")
    current = told.get(b"currentstatistics") if isinstance(told, dict) else None
    return current if isinstance(current, dict) else {}


def _up_s(fields: Mapping[bytes, Value]) -> int | None:
    """Return for how many seconds an instance runs; None where it does not tell."""
    told = fields.get(b"statistics")
    total = told.get(b"totalstatistics") if isinstance(told, dict) else None
    value = total.get(b"uptime") if isinstance(total, dict) else None
    if isinstance(value, bytes) and value.isdigit() and len(value) < 16:
        return int(value)
    return value if isinstance(value, int) else None


def failure(fields: Mapping[bytes, Value]) -> str:
    """Return why an instance did not do what it was asked; empty where it did."""
    result = fields.get(b"result")
    if result == b"ok":
        return ""
    reason = fields.get(b"error-reason", result)
    text = reason if isinstance(reason, bytes) else b"it did not say why"
    return text[:_LONGEST_REASON].decode("utf-8", "backslashreplace")
