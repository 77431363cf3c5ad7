"""Sets of networks, asked about numeric addresses; answers are remembered, up to a bound."""

import ipaddress
from collections.abc import Iterable
from typing import Final

_MEMO_BOUND: Final = 65_536


class Networks:
    """Networks and single addresses, such as `10.0.0.0/8` or `2001:db8::7`.

    Args:
        texts: Each a network in CIDR form or an address; host bits may be set.

    Raises:
        ValueError: One of the texts is neither.
    """

    __slots__ = ("_memo", "_networks")

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in texts)
        self._memo: dict[str, bool] = {}

    def __contains__(self, host: str) -> bool:
        """Whether a numeric address lies in one of the networks; False for what is no address."""
        known = self._memo.get(host)
        if known is not None:
            return known
        if len(self._memo) >= _MEMO_BOUND:
            self._memo.clear()
        found = self._memo[host] = self._look(host)
        return found

    def _look(self, host: str) -> bool:
        if not self._networks:
            return False
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def __bool__(self) -> bool:
        return bool(self._networks)
