"""Via: where a request came from and where its responses go (RFC 3261 §18, §20.42; RFC 3581).

One value becomes one immutable `Via`. The form nearly all traffic has is read by one expression,
everything else by the full grammar; both give the same value. It does not know what to do with it.
"""

import re
from typing import Final

from centrex.base import PeerError
from centrex.sip.host import HOST, PORT, bracketed, canonical_address, canonical_host, parse_port
from centrex.sip.number import parse_number
from centrex.sip.tokens import TOKEN, Params, parse_params, split_values

__all__ = ["Via", "parse_via", "split_values"]

_RULE: Final = "RFC 3261 §20.42"
_COMMON: Final = re.compile(
    rb"SIP/2\.0/([A-Z]++) (([a-z0-9_-]++(?:\.[a-z0-9_-]++)*)"
    rb"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?)"
    rb"(;(?:(rport);)?branch=([A-Za-z0-9.!%*_+`'~=:@/|-]++)(?(6)|(;rport)?))"
)
_FULL: Final = re.compile(
    rb"(" + TOKEN + rb")[ \t]*+/[ \t]*+(" + TOKEN + rb")[ \t]*+/[ \t]*+(" + TOKEN + rb")[ \t]++"
    rb"(" + HOST + rb")(?:[ \t]*+:[ \t]*+(" + PORT + rb"))?[ \t]*+((?:;.*)?)",
    re.DOTALL,
)  # fmt: skip
_MEMO_BOUND: Final = 1024
_MEMO_LENGTH: Final = 256


class Via:
    """One Via value. Immutable.

    Attributes:
        transport: Upper case, such as `UDP`.
        sent_by: `host` or `host:port`, lower case, brackets around IPv6: part of the matching key.
        host: The host of sent-by without brackets, IPv6 in the spelling of RFC 5952.
        port: The port of sent-by, 0 where none is given.
        branch: The branch, empty where there is none.
        rport: None where there is none, empty where it has no value yet, else its digits.
        received: The address it was received from, without brackets; empty where there is none.
        maddr: The host to send responses to instead; empty where there is none.
        ttl: The time to live of a multicast response, None where there is none.
    """

    __slots__ = (
        "_tail", "branch", "host", "maddr", "port", "received", "rport", "sent_by", "transport",
        "ttl",
    )  # fmt: skip

    def __init__(  # built per message: keywords cost a third more
        self,
        transport: bytes,
        sent_by: bytes,
        host: bytes,
        port: int,
        tail: bytes,
        branch: bytes,
        rport: bytes | None,
        received: bytes = b"",
        maddr: bytes = b"",
        ttl: int | None = None,
    ) -> None:
        self.transport, self.sent_by, self.host, self.port = transport, sent_by, host, port
        self._tail, self.branch, self.rport = tail, branch, rport
        self.received, self.maddr, self.ttl = received, maddr, ttl

    @property
    def params(self) -> Params:
        """All parameters in order."""
        return parse_params(self._tail)


_memo: dict[bytes, Via] = {}


def parse_via(value: bytes) -> Via:
    """Read one Via value.

    Args:
        value: One value, unfolded and stripped, without a comma (see `split_values`).

    Raises:
        PeerError: It is malformed.
    """
    via = _memo.get(value)
    if via is None:
        match = _COMMON.fullmatch(value)
        if match is None:
            via = parse_full(value)
        else:
            transport, sent_by, host, port, tail, before, branch, after = match.groups()
            via = Via(
                transport,
                sent_by,
                host,
                int(port) if port else 0,
                tail,
                branch,
                b"" if before or after else None,
            )
        if len(value) <= _MEMO_LENGTH:
            if len(_memo) >= _MEMO_BOUND:
                _memo.clear()
            _memo[value] = via
    return via


def parse_full(value: bytes) -> Via:
    """Read one Via value by the full grammar; `parse_via` is the same and faster."""
    match = _FULL.fullmatch(value)
    if match is None:
        raise PeerError("a Via is malformed", rule=_RULE)
    _, _, transport, raw_host, digits, tail = match.groups()
    host = canonical_host(raw_host)
    port = parse_port(digits) if digits else 0
    sent_by = bracketed(host)
    if port:
        sent_by += b":%d" % port
    params = parse_params(tail, rule=_RULE)
    known = dict(params)
    if len(known) != len(params):
        raise PeerError("a Via has a parameter twice", rule=_RULE)
    ttl = known.get(b"ttl")
    received = known.get(b"received")
    return Via(
        transport.upper(),
        sent_by,
        host,
        port,
        tail,
        _needed(known, b"branch"),
        _rport(known),
        canonical_address(received) if received else _needed(known, b"received"),
        _needed(known, b"maddr"),
        None if ttl is None else parse_number(ttl, 255, rule=_RULE),
    )


def _needed(known: dict[bytes, bytes | None], name: bytes) -> bytes:
    """Return the value of a parameter that must have one; empty where the parameter is absent."""
    value = known.get(name, b"")
    if value is None or value[:1] == b'"':
        raise PeerError("a parameter of a Via has no value", rule=_RULE)
    return value


def _rport(known: dict[bytes, bytes | None]) -> bytes | None:
    if b"rport" not in known:
        return None
    value = known[b"rport"]
    if value is None:
        return b""
    parse_number(value, 65535, rule="RFC 3581 §3")
    return value
