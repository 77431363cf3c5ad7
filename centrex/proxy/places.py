"""Which URIs are ours, and which name the server itself, asked for every request, so remembered; and what was here before.

It knows hosts, ports and the registrar's name. Where a URI that is not ours leads is not its business.
"""

from typing import Final

from centrex.base import PeerError
from centrex.proxy.context import Context
from centrex.routing.dialled import dialled
from centrex.routing.ours import Ours
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import VIA
from centrex.sip.uri import SipUri, TelUri, parse_uri, unescape_user
from centrex.sip.via import parse_via, split_values

_BOUND: Final = 16_384


class Places:
    """Answers whether a URI is ours.

    Args:
        ours: Which hosts are ours.
        registrar_name: The user part under which the server itself is addressed, in lower case.
    """

    __slots__ = ("_generation", "_known", "ours", "registrar_name")

    def __init__(self, ours: Ours, registrar_name: bytes) -> None:
        self.ours, self.registrar_name = ours, registrar_name
        self._known: dict[bytes, tuple[bool, bool]] = {}
        self._generation: tuple[int, bytes] = (-1, b"")

    def of(self, raw: bytes, uri: SipUri) -> tuple[bool, bool]:
        """Return whether a URI's host and port are ours, and whether it names the server itself.

        The server's own name has no user part, or the registrar's name as its user.
        """
        if self._generation != (self.ours.generation, self.registrar_name):
            self._generation = (self.ours.generation, self.registrar_name)
            self._known.clear()
        place = self._known.get(raw)
        if place is None:
            ours = self.ours.owns(uri)
            for_us = ours and self.is_server(unescape_user(uri.user))
            if len(self._known) >= _BOUND:
                self._known.clear()
            place = self._known[raw] = (ours, for_us)
        return place

    def number(self, uri: TelUri) -> bytes:
        """Return the number of ours that a `tel:` URI names; empty for somebody else's."""
        return dialled(uri, self.ours.is_domain)

    def is_server(self, user: bytes) -> bool:
        """Whether a user at one of our hosts, unescaped, is the server itself."""
        return not user or user.lower() == self.registrar_name

    def owns_uri(self, raw: bytes) -> bool:
        """Whether a URI's host and port are ours."""
        try:
            uri = parse_uri(raw)
        except PeerError:
            return False
        return isinstance(uri, SipUri) and self.ours.owns(uri)

    def owns_route(self, value: bytes) -> bool:
        """Whether a Route value leads to us."""
        try:
            return self.owns_uri(parse_name_addr(value).uri)
        except PeerError:
            return False

    def led_back(self, ctx: Context) -> bool:
        """Whether a request has been here before: another Via than its topmost one names us."""
        if ctx.usual is not None:
            return False  # it has one Via
        values = [value for line in ctx.message.values(VIA) for value in split_values(line)]
        return any(self.ours.is_domain(parse_via(value).host) for value in values[1:])
