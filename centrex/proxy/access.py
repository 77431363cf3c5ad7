"""Who must show credentials: the settings of `[auth]` as the chain consults them."""

from collections.abc import Iterable
from typing import Final

from centrex.auth.gate import Gate
from centrex.base.networks import Networks

_NEVER_CHALLENGED: Final = frozenset({b"ACK", b"CANCEL"})


class Access:
    """What `identify` decides by. Made anew when settings change.

    Args:
        enabled: Whether anybody is asked at all.
        methods: The methods that need credentials; `*` for all (ACK and CANCEL never do).
        gate: Checks credentials and writes challenges.
        trusted: Networks and hosts that need none.
        match_user: Whether a login acts only as its own users.
        case_sensitive: Whether users that differ in case are different.
    """

    __slots__ = ("_all", "_methods", "case_sensitive", "enabled", "gate", "match_user", "trusted")

    def __init__(
        self,
        *,
        enabled: bool,
        methods: Iterable[str],
        gate: Gate,
        trusted: Networks,
        match_user: bool,
        case_sensitive: bool,
    ) -> None:
        self.enabled, self.gate, self.trusted = enabled, gate, trusted
        self.match_user, self.case_sensitive = match_user, case_sensitive
        names = [method.upper() for method in methods]
        self._all = "*" in names
        self._methods = frozenset(name.encode() for name in names if name != "*")

    def covers(self, method: bytes) -> bool:
        """Whether a request of this method needs credentials."""
        if method in _NEVER_CHALLENGED:
            return False
        return self._all or method in self._methods
