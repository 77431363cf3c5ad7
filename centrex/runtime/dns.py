"""Asks DNS what `centrex.routing.rfc3263` wants to know, and remembers the answers.

Knows the name servers of the system, /etc/hosts, and how long an answer may be believed. What to ask
and what the answers mean for SIP is decided there, not here. Everything is bounded: time, questions
under way, answers remembered, records taken.
"""

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final, Literal

import anyio
import dns.asyncresolver
import dns.exception
import dns.message
import dns.nameserver
import dns.rcode
import dns.rdatatype
import dns.resolver

from centrex.base import Transport, Unavailable
from centrex.routing.rfc3263 import (
    MAX_RECORDS,
    Answer,
    Destination,
    Draw,
    Naptr,
    Question,
    Record,
    Srv,
    Target,
    locate,
    numeric_host,
)
from centrex.runtime.hosts import HostsFile

TOTAL_S: Final = 4.0
"""The longest one `resolve` takes."""
QUESTION_S: Final = 1.3
"""The longest one question takes: three in a row (NAPTR, SRV, A) stay within the total."""
_TRY_S: Final = 0.6
_TTL_MAX_S: Final = 3600.0
_TTL_MIN_S: Final = 1.0
_NEGATIVE_MAX_S: Final = 60.0
_FAILURE_S: Final = 3.0
_REREAD_S: Final = 5.0


class _Known:
    """An answer with its end.

    Attributes:
        records: What was found.
        failure: Why nothing could be learned, in words; "" where something was.
        until: When to ask again, monotonic.
    """

    __slots__ = ("failure", "records", "until")

    def __init__(self, records: Answer, failure: str, until: float) -> None:
        self.records, self.failure, self.until = records, failure, until


class Resolver:
    """Finds the targets of a URI.

    Args:
        speak: The transports we can send by.
        families: The IP versions we can send by, preferred first.
        nameservers: (address, port) of the servers to ask; the system's where None.
        hosts: The hosts file.
        draw: Randomness for the weights of SRV records.
        clock: Monotonic seconds.
        cache_size: Answers remembered; the least recently used goes.
        concurrency: Questions under way at once.
        waiting: Calls of `resolve` under way at once; one more is refused.

    Attributes:
        counts: Questions `asked`, answered from memory (`cached`) or by the hosts file, those that
            `failed`, and calls `refused`.
    """

    def __init__(
        self,
        speak: AbstractSet[Transport],
        *,
        families: Sequence[Literal[4, 6]] = (4, 6),
        nameservers: Sequence[tuple[str, int]] | None = None,
        hosts: Path | str = "/etc/hosts",
        draw: Draw | None = None,
        clock: Callable[[], float] = time.monotonic,
        cache_size: int = 10_000,
        concurrency: int = 64,
        waiting: int = 1000,
    ) -> None:
        self._speak, self._families = frozenset(speak), tuple(families)
        self._nameservers = nameservers
        self._hosts = HostsFile(hosts, clock=clock)
        self._draw = draw or _draw
        self._clock = clock
        self._cache: OrderedDict[Question, _Known] = OrderedDict()
        self._cache_size = cache_size
        self._under_way: dict[Question, anyio.Event] = {}
        self._slots = anyio.Semaphore(concurrency)
        self._waiting, self._waiting_bound = 0, waiting
        self._system: dns.asyncresolver.Resolver | None = None
        self._reread_at = 0.0
        self.counts: dict[str, int] = {
            "asked": 0,
            "cached": 0,
            "hosts": 0,
            "failed": 0,
            "refused": 0,
        }

    async def resolve(self, destination: Destination) -> tuple[Target, ...]:
        """Return the targets of a URI in the order they are to be tried; at least one.

        Raises:
            Unavailable: There is none, none that we can reach, or no server said so within
                `TOTAL_S`; says which.
        RFC: 3263 §4.
        """
        if self._waiting >= self._waiting_bound:
            self.counts["refused"] += 1
            raise Unavailable("too many DNS look-ups are under way")
        self._waiting += 1
        failures: list[str] = []
        targets: tuple[Target, ...] = ()
        try:
            with anyio.move_on_after(TOTAL_S) as scope:
                targets = await self._converse(destination, failures)
        finally:
            self._waiting -= 1
        if scope.cancelled_caught:
            failures.append(f"no answer within {TOTAL_S:g} s")
        if not targets:
            raise Unavailable(_why(destination, self._speak, failures))
        return targets

    def forget(self) -> None:
        """Forget every answer, and read the system's configuration again."""
        self._cache.clear()
        self._system = None

    async def _converse(self, destination: Destination, failures: list[str]) -> tuple[Target, ...]:
        conversation = locate(destination, self._speak, self._draw, families=self._families)
        try:
            questions = next(conversation)
            while True:
                answers = await self._answers(questions, failures)
                questions = conversation.send(answers)
        except StopIteration as end:
            targets: tuple[Target, ...] = end.value
            return targets

    async def _answers(
        self, questions: Sequence[Question], failures: list[str]
    ) -> tuple[Answer, ...]:
        found: dict[Question, _Known] = {}

        async def find(question: Question) -> None:
            found[question] = await self._find(question)

        asked = dict.fromkeys(questions)
        if len(asked) == 1:
            await find(questions[0])
        else:
            async with anyio.create_task_group() as tasks:
                for question in asked:
                    tasks.start_soon(find, question)
        failures += [known.failure for known in found.values() if known.failure]
        return tuple(found[question].records for question in questions)

    async def _find(self, question: Question) -> _Known:
        """Answer from the hosts file, from memory, from a question under way, or by asking."""
        local = self._hosts.answer(question)
        if local is not None:
            self.counts["hosts"] += 1
            return _Known(local, "", 0.0)
        while True:
            known = self._cache.get(question)
            if known is not None and self._clock() < known.until:
                self._cache.move_to_end(question)
                self.counts["cached"] += 1
                return known
            event = self._under_way.get(question)
            if event is None:
                break
            await event.wait()  # then look again; whoever asked may have been cancelled
        self._under_way[question] = event = anyio.Event()
        try:
            async with self._slots:
                known = await self._ask(question)
            self._remember(question, known)
            return known
        finally:
            del self._under_way[question]
            event.set()

    def _remember(self, question: Question, known: _Known) -> None:
        self._cache[question] = known
        self._cache.move_to_end(question)
        if len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)

    async def _ask(self, question: Question) -> _Known:
        self.counts["asked"] += 1
        single = "." not in question.name
        try:
            answer = await self._resolver().resolve(
                question.name if single else question.name + ".",
                question.kind,
                raise_on_no_answer=False,
                search=single,  # as resolv.conf(5) says: a single label belongs to this site
                lifetime=QUESTION_S,
            )
        except dns.resolver.NXDOMAIN as error:
            return self._nothing(error)
        except (dns.exception.DNSException, OSError) as error:
            self.counts["failed"] += 1
            return _Known((), _in_words(question, error), self._clock() + _FAILURE_S)
        records = tuple(_records(answer))
        bound = _TTL_MAX_S if records else _NEGATIVE_MAX_S
        ttl = min(max(float(answer.chaining_result.minimum_ttl), _TTL_MIN_S), bound)
        return _Known(records, "", self._clock() + ttl)

    def _nothing(self, error: dns.resolver.NXDOMAIN) -> _Known:
        """Remember that a name does not exist, for as long as its zone says (RFC 2308 §5)."""
        ttls = [
            float(response.resolve_chaining().minimum_ttl)
            for response in error.kwargs["responses"].values()
            if isinstance(response, dns.message.QueryMessage)
        ]
        ttl = min([_NEGATIVE_MAX_S, *ttls])
        return _Known((), "", self._clock() + max(ttl, _TTL_MIN_S))

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Return the stub resolver; the system's configuration is read again when it may be stale."""
        now = self._clock()
        if self._system is None or (self._nameservers is None and now >= self._reread_at):
            self._reread_at = now + _REREAD_S
            self._system = _stub(self._nameservers)
        return self._system


def _stub(nameservers: Sequence[tuple[str, int]] | None) -> dns.asyncresolver.Resolver:
    try:
        stub = dns.asyncresolver.Resolver(configure=nameservers is None)
    except dns.resolver.NoResolverConfiguration:
        stub = dns.asyncresolver.Resolver(configure=False)
        stub.nameservers = ["127.0.0.1"]  # what resolv.conf(5) promises where there is no file
    if nameservers is not None:
        stub.nameservers = [
            dns.nameserver.Do53Nameserver(address, port) for address, port in nameservers
        ]
    stub.cache = None
    stub.timeout = _TRY_S
    return stub


def _records(answer: dns.resolver.Answer) -> list[Record]:
    """Return the records of an answer, as plain values."""
    found: list[Record] = []
    for data in list(answer.rrset or ())[:MAX_RECORDS]:
        record = _READERS[answer.rdtype](data)
        if record:
            found.append(record)
    return found


def _naptr(data: Any) -> Record:
    flags, service = data.flags.decode("latin-1"), data.service.decode("latin-1")
    return Naptr(data.order, data.preference, flags, service, _name(data.replacement))


def _srv(data: Any) -> Record:
    return Srv(data.priority, data.weight, data.port, _name(data.target))


def _address(data: Any) -> Record:
    return numeric_host(data.address)


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True))


_READERS: Final[Mapping[int, Callable[[Any], Record]]] = {
    dns.rdatatype.NAPTR: _naptr,
    dns.rdatatype.SRV: _srv,
    dns.rdatatype.A: _address,
    dns.rdatatype.AAAA: _address,
}


def _in_words(question: Question, error: Exception) -> str:
    """Return why a question has no answer, for an operator."""
    asked = f"{question.kind} {question.name}"
    if isinstance(error, dns.exception.Timeout):
        return f"no name server answered {asked} within {QUESTION_S:g} s"
    if isinstance(error, dns.resolver.NoNameservers):
        codes = {dns.rcode.to_text(e[4].rcode()) for e in error.kwargs["errors"] if e[4]}
        said = ", ".join(sorted(codes)) or "nothing usable"
        return f"the name servers answered {asked} with {said}"
    return f"{asked}: {str(error) or type(error).__name__}"


def _why(destination: Destination, speak: AbstractSet[Transport], failures: Sequence[str]) -> str:
    """Return why a URI has no targets."""
    if failures:
        return f"cannot find {destination.host}: {failures[0]}"
    named = destination.transport
    if destination.secure and Transport.TLS not in speak:
        return f"{destination.host} wants TLS, which is not spoken here"
    if destination.secure and named is Transport.UDP:
        return f"{destination.host} wants TLS over UDP, which does not exist"
    if named is not None and named not in speak:
        return f"{destination.host} wants {named.value}, which is not spoken here"
    if numeric_host(destination.host.strip("[]")):
        return f"{destination.host} is of an IP version not spoken here"
    return f"DNS knows no SIP server for {destination.host}"


def _draw(highest: int) -> int:
    return random.randint(0, highest)
