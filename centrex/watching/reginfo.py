"""Documents of the `reg` package: registrations and their contacts (RFC 3680 §5).

It writes what it is given. Which contacts are told to whom, and as what, is for `roll`.
"""

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from centrex.registrar.binding import Binding
from centrex.sip.contact import write_q
from centrex.watching.markup import HEAD, text

ACTIVE: Final = b"active"
INIT: Final = b"init"
TERMINATED: Final = b"terminated"

REGISTERED: Final = b"registered"
REFRESHED: Final = b"refreshed"
CREATED: Final = b"created"
"""Of a contact that nobody registered: it stands in the directory (§5.2.2)."""
UNREGISTERED: Final = b"unregistered"
EXPIRED: Final = b"expired"
DEACTIVATED: Final = b"deactivated"

_ROOT: Final = (
    b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="%d" state="%b">\n%b</reginfo>\n'
)


class Contact(NamedTuple):
    """One contact of a user, as it is told."""

    id: bytes
    uri: bytes
    state: bytes
    event: bytes
    expires_s: int = 0
    """Seconds it still lives; 0 where that is not told."""
    q: int = 1000
    """Preference in thousandths."""
    display: bytes = b""


def contact_id(contact: bytes, instance: bytes = b"", reg_id: int = 0) -> bytes:
    """Return what names a contact in all documents about its user: the same as long as it is one."""
    mark = hashlib.blake2b(b"%b\n%b\n%d" % (contact, instance, reg_id), digest_size=8)
    return b"c" + mark.hexdigest().encode()


def binding_id(binding: Binding) -> bytes:
    """Return the name of a binding's contact."""
    return contact_id(binding.contact, binding.instance, binding.reg_id)


def registration(aor: bytes, state: bytes, contacts: Iterable[Contact]) -> bytes:
    """Return one `registration` element.

    Args:
        aor: The user's URI.
        state: Its state: active, init where it has no contact, terminated where it had one.
        contacts: Those that are told, the ended ones included.
    """
    mark = hashlib.blake2b(aor, digest_size=8).hexdigest().encode()
    head = b'<registration aor="%b" id="r%b" state="%b"' % (text(aor), mark, state)
    body = b"".join(map(_contact, contacts))
    return head + (b">" + body + b"</registration>\n" if body else b"/>\n")


def _contact(contact: Contact) -> bytes:
    more = b' expires="%d"' % contact.expires_s if contact.expires_s else b""
    if contact.q < 1000:
        more += b' q="%b"' % write_q(contact.q)
    name = b"<display-name>%b</display-name>" % text(contact.display) if contact.display else b""
    return b'<contact id="%b" state="%b" event="%b"%b><uri>%b</uri>%b</contact>' % (
        contact.id, contact.state, contact.event, more, text(contact.uri), name,
    )  # fmt: skip


def document(version: int, elements: bytes, *, full: bool) -> bytes:
    """Return a whole document of `registration` elements."""
    return HEAD + _ROOT % (version, b"full" if full else b"partial", elements)
