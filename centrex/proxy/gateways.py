"""The gateways as they are: which addresses answer, and what is said to those that ask who calls.

Addresses are asked by OPTIONS (RFC 3261 §11), and learned from calls that meet no answer. Which of them
a call tries, in which order, is for `centrex.routing.hunt`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from centrex.auth.client import answer_challenge
from centrex.base import Flow, Instant, Transport
from centrex.events import Kind, Severity
from centrex.proxy.ask import Resolve
from centrex.proxy.context import Branch
from centrex.routing.next_hop import next_hop
from centrex.routing.rfc3263 import Target as Place
from centrex.routing.settings import Gateway
from centrex.routing.target import Target
from centrex.sip.message import Message
from centrex.sip.names import PROXY_AUTHENTICATE, WWW_AUTHENTICATE
from centrex.transaction.key import MAGIC_COOKIE

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_CHALLENGE: Final = {401: WWW_AUTHENTICATE, 407: PROXY_AUTHENTICATE}
_ANSWER: Final = {401: b"Authorization", 407: b"Proxy-Authorization"}


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
    """

    __slots__ = ("address", "asked", "interval", "name", "since", "status", "waits", "why", "works")

    def __init__(self, name: str, address: str, interval: float, now: Instant) -> None:
        self.name, self.address, self.interval = name, address, interval
        self.works, self.status, self.why = True, 0, ""
        self.asked, self.since, self.waits = -math.inf, now, False


class Gateways:
    """All addresses of all gateways."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}

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

    def works(self, address: str) -> bool:
        """Whether an address answers, as far as is known."""
        probe = self._probes.get(address)
        return probe is None or probe.works

    def tick(self, core: "Core", now: Instant) -> None:
        """Ask those whose time has come."""
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
        place = places[0]
        flow = core.flows.reach(place.transport, place.host, place.port, place.server_name)
        self._send(core, probe, flow, now)

    def _send(self, core: "Core", probe: Probe, flow: Flow | None, now: Instant) -> None:
        if flow is None:
            self.failed(core, probe, "no such transport here", now)
            return
        branch = MAGIC_COOKIE + core.ids.token()
        here = _own_uri(flow)
        lines = (
            b"OPTIONS %b SIP/2.0" % probe.address.encode(),
            flow.local.via + branch,
            b"Max-Forwards: 70",
            b"From: <%b>;tag=%b" % (here, core.ids.token()),
            b"To: <%b>" % probe.address.encode(),
            b"Call-ID: " + core.ids.token(),
            b"CSeq: 1 OPTIONS",
            b"Contact: <%b>" % here,
            b"Content-Length: 0",
        )
        data = b"\r\n".join(lines) + b"\r\n\r\n"
        core.layer.open_client((branch, b"OPTIONS"), data, flow, probe, now)

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


def credentials(core: "Core", branch: Branch, response: Message) -> bytes:
    """Return the header line that answers a gateway's challenge; empty where nothing would.

    A challenge that comes again though it was answered is the gateway's refusal.
    """
    gateway = core.routes.gateways.get(branch.target.gateway)
    header = _CHALLENGE.get(response.status)
    if gateway is None or header is None or not gateway.login or branch.target.credentials:
        return b""
    value = answer_challenge(
        response.values(header),
        gateway.login.encode(),
        gateway.password.get_secret_value().encode(),
        method=branch.context.method,
        uri=branch.target.uri,
        cnonce=core.ids.token(),
    )
    return b"%b: %b" % (_ANSWER[response.status], value) if value else b""


def with_credentials(target: Target, line: bytes) -> Target:
    """Return a target to which the request goes again, now with credentials."""
    again = Target(target.uri, target.flow, target.path, target.ring_s)
    again.others, again.gateway, again.credentials = target.others, target.gateway, (line,)
    return again


def next_address(target: Target) -> Target | None:
    """Return the next address of a target that cannot be reached; None where there is none left."""
    if not target.others:
        return None
    following = Target(target.others[0], ring_s=target.ring_s)
    following.others, following.gateway = target.others[1:], target.gateway
    return following


def _own_uri(flow: Flow) -> bytes:
    local = flow.local
    host = f"[{local.host}]" if ":" in local.host else local.host
    suffix = "" if flow.transport is Transport.UDP else f";transport={flow.transport.value.lower()}"
    return f"sip:{host}:{local.port}{suffix}".encode()
