"""Whether a call's media are as they should be: one way only, deadlocked, silent for too long.

It is asked once a second, with what was heard when; it sends nothing and ends nothing.
"""

from typing import Final

from centrex.base import Instant
from centrex.media.terms import Session

NEVER_HEARD_S: Final = 5.0
"""Seconds after the answer after which a side that may speak and was never heard is missed."""
FELL_SILENT_S: Final = 30.0
"""Seconds after which one that was heard is missed: it may send nothing in its pauses (RFC 3389)."""
_PRESENT_S: Final = 5.0
"""Who was heard within so many seconds is there."""
DEADLOCK_S: Final = 4.0
"""Seconds after the answer after which two ends that have sent nothing are suspected of waiting for
each other."""
HOLD_FACTOR: Final = 20
"""By how much longer a call may be silent in which not both sides are to send: it is on hold."""

NAMES: Final = ("caller", "callee")


class Watch:
    """Watches one session.

    Args:
        now: When it began.
    """

    __slots__ = ("_began", "_may_since", "_told", "answered_at", "one_way")

    def __init__(self, now: Instant) -> None:
        self._began = now
        self.answered_at: Instant = 0.0
        self._told: set[str] = set()
        self._may_since: list[Instant | None] = [now, now]
        self.one_way = ""
        """Who is not heard at present; empty where all is well."""

    def look(
        self, session: Session, heard: tuple[Instant, Instant], now: Instant
    ) -> tuple[str, str] | None:
        """Return a kind of notice and words for it, when there is news.

        Args:
            session: The session.
            heard: When each end was last heard; 0 for never.
            now: The time.
        """
        if not session.answered:
            return None
        if not self.answered_at:
            self.answered_at = now
        if not any(heard):
            since = [self._since(session, side, now) for side in (0, 1)]
            waited = min(now - max(now if one is None else one, self.answered_at) for one in since)
            if waited >= DEADLOCK_S:
                return self.once("deadlock", "neither side sends; each may wait for the other")
            return None
        return self._one_way(session, heard, now)

    def _one_way(
        self, session: Session, heard: tuple[Instant, Instant], now: Instant
    ) -> tuple[str, str] | None:
        missed = ""
        for side, name in enumerate(NAMES):
            since = self._since(session, side, now)
            if since is None:
                continue
            patience_s = FELL_SILENT_S if heard[side] else NEVER_HEARD_S
            quiet = now - max(heard[side], self.answered_at, since) >= patience_s
            if quiet and now - heard[1 - side] < _PRESENT_S:
                missed = name
        if missed == self.one_way:
            return None
        self.one_way = missed
        if not missed:
            return "two-way", "both sides are heard again" if all(heard) else "nobody sends now"
        other = NAMES[1 - NAMES.index(missed)]
        return "one-way", f"{other} sends, {missed} does not"

    def once(self, kind: str, words: str) -> tuple[str, str] | None:
        """Return a kind of news and its words, if it was not told yet."""
        if kind in self._told:
            return None
        self._told.add(kind)
        return kind, words

    def is_over(
        self, session: Session, heard: tuple[Instant, Instant], silence_s: float, now: Instant
    ) -> bool:
        """Whether nobody has sent for so long that the call must be gone.

        A call on hold has more time; that of one that is resumed begins then, for nobody was to send.
        """
        since = [self._since(session, side, now) for side in (0, 1)]
        resumed = [one for one in since if one is not None]
        last = max(self._began, self.answered_at, *heard, *resumed)
        held = len(resumed) < len(since)
        return now - last >= silence_s * (HOLD_FACTOR if held or not session.answered else 1)

    def _since(self, session: Session, side: int, now: Instant) -> Instant | None:
        """Return since when a side is to send, as far as it was seen; None while it is not."""
        if not may_talk(session, side):
            self._may_since[side] = None
        elif self._may_since[side] is None:
            self._may_since[side] = now
        return self._may_since[side]


def may_talk(session: Session, side: int) -> bool:
    """Whether a side is to send in any stream, and the other one wants it."""
    return any(
        stream is not None
        and stream.ends[side].sends
        and stream.ends[side].rtp is not None
        and stream.ends[1 - side].receives
        for stream in session.streams
    )
