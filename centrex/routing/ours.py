"""Which hosts are ours: the domain, its aliases, and the addresses we listen on."""

from collections.abc import Iterable

from centrex.base import Local
from centrex.sip.uri import SipUri


class Ours:
    """Answers "is this URI mine?" (RFC 3261 §16.4, §16.5).

    Args:
        domains: The domain and its aliases.
        locals_: The addresses we listen on, as others see them; more may be added.

    Attributes:
        generation: Grows with every change, so that answers may be remembered.
    """

    __slots__ = ("_domains", "_hosts", "_ports", "generation")

    def __init__(self, domains: Iterable[str], locals_: Iterable[Local]) -> None:
        self.generation = 0
        self.rename(domains)
        self._ports: set[int] = {0}
        self._hosts: set[bytes] = set()
        for local in locals_:
            self.add(local)

    def rename(self, domains: Iterable[str]) -> None:
        """Serve these names from now on; addresses stay."""
        self.generation += 1
        self._domains = frozenset(domain.lower().encode() for domain in domains)

    def add(self, local: Local) -> None:
        """Count an address as ours, as soon as a flow shows that others know it."""
        self.generation += 1
        self._ports.add(local.port)
        self._hosts.add(local.host.encode())

    def owns(self, uri: SipUri) -> bool:
        """Whether a URI's host and port are ours, whatever its user."""
        host = uri.host
        return (host in self._domains or host in self._hosts) and uri.port in self._ports

    def has(self, host: bytes, port: int) -> bool:
        """Whether a lower-case host and a port, 0 for none, are ours."""
        return (host in self._domains or host in self._hosts) and port in self._ports

    def is_domain(self, host: bytes) -> bool:
        """Whether a lower-case host is the domain, an alias, or an address of ours."""
        return host in self._domains or host in self._hosts
