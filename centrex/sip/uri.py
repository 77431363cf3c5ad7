"""URIs: SIP and SIPS taken apart, tel as far as routing asks, any other kept as it is.

It knows their grammar (RFC 3261 §19.1, RFC 3966), their equality and the address-of-record a SIP
URI stands for. Whether a scheme is served, or a host is ours, is routing's to say. Two liberties
with the user part, because phones take them: `#` and UTF-8 may stand there unescaped.
"""

import re
from typing import Final, TypeAlias
from urllib.parse import quote_from_bytes, unquote_to_bytes

from centrex.base import PeerError
from centrex.sip.host import HOST, PORT, bracketed, canonical_host, parse_port
from centrex.sip.tokens import Params

_UNRESERVED: Final = rb"A-Za-z0-9\-_.!~*'()%"
_PARAM: Final = rb"[" + _UNRESERVED + rb"\[\]/:&+$]++"
_VALUE: Final = rb"[" + _UNRESERVED + rb"\[\]/:&+$=]++"
_HEADER: Final = rb"[" + _UNRESERVED + rb"\[\]/?:+$]"
_PARAMS: Final = rb"((?:;" + _PARAM + rb"(?:=" + _VALUE + rb")?)*)"
_COMMON: Final = re.compile(
    rb"sip:(?:([A-Za-z0-9\-_.!~*'()&=+$,;?/#]++)@)?([a-z0-9_-]++(?:\.[a-z0-9_-]++)*)"
    rb"(?::([1-9][0-9]{0,3}|[1-5][0-9]{4}))?(?:;(transport)=([a-z]++)|;(lr))?"
)
_SIP: Final = re.compile(
    rb"[sS][iI][pP]([sS]?):"
    rb"(?:([" + _UNRESERVED + rb"&=+$,;?/#\x80-\xff]++)(?::([" + _UNRESERVED + rb"&=+$,]*+))?@)?"
    rb"(" + HOST + rb")(?::(" + PORT + rb"))?" + _PARAMS +
    rb"(?:\?(" + _HEADER + rb"++=" + _HEADER + rb"*+(?:&" + _HEADER + rb"++=" + _HEADER + rb"*+)*))?"
)  # fmt: skip
_TEL: Final = re.compile(rb"[tT][eE][lL]:(\+?[0-9A-Fa-f*#().-]++)" + _PARAMS)
_OTHER: Final = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*+):[!#-;=?-Z\[\]_a-z~$&'%]++")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_PLAIN: Final = re.compile(rb"[A-Za-z0-9\-_.!~*'()&=+$,;?/#]++")
_RESERVED: Final = frozenset(b";/?:@&=+$,%")
_STRICT_PARAMS: Final = (b"user", b"ttl", b"method", b"maddr", b"transport")
_MEMO_BOUND: Final = 4096
_MEMO_LENGTH: Final = 256


class SipUri:
    """A SIP or SIPS URI. Immutable: one value may serve many messages.

    Attributes:
        secure: Whether the scheme is `sips`.
        user: The user as written, escapes included; empty where there is none.
        password: The password as written, or None.
        host: Lower case, without brackets, IPv6 in the spelling of RFC 5952.
        port: The port, 0 where none is given.
        params: Lower-case unescaped names with values as written; None where there is no value.
        headers: What follows the question mark, as written.
    """

    __slots__ = ("headers", "host", "params", "password", "port", "secure", "user")

    def __init__(  # built per message: keywords cost a third more
        self,
        secure: bool,
        user: bytes,
        password: bytes | None,
        host: bytes,
        port: int,
        params: Params,
        headers: bytes,
    ) -> None:
        self.secure, self.user, self.password = secure, user, password
        self.host, self.port = host, port
        self.params, self.headers = params, headers

    @property
    def scheme(self) -> bytes:
        """`sip` or `sips`."""
        return b"sips" if self.secure else b"sip"

    def param(self, name: bytes) -> bytes | None:
        """Return the unescaped value of the first parameter of a lower-case name.

        Returns:
            `b""` for a parameter without a value, None where there is no such parameter.
        """
        for key, value in self.params:
            if key == name:
                if value is None:
                    return b""
                return unquote_to_bytes(value) if value.find(b"%") >= 0 else value
        return None


class TelUri:
    """A telephone number (RFC 3966). Immutable.

    Attributes:
        number: The number without visual separators, lower case, with its `+` if global.
        params: As in `SipUri`.
    """

    __slots__ = ("number", "params")
    scheme: Final = b"tel"

    def __init__(self, number: bytes, params: Params) -> None:
        self.number, self.params = number, params


class OtherUri:
    """A URI of some other scheme, well-formed as far as RFC 3986 goes. Immutable.

    Attributes:
        scheme: Lower case.
        text: The whole URI as written.
    """

    __slots__ = ("scheme", "text")

    def __init__(self, scheme: bytes, text: bytes) -> None:
        self.scheme, self.text = scheme, text


Uri: TypeAlias = SipUri | TelUri | OtherUri

_LR: Final[Params] = ((b"lr", None),)
_memo: dict[bytes, Uri] = {}


def parse_uri(raw: bytes) -> Uri:
    """Read a URI.

    Args:
        raw: The URI alone: no angle brackets, no white space.

    Raises:
        PeerError: It is no URI of its scheme. An unknown scheme is an `OtherUri`, not an error.
    RFC: 3261 §19.1, §25.1; 3966; 3986.
    """
    uri = _memo.get(raw)
    if uri is None:
        match = _COMMON.fullmatch(raw)
        if match is None:
            uri = parse_full(raw)
        else:
            user, host, port, transport, value, lr = match.groups()
            params: Params = ((transport, value),) if transport else _LR if lr else ()
            uri = SipUri(False, user or b"", None, host, int(port) if port else 0, params, b"")
        if len(raw) <= _MEMO_LENGTH:
            if len(_memo) >= _MEMO_BOUND:
                _memo.clear()
            _memo[raw] = uri
    return uri


def parse_full(raw: bytes) -> Uri:
    """Read a URI by the full grammar; `parse_uri` is the same and faster."""
    if raw.find(b"%") >= 0 and _BAD_ESCAPE.search(raw):
        raise PeerError("a URI has a % that escapes nothing", rule="RFC 3261 §19.1.2")
    match = _SIP.fullmatch(raw)
    if match is not None:
        secure, user, password, host, port, params, headers = match.groups()
        return SipUri(
            bool(secure),
            user or b"",
            password,
            canonical_host(host),
            parse_port(port) if port else 0,
            _read_params(params) if params else (),
            headers or b"",
        )
    match = _OTHER.fullmatch(raw)
    scheme = match[1].lower() if match else b""
    if scheme == b"tel":
        match = _TEL.fullmatch(raw)
        if match is not None:
            number = match[1].translate(None, b"-.()").lower()
            return TelUri(number, _read_params(match[2]))
    if match is None or scheme in (b"sip", b"sips"):
        raise PeerError("a URI is malformed", rule="RFC 3261 §19.1")
    return OtherUri(scheme, raw)


def _read_params(text: bytes) -> Params:
    found: list[tuple[bytes, bytes | None]] = []
    for item in text.split(b";")[1:]:
        name, equals, value = item.partition(b"=")
        if name.find(b"%") >= 0:
            name = unquote_to_bytes(name)
        found.append((name.lower(), value if equals else None))
    return tuple(found)


def is_secure(raw: bytes) -> bool:
    """Return whether a URI, as it stands, is `sips:`."""
    return raw[:5].lower() == b"sips:"


def unescape_user(user: bytes) -> bytes:
    """Return a user with each `%` escape resolved, once (RFC 3261 §19.1.2)."""
    return unquote_to_bytes(user) if user.find(b"%") >= 0 else user


def escape_user(user: bytes) -> bytes:
    """Return a user as it stands in a URI: each octet that may not, escaped (RFC 3261 §25.1)."""
    return quote_from_bytes(user, safe="-_.!~*'()&=+$,;?/").encode()


def readable_address(user: bytes, host: str) -> str:
    """Return a user's address for people: escaped no further than it must be to be read again.

    Args:
        user: Unescaped, as `address_of_record` has it.
        host: A name, or an address without brackets.
    """
    place = f"[{host}]" if ":" in host else host
    if _PLAIN.fullmatch(user):
        return f"sip:{user.decode()}@{place}"
    return f"sip:{_escaped(user)}@{place}" if user else f"sip:{place}"


def _escaped(user: bytes) -> str:
    return "".join(
        one if one.isprintable() and (_PLAIN.match(one.encode()) or not one.isascii())
        else "".join(f"%{octet:02X}" for octet in one.encode("utf-8", "surrogateescape"))
        for one in user.decode("utf-8", "surrogateescape")
    )  # fmt: skip


def address_of_record(uri: SipUri) -> bytes:
    """Return `sip:user@host`, the key of a user's bindings.

    The user is unescaped, password, port, parameters and headers are dropped, and SIPS is the same
    as SIP. It is a key and not for the wire: an unescaped user may hold any byte.

    RFC: 3261 §10.3 step 5.
    """
    if not uri.user:
        return b"sip:" + bracketed(uri.host)
    return b"sip:%b@%b" % (unescape_user(uri.user), bracketed(uri.host))


def uri_equal(a: Uri, b: Uri) -> bool:
    """Return whether two URIs are equal by RFC 3261 §19.1.4 (tel: by RFC 3966 §4).

    The relation is symmetric and reflexive but, as the RFC says, not transitive.
    """
    if a is b:
        return True
    match a, b:
        case SipUri(), SipUri():
            return (
                a.secure == b.secure
                and a.host == b.host
                and a.port == b.port
                and _canonical(a.user) == _canonical(b.user)
                and _same_password(a.password, b.password)
                and _same_params(a.params, b.params)
                and _header_set(a.headers) == _header_set(b.headers)
            )
        case TelUri(), TelUri():
            return a.number == b.number and _param_dict(a.params) == _param_dict(b.params)
        case OtherUri(), OtherUri():
            return a.scheme == b.scheme and a.text.partition(b":")[2] == b.text.partition(b":")[2]
        case _:
            return False


def _same_password(a: bytes | None, b: bytes | None) -> bool:
    if a is None or b is None:
        return a is b
    return _canonical(a) == _canonical(b)


def _same_params(a: Params, b: Params) -> bool:
    left, right = _param_dict(a), _param_dict(b)
    if any((name in left) != (name in right) for name in _STRICT_PARAMS):
        return False
    return all(right[name] == value for name, value in left.items() if name in right)


def _param_dict(params: Params) -> dict[bytes, bytes | None]:
    return {name: None if value is None else _canonical(value).lower() for name, value in params}


def _header_set(headers: bytes) -> list[tuple[bytes, bytes]]:
    pairs = (item.partition(b"=") for item in headers.split(b"&") if item)
    return sorted((_canonical(name).lower(), _canonical(value)) for name, _, value in pairs)


def _canonical(text: bytes) -> bytes:
    """Resolve the escapes of what is not reserved; spell the others in upper case."""
    return _ESCAPE.sub(_resolve, text) if text.find(b"%") >= 0 else text


def _resolve(match: re.Match[bytes]) -> bytes:
    octet = int(match[1], 16)
    return match[0].upper() if octet in _RESERVED else bytes((octet,))
