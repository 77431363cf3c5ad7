"""What the core needs of the world's sockets: the way to an address, without waiting for it."""

from typing import Protocol

from centrex.base import Flow, Transport


class Flows(Protocol):
    """The paths out of this server; `centrex.runtime` implements it."""

    def reach(
        self, transport: Transport, host: str, port: int, server_name: str = ""
    ) -> Flow | None:
        """Return a flow to a numeric address, opening a connection where one is needed.

        What is sent before a connection stands is queued. None where no listener of ours speaks
        that transport and IP version.
        """

    def find(self, transport: Transport, host: str, port: int) -> Flow | None:
        """Return a flow that exists: any UDP address, or a connection that stands."""

    def larger(self, flow: Flow) -> Flow | None:
        """Return a TCP flow to a UDP flow's address, None where the far side is known not to listen."""
