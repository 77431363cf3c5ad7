"""Which registered phones do not answer: asked by OPTIONS, or met with silence by a call.

A mark is about an address, which several users may share, and says no more than that nothing came
back: the contact stays registered and is still tried, only it holds nobody up who does answer. Any
message from that address takes the mark off. Whose time it is to be asked is for `runtime.keepalive`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from centrex.base import Flow, Instant
from centrex.events import Field, Kind, Severity
from centrex.proxy.asked import Asked, ask
from centrex.proxy.context import Branch
from centrex.registrar.binding import Binding
from centrex.registrar.registry import MustAsk
from centrex.routing.next_hop import next_hop
from centrex.sip.uri import escape_user
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

MOST: Final = 200_000
"""Addresses of which is known whether they answer."""
MOST_OPEN: Final = 5_000
"""Questions open at once."""
_NO_ANSWER: Final = "asked by OPTIONS"
_CALLED: Final = "called"
_AT_ONCE: Final = 100

Address: TypeAlias = tuple[str, int]
"""Numeric host and port."""


def address_of(binding: Binding) -> Address | None:
    """Return the address a contact is reached at, None where that cannot be told.

    A phone behind another proxy (RFC 3327) is none of ours to judge: its proxy might answer for it.
    """
    flow = binding.flow
    if binding.path:
        return None
    if flow is not None and binding.natted:
        return flow.host, flow.port
    hop = next_hop(binding.contact)
    if isinstance(hop, tuple):
        return hop[1:]
    return None if flow is None else (flow.host, flow.port)


class Contact(Asked):
    """One address where phones are.

    Attributes:
        address: The address.
        user: One of the users who are registered there, in canonical spelling.
        uri: The contact of his.
        call_id: The Call-ID of his registration.
        open: Whether it has been asked and neither answered nor failed.
        answers: Whether it answered when it was asked last.
        silent_since: Since when it is marked; 0 where it is not.
        why: How that was noticed; empty where it is not.
    """

    __slots__ = ("address", "answers", "call_id", "open", "silent_since", "uri", "user", "why")

    def __init__(self, address: Address, user: bytes, binding: Binding) -> None:
        self.address, self.user = address, user
        self.uri, self.call_id = binding.contact, binding.call_id
        self.open = self.answers = False
        self.silent_since = 0.0
        self.why = ""

    def answered(self, core: "Core", status: int, now: Instant) -> None:
        """See `Asked`; whatever it says, it is there."""
        self.answers = True
        core.contacts.lift(core, self.address, now)
        if status >= 200:
            core.contacts.close(self)

    def failed(self, core: "Core", why: str, now: Instant) -> None:
        """See `Asked`."""
        core.contacts.close(self)
        core.contacts.mark(core, self, _NO_ANSWER, now)


class Contacts:
    """What is known of the addresses of registered phones.

    Attributes:
        marked: Those that do not answer; the same object for ever.
        asks: Whether phones are asked at all.
    """

    asks = False

    def __init__(self) -> None:
        self.marked: dict[Address, Contact] = {}
        self._known: dict[Address, Contact] = {}
        self._open = 0
        self._to_look_at: list[Address] = []

    def __len__(self) -> int:
        return len(self._known)

    # asking

    def ask(self, core: "Core", user: bytes, binding: Binding, now: Instant) -> bool:
        """Ask a phone whether it is there; False where that cannot be done now.

        No connection is opened for it: a phone on a connection is reached by that alone.
        """
        address = address_of(binding)
        flow = None if address is None else _way(core, binding)
        if address is None or flow is None:
            return False
        contact = self._at(address, user, binding)
        if contact is None:
            return False
        if contact.open:
            return True
        if self._open >= MOST_OPEN:
            core.statistics.drop("contact-check-full")
            return False
        contact.user, contact.uri, contact.call_id = user, binding.contact, binding.call_id
        contact.open = True
        self._open += 1
        aor = b"sip:%b@%b" % (escape_user(user), core.watchers.roll.domain)
        sender = b"sip:%b@%b" % (core.places.registrar_name, core.watchers.roll.domain)
        ask(core, contact, binding.contact, aor, sender, flow, now)
        return True

    def close(self, contact: Contact) -> None:
        """A question is no longer open."""
        if contact.open:
            contact.open = False
            self._open -= 1

    def is_silent(self, binding: Binding) -> bool:
        """Whether a contact is marked."""
        address = address_of(binding)
        return address is not None and address in self.marked

    def of(self, binding: Binding) -> Contact | None:
        """Return what is known of a contact's address; None for nothing."""
        address = address_of(binding)
        return None if address is None else self._known.get(address)

    # marks

    def mark(self, core: "Core", contact: Contact, why: str, now: Instant) -> None:
        """An address does not answer."""
        contact.answers = False
        if contact.address in self.marked or self._known.get(contact.address) is not contact:
            return
        contact.silent_since, contact.why = now, why
        self.marked[contact.address] = contact
        decision = (now, Rule.CONTACT_SILENT, contact.user, contact.uri, why)
        core.journal.note(contact.call_id, decision)
        _tell(core, contact, "contact.silent", {"why": why})

    def lift(self, core: "Core", address: Address, now: Instant) -> None:
        """Something came from an address: whoever is there answers."""
        contact = self.marked.pop(address, None)
        if contact is None:
            return
        silent_s = round(now - contact.silent_since)
        contact.silent_since, contact.why, contact.answers = 0.0, "", True
        decision = (now, Rule.CONTACT_ANSWERS, contact.user, contact.uri, silent_s)
        core.journal.note(contact.call_id, decision)
        _tell(core, contact, "contact.answers", {"silent_s": silent_s})

    def missed(self, core: "Core", branch: Branch, now: Instant) -> None:
        """A request that begins something met no answer at all: if that was a phone, it is marked."""
        ctx, target, flow = branch.context, branch.target, branch.flow
        if ctx.to_tag or target.gateway or target.path or flow is None or branch.heard:
            return
        user = core.registry.canonical(target.user or ctx.user)
        bindings = core.registry.lookup(user, now)
        if isinstance(bindings, MustAsk):
            return
        for binding in bindings:
            address = address_of(binding)
            if binding.contact == target.uri and address == (flow.host, flow.port):
                contact = self._at(address, user, binding)
                if contact is not None:
                    self.mark(core, contact, _CALLED, now)
                if self.asks:
                    self.ask(core, user, binding, now)
                return

    def tick(self, core: "Core", now: Instant) -> None:
        """Forget addresses where nobody is registered any more, some at a time."""
        if not self._to_look_at:
            self._to_look_at = list(self._known)
        looked, self._to_look_at = self._to_look_at[:_AT_ONCE], self._to_look_at[_AT_ONCE:]
        for address in looked:
            contact = self._known.get(address)
            if contact is None or contact.open:
                continue
            held = core.registry.lookup(contact.user, now)
            if not isinstance(held, MustAsk) and address not in map(address_of, held):
                del self._known[address]
                self.marked.pop(address, None)

    def _at(self, address: Address, user: bytes, binding: Binding) -> Contact | None:
        contact = self._known.get(address)
        if contact is None and len(self._known) < MOST:
            contact = self._known[address] = Contact(address, user, binding)
        return contact

    # routing

    def silent_of(self, bindings: Sequence[Binding]) -> list[Contact]:
        """Return the marks of those contacts that have one."""
        found = [self.marked.get(address) for one in bindings if (address := address_of(one))]
        return [one for one in found if one is not None]


def _way(core: "Core", binding: Binding) -> Flow | None:
    flow = binding.flow
    if flow is not None and (binding.natted or flow.reliable):
        return flow if flow.open or not flow.reliable else None
    hop = next_hop(binding.contact)
    return core.flows.find(*hop) if isinstance(hop, tuple) else flow


def _tell(core: "Core", contact: Contact, name: str, more: dict[str, Field]) -> None:
    host, port = contact.address
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    fields = {"user": contact.user, "contact": contact.uri, "address": where, **more}
    core.notify(Kind.REGISTRATIONS, Severity.NOTICE, name, fields, contact.call_id)
