"""Where a SIP URI leads: which questions to ask DNS, and in what order to try the answers.

Knows RFC 3263 §4 and the weights of RFC 2782, as a generator that yields questions and is sent
their answers. It asks nobody: `centrex.runtime.dns` holds the conversation, a test can hold it with
two lists. Every count is bounded, because the far side's zone is not ours.
"""

import bisect
import ipaddress
import itertools
from collections.abc import Callable, Generator, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from centrex.base import Transport

MAX_TARGETS: Final = 16
"""Targets tried for one URI; the rest of a longer list is left."""
MAX_RECORDS: Final = 16
"""Records used of one answer."""

Kind: TypeAlias = Literal["NAPTR", "SRV", "A", "AAAA"]
Draw: TypeAlias = Callable[[int], int]
"""Draws a whole number from 0 to its argument, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a URI says about where to go (RFC 3261 §19.1.1)."""

    host: str
    """`maddr` where the URI has one, else its host; brackets around IPv6 are allowed."""
    port: int = 0
    """The port it names, 0 where it names none."""
    transport: Transport | None = None
    """Its `transport` parameter; None where it has none."""
    secure: bool = False
    """Whether it is a `sips:` URI: TLS on every hop."""


class Target(NamedTuple):
    """One place to send to. A tuple of them, in order, is the fail-over list of §4.3."""

    transport: Transport
    host: str
    """Numeric, without brackets."""
    port: int
    server_name: str
    """The name a TLS certificate must bear: the URI's host, never a name DNS gave (RFC 5922 §4)."""


class Question(NamedTuple):
    """One question to DNS."""

    kind: Kind
    name: str


class Naptr(NamedTuple):
    """A NAPTR record (RFC 3403 §4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record: TypeAlias = Naptr | Srv | str
"""An address (answer to A and AAAA) is a plain numeric string."""
Answer: TypeAlias = Sequence[Record]
"""The records found; empty where there are none or the question failed."""
Conversation: TypeAlias = Generator[tuple[Question, ...], tuple[Answer, ...], tuple[Target, ...]]
"""Yields questions that may be asked at once, is sent one answer for each, returns the targets."""

_PREFERENCE: Final = (Transport.UDP, Transport.TCP, Transport.TLS)
_SERVICES: Final = {
    "sip+d2u": Transport.UDP,
    "sip+d2t": Transport.TCP,
    "sips+d2t": Transport.TLS,
}
_SRV_PREFIX: Final = {
    Transport.UDP: "_sip._udp.",
    Transport.TCP: "_sip._tcp.",
    Transport.TLS: "_sips._tcp.",
}
_NAME_OCTETS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_MAX_NAME: Final = 253
_MAX_LABEL: Final = 63


def locate(
    destination: Destination,
    speak: AbstractSet[Transport],
    draw: Draw,
    *,
    families: Sequence[Literal[4, 6]] = (4, 6),
) -> Conversation:
    """Find the targets of a URI, in the order they are to be tried.

    Args:
        destination: What the URI says.
        speak: The transports we can send by.
        draw: Randomness for the weights.
        families: The IP versions we can send by, preferred first.

    Returns:
        A generator: yields tuples of questions, expects a tuple of answers for each, and returns
        at most `MAX_TARGETS` targets; none where there is no usable record, the host is no host
        name, or nothing we speak is allowed.
    RFC: 3263 §4.1, §4.2.
    """
    host = destination.host.strip("[]").rstrip(".").lower()
    allowed = _allowed(destination, speak)
    if not allowed:
        return ()
    numeric = numeric_host(host)
    if numeric:
        port = destination.port or allowed[0].default_port
        return _usable([Target(allowed[0], numeric, port, numeric)], families)
    if not is_host_name(host):
        return ()
    if destination.port:
        return (yield from _addresses(host, [(allowed[0], host, destination.port)], families))
    if destination.transport is None:
        services = yield from _services(host, allowed)
    else:
        services = [(allowed[0], _SRV_PREFIX[allowed[0]] + host)]
    places = yield from _servers(host, services, draw)
    if places is None:
        transport = services[0][0]
        places = [(transport, host, transport.default_port)]
    return (yield from _addresses(host, places, families))


def numeric_host(host: str) -> str:
    """Return the canonical spelling of a numeric address without brackets; "" where it is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ""
    return "" if "%" in host else str(address)


def is_host_name(host: str) -> bool:
    """Whether a lower-case name may be asked for at all (RFC 1123 §2.1, and `_` as seen in use)."""
    return (
        0 < len(host) <= _MAX_NAME
        and _NAME_OCTETS.issuperset(host)
        and all(0 < len(label) <= _MAX_LABEL for label in host.split("."))
    )


def order_srv(records: Iterable[Srv], draw: Draw) -> list[Srv]:
    """Put SRV records in the order they are to be tried: priority, then chance by weight.

    RFC: 2782, "Weight": zero weights first, a number from 0 to the sum of weights, the first
    record whose running sum reaches it; again with those left.
    """
    ordered: list[Srv] = []
    left = sorted(records, key=lambda record: (record.priority, record.weight != 0))
    while left:
        group = [record for record in left if record.priority == left[0].priority]
        del left[: len(group)]
        while group:
            running = list(itertools.accumulate(record.weight for record in group))
            drawn = min(draw(running[-1]), running[-1])
            ordered.append(group.pop(bisect.bisect_left(running, drawn)))
    return ordered


def _allowed(destination: Destination, speak: AbstractSet[Transport]) -> list[Transport]:
    """Return the transports the URI allows and we speak, the one to take by default first."""
    named = destination.transport
    wanted: tuple[Transport, ...] = _PREFERENCE
    if destination.secure:
        # A sips URI over `transport=tcp` means TLS over TCP (RFC 3261 §26.2.2); UDP cannot be had.
        wanted = () if named is Transport.UDP else (Transport.TLS,)
    elif named is not None:
        wanted = (named,)
    return [transport for transport in wanted if transport in speak]


def _services(
    host: str, allowed: Sequence[Transport]
) -> Generator[tuple[Question, ...], tuple[Answer, ...], list[tuple[Transport, str]]]:
    """Return the transports to use with the name of their SRV records (§4.1).

    The order is that of the NAPTR records; where there are none, ours.
    """
    (answer,) = yield (Question("NAPTR", host),)
    found = sorted(
        (record for record in answer if isinstance(record, Naptr)),
        key=lambda record: (record.order, record.preference),
    )
    services: list[tuple[Transport, str]] = []
    for record in found[:MAX_RECORDS]:
        transport = _SERVICES.get(record.service.lower())
        name = record.replacement.rstrip(".").lower()
        if (
            transport
            and transport in allowed
            and record.flags.lower() == "s"
            and is_host_name(name)
        ):
            services.append((transport, name))
    return services or [(transport, _SRV_PREFIX[transport] + host) for transport in allowed]


def _servers(
    host: str, services: Sequence[tuple[Transport, str]], draw: Draw
) -> Generator[tuple[Question, ...], tuple[Answer, ...], list[tuple[Transport, str, int]] | None]:
    """Return (transport, server, port) from the SRV records; None where there are none at all.

    A target of "." says that the service is decidedly not there (RFC 2782), which is an answer.
    """
    answers = yield tuple(Question("SRV", name) for _, name in services)
    places: list[tuple[Transport, str, int]] = []
    answered = False
    for (transport, _), answer in zip(services, answers, strict=True):
        records = [record for record in answer if isinstance(record, Srv)][:MAX_RECORDS]
        answered = answered or bool(records)
        for record in order_srv(records, draw):
            server = record.target.rstrip(".").lower()
            if record.port and is_host_name(server):
                places.append((transport, server, record.port))
    return places if answered else None


def _addresses(
    host: str, places: Sequence[tuple[Transport, str, int]], families: Sequence[Literal[4, 6]]
) -> Generator[tuple[Question, ...], tuple[Answer, ...], tuple[Target, ...]]:
    """Return the targets, one for each address of each server, in the servers' order (§4.2)."""
    places = places[:MAX_TARGETS]
    names = list(dict.fromkeys(server for _, server, _ in places if not numeric_host(server)))
    kinds: list[Kind] = ["A" if family == 4 else "AAAA" for family in families]
    found: dict[str, list[str]] = {name: [] for name in names}
    questions = tuple(Question(kind, name) for name in names for kind in kinds)
    if questions:
        answers = yield questions
        for question, answer in zip(questions, answers, strict=True):
            found[question.name] += [
                record for record in answer[:MAX_RECORDS] if isinstance(record, str)
            ]
    targets = [
        Target(transport, address, port, host)
        for transport, server, port in places
        for address in found.get(server, [numeric_host(server)])
    ]
    return _usable(targets, families)


def _usable(targets: Iterable[Target], families: Sequence[Literal[4, 6]]) -> tuple[Target, ...]:
    """Return the targets we have an IP version for, each once, up to the bound."""
    usable = (
        target for target in targets if target.host and (6 if ":" in target.host else 4) in families
    )
    return tuple(dict.fromkeys(usable))[:MAX_TARGETS]
