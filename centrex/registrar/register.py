"""REGISTER as a function: a request, what is there now and the time give the answer and the changes.

RFC 3261 §10.3 steps 6 to 8, with Path (RFC 3327) and the device parameters of RFC 5626. That the
request is for us and from who it says, and where bindings are kept, was decided elsewhere. It is
atomic: whatever is refused leaves every binding as it was.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from centrex.base import Flow, Instant, PeerError
from centrex.registrar.binding import Binding, Change, ChangeKind, in_order
from centrex.sip.contact import Contact, Star, parse_contacts, write_q
from centrex.sip.cseq import parse_cseq
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import (
    CALL_ID,
    CONTACT,
    CSEQ,
    EXPIRES,
    PATH,
    REQUIRE,
    SUPPORTED,
    USER_AGENT,
)
from centrex.sip.number import parse_delta
from centrex.sip.status import phrase
from centrex.sip.tokens import parse_option_tags
from centrex.sip.uri import SipUri, parse_uri, uri_equal
from centrex.sip.via import split_values

_UNDERSTOOD: Final = frozenset({b"path"})
_NIL: Final = b"00000000-0000-0000-0000-000000000000"
MAX_CONTACT: Final = 2048
_MAX_PATH: Final = 2048
MAX_CALL_ID: Final = 128
_UNREADABLE_EXPIRES: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How registrations are accepted: the values of `[registrar]` that matter here."""

    default_expires: int = 3600
    """Life in seconds where none is asked for."""
    min_expires: int = 60
    """Shorter ones are answered 423."""
    max_expires: int = 86_400
    """Longer ones are cut to this."""
    max_contacts: int = 10
    """Bindings kept for one user."""


class Outcome:
    """What a REGISTER comes to.

    Attributes:
        status: The status owed; nothing changes unless it is 200.
        phrase: Its reason phrase.
        reason: In words for the log, `explain` and a Warning; empty for 200.
        bindings: All bindings of the user from now on, best first.
        changes: What became of them; empty where the request only asked.
        lines: Header lines for the response, without the CRLF at their ends.
    """

    __slots__ = ("bindings", "changes", "lines", "phrase", "reason", "status")

    def __init__(
        self,
        status: int,
        bindings: tuple[Binding, ...],
        lines: list[bytes],
        *,
        changes: tuple[Change, ...] = (),
        reason: str = "",
        wording: bytes = b"",
    ) -> None:
        self.status, self.phrase, self.reason = status, wording or phrase(status), reason
        self.bindings, self.changes, self.lines = bindings, changes, lines

    def __repr__(self) -> str:
        return f"Outcome({self.status} {self.reason or self.changes})"


class _Refusal(Exception):
    """An outcome on its way out of nested steps."""

    def __init__(self, status: int, reason: str, line: bytes = b"", wording: bytes = b"") -> None:
        super().__init__(reason)
        self.status, self.reason, self.wording = status, reason, wording
        self.lines = [line] if line else []


class _Slot:
    """What was there, and what is to be there: either may be None."""

    __slots__ = ("after", "before")

    def __init__(self, before: Binding | None, after: Binding | None) -> None:
        self.before, self.after = before, after


def register(
    message: Message,
    present: Sequence[Binding],
    flow: Flow | None,
    now: Instant,
    options: Options,
    *,
    natted: bool = False,
) -> Outcome:
    """Process a REGISTER for one user.

    Args:
        message: The request, found valid as far as every request must be (§8.2).
        present: The user's bindings; expired ones do not count.
        flow: The path it came by, kept with each binding.
        now: Monotonic seconds.
        options: What is allowed.
        natted: Whether only that path leads back to the phone.

    Returns:
        200 with every binding listed; or a refusal: 400 (malformed, or a wrong `*`), 403 (too many
        contacts), 420 (an extension required that is not understood), 423 (too short a life), 500
        (older than what is there, RFC 3261 §10.3 steps 6 and 7).
    RFC: 3261 §10.3; 3327 §5.3: a Path is kept in any case, and sent back where the phone supports
        it; 5626 §4.2 for which contacts are one; neither outbound nor GRUU is claimed.
    """
    alive = [one for one in present if one.expires_at > now]
    try:
        _require(message)
        path = _path(message)
        tells_path = bool(path) and b"path" in _tags(message, SUPPORTED)
        slots = [_Slot(one, one) for one in alive]
        contacts = message.values(CONTACT)
        if contacts:
            _apply(
                message,
                contacts,
                slots,
                path=path,
                flow=flow,
                natted=natted,
                now=now,
                options=options,
            )
    except _Refusal as refusal:
        return Outcome(
            refusal.status,
            in_order(alive),
            refusal.lines,
            reason=refusal.reason,
            wording=refusal.wording,
        )
    except PeerError as error:
        return Outcome(error.status, in_order(alive), [], reason=str(error))
    bindings = in_order(slot.after for slot in slots if slot.after is not None)
    lines = [_contact_line(one, now) for one in bindings]
    if tells_path:
        lines += [b"Path: " + value for value in path]
    lines.append(b"Supported: path")
    return Outcome(200, bindings, lines, changes=_changes(slots))


def _apply(
    message: Message,
    values: list[bytes],
    slots: list[_Slot],
    *,
    path: tuple[bytes, ...],
    flow: Flow | None,
    natted: bool,
    now: Instant,
    options: Options,
) -> None:
    contacts = parse_contacts(values)
    call_id, cseq = _call_id(message), parse_cseq(message.value(CSEQ))[0]
    header = _expires_header(message)
    if isinstance(contacts, Star):
        if header != 0:
            raise _Refusal(400, "Contact: * needs Expires: 0 (RFC 3261 §10.2.2)")
        for slot in slots:
            _in_sequence(slot, call_id, cseq)
            slot.after = None
        return
    held = len(slots)
    # Each contact is compared with each binding: what cannot fit anyway is not even begun.
    if len(contacts) > held + options.max_contacts:
        raise _too_many(options)
    user_agent = message.value(USER_AGENT)
    for contact in contacts:
        life = _life(contact, header, options)
        if len(contact.uri) + len(contact.params) > MAX_CONTACT:
            raise _Refusal(400, f"a Contact has more than {MAX_CONTACT} octets")
        # The nil UUID names no device: phones that send it would throw each other out.
        instance = b"" if _NIL in contact.instance else contact.instance
        new = Binding(
            contact.uri,
            contact.params,
            q=contact.q,
            expires_at=now + life,
            call_id=call_id,
            cseq=cseq,
            flow=flow,
            registered_at=now,
            path=path,
            user_agent=user_agent,
            natted=natted,
            instance=instance,
            reg_id=contact.reg_id if instance else 0,
        )
        _place(slots, new, keep=life > 0)
    _make_room(slots, max(options.max_contacts, held), call_id, flow)
    if _kept(slots) > max(options.max_contacts, held):
        raise _too_many(options)


def _kept(slots: Sequence[_Slot]) -> int:
    return sum(slot.after is not None for slot in slots)


def _make_room(slots: Sequence[_Slot], most: int, call_id: bytes, flow: Flow | None) -> None:
    """Let go of bindings by which nobody is reached any more, the oldest first, where there are too many."""
    surplus = _kept(slots) - most
    if surplus > 0:
        lost = [
            (slot.after.registered_at, number)
            for number, slot in enumerate(slots)
            if slot.after is not None
            and slot.after is slot.before
            and _is_lost(slot.after, call_id, flow)
        ]
        for _, number in sorted(lost)[:surplus]:
            slots[number].after = None


def _is_lost(old: Binding, call_id: bytes, flow: Flow | None) -> bool:
    """Whether a way that only the phone could open is gone: its connection, or its former port of a NAT."""
    if not old.natted or old.path:
        return False
    way = old.flow
    if way is None or way.reliable:
        return way is None or not way.open
    if flow is None or flow.host != way.host or flow.port == way.port:
        return False
    return old.call_id == call_id


def _too_many(options: Options) -> _Refusal:
    reason = f"more than {options.max_contacts} contacts for one user"
    return _Refusal(403, reason, wording=b"Too Many Contacts")


def _place(slots: list[_Slot], new: Binding, *, keep: bool) -> None:
    """Put a binding in the place of all those it is the same as, or of none."""
    found = [slot for slot in slots if slot.after is not None and _same(slot.after, new)]
    for slot in found:
        _in_sequence(slot, new.call_id, new.cseq)
        slot.after = None
    if keep:
        if found:
            found[0].after = new
        else:
            slots.append(_Slot(None, new))


def _in_sequence(slot: _Slot, call_id: bytes, cseq: int) -> None:
    """Refuse a request that is older than the binding it would change (§10.3 steps 6 and 7)."""
    old = slot.before
    if old is not None and slot.after is old and old.call_id == call_id and cseq <= old.cseq:
        reason = f"CSeq {cseq} is not higher than the {old.cseq} registered before"
        raise _Refusal(500, reason, wording=b"Out Of Order")


def _same(old: Binding, new: Binding) -> bool:
    """Return whether two bindings are one: by device where both name it, else by URI.

    With a `reg-id` a device has several on purpose (RFC 5626 §4.2); without, a new contact of the
    same device is the old one after its address changed.
    """
    if old.instance and old.instance == new.instance:
        return old.reg_id == new.reg_id
    if old.reg_id and new.reg_id:
        return False
    return old.contact == new.contact or uri_equal(parse_uri(old.contact), parse_uri(new.contact))


def _life(contact: Contact, header: int | None, options: Options) -> int:
    asked = contact.expires if contact.expires is not None else header
    if asked is None:
        asked = options.default_expires
    elif 0 < asked < options.min_expires:
        raise _Refusal(
            423,
            f"{asked} s is shorter than the {options.min_expires} s allowed here",
            b"Min-Expires: %d" % options.min_expires,
        )
    return min(asked, options.max_expires)


def _changes(slots: Sequence[_Slot]) -> tuple[Change, ...]:
    changes = []
    for slot in slots:
        before, after = slot.before, slot.after
        if after is not None and after is not before:
            kind = ChangeKind.REFRESHED if before else ChangeKind.ADDED
            changes.append(Change(kind, after, before))
        elif before is not None and after is None:
            changes.append(Change(ChangeKind.REMOVED, before, before))
    return tuple(changes)


def _contact_line(binding: Binding, now: Instant) -> bytes:
    left = max(round(binding.expires_at - now), 1)
    q = b";q=" + write_q(binding.q) if binding.q < 1000 else b""
    return b"Contact: <%b>%b%b;expires=%d" % (binding.contact, binding.params, q, left)


def _tags(message: Message, number: int) -> list[bytes]:
    if not message.at[number]:
        return []
    return [tag.lower() for tag in parse_option_tags(message.values(number))]


def _require(message: Message) -> None:
    unknown = [tag for tag in _tags(message, REQUIRE) if tag not in _UNDERSTOOD]
    if unknown:
        listed = b", ".join(unknown)
        reason = f"Require names what is not understood here: {listed.decode()}"
        raise _Refusal(420, reason, b"Unsupported: " + listed)


def _path(message: Message) -> tuple[bytes, ...]:
    values = tuple(message.values(PATH))
    if sum(map(len, values)) > _MAX_PATH:
        raise _Refusal(400, f"Path has more than {_MAX_PATH} octets")
    for line in values:
        for value in split_values(line):
            if not isinstance(parse_uri(parse_name_addr(value).uri), SipUri):
                raise _Refusal(400, "a Path is no SIP URI")
    return values


def _call_id(message: Message) -> bytes:
    """Return the Call-ID, in a shorter form where it is absurdly long: it is only compared."""
    value = message.value(CALL_ID)
    if len(value) <= MAX_CALL_ID:
        return value
    return value[:32] + hashlib.blake2b(value, digest_size=16).hexdigest().encode()


def _expires_header(message: Message) -> int | None:
    """Return the Expires value in seconds; None for none. What is no number counts as an hour."""
    if not message.at[EXPIRES]:
        return None
    seconds = parse_delta(message.value(EXPIRES))
    return _UNREADABLE_EXPIRES if seconds is None else seconds
