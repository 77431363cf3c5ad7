"""Requests and responses of the usual form, each read by one expression.

Nearly all traffic has plain spellings, one value a line, nothing folded, nothing escaped and no
header that asks for thought. Such a message is judged and taken apart by one match; whatever else
may come fails to match and goes the long way, through `centrex.sip.message` and the grammar of each
header, which gives the same values. It knows no state and decides nothing.

A header that is read stands once: `(?(n)(?!))` fails where group n has been met before. Headers that
nobody here reads are known by their names, so that no other spelling of one that is read slips by.
A line that has matched is not tried another way (`(?>...)`): else the places of all groups would be
kept for each line, and that is written memory.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from centrex.base import Flow
from centrex.sip.status import status_line

Found: TypeAlias = re.Match[bytes]
"""A match of `REQUEST`."""

_TOKEN: Final = rb"[A-Za-z0-9.!%*_+`'~-]++"
_HOST: Final = rb"[a-z0-9][a-z0-9.-]*+"  # the reader looks for two dots in a row
_USER: Final = rb"[A-Za-z0-9_.!~*'()&=+$,;?/-]++"
_PORT: Final = rb"[1-9][0-9]{0,3}+(?![0-9])|[1-5][0-9]{4}|6[0-4][0-9]{3}"
_URI_PARAMS: Final = rb"(?:(?:;[a-z-]++(?:=[A-Za-z0-9._-]++)?)+)?"
_URI: Final = rb"sip:(?:" + _USER + rb"@)?" + _HOST + rb"(?::[1-9][0-9]{0,3}+)?" + _URI_PARAMS
_DISPLAY: Final = rb"(?:\"[\t !#-\[\]-~\x80-\xff]*+\" ?|[A-Za-z0-9.!%*_+`'~-]*+ ?)"
_CONTACT: Final = (
    _DISPLAY + rb"<(sip:(?:" + _USER + rb"@)?" + _HOST + rb"(?::(?:" + _PORT + rb"))?" + _URI_PARAMS
    + rb")>((?:(?:;" + _TOKEN + rb"(?:=(?:[A-Za-z0-9.:_-]++|\"[^\"\\\r\n]*+\"))?)+)?)"
)  # fmt: skip
_UNREAD: Final = (
    rb"(?:Allow|Allow-Events|Supported|Subject|Accept|Accept-[A-Z][a-z]++|Date|Session-Expires"
    rb"|Min-SE|Organization|Privacy|Remote-Party-ID|Event|Refer-To|Referred-By|RAck|Replaces"
    rb"|MIME-Version|Priority|User-to-User|P-[A-Za-z-]++|X-[A-Za-z-]++):[^\r\n]*+\r\n"
)


def _once(group: int) -> bytes:
    return b"(?(%d)(?!))" % group


def _needed(*groups: int) -> bytes:
    return b"".join(b"(?(%d)|(?!))" % group for group in groups)


def _address(first: int) -> bytes:
    """Return a From or To line as groups: its value, the URI in it, the tag."""
    return (
        rb": " + _once(first)
        + rb"(" + _DISPLAY + rb"<(" + _URI + rb")>(?:;tag=(" + _TOKEN + rb"))?)\r\n"
    )  # fmt: skip


# The groups of `REQUEST`. Where every message passes they are written as numbers.
METHOD, URI, USER, HOST, PORT = 1, 2, 3, 4, 5
FROM, FROM_URI, FROM_TAG, TO, TO_URI, TO_TAG = 6, 7, 8, 9, 10, 11
CALL_ID, NUMBER, LENGTH = 12, 13, 14
"""Call-ID, number of the CSeq, Content-Length."""
CONTACT, CONTACT_URI, CONTACT_PARAMS, CONTENT_TYPE = 15, 16, 17, 18
TRANSPORT, SENT_BY, VIA_HOST, VIA_PORT, RPORT, BRANCH, RPORT_BEHIND = 19, 20, 21, 22, 23, 24, 25
"""Of the Via; `;rport` may stand before or behind the branch."""
HOPS, ROUTE, AGENT, EXPIRES, PROXY_AUTHORIZATION, AUTHORIZATION = 26, 27, 28, 29, 30, 31

REQUEST: Final = re.compile(
    rb"([A-Z]{2,12}+) "
    rb"(sip:(?:(" + _USER + rb")@)?(" + _HOST + rb")(?::(" + _PORT + rb"))?" + _URI_PARAMS + rb")"
    rb" SIP/2\.0\r\n(?:(?>"
    rb"From" + _address(FROM)
    + rb"|To" + _address(TO)
    + rb"|C(?:"
    rb"all-ID: " + _once(CALL_ID) + rb"([!-~]++)\r\n"
    rb"|Seq: " + _once(NUMBER) + rb"([0-9]{1,9}+) \1\r\n"
    rb"|ontent-Length: *+" + _once(LENGTH) + rb"([0-9]{1,5}+)\r\n"
    rb"|ontact: " + _once(CONTACT) + rb"(" + _CONTACT + rb")\r\n"
    rb"|ontent-Type: " + _once(CONTENT_TYPE) + rb"([^\r\n]*+)\r\n"
    rb"|ontent-Disposition:[^\r\n]*+\r\n)"
    rb"|Via: " + _once(TRANSPORT) + rb"SIP/2\.0/(UDP|TCP|TLS) "
    rb"((" + _HOST + rb")(?::(" + _PORT + rb"))?)"
    rb"(;rport)?;branch=(z9hG4bK[A-Za-z0-9.!%*_+`'~=:@/|-]++)(?(23)|(;rport)?)\r\n"
    rb"|Max-Forwards: " + _once(HOPS) + rb"([1-9][0-9]?+)\r\n"
    rb"|Route: " + _once(ROUTE) + rb"(<[!#-+\--;=?-~]++>)\r\n"
    rb"|User-Agent: " + _once(AGENT) + rb"([^\r\n]*+)\r\n"
    rb"|Expires: " + _once(EXPIRES) + rb"([0-9]{1,9}+)\r\n"
    rb"|Proxy-Authorization: " + _once(PROXY_AUTHORIZATION) + rb"([^\r\n]*+)\r\n"
    rb"|Authorization: " + _once(AUTHORIZATION) + rb"([^\r\n]*+)\r\n"
    rb"|" + _UNREAD + rb"))+\r\n" + _needed(FROM, TO, CALL_ID, NUMBER, LENGTH, TRANSPORT, HOPS)
)  # fmt: skip
"""The head of a request; the names above are its groups."""

RESPONSE: Final = re.compile(
    rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*+)\r\n(?:(?>"
    rb"Via: (?(4)(?(3)(?!))(?(6)(?!))([^,\r\n]++)"
    rb"|(SIP/2\.0/[A-Z]++ [^;,\r\n]++;branch=([^;,\r\n ]++)"
    rb"(?:(?:;received=[0-9a-f.:]++|;rport=[0-9]++)+)?)(?:, ?([^,\r\n]++))?)\r\n"
    rb"|From" + _address(7)
    + rb"|To" + _address(10)
    + rb"|C(?:"
    rb"all-ID: " + _once(13) + rb"([!-~]++)\r\n"
    rb"|Seq: " + _once(14) + rb"([0-9]{1,9}+) ([A-Z]++)\r\n"
    rb"|ontent-Length: *+" + _once(16) + rb"([0-9]{1,5}+)\r\n"
    rb"|ontact:[^\r\n]*+\r\n"
    rb"|ontent-Type: " + _once(17) + rb"([^\r\n]*+)\r\n"
    rb"|ontent-Disposition:[^\r\n]*+\r\n)"
    rb"|(?:Record-Route|Server|User-Agent|Require|RSeq|Reason|Warning|Timestamp):[^\r\n]*+\r\n"
    rb"|" + _UNREAD + rb"))+\r\n" + _needed(4, 7, 10, 13, 14, 16)
)  # fmt: skip
"""The head of a response. Groups: 1 status, 2 reason phrase; 4 the topmost Via with 5 its branch;
3 or 6 the Via below it, the last one, on a line of its own or behind a comma; 7 From with 8 URI,
9 tag; 10 To with 11 URI, 12 tag; 13 Call-ID; 14 CSeq number, 15 method; 16 Content-Length;
17 Content-Type."""


def via_line(found: Found, flow: Flow) -> bytes:
    """Return the Via line with `received` and `rport` as they have to be (RFC 3581 §4)."""
    transport, sent_by, host, before, branch, behind = found.group(19, 20, 21, 23, 24, 25)
    if before or behind:
        more = flow.received_params
    elif host == flow.received_host:
        more = b""
    else:
        more = b";received=" + flow.received_host
    return b"".join((b"Via: SIP/2.0/", transport, b" ", sent_by, b";branch=", branch, more))


def is_elsewhere(found: Found, flow: Flow) -> bool:
    """Whether the Via's own idea of its address differs from where its message came from."""
    host, port = found.group(VIA_HOST, VIA_PORT)
    if port == flow.received_port and host == flow.received_host:
        return False
    if host != flow.received_host:
        return True
    if flow.reliable:
        return False
    return bool((int(port) if port else flow.transport.default_port) != flow.port)


def build_reply(
    found: Found, via: bytes, status: int, to_tag: bytes = b"", extra: Sequence[bytes] = ()
) -> bytes:
    """Return a response of ours; the same as `centrex.sip.response.build_response` gives.

    Args:
        found: The request.
        via: Its Via line, from `via_line`.
        status: The status code.
        to_tag: The tag for a To that has none; empty for a 100.
        extra: Further header lines.
    """
    sender, target, call_id, number, method = found.group(6, 9, 12, 13, 1)
    tag = b";tag=" + to_tag if to_tag else b""
    lines = b"\r\n".join(extra) + b"\r\n" if extra else b""
    return b"".join((
        status_line(status), via, b"\r\nFrom: ", sender, b"\r\nTo: ", target, tag, b"\r\nCall-ID: ",
        call_id, b"\r\nCSeq: ", number, b" ", method, b"\r\n", lines, b"Content-Length: 0\r\n\r\n",
    ))  # fmt: skip
