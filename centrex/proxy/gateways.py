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
from centrex.proxy.gateway_login import Nonces
from centrex.proxy.gateway_numbers import GatewayNumbers
from centrex.routing.next_hop import next_hop
from centrex.routing.rfc3263 import Target as Place
from centrex.routing.settings import Gateway
from centrex.routing.target import Target

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_HOSTS: Final = 16


class Probe(Asked):
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
        hosts: Where its name led to when it was looked up last.
    """

    __slots__ = (
        "address",
        "asked",
        "hosts",
        "interval",
        "name",
        "since",
        "status",
        "waits",
        "why",
        "works",
    )

    def __init__(self, name: str, address: str, interval: float, now: Instant) -> None:
        self.name, self.address, self.interval = name, address, interval
        self.works, self.status, self.why = True, 0, ""
        self.asked, self.since, self.waits = -math.inf, now, False
        self.hosts: frozenset[str] = frozenset()

    def answered(self, core: "Core", status: int, now: Instant) -> None:
        """See `Asked`."""
        core.gateways.answered(core, self, status, now)

    def failed(self, core: "Core", why: str, now: Instant) -> None:
        """See `Asked`."""
        core.gateways.failed(core, self, why, now)


class Gateways:
    """All addresses of all gateways.

    Attributes:
        numbers: The CSeq numbers of dialogs with those that ask who calls.
        nonces: How often they were told what they asked for.
    """

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self.numbers, self.nonces = GatewayNumbers(), Nonces()

    @property
    def probes(self) -> Sequence[Probe]:
        """Return all addresses."""
        return tuple(self._probes.values())

    def configure(self, gateways: Mapping[str, Gateway], now: Instant) -> None:
        """Take over the gateways there are; what is known of an address that stays, stays."""
        fresh: dict[str, Probe] = {}
        for gateway in gateways.values():
            for address in gateway.addresses if gateway.enabled else ():
                probe = self._probes.get(address) or Probe(gateway.name, address, 0.0, now)
                probe.name, probe.interval = gateway.name, float(gateway.check_interval)
                if not probe.interval:
                    probe.works, probe.why = True, ""
                fresh[address] = probe
        self._probes = fresh
        self.numbers.begin(now)
        self.nonces.keep(frozenset(gateways))

    def works(self, address: str) -> bool:
        """Whether an address answers, as far as is known."""
        probe = self._probes.get(address)
        return probe is None or probe.works

    def is_at(self, name: str, host: str) -> bool:
        """Whether a host is an address of a gateway: written as one, or where its name led to."""
        for probe in self._probes.values():
            if probe.name == name:
                hop = next_hop(probe.address.encode())
                if host in probe.hosts or (isinstance(hop, tuple) and hop[1] == host):
                    return True
        return False

    def tick(self, core: "Core", now: Instant) -> None:
        """Ask those whose time has come, and forget calls that are over."""
        self.numbers.tick(now)
        for probe in self._probes.values():
            if probe.interval and not probe.waits and now - probe.asked >= probe.interval:
                probe.asked = now
                self._ask(core, probe, now)

    def _ask(self, core: "Core", probe: Probe, now: Instant) -> None:
        hop = next_hop(probe.address.encode())
        if hop is None:
            self.failed(core, probe, "its URI leads nowhere", now)
        elif isinstance(hop, tuple):
            self._send(core, probe, core.flows.reach(*hop), now)
        else:
            probe.waits = True
            core.ask(Resolve(core.next_ask(), hop), probe)

    def resolved(
        self, core: "Core", probe: Probe, places: Sequence[Place] | str, now: Instant
    ) -> None:
        """DNS has told where an address is, or that it is nowhere."""
        probe.waits = False
        if isinstance(places, str) or not places:
            self.failed(core, probe, places if isinstance(places, str) else "no address", now)
            return
        probe.hosts = frozenset(place.host for place in places[:_MOST_HOSTS])
        place = places[0]
        flow = core.flows.reach(place.transport, place.host, place.port, place.server_name)
        self._send(core, probe, flow, now)

    def _send(self, core: "Core", probe: Probe, flow: Flow | None, now: Instant) -> None:
        if flow is None:
            self.failed(core, probe, "no such transport here", now)
            return
        uri = probe.address.encode()
        ask(core, probe, uri, uri, own_uri(flow), flow, now)

    def answered(self, core: "Core", probe: Probe, status: int, now: Instant) -> None:
        """An address has answered; with 503 it says itself that it cannot serve (§21.5.4)."""
        if status < 200:
            return
        probe.status = status
        if status == 503:
            self.failed(core, probe, "it answers 503", now)
        elif not probe.works:
            probe.works, probe.why, probe.since = True, "", now
            self._tell(core, probe, "gateway.back", Severity.NOTICE)

    def failed(self, core: "Core", probe: Probe, why: str, now: Instant) -> None:
        """An address cannot be reached."""
        probe.why = why
        if probe.works:
            probe.works, probe.since = False, now
            self._tell(core, probe, "gateway.gone", Severity.WARNING)

    def missed(self, core: "Core", target: Target, now: Instant) -> None:
        """A call met no answer at a gateway's address: it is asked at once, and later ones avoid it."""
        _, _, rest = target.uri.rpartition(b"@")
        for probe in self._probes.values():
            there = probe.address.partition(":")[2].encode()
            if probe.interval and probe.name == target.gateway and there == rest:
                self.failed(core, probe, "a call met no answer there", now)

    def _tell(self, core: "Core", probe: Probe, name: str, severity: Severity) -> None:
        fields = {"gateway": probe.name, "address": probe.address, "why": probe.why}
        core.notify(Kind.ROUTING, severity, name, fields)


def next_address(target: Target) -> Target | None:
    """Return the next address of a target that cannot be reached; None where there is none left."""
    if not target.others:
        return None
    following = Target(target.others[0], ring_s=target.ring_s)
    following.others, following.gateway = target.others[1:], target.gateway
    return following
