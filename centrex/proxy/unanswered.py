"""What becomes of descriptions that cannot go through the relay of their call, as nobody can read them.

Passed as it is, an answer would have the offerer send to an address that was never meant for it, while
what answers the offer goes to the relay. A 2xx cannot be refused (RFC 3261 §14.1), so the offer's lines
are declined in it (RFC 3264 §6). An offer is refused, and the session goes on as it was. It knows
messages and what was offered; who relays is not its business.
"""

import re
from typing import TYPE_CHECKING, Final

from centrex import sdp
from centrex.base import Instant
from centrex.events import Field, Kind, Severity
from centrex.proxy.answer import Answer
from centrex.proxy.carried import Carried, Delegated
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import Described, described, refuse_late, refuse_whole, unrelayed
from centrex.proxy.media_body import SDP
from centrex.proxy.media_path import OFFERS
from centrex.sip.message import Message, parse
from centrex.sip.names import CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, REQUIRE
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_END: Final = b"\r\n\r\n"
_UNREAD: Final = "what answers it cannot be read"
UNREAD_OFFER: Final = "what is offered cannot be read"
_ALL: Final = "everything"
_ORIGIN: Final = re.compile(rb"^o=[!-~]+(?: [!-~]+){5}(?=\r?$)", re.MULTILINE)
_TIMES: Final = re.compile(rb"^t=[ -~]*(?=\r?$)", re.MULTILINE)


def unread(
    core: "Core", branch: Branch, status: int, data: bytes, now: Instant
) -> tuple[bytes, Described | None]:
    """See to a response in which no description was found, to an offer that was relayed.

    Args:
        core: The core.
        branch: Which was answered.
        status: The response's status.
        data: The response.
        now: The time.

    Returns:
        The response, and what it describes by then: one that holds a description which cannot be read
        declines what was offered. All others are as they were.
    """
    if data.find(_END) + len(_END) == len(data):
        return data, None
    response = parse(data)
    if not _may_describe(response):
        return data, None
    return declined(core, branch, status, response, _UNREAD, now)


def heard(
    core: "Core", branch: Branch, status: int, data: bytes, now: Instant
) -> tuple[bytes, Described | None]:
    """Return a response, and what it describes, seen to as `unread` does where that is to be."""
    found = described(core, branch.context, data, now)
    if found is None and branch.described:
        return unread(core, branch, status, data, now)
    return data, found


def declined(
    core: "Core", branch: Branch, status: int, response: Message, why: str, now: Instant
) -> tuple[bytes, Described | None]:
    """Return a response that declines all lines of an offer, and what it describes.

    One that need not answer it, since others follow or came before, loses its body instead.

    Args:
        core: The core.
        branch: Which was answered.
        status: The response's status.
        response: The response.
        why: Why its own description cannot pass.
        now: The time.
    """
    carried, ctx = branch.carried, branch.context
    assert isinstance(carried, (Carried, Delegated))
    offer, text = _offer_in(ctx), carried.declined
    if status < 200 and b"100rel" not in b",".join(response.values(REQUIRE)).lower():
        text = b""
    elif offer is not None:  # else it was answered: this is said once more, or by somebody else
        text = carried.declined = _none_of(offer, response.body)
        _tell(core, ctx, offer, why, now)
    if not text:
        return with_content(response, b"", b""), None
    found = Described(SDP, text, text, sdp.parse(text))
    return with_content(response, SDP, text), found


def hides_offer(ctx: Context, data: bytes) -> bool:
    """Whether a response in which no description was found may offer one that others can read.

    Args:
        ctx: What it answers: an INVITE that offered nothing, or another request.
        data: The response.
    """
    if ctx.method != b"INVITE" or data.find(_END) + len(_END) == len(data):
        return False
    return _may_describe(parse(data))


def unread_offer(
    core: "Core", branch: Branch, status: int, data: bytes, now: Instant, *, refuse: bool
) -> bytes | None:
    """See to a response whose offer cannot be read, and whose call is relayed no more.

    It passes, and so does what answers it; a call that begins with it is refused where calls without a
    relay are.

    Args:
        core: The core.
        branch: Which was answered.
        status: The response's status.
        data: The response.
        now: The time.
        refuse: Whether calls without a relay are refused.

    Returns:
        The response; None where the call was refused.
    """
    branch.carried = None
    if refuse and not branch.context.to_tag:
        refuse_late(core, branch, status, data, UNREAD_OFFER, now, Rule.MEDIA_OFFER_UNREAD)
        return None
    unrelayed(core, branch, UNREAD_OFFER, now, refuse=False)
    return data


def unread_request(
    core: "Core",
    branch: Branch,
    data: bytes,
    now: Instant,
    why: str,
    *,
    relayed: bool,
    refuse: bool,
) -> bytes | None:
    """See to a request in which no description was found: return it as it is to leave.

    What may describe media, in a way that the phones can read and we cannot, would lead past the relay
    of its call. An offer in an INVITE or UPDATE is refused (RFC 3261 §14.2, RFC 3311 §5.2), and the
    session goes on as it was (RFC 3261 §14.1). An ACK cannot be refused, nor may a PRACK be for what it
    describes (RFC 3261 §13.2.1, RFC 3262 §3): they lose their body. All others pass as they are, such as
    those with other content, or with what is encrypted for the far end.

    Args:
        core: The core.
        branch: The branch that should leave.
        data: The request as it would leave.
        now: The time.
        why: Why its call is to be relayed, if it is not; empty where it is not to be.
        relayed: Whether its call is relayed.
        refuse: Whether an offer is refused that begins media which should be relayed.

    Returns:
        None where it was refused.
    """
    ctx = branch.context
    if not (relayed or why) or not ctx.has_body:
        return data
    request = parse(data)
    if not _may_describe(request):
        return data
    if ctx.method not in OFFERS:
        return without_answer(core, ctx, request, now) if relayed else data
    if relayed or refuse:
        _refuse_offer(core, branch, now)
        return None
    unrelayed(core, branch, UNREAD_OFFER, now, refuse=False)
    return data


def _refuse_offer(core: "Core", branch: Branch, now: Instant) -> None:
    """Refuse an offer, and tell of it."""
    ctx = branch.context
    core.statistics.media_amiss(Rule.MEDIA_OFFER_UNREAD.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "why": UNREAD_OFFER, "refused": True
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.unrelayed", fields, ctx.call_id)
    why = UNREAD_OFFER
    answer = Answer(488, Rule.MEDIA_OFFER_UNREAD, why, 488, words=why)
    refuse_whole(core, branch, answer, now)


def without_answer(core: "Core", ctx: Context, request: Message, now: Instant) -> bytes:
    """Return a request that cannot be refused without its description, which cannot be relayed.

    It mostly is the answer to what was offered through the relay (RFC 3261 §13.2.1, RFC 3262 §5).
    """
    # an ACK has no story of its own
    core.journal.open(ctx.call_id).append((now, Rule.MEDIA_UNFIT, _ALL, _UNREAD))
    core.statistics.media_amiss(Rule.MEDIA_UNFIT.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "what": _ALL, "why": _UNREAD
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.declined", fields, ctx.call_id)
    return with_content(request, b"", b"")


def with_content(message: Message, kind: bytes, body: bytes) -> bytes:
    """Return a message with another body of another type, neither coded nor in parts; empty for none."""
    lines = message.lines
    length = b"Content-Length: %d" % len(body)
    told: list[tuple[int, bytes]] = [(CONTENT_LENGTH, length), (CONTENT_ENCODING, b"")]
    told.append((CONTENT_TYPE, b"Content-Type: " + kind if kind else b""))
    gone: set[int] = set()
    fresh: list[bytes] = []
    for number, new in told:
        gone.update(message.indices(number))
        fresh += [new] if new else []
    kept = [line for index, line in enumerate(lines) if index not in gone]
    return b"\r\n".join([*kept, *fresh]) + _END + body


def _may_describe(message: Message) -> bool:
    """Whether a message may hold a description that others can read."""
    kind = message.value(CONTENT_TYPE).lower()
    if kind.startswith(b"multipart/"):
        coded = bool(message.value(CONTENT_ENCODING))
        return coded or SDP in message.body.lower()
    return not kind or SDP in kind


def _offer_in(ctx: Context) -> sdp.Description | None:
    """Return the description in a request; None once it was answered."""
    kind, body = ctx.message.value(CONTENT_TYPE), ctx.message.body
    span = sdp.find(kind, body)
    return None if span is None else sdp.parse(body[span[0] : span[1]])


def _none_of(offer: sdp.Description, answer: bytes) -> bytes:
    """Return the answer that takes nothing of an offer, in the name of whoever's answer it replaces."""
    origin = _ORIGIN.search(answer)
    lines = [b"v=0", origin[0] if origin else b"o=- 0 0 IN IP4 0.0.0.0", b"s=-"]
    lines.append(b"c=IN IP4 0.0.0.0")
    lines += _TIMES.findall(offer.text)[:1] or [b"t=0 0"]
    for media in offer.media:
        formats = b" ".join(media.formats)
        lines.append(b"m=%b 0 %b %b" % (media.kind, media.proto, formats))
    return b"".join(line + b"\r\n" for line in lines)


def _tell(core: "Core", ctx: Context, offer: sdp.Description, why: str, now: Instant) -> None:
    kinds = ", ".join(media.kind.decode("latin-1") for media in offer.media if media.port)
    core.decide(ctx, (now, Rule.MEDIA_UNFIT, kinds, why))
    core.statistics.media_amiss(Rule.MEDIA_UNFIT.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "what": kinds, "why": why
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.declined", fields, ctx.call_id)
