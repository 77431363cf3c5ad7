"""The verdict of the grammar on a whole message (RFC 3261 §8.2, §16.3 step 1, §18.3).

What a proxy or registrar reads must be well-formed; what it only passes on is not looked at (RFC
4475 §3.1.2.12 asks that of a bad Date). Whether a scheme, an extension or a hop count is acceptable
is for the proxy, which has an answer of its own for each.
"""

import re
from typing import Final

from centrex.base import PeerError
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
from centrex.sip.number import MAX_DELTA, parse_number
from centrex.sip.tokens import TOKEN, is_token, parse_option_tags, split_values
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.via import Via, parse_via

METHODS: Final = frozenset(
    {
        b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"INFO", b"PRACK",
        b"SUBSCRIBE", b"NOTIFY", b"UPDATE", b"MESSAGE", b"REFER", b"PUBLISH",
    }
)  # fmt: skip
"""The methods of the IANA registry."""

_MANDATORY: Final = (
    (VIA, "Via"), (CSEQ, "CSeq"), (CALL_ID, "Call-ID"), (FROM, "From"), (TO, "To"),
)  # fmt: skip
# The usual form of a whole line, so that most values need not be cut out to be judged.
_CALL_ID: Final = re.compile(rb"[^:]++:[ \t]*+[!-~]++[ \t]*+")
_HOPS: Final = re.compile(rb"[^:]++:[ \t]*+(?:[0-9]{1,2}|1[0-9]{2})")
_LENGTH: Final = re.compile(rb"[^:]++:[ \t]*+([0-9]{1,9})")
_CSEQ: Final = re.compile(rb"[^:]++:[ \t]*+[0-9]{1,9}[ \t]++(" + TOKEN + rb")")
_WORD: Final = re.compile(rb"[!-~]++")
_BROADCAST: Final = b"255.255.255.255"
_COOKIE_ALONE: Final = b"z9hG4bK"


def check_request(message: Message) -> None:
    """Judge a request.

    Where Content-Length is shorter than the body, the body is cut to it (§18.3).

    Raises:
        PeerError: The first rule it breaks, with the status owed: 400 unless it is 501 (an unknown
            method with another one in CSeq), 505 or 513.
    """
    if message.fault is not None:
        raise message.fault
    _check_mandatory(message)
    at = message.at
    _check_method(message)
    uri = parse_uri(message.uri)
    if type(uri) is SipUri and uri.headers:
        raise PeerError("the Request-URI has headers", rule="RFC 3261 §19.1.1")
    if at[MAX_FORWARDS] and not _HOPS.fullmatch(message.lines[at[MAX_FORWARDS]]):
        parse_number(message.value(MAX_FORWARDS), 255, rule="RFC 3261 §20.22")
    if _check_vias(message)[0].branch == _COOKIE_ALONE:
        raise PeerError("a branch is the magic cookie alone", rule="RFC 3261 §8.1.1.7")
    if not _CALL_ID.fullmatch(message.lines[at[CALL_ID]]) and not _WORD.fullmatch(
        message.value(CALL_ID)
    ):
        raise PeerError("the Call-ID is malformed", rule="RFC 3261 §20.8")
    _check_addresses(message)
    if at[REQUIRE] or at[PROXY_REQUIRE] or at[MAX_BREADTH]:
        _check_extensions(message)
    _cut_body(message)


def check_response(message: Message) -> None:
    """Judge a response; one that fails is dropped, since responses are never answered.

    Where Content-Length is shorter than the body, the body is cut to it (§18.3).

    Raises:
        PeerError: The first rule it breaks. Among them: a Via that would send it to the broadcast
            address (RFC 4475 §3.3.10).
    """
    if message.fault is not None:
        raise message.fault
    _check_mandatory(message)
    parse_cseq(message.value(CSEQ))
    parse_name_addr(message.value(FROM))
    parse_name_addr(message.value(TO))
    for via in _check_vias(message):
        if via.host == _BROADCAST:
            raise PeerError("a Via holds the broadcast address", rule="RFC 4475 §3.3.10")
    _cut_body(message)


def _check_mandatory(message: Message) -> None:
    at = message.at
    if at[VIA] and at[CSEQ] and at[CALL_ID] and at[FROM] and at[TO]:
        return
    missing = ", ".join(name for number, name in _MANDATORY if not at[number])
    raise PeerError(f"missing: {missing}", rule="RFC 3261 §8.1.1")


def _check_method(message: Message) -> None:
    method = message.method
    match = _CSEQ.fullmatch(message.lines[message.at[CSEQ]])
    if match is not None and match[1] == method:
        return
    _, named = parse_cseq(message.value(CSEQ))
    if method not in METHODS and not is_token(method):
        raise PeerError("the method is no token", rule="RFC 3261 §7.1")
    if named != method:
        status = 400 if method in METHODS else 501
        raise PeerError("CSeq names another method", rule="RFC 3261 §8.1.1.5", status=status)


def _check_vias(message: Message) -> list[Via]:
    vias: list[Via] = []
    for value in message.values(VIA):
        if value.find(b",") >= 0:
            vias.extend([parse_via(one) for one in split_values(value)])
        else:
            vias.append(parse_via(value))
    return vias


def _check_addresses(message: Message) -> None:
    at = message.at
    parse_uri(parse_name_addr(message.value(FROM)).uri)
    parse_uri(parse_name_addr(message.value(TO)).uri)
    if at[CONTACT]:
        for value in message.values(CONTACT):
            if value != b"*" or message.method != b"REGISTER":
                _check_list(value)
    if at[ROUTE]:
        for value in message.values(ROUTE):
            _check_list(value)


def _check_list(value: bytes) -> None:
    for one in split_values(value):
        parse_uri(parse_name_addr(one).uri)


def _check_extensions(message: Message) -> None:
    parse_option_tags(message.values(REQUIRE))
    parse_option_tags(message.values(PROXY_REQUIRE))
    if message.at[MAX_BREADTH]:
        parse_number(message.value(MAX_BREADTH), MAX_DELTA, rule="RFC 5393 §5.3.3")


def _cut_body(message: Message) -> None:
    index = message.at[CONTENT_LENGTH]
    if not index:
        return
    match = _LENGTH.fullmatch(message.lines[index])
    length = (
        int(match[1])
        if match
        else parse_number(message.value(CONTENT_LENGTH), MAX_DELTA, rule="RFC 3261 §20.14")
    )
    body = message.body
    if length != len(body):
        if length > len(body):
            raise PeerError("Content-Length is more than there is", rule="RFC 3261 §18.3")
        message.body = body[:length]
