"""The Record-Route value that proves a dialog went through us, and remembers how to reach its ends.

It carries a keyed cookie over Call-ID and the caller's tag, so that nobody can make up a dialog to
be let through unauthenticated, and, where an end is behind NAT or on a connection, the flow that
leads to it. Of an end that is a gateway which asks who calls it says which one that is. Nothing is
stored: a restart, or another engine with the same key, reads it as well, and sees that it was minted
by another run.
"""

import hashlib
import re
from typing import Final, NamedTuple

from centrex.base import Flow, Local, Transport
from centrex.sip.uri import SipUri

_OWN: Final = re.compile(
    rb"(?:;transport=[a-z]+)?;lr;cx=([0-9a-f]{16,24})(?:;ca=([\w.-]+))?(?:;cb=([\w.-]+))?"
    rb"(?:;cg=([\w.~-]+))?>"
)
_MAC: Final = 16
"""Digits of a cookie that are its keyed hash; the run's follow."""
_FLOW: Final = re.compile(rb"([utl])([0-9a-f._]+)-([0-9]{1,5})")
_LETTER: Final = {Transport.UDP: b"u", Transport.TCP: b"t", Transport.TLS: b"l"}
_TRANSPORT: Final = {letter: transport for transport, letter in _LETTER.items()}


class Dialog(NamedTuple):
    """What a Route value of ours tells about the request that carries it."""

    from_caller: bool
    """Whether the request comes from the dialog's caller."""
    flow: bytes
    """The token of the flow that leads to the other end; empty where its Contact does."""
    gateway: bytes = b""
    """Which ends are gateways that ask who calls, and which ones; empty where none is."""
    before: bool = False
    """Whether it was minted before this run of the engine."""


class RouteTokens:
    """Mints and verifies.

    Args:
        key: At least 16 secret bytes, kept over restarts.
        run: Eight hexadecimal digits that no other run of the engine is likely to have.
    """

    __slots__ = ("_keyed", "_run")

    def __init__(self, key: bytes, run: bytes = b"00000000") -> None:
        self._keyed = hashlib.blake2b(digest_size=8, key=key[:64])
        self._run = run

    def record_route(
        self,
        local: Local,
        call_id: bytes,
        caller_tag: bytes,
        to_caller: bytes,
        to_callee: bytes,
        *,
        secure: bool = False,
        gateway: bytes = b"",
    ) -> bytes:
        """Return a Record-Route line.

        Args:
            local: Our address as the peer on this side sees it.
            call_id: The Call-ID.
            caller_tag: The From tag of the request that begins the dialog.
            to_caller: Flow token that leads to the caller, or empty.
            to_callee: Flow token that leads to the callee, or empty.
            secure: Whether the Request-URI is `sips:`; then so is this, where the side has TLS
                (RFC 3261 §16.6 step 4).
            gateway: What to remember of gateways at its ends, or empty.
        """
        run = self._run
        cookie = self._cookie(call_id, caller_tag, to_caller, to_callee, gateway, run)
        uri = local.uri
        if secure and local.transport is Transport.TLS:
            uri = b"sips:" + local.sent_by
        line = b"Record-Route: <%b;lr;cx=%b" % (uri, cookie)
        if to_caller:
            line += b";ca=" + to_caller
        if to_callee:
            line += b";cb=" + to_callee
        if gateway:
            line += b";cg=" + gateway
        return line + b">"

    def verify(
        self, route: bytes, uri: SipUri | None, call_id: bytes, from_tag: bytes, to_tag: bytes
    ) -> Dialog | None:
        """Return what our own Route value says, or None when its cookie is not ours.

        Args:
            route: The Route value as it came, such as `<sip:192.0.2.1;lr;cx=...>`.
            uri: Its URI, where the value was changed on its way and had to be parsed.
            call_id: The Call-ID of the request.
            from_tag: Its From tag.
            to_tag: Its To tag.
        """
        if uri is None:
            found = _OWN.search(route)
            if found is None:
                return None
            cookie, to_caller, to_callee, gateway = found.groups(b"")
        else:
            cookie = uri.param(b"cx") or b""
            to_caller, to_callee = uri.param(b"ca") or b"", uri.param(b"cb") or b""
            gateway = uri.param(b"cg") or b""
        if not cookie or not to_tag:
            return None
        run = cookie[_MAC:]
        before = run != self._run
        if cookie == self._cookie(call_id, from_tag, to_caller, to_callee, gateway, run):
            return Dialog(True, to_callee, gateway, before)
        if cookie == self._cookie(call_id, to_tag, to_caller, to_callee, gateway, run):
            return Dialog(False, to_caller, gateway, before)
        return None

    def _cookie(
        self,
        call_id: bytes,
        tag: bytes,
        to_caller: bytes,
        to_callee: bytes,
        gateway: bytes,
        run: bytes,
    ) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(b"%b\n%b\n%b\n%b" % (call_id, tag, to_caller, to_callee))
        if gateway:
            keyed.update(b"\n" + gateway)
        keyed.update(b"\n\n" + run)
        return keyed.hexdigest().encode() + run


def told(route: bytes, *, from_caller: bool) -> bytes:
    """Return the flow token for the other end, of a value that is known to be ours."""
    if route.find(b";c", route.find(b";cx=") + 4) < 0:
        return b""
    found = _OWN.search(route)
    if found is None:
        return b""
    return found[3 if from_caller else 2] or b""


def flow_token(flow: Flow) -> bytes:
    """Return a flow's remote address as a token (RFC 3261 §25.1): `u192.0.2.7-5060`."""
    host = flow.received_host.replace(b":", b"_")
    return b"%b%b-%b" % (_LETTER[flow.transport], host, flow.received_port)


def read_flow_token(token: bytes) -> tuple[Transport, str, int] | None:
    """Return (transport, host, port) of a token, None where it is none."""
    found = _FLOW.fullmatch(token)
    if found is None:
        return None
    letter, host, port = found.groups()
    if not 0 < int(port) < 65536:
        return None
    return _TRANSPORT[letter], host.replace(b"_", b":").decode(), int(port)
