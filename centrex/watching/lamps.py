"""The calls of the users, as busy lamps show them (RFC 4235 §3.7).

Nothing is kept while nobody watches a call. It knows no messages: what a call comes to is told.
"""

from collections.abc import Iterable
from typing import Final

from centrex.base import Instant
from centrex.watching import dialoginfo
from centrex.watching.dialoginfo import Lamp, lamp_id

MOST_ENDED: Final = 16
"""Calls that just ended which are kept of one user."""
_KEPT_S: Final = 40.0
"""How long: longer than a NOTIFY may take."""
_STAGE: Final = {dialoginfo.TRYING: 0, dialoginfo.EARLY: 1, dialoginfo.CONFIRMED: 2}


class Lamps:
    """The lamps of all users, while somebody watches any.

    Attributes:
        on: Whether somebody does.
    """

    __slots__ = ("_by_call", "_by_user", "_ended", "on")

    def __init__(self) -> None:
        self.on = False
        self._by_call: dict[bytes, dict[tuple[bytes, bytes], Lamp]] = {}
        self._by_user: dict[bytes, dict[bytes, Lamp]] = {}
        self._ended: dict[bytes, list[tuple[Instant, Lamp]]] = {}

    def clear(self) -> None:
        """Forget everything: nobody watches any more."""
        self.on = False
        self._by_call, self._by_user, self._ended = {}, {}, {}

    def show(
        self, call_id: bytes, user: bytes, direction: bytes, remote: bytes, state: bytes
    ) -> bool:
        """Have a call of a canonical user be in a state; return whether that is news.

        A call goes forward only: one that is up does not ring again.
        """
        of_call = self._by_call.setdefault(call_id, {})
        old = of_call.get((user, direction))
        if old is not None and _STAGE[old.state] >= _STAGE[state]:
            return False
        lamp = Lamp(lamp_id(call_id, direction), direction, remote, state)
        of_call[user, direction] = lamp
        self._by_user.setdefault(user, {})[lamp.id] = lamp
        return True

    def users_of(self, call_id: bytes) -> Iterable[tuple[bytes, bytes]]:
        """Return the users of a call, each with his direction."""
        return tuple(self._by_call.get(call_id, ()))

    def end(
        self, call_id: bytes, user: bytes, direction: bytes, event: bytes, now: Instant
    ) -> bool:
        """Have a call be over for one of its users; return whether it was not before."""
        of_call = self._by_call.get(call_id)
        lamp = of_call.pop((user, direction), None) if of_call is not None else None
        if of_call is None or lamp is None:
            return False
        if not of_call:
            del self._by_call[call_id]
        of_user = self._by_user[user]
        del of_user[lamp.id]
        if not of_user:
            del self._by_user[user]
        ended = self._ended.get(user)
        if ended is not None:
            if len(ended) >= MOST_ENDED:
                del ended[0]
            ended.append((now, lamp._replace(state=dialoginfo.TERMINATED, event=event)))
        return True

    def watch(self, user: bytes) -> None:
        """Keep what ends of a user from now on, until it is told."""
        self._ended.setdefault(user, [])

    def unwatch(self, user: bytes) -> None:
        """Nobody watches a user any more."""
        self._ended.pop(user, None)

    def of(self, user: bytes, now: Instant) -> list[Lamp]:
        """Return the calls of a user, those that have just ended before those that go on."""
        ended = self._ended.get(user, [])
        while ended and ended[0][0] <= now - _KEPT_S:
            ended.pop(0)
        return [lamp for _, lamp in ended] + list(self._by_user.get(user, {}).values())
