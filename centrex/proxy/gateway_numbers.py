"""The CSeq numbers of dialogs with gateways that ask who calls (RFC 3261 §22.2, §12.2.1.1).

A request that is sent again with credentials is a new one, and has a number of its own. So whatever
the caller sends later in that dialog leaves with a number above the one he gave it, and its answers
come back to him with his own. So it is with whoever the gateway calls, too. Each dialog counts for
itself: one call may lead to several gateways. Which gateway was called, and how far its numbers were
ahead when the call began, stands in our Record-Route value; what came after is remembered here, up to
a bound. Where that is lost, numbers go on far above those that may have been used, which no rule forbids.
"""

import re
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from centrex.base import Instant
from centrex.routing.target import Amendment
from centrex.sip import usual
from centrex.sip.names import CSEQ

if TYPE_CHECKING:
    from centrex.proxy.context import Context

MOST: Final = 20_000
"""Dialogs with gateways whose numbers are remembered."""
TOO_HIGH: Final = 2**31
"""What no CSeq reaches (RFC 3261 §8.1.1.5)."""
_MOST_INVITES: Final = 8
_KEPT_S: Final = 64.0
"""How long numbers are remembered after a BYE, which may be asked for credentials too."""
_UNKNOWN_AHEAD: Final = 100_000
"""How far numbers go ahead where the machine's clock has begun anew since the call began."""
_MARK: Final = re.compile(rb"([\w-]{1,64})\.([0-9]{1,3})\.([0-9a-f]{1,8})\.([0-9a-f._]{1,64})")
_RACK: Final = re.compile(
    rb"([Rr][Aa][Cc][Kk][ \t]*:[ \t]*[0-9]{1,10}[ \t]+)([0-9]{1,10})([ \t].*)"
)


_Key: TypeAlias = tuple[bytes, bytes, bytes]
"""A dialog: its Call-ID, the tag of whoever speaks to the gateway, and the gateway's."""


class Mark(NamedTuple):
    """What a Record-Route value of ours tells of a gateway at one end of a dialog."""

    gateway: str
    """Its name."""
    host: str
    """The address that the INVITE went to, or came from."""
    shift: int
    """How far the number of the INVITE was above the caller's own; 0 where the gateway called."""
    minted: int
    """When, in whole seconds of the machine's clock."""


def mint(gateway: str, host: str, shift: int, now: Instant) -> bytes:
    """Return a mark as a Record-Route value carries it; empty where it cannot."""
    told = b"%b.%d.%x.%b" % (gateway.encode(), shift, int(now), host.replace(":", "_").encode())
    return told if _MARK.fullmatch(told) else b""


def both(called: bytes, calling: bytes) -> bytes:
    """Return the marks of the gateways at both ends as one, each empty where there is none."""
    return b"%b~%b" % (called, calling) if calling else called


def read(told: bytes, *, from_caller: bool) -> Mark | None:
    """Return the mark of the gateway at the other end; None where there is none.

    Args:
        told: What `both` returned.
        from_caller: Whether it is asked for on the caller's side: then that is the gateway called.
    """
    called, _, calling = told.partition(b"~")
    found = _MARK.fullmatch(called if from_caller else calling)
    if found is None:
        return None
    gateway, shift, minted, host = found.groups()
    return Mark(gateway.decode(), host.replace(b"_", b":").decode(), int(shift), int(minted, 16))


def number_of(ctx: "Context") -> int:
    """Return the number its sender gave a request."""
    if ctx.usual is not None:
        return int(ctx.usual[usual.NUMBER])
    return int(ctx.message.value(CSEQ).split(None, 1)[0])


def _key(ctx: "Context") -> _Key:
    return ctx.call_id, ctx.from_tag, ctx.to_tag


class _Dialog:
    """Which numbers were used.

    Attributes:
        shift: What the caller's numbers are raised by, at least.
        highest: The highest number used.
        invites: The number each of his INVITEs had last, by his own number.
    """

    __slots__ = ("highest", "invites", "shift")

    def __init__(self, shift: int) -> None:
        self.shift, self.highest = shift, 0
        self.invites: dict[int, int] = {}

    def used(self, ctx: "Context", own: int, number: int) -> None:
        self.highest = max(self.highest, number)
        if ctx.method == b"INVITE":
            self.invites.pop(own, None)
            while len(self.invites) >= _MOST_INVITES:
                del self.invites[next(iter(self.invites))]
            self.invites[own] = number


class GatewayNumbers:
    """The numbers of all dialogs with gateways.

    Args:
        bound: How many dialogs are remembered; the one that was silent for longest is forgotten.
    """

    def __init__(self, bound: int = MOST) -> None:
        self._bound = bound
        self._dialogs: dict[_Key, _Dialog] = {}
        self._over: deque[tuple[Instant, _Key]] = deque()
        self._unsure = 0
        self.began: Instant | None = None

    def __len__(self) -> int:
        return len(self._dialogs)

    def begin(self, now: Instant) -> None:
        """Take note of when this run began: numbers of calls from before it are not known."""
        if self.began is None:
            self.began, self._unsure = now, int(now)

    def is_from_before(self, mark: Mark, now: Instant) -> bool:
        """Whether a call began before this run did."""
        return self.began is not None and (mark.minted < int(self.began) or mark.minted > now)

    def within(self, ctx: "Context", mark: Mark, now: Instant) -> Amendment | None:
        """Give the next number to a request for a gateway within a dialog; None where it keeps its own."""
        own = number_of(ctx)
        dialog = self._dialog(ctx, mark, now)
        number = max(own + dialog.shift, dialog.highest + 1)
        if number >= TOO_HIGH:
            number = own
        dialog.used(ctx, own, number)
        if ctx.method == b"BYE":
            self.ended(_key(ctx), now)
        rack = self._rack(ctx, mark) if ctx.method == b"PRACK" else b""
        return Amendment(number, rack) if number != own or rack else None

    def of_ack(self, ctx: "Context", mark: Mark) -> Amendment | None:
        """Give an ACK the number of its INVITE (§13.2.2.4); None where it keeps its own."""
        own = number_of(ctx)
        number = self._invite(ctx, mark, own)
        return None if number == own else Amendment(number)

    def again(self, ctx: "Context", former: Amendment | None) -> int:
        """Return the number of a request that is sent again; 0 where there is none left."""
        own = number_of(ctx)
        number = (former.number if former is not None and former.number else own) + 1
        dialog = self._dialogs.get(_key(ctx))
        if dialog is not None:
            number = max(number, dialog.highest + 1)
        if number >= TOO_HIGH:
            return 0
        if dialog is not None:
            dialog.used(ctx, own, number)
        return number

    def ended(self, key: tuple[bytes, bytes, bytes], now: Instant) -> None:
        """A BYE passes, of whichever side: the dialog is forgotten in a while.

        Args:
            key: Its Call-ID, the tag of whoever speaks to the gateway, and the gateway's.
            now: The time.
        """
        if key in self._dialogs and len(self._over) < self._bound:
            self._over.append((now + _KEPT_S, key))

    def tick(self, now: Instant) -> None:
        """Forget dialogs that are over."""
        while self._over and self._over[0][0] <= now:
            self._dialogs.pop(self._over.popleft()[1], None)

    def _dialog(self, ctx: "Context", mark: Mark, now: Instant) -> _Dialog:
        key = _key(ctx)
        dialog = self._dialogs.pop(key, None)
        if dialog is None:
            shift = mark.shift
            if mark.minted > now:
                shift += _UNKNOWN_AHEAD
            elif mark.minted < self._unsure:
                shift += int(now) - mark.minted + 1
            dialog = _Dialog(shift)
            if len(self._dialogs) >= self._bound:
                del self._dialogs[next(iter(self._dialogs))]
                self._unsure = int(now) + 1
        self._dialogs[key] = dialog
        return dialog

    def _invite(self, ctx: "Context", mark: Mark, own: int) -> int:
        """Return the number an INVITE of the dialog had; the first one's is in the mark."""
        dialog = self._dialogs.get(_key(ctx))
        number = dialog.invites.get(own, 0) if dialog is not None else 0
        return number or min(own + mark.shift, TOO_HIGH - 1)

    def _rack(self, ctx: "Context", mark: Mark) -> bytes:
        """Return a PRACK's RAck line with the number of the INVITE as it was sent; empty if the same."""
        for line in ctx.message.lines[1:]:
            found = _RACK.fullmatch(line)
            if found is not None:
                own = int(found[2])
                number = self._invite(ctx, mark, own)
                return b"" if number == own else b"%b%d%b" % (found[1], number, found[3])
        return b""
