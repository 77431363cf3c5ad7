"""The usual registration: one contact that is the user's only one, or takes its own place.

Phones refresh what they have, all day long. That needs no comparing of contacts and no list of what
may change; what `register` would decide follows from a few numbers. Whatever is not of that kind is
left to `register`, and tests hold the two against each other.
"""

from collections.abc import Sequence
from typing import Final

from centrex.base import Flow, Instant
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.register import MAX_CALL_ID, MAX_CONTACT, Options, Outcome

_PARAM: Final = b";expires="
_DIGITS: Final = 9
_ADDED: Final = ChangeKind.ADDED
_REFRESHED: Final = ChangeKind.REFRESHED
_SUPPORTED: Final = b"Supported: path"


def renew(
    present: Sequence[Binding],
    contact: tuple[bytes, bytes],
    expires: bytes | None,
    call_id: bytes,
    cseq: int,
    flow: Flow,
    user_agent: bytes,
    now: Instant,
    options: Options,
    *,
    natted: bool,
) -> Outcome | None:
    """Process a REGISTER with one well-formed Contact, no Path and nothing required.

    Args:
        present: The user's bindings.
        contact: Its Contact: the URI, and the parameters from their first semicolon on.
        expires: The value of its Expires header, decimal digits; None without one.
        call_id: Its Call-ID.
        cseq: Its CSeq number.
        flow: The path it came by.
        user_agent: Its User-Agent.
        now: Monotonic seconds.
        options: What is allowed.
        natted: Whether only that path leads back to the phone.

    Returns:
        200 as `register` gives it; None where it takes more than this to decide.
    """
    uri, params = contact
    if params:
        digits = params[9:]
        if not (params.startswith(_PARAM) and digits.isdigit() and len(digits) <= _DIGITS):
            return None
        life = int(digits)
    else:
        life = int(expires) if expires else options.default_expires
    if life < options.min_expires or not life or len(uri) > MAX_CONTACT:
        return None
    before = None
    if present:
        before = present[0]
        if (
            len(present) > 1
            or before.contact != uri
            or before.instance
            or before.reg_id
            or before.expires_at <= now
            or (before.call_id == call_id and cseq <= before.cseq)
        ):
            return None
    if len(call_id) > MAX_CALL_ID:
        return None
    life = min(life, options.max_expires)
    binding = Binding(
        uri,
        b"",
        q=1000,
        expires_at=now + life,
        call_id=call_id,
        cseq=cseq,
        flow=flow,
        registered_at=now,
        user_agent=user_agent,
        natted=natted,
    )
    lines = [b"Contact: <%b>;expires=%d" % (uri, life), _SUPPORTED]
    change = Change(_REFRESHED if before else _ADDED, binding, before)
    return Outcome(200, (binding,), lines, changes=(change,))
