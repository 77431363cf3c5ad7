"""The server's counters, and the rates made from them.

The core counts by attribute (`stats.messages_in += 1`), which costs next to nothing; `runtime`
calls `sample` once a second, and whoever asks gets a `snapshot`. It refuses to know what the
numbers mean to anybody, and keeps no history beyond a minute.
"""

from collections import deque
from typing import Any, Final

_WINDOW_S: Final = 60.0
_SECOND: Final = 0.95
"""The shortest time, in seconds, a rate per second is taken over: samples come a little early."""


class Statistics:
    """Counters since the server started; all of them plain integers for anybody to increment.

    Args:
        now: When counting starts (monotonic seconds).

    Attributes:
        messages_in: SIP messages received.
        messages_out: SIP messages sent.
        registrations_now: Bindings that stand.
        registrations_peak: The most that stood at once.
        registrations_total: Bindings added and refreshed.
        registrations_refused: REGISTER requests refused, challenges aside.
        calls_now: Calls in progress.
        calls_peak: The most that were in progress at once.
        calls_total: Calls begun.
        calls_failed: Calls that ended unanswered by a final response of 300 or more.
        challenges_sent: 401 and 407 responses sent.
        challenges_refused: Requests refused for wrong credentials.
        transactions_server: Server transactions that live.
        transactions_client: Client transactions that live.
        retransmissions: Messages sent again because nothing came back.
        drops: Messages dropped, by named reason.
        amiss: What was amiss with the media of calls, by named reason; no message was dropped by it.
    """

    __slots__ = (
        "_ring",
        "amiss",
        "calls_failed",
        "calls_now",
        "calls_peak",
        "calls_total",
        "challenges_refused",
        "challenges_sent",
        "drops",
        "messages_in",
        "messages_out",
        "registrations_now",
        "registrations_peak",
        "registrations_refused",
        "registrations_total",
        "retransmissions",
        "transactions_client",
        "transactions_server",
    )

    def __init__(self, now: float) -> None:
        self.messages_in = self.messages_out = self.retransmissions = 0
        self.registrations_now = self.registrations_peak = 0
        self.registrations_total = self.registrations_refused = 0
        self.calls_now = self.calls_peak = self.calls_total = self.calls_failed = 0
        self.challenges_sent = self.challenges_refused = 0
        self.transactions_server = self.transactions_client = 0
        self.drops: dict[str, int] = {}
        self.amiss: dict[str, int] = {}
        self._ring: deque[tuple[float, int, int, int, int]] = deque([(now, 0, 0, 0, 0)], maxlen=64)

    def call_began(self) -> None:
        """Count a call that begins."""
        self.calls_total += 1
        self.calls_now += 1
        self.calls_peak = max(self.calls_peak, self.calls_now)

    def call_ended(self, *, failed: bool = False) -> None:
        """Count a call that is over; `failed` where it never was answered for a reason of its own."""
        self.calls_now -= 1
        if failed:
            self.calls_failed += 1

    def registrations_stand(self, count: int) -> None:
        """Take over how many bindings stand now."""
        self.registrations_now = count
        self.registrations_peak = max(self.registrations_peak, count)

    def drop(self, reason: str) -> None:
        """Count a message dropped for a named reason; the names are ours, so the table is small."""
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def media_amiss(self, reason: str) -> None:
        """Count that the media of a call are not as they should be; the names are ours, too."""
        self.amiss[reason] = self.amiss.get(reason, 0) + 1

    def sample(self, now: float) -> None:
        """Remember the totals of this moment; to be called once a second."""
        self._peaks()
        ring = self._ring
        ring.append((now, *self._totals()))
        while len(ring) > 1 and ring[1][0] <= now - _WINDOW_S:
            ring.popleft()

    def snapshot(self, now: float) -> dict[str, Any]:
        """Return all counters as the `statistics` of the control protocol.

        Args:
            now: The present moment (monotonic seconds). `per_second` is the rate over the last
                second or two, `per_minute` what was counted in the last minute at most.
        """
        self._peaks()
        registrations_s, calls_s, *_ = self.rates(now)
        registrations_min, calls_min = self.per_minute(now)
        return {
            "registrations": {
                "now": self.registrations_now,
                "peak": self.registrations_peak,
                "total": self.registrations_total,
                "per_second": registrations_s,
                "per_minute": registrations_min,
                "refused": self.registrations_refused,
            },
            "calls": {
                "now": self.calls_now,
                "peak": self.calls_peak,
                "total": self.calls_total,
                "failed": self.calls_failed,
                "per_second": calls_s,
                "per_minute": calls_min,
            },
            "messages": {"in": self.messages_in, "out": self.messages_out},
            "challenges": {"sent": self.challenges_sent, "refused": self.challenges_refused},
            "transactions": {
                "server": self.transactions_server,
                "client": self.transactions_client,
            },
            "drops": dict(self.drops),
            "media_amiss": dict(self.amiss),
        }

    def _peaks(self) -> None:
        self.registrations_peak = max(self.registrations_peak, self.registrations_now)
        self.calls_peak = max(self.calls_peak, self.calls_now)

    def rates(self, now: float) -> tuple[float, float, float, float]:
        """Return what was counted per second, over the last second or two.

        Args:
            now: The present moment (monotonic seconds).

        Returns:
            Registrations, calls, messages received and messages sent.
        """
        at, *before = self._since(now - _SECOND)
        seconds = now - at
        if seconds < _SECOND:  # the server has only just started
            seconds = 1.0
        registrations, calls, came, went = (
            round((total - earlier) / seconds, 1)
            for total, earlier in zip(self._totals(), before, strict=True)
        )
        return registrations, calls, came, went

    def per_minute(self, now: float) -> tuple[int, int]:
        """Return the registrations and the calls counted in the last minute at most.

        Args:
            now: The present moment (monotonic seconds).
        """
        first = self._since(now - _WINDOW_S)
        return self.registrations_total - first[1], self.calls_total - first[2]

    def _totals(self) -> tuple[int, int, int, int]:
        return self.registrations_total, self.calls_total, self.messages_in, self.messages_out

    def _since(self, start: float) -> tuple[float, int, int, int, int]:
        """Return the newest sample taken at `start` or before, else the oldest there is."""
        for sample in reversed(self._ring):
            if sample[0] <= start:
                return sample
        return self._ring[0]
