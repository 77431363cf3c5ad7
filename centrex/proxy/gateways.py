"""The gateways as they are: which addresses answer, and what is known of those that ask who calls.

Addresses are asked by OPTIONS (RFC 3261 §11), and learned from calls that meet no answer. Which of them
a call tries, in which order, is for `centrex.routing.hunt`; what is said to one that asks, for
`centrex.proxy.gateway_login`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant
from centrex.events import Kind, Severity
from centrex.proxy.ask import Resolve
from centrex.proxy.asked import Asked, ask, own_uri
from centrex.proxy.context import Context
from centrex.proxy.gateway_login import Nonces
from centrex.proxy.gateway_numbers import GatewayNumbers
from centrex.routing.next_hop import Hop, next_hop
from centrex.routing.rfc3263 import Destination
from centrex.routing.rfc3263 import Target as Place
from centrex.routing.settings import Gateway
from centrex.routing.target import Target
from centrex.transaction.client import ClientTransaction

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_PLACES: Final = 16
_LOOK_UP_S: Final = 60.0
"""How often the name of an address is looked up that nobody asks whether it is there."""
PATIENCE_S: Final = 5.0
"""How long an answer may take; less where questions follow faster than that."""
_LEAST_PATIENCE_S: Final = 2.0
_MISSES: Final = 2
"""Questions in a row without an answer, after which an address counts as gone."""


class Probe:
    """One address of a gateway.

    Attributes:
        name: The gateway's name.
        address: The address, a SIP URI without a user.
        interval: Seconds between two questions; 0 for none.
        works: Whether it answered last, as far as is known.
        status: The last status it answered with; 0 for none.
        why: Why it does not; empty where it does.
        asked: When it was asked last.
        since: Since when it is as it is.
        places: Where its name led to when it was looked up last.
        way: Which of them was asked last.
        silent: Those that did not answer, or did not serve a call, when they were asked last.
        waits: Whether its name is being looked up.
        question: What it was asked last; None where that could not be sent.
        answers_to: The number of the youngest question that it answered.
        misses: How many questions in a row it has not answered in time.
    """

    __slots__ = (
        "address",
        "answers_to",
        "asked",
        "interval",
        "misses",
        "name",
        "places",
        "question",
        "silent",
        "since",
        "status",
        "waits",
        "way",
        "why",
        "works",
    )

    def __init__(self, name: str, address: str, now: Instant) -> None:
        self.name, self.address, self.interval = name, address, 0.0
        self.works, self.status, self.why = True, 0, ""
        self.asked, self.since, self.waits = -math.inf, now, False
        self.places: tuple[Hop, ...] = ()
        self.way: Hop | None = None
        self.silent: set[Hop] = set()
        self.question: _Question | None = None
        self.answers_to = self.misses = 0

    @property
    def hop(self) -> Hop | Destination | None:
        """Where its address leads, as far as that can be told without asking anybody."""
        return next_hop(self.address.encode())

    @property
    def ways(self) -> Sequence[Hop]:
        """Where it is, as far as is known."""
        hop = self.hop
        return (hop,) if isinstance(hop, tuple) else self.places

    @property
    def patience(self) -> float:
        """How long an answer may take, in seconds."""
        return max(min(self.interval, PATIENCE_S), _LEAST_PATIENCE_S)

    @property
    def pause(self) -> float:
        """How long after the last question the next one follows: at once after a first miss."""
        return 0.0 if self.works and self.misses else self.interval


class _Question(Asked):
    """One question; those to one address are numbered, so that old ones do not speak for it.

    Attributes:
        open: Whether it may still be answered in time.
        client: Its transaction.
    """

    __slots__ = ("client", "number", "open", "probe")

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.number: int = 1 + (probe.question.number if probe.question else probe.answers_to)
        self.open = True
        self.client: ClientTransaction | None = None

    def answered(self, core: "Core", status: int, now: Instant) -> None:
        """See `Asked`; an answer that comes late is one, unless a younger question had one."""
        probe = self.probe
        if status < 200 or self.number <= probe.answers_to:
            return
        self.open = False
        probe.answers_to = self.number
        core.gateways.answered(core, probe, status, now)

    def failed(self, core: "Core", why: str, now: Instant) -> None:
        """See `Asked`; nothing new where a younger one was answered, or its time was up before."""
        if self.open and self.probe.question is self:
            self.open = False
            core.gateways.unheard(core, self.probe, why, now)


class Gateways:
    """All addresses of all gateways.

    Attributes:
        numbers: The CSeq numbers of dialogs with those that ask who calls.
        nonces: How often they were told what they asked for.
    """

    def __init__(self) -> None:
        self._probes: dict[tuple[str, str], Probe] = {}
        self._asking: frozenset[str] = frozenset()
        self._callers: dict[str, list[tuple[Hop, str]]] = {}
        self.numbers, self.nonces = GatewayNumbers(), Nonces()

    @property
    def gone(self) -> Sequence[Probe]:
        """Return the addresses that do not answer."""
        return tuple(probe for probe in self._probes.values() if not probe.works)

    @property
    def probes(self) -> Sequence[Probe]:
        """Return all addresses."""
        return tuple(self._probes.values())

    def configure(self, gateways: Mapping[str, Gateway], now: Instant) -> None:
        """Take over the gateways there are; what is known of an address that stays, stays."""
        fresh: dict[tuple[str, str], Probe] = {}
        for gateway in gateways.values():
            for address in gateway.addresses if gateway.enabled else ():
                key = gateway.name, address
                probe = self._probes.get(key) or Probe(gateway.name, address, now)
                probe.interval = float(gateway.check_interval)
                if not probe.interval:
                    probe.works, probe.why, probe.misses = True, "", 0
                    probe.silent.clear()
                    _close(probe)
                fresh[key] = probe
        for key, probe in self._probes.items():
            if key not in fresh:
                _close(probe)
        self._probes = fresh
        self._asking = frozenset(name for name, gateway in gateways.items() if gateway.login)
        self._look_who_calls()
        self.numbers.begin(now)
        self.nonces.keep(frozenset(gateways))

    def works(self, name: str, address: str) -> bool:
        """Whether a gateway's address answers it, as far as is known: another may not be served there."""
        probe = self._probes.get((name, address))
        return probe is None or probe.works

    def calling(self, ctx: Context) -> str:
        """Return the gateway with a login that a call is from; empty where it is none.

        Of several at one host it is the one whose transport and port are those of the call, by where it
        came from, or by what its Via tells; the first one where that does not decide.
        """
        rows = self._callers.get(ctx.flow.host)
        if not rows:
            return ""
        flow, port = ctx.flow, ctx.sent_by_port
        return max(rows, key=lambda row: _likeness(row[0], flow, port))[1]

    def _look_who_calls(self) -> None:
        """Remember where gateways with a login are."""
        self._callers = {}
        for probe in self._probes.values():
            if probe.name in self._asking:
                for way in probe.ways:
                    self._callers.setdefault(way[1], []).append((way, probe.name))

    def is_at(self, name: str, host: str) -> bool:
        """Whether a host is an address of a gateway: written as one, or where its name led to."""
        return any(
            host == way[1]
            for probe in self._probes.values()
            if probe.name == name
            for way in probe.ways
        )

    def tick(self, core: "Core", now: Instant) -> None:
        """Ask those whose time has come, and forget calls that are over."""
        self.numbers.tick(now)
        for probe in self._probes.values():
            if probe.waits:
                continue
            if not probe.interval:
                self._look_up(core, probe, now)
                continue
            question = probe.question
            if question is not None and question.open:
                if now - probe.asked < probe.patience:
                    continue
                question.open = False
                self.unheard(core, probe, "it does not answer", now, least=_MISSES)
            if now - probe.asked >= probe.pause:
                self._ask(core, probe, now)

    def _look_up(self, core: "Core", probe: Probe, now: Instant) -> None:
        """Look up the name of an address that is not asked whether it is there, but may call."""
        hop = probe.hop
        if (
            isinstance(hop, Destination)
            and probe.name in self._asking
            and now - probe.asked >= _LOOK_UP_S
        ):
            probe.asked, probe.waits = now, True
            core.ask(Resolve(core.next_ask(), hop), probe)

    def _ask(self, core: "Core", probe: Probe, now: Instant) -> None:
        probe.asked = now
        hop = probe.hop
        if hop is None:
            self.failed(core, probe, "its URI leads nowhere", now)
        elif isinstance(hop, tuple):
            self._send(core, probe, hop, core.flows.reach(*hop), now)
        else:
            probe.waits = True
            core.ask(Resolve(core.next_ask(), hop), probe)

    def resolved(
        self, core: "Core", probe: Probe, places: Sequence[Place] | str, now: Instant
    ) -> None:
        """DNS has told where an address is, or that it is nowhere; what is not asked is not judged."""
        probe.waits = False
        if self._probes.get((probe.name, probe.address)) is not probe:
            return
        if isinstance(places, str) or not places:
            if probe.interval:
                self.failed(core, probe, places if isinstance(places, str) else "no address", now)
            return
        probe.places = tuple((one.transport, one.host, one.port) for one in places[:_MOST_PLACES])
        self._look_who_calls()
        if not probe.interval:
            return
        place = places[probe.misses % len(probe.places)]
        flow = core.flows.reach(place.transport, place.host, place.port, place.server_name)
        self._send(core, probe, place[:3], flow, now)

    def _send(self, core: "Core", probe: Probe, way: Hop, flow: Flow | None, now: Instant) -> None:
        probe.way = way
        if flow is None:
            self.unheard(core, probe, "no such transport here", now)
            return
        former = probe.question
        if former is not None and former.client is not None:
            core.layer.forget_client(former.client)
        uri = probe.address.encode()
        probe.asked, probe.question = now, _Question(probe)
        probe.question.client = ask(core, probe.question, uri, uri, own_uri(flow), flow, now)

    def answered(self, core: "Core", probe: Probe, status: int, now: Instant) -> None:
        """An address has answered; with 503 it says itself that it cannot serve (§21.5.4)."""
        probe.status = status
        if status == 503:
            self.unheard(core, probe, "it answers 503", now)
            return
        probe.misses = 0
        if probe.way is not None:
            probe.silent.discard(probe.way)
        if not probe.works:
            probe.works, probe.why, probe.since = True, "", now
            self._tell(core, probe, "gateway.back", Severity.NOTICE)

    def unheard(
        self, core: "Core", probe: Probe, why: str, now: Instant, *, least: int = 1
    ) -> None:
        """A question came to nothing: the next one goes to the next place, if there is another.

        Args:
            core: The core.
            probe: The address.
            why: Why.
            now: The time.
            least: After how many in a row it counts as gone, where its name has no more places than that.
        """
        probe.misses += 1
        if probe.way is not None:
            probe.silent.add(probe.way)
        if probe.misses >= max(least, len(probe.ways)):
            self.failed(core, probe, why, now)

    def failed(self, core: "Core", probe: Probe, why: str, now: Instant) -> None:
        """An address cannot be reached."""
        probe.why = why
        if probe.works:
            probe.works, probe.since = False, now
            self._tell(core, probe, "gateway.gone", Severity.WARNING)

    def state(self, target: Target) -> str:
        """Return how a gateway's address is, as far as is known, as a clause."""
        probe = self._at(target)
        if probe is None:
            return "whether it is there is not looked at"
        if not probe.works:
            return f"it counts as gone: {probe.why}"
        return "it answers" if probe.answers_to else "it has not been heard of yet"

    def _at(self, target: Target) -> Probe | None:
        """Return what is known of a target's address; None where its gateway does not ask there."""
        scheme, _, rest = target.uri.partition(b":")
        address = b"%b:%b" % (scheme, rest.rpartition(b"@")[2])
        probe = self._probes.get((target.gateway, address.decode()))
        return probe if probe is not None and probe.interval else None

    def in_order(self, target: Target, places: Sequence[Place]) -> list[Place]:
        """Return the places that the name of a gateway's address has, those that are silent at the end."""
        probe = self._at(target)
        silent = probe.silent if probe is not None else ()
        return sorted(places, key=lambda place: place[:3] in silent)

    def unserved(self, target: Target, flow: Flow) -> None:
        """A call was not served at one of the places of an address, and is tried at the next."""
        probe = self._at(target)
        if probe is not None:
            probe.silent.add((flow.transport, flow.host, flow.port))

    def missed(self, core: "Core", target: Target, why: str, now: Instant) -> None:
        """A call was not served at a gateway's address: later ones avoid it until it answers."""
        probe = self._at(target)
        if probe is not None:
            self.failed(core, probe, f"a call was not served there: {why}", now)

    def _tell(self, core: "Core", probe: Probe, name: str, severity: Severity) -> None:
        fields = {"gateway": probe.name, "address": probe.address, "why": probe.why}
        core.notify(Kind.ROUTING, severity, name, fields)


def _close(probe: Probe) -> None:
    """Whatever becomes of the question that is open, it no longer matters."""
    if probe.question is not None:
        probe.question.open = False
        probe.answers_to = probe.question.number


def _likeness(way: Hop, flow: Flow, port: int) -> tuple[bool, bool, bool]:
    """Return how well a gateway's place fits the way a call came; see `Gateways.calling`."""
    transport, _, at = way
    same = transport is flow.transport
    return same and at == flow.port, at in (flow.port, port), same


def next_address(target: Target) -> Target | None:
    """Return the next address of a target that cannot be reached; None where there is none left."""
    if not target.others:
        return None
    following = Target(target.others[0], ring_s=target.ring_s)
    following.others, following.gateway = target.others[1:], target.gateway
    return following
