"""The flood guard: how much one source may ask, and which sources are not heard at all.

It is asked for every datagram before anything is parsed, so it knows only a source's address and
the time. A source over its rate loses messages, never its standing: addresses of datagrams can be
forged. A ban needs proof that the source receives what is sent to it (a nonce of ours came back,
or it speaks over a connection), and meets no source with live authenticated registrations. It
refuses to know SIP, credentials and the wall clock.
"""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from centrex.base import NEVER, Instant
from centrex.events import Event, Field, Kind, Severity
from centrex.guard.sources import Networks, key_of

LIMITED: Final = "guard-limited"
"""The reason under which messages over the rate are counted."""
BANNED: Final = "guard-banned"
"""The reason under which messages of banned sources are counted."""

_GENERATION: Final = 50_000
"""Sources in one generation; two are kept."""
_FAILING: Final = 20_000
_BANS: Final = 20_000
_PROTECTED: Final = 200_000
_PENDING: Final = 1_000
"""Events kept between two calls of `take`; beyond, they are only counted."""
_SWEEP: Final = 500
"""Table entries looked at in one `expire`, so that no second is spent sweeping."""
_MINUTE: Final = 60.0
_GRAIN_S: Final = 1e-9
"""How far sums of seconds may be off."""
_REASON: Final = 200
"""Characters kept of a reason that was read from a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """A source that is not heard."""

    source: str
    """Its address; for IPv6 the network of 64 bits it stands in."""
    reason: str
    """Why, in words."""
    until: Instant
    """When it ends (monotonic seconds)."""
    seconds_left: float
    """How long that is from the moment asked."""


class _Source:
    """One source's token bucket, as the moment at which it will be full again.

    Each message moves that moment on by the time one token takes; as far ahead as the bucket holds
    it may be. At infinity, it sends a banned source the slow way.
    """

    __slots__ = ("full_at", "key", "said")

    def __init__(self, key: str, full_at: Instant) -> None:
        self.key, self.full_at = key, full_at
        self.said = -NEVER


_EXEMPT: Final = _Source("", -NEVER)


class Guard:
    """The flood guard of `[network.guard]`.

    Sources are counted by address, in IPv6 by network of 64 bits, since a single customer has all
    of that. At most about 100,000 are remembered; the ones unheard for longest are forgotten.

    Args:
        enabled: Whether anything is limited at all.
        requests_per_second: Messages a source may send in a second for any length of time.
        burst: Messages a source may send at once.
        ban_seconds: How long a ban lasts.
        auth_failures_per_minute: Proven failures within 60 s that are still suffered.
        exempt: Networks that are never limited or banned, such as `192.0.2.0/24`.
        drops: Where refused messages are counted by reason; a table of its own if not given.

    Attributes:
        drops: Messages refused, by named reason.
        ban_changes: How often a ban came or went; for whoever writes them down.
        bans_total: Bans pronounced.
        failures_proven: Failed authentications that count.
        failures_unproven: Failed authentications whose source may be forged; they never ban.
        unsaid: Events that nobody took in time.

    Raises:
        ValueError: A network in `exempt` is none.
    """

    __slots__ = (
        "_ban_s",
        "_bans",
        "_burst",
        "_enabled",
        "_exempt",
        "_failing",
        "_failures",
        "_old",
        "_pending",
        "_protected",
        "_rate",
        "_rotate_at",
        "_token_s",
        "_tolerance_s",
        "_unban_at",
        "_withheld",
        "_young",
        "ban_changes",
        "bans_total",
        "drops",
        "failures_proven",
        "failures_unproven",
        "unsaid",
    )

    def __init__(
        self,
        *,
        enabled: bool,
        requests_per_second: float,
        burst: float,
        ban_seconds: float,
        auth_failures_per_minute: int,
        exempt: Sequence[str] = (),
        drops: dict[str, int] | None = None,
    ) -> None:
        self._bans: dict[str, tuple[Instant, str]] = {}
        self._protected: OrderedDict[str, Instant] = OrderedDict()
        self._withheld: OrderedDict[str, Instant] = OrderedDict()
        self._pending: list[Event] = []
        self._unban_at, self._rotate_at = NEVER, 0.0
        self.drops = {} if drops is None else drops
        self.drops.setdefault(LIMITED, 0)
        self.drops.setdefault(BANNED, 0)
        self.ban_changes = 0
        self.bans_total = self.failures_proven = self.failures_unproven = self.unsaid = 0
        self.reconfigure(
            enabled=enabled,
            requests_per_second=requests_per_second,
            burst=burst,
            ban_seconds=ban_seconds,
            auth_failures_per_minute=auth_failures_per_minute,
            exempt=exempt,
        )

    def reconfigure(
        self,
        *,
        enabled: bool,
        requests_per_second: float,
        burst: float,
        ban_seconds: float,
        auth_failures_per_minute: int,
        exempt: Sequence[str] = (),
    ) -> None:
        """Take over other settings; bans that stand are kept unless their source is now exempt.

        Raises:
            ValueError: A network in `exempt` is none; then nothing has changed.
        """
        self._exempt = Networks(exempt)
        self._enabled = enabled
        self._rate, self._burst = requests_per_second, max(burst, 1)
        self._token_s = 1 / requests_per_second
        self._tolerance_s = (self._burst - 1) * self._token_s + _GRAIN_S
        self._ban_s, self._failures = ban_seconds, auth_failures_per_minute
        self._young: dict[str, _Source] = {}
        self._old: dict[str, _Source] = {}
        self._failing: OrderedDict[str, deque[Instant]] = OrderedDict()
        for key in [key for key in self._bans if self._exempt.hold(key)]:
            self._unban(key, "exempt")

    def admit(self, host: str, now: Instant) -> bool:
        """Return whether a message from this source may be looked at.

        Args:
            host: The source address, numeric, without brackets.
            now: The present moment.
        """
        source = self._young.get(host)
        if source is None:
            source = self._meet(host, now)
        if source is _EXEMPT:
            return True
        full_at = source.full_at
        if full_at <= now:
            source.full_at = now + self._token_s
            return True
        if full_at <= now + self._tolerance_s:
            source.full_at = full_at + self._token_s
            return True
        return self._refuse(source, now)

    def auth_failed(self, host: str, now: Instant, *, proven: bool) -> None:
        """Count a failed authentication, and ban its source where that is earned.

        Args:
            host: The source address.
            now: The present moment.
            proven: Whether the source is known to receive what is sent to it: the request carried
                a fresh nonce made for this host, or came over TCP or TLS.
        """
        if not proven:
            self.failures_unproven += 1
            return
        self.failures_proven += 1
        key = self._key(host)
        if not self._enabled or key in self._bans or self._exempt.hold(host):
            return
        times = self._failing.get(key)
        if times is None:
            if len(self._failing) >= _FAILING:
                self._failing.popitem(last=False)
            times = self._failing[key] = deque(maxlen=self._failures + 1)
        times.append(now)
        if len(times) <= self._failures or times[0] <= now - _MINUTE:
            return
        if self._protected.get(key, now) > now:
            self._withhold(key, now)
        else:
            del self._failing[key]
            self._ban(key, f"more than {self._failures} wrong passwords in a minute", now)

    def protect(self, host: str, until: Instant) -> None:
        """Note that this source has an authenticated registration that stands until then.

        A ban that stands against it is lifted.
        """
        key = self._key(host)
        protected = self._protected
        if until > protected.get(key, -NEVER):
            if len(protected) >= _PROTECTED and key not in protected:
                protected.popitem(last=False)
            protected[key] = until
        if key in self._bans:
            self._unban(key, "registered")

    def is_protected(self, host: str, now: Instant) -> bool:
        """Return whether this source has live authenticated registrations."""
        return self._protected.get(self._key(host), now) > now

    @property
    def banned(self) -> int:
        """How many sources are banned."""
        return len(self._bans)

    def bans(self, now: Instant) -> tuple[Ban, ...]:
        """Return the bans that stand, the oldest first."""
        return tuple(
            Ban(source=key, reason=reason, until=until, seconds_left=until - now)
            for key, (until, reason) in self._bans.items()
            if until > now
        )

    def restore(self, bans: Iterable[tuple[str, str, Instant]], now: Instant) -> int:
        """Put back bans of an earlier run, and return how many stand again.

        Left out is what is over, exempt by now, no address, or beyond the bound. None lasts longer
        than one pronounced now would.

        Args:
            bans: Source as in `bans`, reason, and end.
            now: The present moment.
        """
        count = 0
        for source, reason, until in bans:
            if len(self._bans) >= _BANS or not until > now or not _is_source(source):
                continue
            key = key_of(source)
            if self._exempt.hold(key):
                continue
            self._enter(key, reason[:_REASON], min(until, now + self._ban_s))
            count += 1
        return count

    def release(self, host: str) -> bool:
        """Lift the ban of an address or of the IPv6 network named in `bans`; False if none stands."""
        key = key_of(host)
        if key not in self._bans:
            return False
        self._unban(key, "released")
        return True

    def expire(self, now: Instant) -> None:
        """Lift the bans that are over and forget sources long unheard; to be called every second."""
        if now >= self._unban_at:
            for key in [key for key, (until, _) in self._bans.items() if until <= now]:
                self._unban(key, "over")
            self._unban_at = min((until for until, _ in self._bans.values()), default=NEVER)
        if now >= self._rotate_at:
            self._rotate(now)
        _sweep(self._protected, now)
        _sweep(self._withheld, now)
        failing = self._failing
        for _ in range(min(len(failing), _SWEEP)):
            key, times = failing.popitem(last=False)
            if times[-1] > now - _MINUTE:
                failing[key] = times

    def take(self) -> Sequence[Event]:
        """Return the events since the last call, in order."""
        if not self._pending:
            return ()
        events, self._pending = self._pending, []
        return events

    def counters(self) -> dict[str, int]:
        """Return the size of each table and what was counted, by name."""
        return {
            LIMITED: self.drops[LIMITED],
            BANNED: self.drops[BANNED],
            "sources": len(self._young) + len(self._old),
            "bans": len(self._bans),
            "bans-total": self.bans_total,
            "protected": len(self._protected),
            "failures-proven": self.failures_proven,
            "failures-unproven": self.failures_unproven,
            "events-unsaid": self.unsaid,
        }

    # Tables

    def _key(self, host: str) -> str:
        source = self._young.get(host)
        return source.key if source is not None and source.key else key_of(host)

    def _meet(self, host: str, now: Instant) -> _Source:
        """Find the source of a host not in the young generation, and put it there."""
        if len(self._young) >= _GENERATION:
            self._rotate(now)
        source = self._old.pop(host, None)
        if source is None:
            source = self._find(host)
        elif source.key != host and source is not _EXEMPT:  # the two must not be parted by age
            self._old.pop(source.key, None)
            self._young[source.key] = source
        self._young[host] = source
        return source

    def _find(self, host: str) -> _Source:
        key = key_of(host)
        if not self._enabled or self._exempt.hold(host):
            return _EXEMPT
        source = self._young.get(key) or self._old.pop(key, None)
        if source is None:
            source = _Source(key, NEVER if key in self._bans else -NEVER)
        self._young[key] = source
        return source

    def _rotate(self, now: Instant) -> None:
        self._young, self._old = {}, self._young
        self._rotate_at = now + max(_MINUTE, self._burst / self._rate)

    # Verdicts

    def _refuse(self, source: _Source, now: Instant) -> bool:
        ban = self._bans.get(source.key)
        if ban is not None:
            if ban[0] > now:
                self.drops[BANNED] += 1
                return False
            self._unban(source.key, "over")
            source.full_at = now + self._token_s
            return True
        self.drops[LIMITED] += 1
        if source.said <= now - _MINUTE:
            source.said = now
            self._say(Severity.WARNING, "guard.limited", source.key, per_second=self._rate)
        return False

    def _ban(self, key: str, reason: str, now: Instant) -> None:
        if len(self._bans) >= _BANS:
            self._unban(min(self._bans, key=self._bans.__getitem__), "crowded-out")
        self._enter(key, reason, now + self._ban_s)
        self.bans_total += 1
        self._say(Severity.WARNING, "guard.banned", key, reason=reason, seconds=self._ban_s)

    def _enter(self, key: str, reason: str, until: Instant) -> None:
        self._bans[key] = (until, reason)
        self._unban_at = min(self._unban_at, until)
        self.ban_changes += 1
        source = self._young.get(key) or self._old.get(key)
        if source is not None and source is not _EXEMPT:
            source.full_at = NEVER

    def _unban(self, key: str, why: str) -> None:
        del self._bans[key]
        self.ban_changes += 1
        source = self._young.get(key) or self._old.get(key)
        if source is not None and source is not _EXEMPT:
            source.full_at = -NEVER
        self._say(Severity.NOTICE, "guard.released", key, why=why)

    def _withhold(self, key: str, now: Instant) -> None:
        """Say, once a minute, that a ban was earned by a source that is protected."""
        if self._withheld.get(key, now) <= now:
            if len(self._withheld) >= _FAILING:
                self._withheld.popitem(last=False)
            self._withheld[key] = now + _MINUTE
            self._say(Severity.WARNING, "guard.ban-withheld", key, reason="registered")

    def _say(self, severity: Severity, name: str, key: str, **fields: Field) -> None:
        if len(self._pending) >= _PENDING:
            self.unsaid += 1
        else:
            self._pending.append(Event(Kind.GUARD, severity, name, {"src": key, **fields}))


def _is_source(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _sweep(table: OrderedDict[str, Instant], now: Instant) -> None:
    """Look at the entries at the front; drop what is over, and put the rest to the back."""
    for _ in range(min(len(table), _SWEEP)):
        key, until = table.popitem(last=False)
        if until > now:
            table[key] = until
