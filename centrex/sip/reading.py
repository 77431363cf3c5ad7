"""Reads at once what a proxy needs of every request: who sent it, to whom, and which transaction.

It gives what `check_request` and the parsers of each header give together, at a fraction of their
cost: lines that are the same in many messages (CSeq, Contact, all of a Via but its branch) are
looked up in bounded memos, the others matched once against their usual form. Whatever is not of a
usual form goes the long way through the full grammar. It knows no more than they do.
"""

import re
from typing import Final, TypeAlias, TypeVar

from centrex.base import Flow, PeerError
from centrex.sip.cseq import parse_cseq
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import (
    CALL_ID,
    CONTACT,
    CONTENT_LENGTH,
    CSEQ,
    FROM,
    MAX_BREADTH,
    MAX_FORWARDS,
    PROXY_REQUIRE,
    REQUIRE,
    ROUTE,
    TO,
    VIA,
)
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.validate import check_request, check_response
from centrex.sip.via import Via, parse_via, split_values

_ADDRESS: Final = re.compile(
    rb'[A-Za-z]+: ?(?:"[\t !#-\[\]-~\x80-\xff]*+" ?|[A-Za-z0-9.!%*_+`\'~-]*+ ?)'
    rb"<([!#-;=?-~\x80-\xff]++)>(?:;tag=([A-Za-z0-9.!%*_+`'~-]++))?"
)
_CALL_ID: Final = re.compile(rb"[A-Za-z-]+: ?([!-~]++)")
_BRANCH: Final = re.compile(rb"[A-Za-z0-9.!%*_+`'~=:@/|-]++")
_BOUND: Final = 4096
_LENGTH: Final = 256
_UNUSUAL: Final = sum(1 << number for number in (VIA, CONTACT, ROUTE))

_Value = TypeVar("_Value")

HOPS: Final = {b"Max-Forwards: %d" % hops: hops for hops in range(256)}
"""The usual spelling of each Max-Forwards line, and its number."""
_lengths: dict[bytes, int] = {}
_sequences: dict[bytes, tuple[int, bytes]] = {}
_contacts: set[bytes] = set()
_vias: dict[bytes, "ViaForm"] = {}


class ViaForm:
    """A Via line without its branch: what all requests of one sender share.

    Attributes:
        sent_by: As in `Via`: part of the transaction key.
        host: The host of sent-by.
        port: Its port, 0 where none is given.
        head: The line up to `;branch=` included, without `rport`.
        asks_rport: Whether the sender asks for `rport` (RFC 3581).
    """

    __slots__ = ("asks_rport", "head", "host", "port", "sent_by")

    def __init__(self, via: Via, head: bytes) -> None:
        self.sent_by, self.host, self.port = via.sent_by, via.host, via.port
        self.asks_rport = via.rport is not None
        self.head = head

    def amended(self, line: bytes, branch: bytes, flow: Flow) -> bytes:
        """Return the line with `received` and `rport` as they have to be (RFC 3581 §4)."""
        if self.asks_rport:
            return self.head + branch + flow.received_params
        if self.host == flow.received_host:
            return line
        return b"%b;received=%b" % (line, flow.received_host)


def read_via(line: bytes) -> tuple[ViaForm, bytes] | None:
    """Read a whole Via line of the usual form.

    That is one value, with a branch, and no other parameter than a valueless `rport`.

    Returns:
        The form and the branch; None for any other line.
    """
    at = line.find(b";branch=")
    end = line.find(b";", at + 8)
    if end < 0:
        head, branch = line[: at + 8], line[at + 8 :]
        key = head
    else:
        head, branch = line[: at + 8], line[at + 8 : end]
        key = head + line[end:]
    form = _vias.get(key)
    if form is None:
        form = _new_form(key, head, line)
        if form is None:
            return None
    if _BRANCH.fullmatch(branch) is None or branch == b"z9hG4bK":
        return None
    return form, branch


def _new_form(key: bytes, head: bytes, line: bytes) -> ViaForm | None:
    if line.find(b",") >= 0 or line.find(b"\n") >= 0 or not head.endswith(b";branch="):
        return None
    via = parse_via(line[line.find(b":") + 1 :].strip(b" \t"))
    names = [name for name, _ in via.params]
    if via.rport or via.received or not {b"branch", b"rport"}.issuperset(names):
        return None
    plain = head.replace(b";rport;", b";")
    if plain.lower().find(b";rport") >= 0:
        return None
    form = ViaForm(via, plain)
    if len(key) <= _LENGTH:
        if len(_vias) >= _BOUND:
            _vias.clear()
        _vias[key] = form
    return form


Reading: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes]
"""(From URI, From tag, To URI, To tag, Call-ID); tags are empty where there is none."""


def read_request(message: Message, via: ViaForm | Via) -> Reading:
    """Judge a request, and read what every request tells.

    Where Content-Length is shorter than the body, the body is cut to it (§18.3).

    Args:
        message: The request.
        via: What `top_via` gave for it.

    Raises:
        PeerError: As `check_request`.
    """
    if message.fault is not None:
        raise message.fault
    at, lines = message.at, message.lines
    sequence = _sequences.get(lines[at[CSEQ]])
    if sequence is None or sequence[1] != message.method or not _is_usual(message, via):
        return _the_long_way(message)
    sender = _ADDRESS.fullmatch(lines[at[FROM]])
    target = _ADDRESS.fullmatch(lines[at[TO]])
    call_id = _CALL_ID.fullmatch(lines[at[CALL_ID]])
    if sender is None or target is None or call_id is None:
        return _the_long_way(message)
    from_uri, from_tag = sender.groups(b"")
    to_uri, to_tag = target.groups(b"")
    uri = parse_uri(message.uri)
    parse_uri(from_uri)
    parse_uri(to_uri)
    if type(uri) is SipUri and uri.headers:
        return _the_long_way(message)
    return from_uri, from_tag, to_uri, to_tag, call_id[1]


def read_response(message: Message) -> None:
    """Judge a response that is to be passed on; its body is cut as a request's is.

    Raises:
        PeerError: As `check_response`.
    """
    at, lines = message.at, message.lines
    if (
        message.fault is None
        and _lengths.get(lines[at[CONTENT_LENGTH]]) == len(message.body)
        and lines[at[CSEQ]] in _sequences
        and at[CALL_ID]
        and _ADDRESS.fullmatch(lines[at[FROM]])
        and _ADDRESS.fullmatch(lines[at[TO]])
    ):
        return
    check_response(message)
    _remember(_sequences, lines[at[CSEQ]], parse_cseq(message.value(CSEQ)))
    if at[CONTENT_LENGTH]:
        _remember(_lengths, lines[at[CONTENT_LENGTH]], int(message.value(CONTENT_LENGTH)))


def _is_usual(message: Message, via: ViaForm | Via) -> bool:
    """Whether all the lines that must be judged, save those `read_request` reads, are as usual."""
    at, lines = message.at, message.lines
    if message.repeated & _UNUSUAL or at[REQUIRE] or at[PROXY_REQUIRE] or at[MAX_BREADTH]:
        return False
    if _lengths.get(lines[at[CONTENT_LENGTH]]) != len(message.body):
        return False
    if at[CONTACT] and lines[at[CONTACT]] not in _contacts and message.method != b"REGISTER":
        return False  # the registrar reads the Contacts of a REGISTER, each its own, itself
    if at[ROUTE] and not is_usual_route(lines[at[ROUTE]]):
        return False
    return lines[at[MAX_FORWARDS]] in HOPS and type(via) is ViaForm


_ROUTE: Final = re.compile(
    rb"Route: <sip:[A-Za-z0-9][A-Za-z0-9.-]*+(?::(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}))?;(?:[A-Za-z0-9.=_-]++;?+)+>"
)


def is_usual_route(line: bytes) -> bool:
    """Whether a Route line holds one plain value: host, port, and parameters of plain letters."""
    return _ROUTE.fullmatch(line) is not None


def _the_long_way(message: Message) -> Reading:
    check_request(message)
    at, lines = message.at, message.lines
    _remember(_sequences, lines[at[CSEQ]], parse_cseq(message.value(CSEQ)))
    if at[CONTENT_LENGTH]:
        _remember(_lengths, lines[at[CONTENT_LENGTH]], int(message.value(CONTENT_LENGTH)))
    if at[CONTACT] and len(lines[at[CONTACT]]) <= _LENGTH and message.value(CONTACT) != b"*":
        if len(_contacts) >= _BOUND:
            _contacts.clear()
        _contacts.add(lines[at[CONTACT]])
    sender = parse_name_addr(message.value(FROM))
    target = parse_name_addr(message.value(TO))
    return sender.uri, sender.tag, target.uri, target.tag, message.value(CALL_ID)


def _remember(memo: dict[bytes, _Value], line: bytes, value: _Value) -> None:
    if len(line) <= _LENGTH:
        if len(memo) >= _BOUND:
            memo.clear()
        memo[line] = value


def top_via(message: Message) -> tuple[ViaForm | Via, bytes]:
    """Read the topmost Via, after giving it a line of its own where several share one.

    Returns:
        Its form, or the whole value where it is unusual; and its branch.

    Raises:
        PeerError: It is missing or malformed.
    """
    index = message.at[VIA]
    if not index:
        raise PeerError("there is no Via", rule="RFC 3261 §8.1.1")
    usual = read_via(message.lines[index])
    if usual is not None:
        return usual
    value = message.value(VIA)
    if value.find(b",") >= 0:
        values = split_values(value)
        message.lines[index : index + 1] = [b"Via: " + one for one in values if one]
        message.rescan()
        value = values[0]
    via = parse_via(value)
    return via, via.branch
