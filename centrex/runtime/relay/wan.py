"""Under which address the world sees a relay that stands behind a router (`[wan]`): found, and followed.

It asks as it is told to: DNS, a web page, a STUN server. What is made of the address is for others.
"""

import base64
import http.client
import ipaddress
import os
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Final

import anyio
import anyio.to_thread

from centrex.base import PeerError, Unavailable
from centrex.config.later import WanSettings
from centrex.nat import stun
from centrex.routing.patterns import compile_pattern

PATIENCE_S: Final = 5.0
"""The longest one look takes."""
_REPEATS_S: Final = (0.5, 1.0)
"""How long a STUN server may take before it is asked again, and before the next one is (RFC 8489 §6.2.1)."""
_PAGE_OCTETS: Final = 65_536
_ADDRESS: Final = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])", re.ASCII)


class WanAddress:
    """The public IPv4 address, as it was found last.

    Args:
        settings: By which means.
        report: Told in words what has changed, or goes wrong.

    Attributes:
        address: It; empty before it was found.
    """

    def __init__(self, settings: WanSettings, report: Callable[[str], None]) -> None:
        self._settings, self._report = settings, report
        self._said = ""
        self.address = ""

    async def look(self) -> None:
        """Find it anew; what was found before stays where nobody tells."""
        means = {"static": self._static, "dns": self._dns, "http": self._http, "stun": self._stun}
        try:
            with anyio.fail_after(PATIENCE_S):
                found = _usable(await means[self._settings.method]())
        except TimeoutError:
            self._say(f"the public address is not found: no answer for {PATIENCE_S:g} s")
        except Unavailable as error:
            self._say(f"the public address is not found: {error}")
        else:
            self.address = found
            self._say(f"the public address is {found}, by {self._settings.method}")

    async def _static(self) -> str:
        return self._settings.address

    async def _dns(self) -> str:
        host = self._settings.host
        try:
            found = await anyio.getaddrinfo(host, None, family=socket.AF_INET)
        except (OSError, UnicodeError) as error:
            raise Unavailable(f"{host}: {_why(error)}") from error
        return str(found[0][4][0])

    async def _http(self) -> str:
        page = await anyio.to_thread.run_sync(self._page, abandon_on_cancel=True)
        if self._settings.pattern:
            match = compile_pattern(self._settings.pattern).search(page)
        else:
            match = _ADDRESS.search(page)
        if match is None:
            raise Unavailable(f"{self._settings.url} shows no address")
        return str(match[1] if self._settings.pattern and match.re.groups else match[0])

    def _page(self) -> str:
        settings = self._settings
        try:
            request = urllib.request.Request(settings.url)
            if settings.url_user:
                login = f"{settings.url_user}:{settings.url_secret.get_secret_value()}".encode()
                shown = base64.b64encode(login).decode()
                request.add_unredirected_header("Authorization", f"Basic {shown}")
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return bytes(answer.read(_PAGE_OCTETS)).decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            error.close()
            raise Unavailable(f"{settings.url}: {error.reason}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise Unavailable(f"{settings.url}: {_why(error)}") from error

    async def _stun(self) -> str:
        whys = []
        for server in self._settings.stun_servers:
            try:
                return await _asked(server)
            except (OSError, anyio.BrokenResourceError, PeerError) as error:
                whys.append(f"{server}: {_why(error)}")
        raise Unavailable("; ".join(whys))

    def _say(self, words: str) -> None:
        """Report what is new, and not at each look the same."""
        if words != self._said:
            self._said = words
            self._report(words)


async def _asked(server: str) -> str:
    """Ask a STUN server.

    Raises:
        OSError: It cannot be reached, or does not answer.
        PeerError: What it answers is of no use.
    """
    host, _, port = server.partition(":")
    transaction = os.urandom(12)
    async with await anyio.create_connected_udp_socket(
        host, int(port or stun.PORT), family=socket.AF_INET
    ) as asked:
        for pause_s in _REPEATS_S:
            await asked.send(stun.question(transaction))
            with anyio.move_on_after(pause_s):
                return stun.mapped(await asked.receive(), transaction)
    raise OSError("no answer")


def _why(error: Exception) -> str:
    """Return in words what has failed."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return "is no host name" if isinstance(cause, UnicodeError) else str(cause)


def _usable(found: str) -> str:
    """Return an address as it is to be told.

    Raises:
        Unavailable: It cannot be anybody's public one.
    """
    try:
        address = ipaddress.IPv4Address(found)
    except ValueError:
        raise Unavailable(f"{found!r} is no IPv4 address") from None
    if (
        address.is_unspecified
        or address.is_multicast
        or address == ipaddress.IPv4Address(2**32 - 1)
    ):
        raise Unavailable(f"{found} is nobody's address")
    return str(address)
