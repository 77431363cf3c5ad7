"""The gate: does this request prove who sent it, and may he speak for whom he claims to be?

It finds our credentials among a request's headers, checks nonce, response and nonce count, and
answers with a verdict; it writes challenges and takes our credentials off what is forwarded. Which
requests must pass, and whether 401 or 407 is owed, is the caller's to know (RFC 3261 §22).
"""

import enum
import hmac
from collections.abc import Sequence
from typing import Final, TypeAlias

from centrex.auth.digest import ALGORITHMS, MD5, Algorithm, expected_response
from centrex.auth.logins import Login, Logins
from centrex.auth.nonce import FOREIGN, FRESH, Nonces, Window
from centrex.auth.quirks import Told, md5_only
from centrex.base import Flow, Instant, PeerError
from centrex.sip.credentials import parse_credentials
from centrex.sip.message import Message
from centrex.sip.names import AUTHORIZATION, COUNT, PROXY_AUTHORIZATION
from centrex.sip.uri import SipUri, parse_uri, unescape_user, uri_equal

_SCHEME: Final = b"digest"
_MAX_HEADERS: Final = 16
_MAX_COUNT_DIGITS: Final = 8
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")
# Checked in place of a login that is unknown or lacks the algorithm, so that the work is the same.
_NO_HA1: Final = b"0" * 64


class Why(enum.StrEnum):
    """Why a request did not pass; the value is in words for the log and for `explain`."""

    NONE = "no credentials for this realm"
    UNREADABLE = "the credentials cannot be read"
    INCOMPLETE = "the credentials lack a parameter"
    UNOFFERED = "the credentials use an algorithm or a qop that was not offered"
    STALE = "the nonce is too old"
    FOREIGN = "the nonce is not from here"
    REPLAYED = "the nonce count was used before"
    WRONG = "the password is wrong"
    UNKNOWN = "there is no such login"
    DISABLED = "the login is disabled"
    NO_HASH = "the login has no hash for this algorithm"
    OTHER_URI = "the credentials are for another Request-URI"


class Authenticated:
    """The request is from whom it says.

    Attributes:
        login: The login's name.
        record: What is known of the login.
    """

    __slots__ = ("login", "record")

    def __init__(self, record: Login) -> None:
        self.login, self.record = record.name, record


class Challenge:
    """The request must be sent again with (other) credentials: 401 or 407.

    Attributes:
        why: What was missing.
        stale: Whether the password was right, so that the phone need not ask its user.
    """

    __slots__ = ("stale", "why")

    def __init__(self, why: Why, *, stale: bool = False) -> None:
        self.why, self.stale = why, stale


class Refused:
    """The credentials are of today and wrong: 403, in the same words whatever the reason is.

    Attributes:
        why: The reason, for the operator alone.
        login: The name that was tried, as it came from the wire.
    """

    __slots__ = ("login", "why")

    def __init__(self, why: Why, login: bytes) -> None:
        self.why, self.login = why, login


Verdict: TypeAlias = Authenticated | Challenge | Refused

# Verdicts that say nothing of the request are made once.
_PLAIN: Final = {why: Challenge(why) for why in Why}
_NOTHING: Final = _PLAIN[Why.NONE]
_AGAIN: Final = {why: Challenge(why, stale=True) for why in Why}


class Gate:
    """Checks requests for one realm.

    An algorithm is offered where every enabled login can be checked with it: a phone takes the
    first one it knows (RFC 8760 §2.4), and would be locked out by a hash its login has not. Where
    there is none like that, all are offered. A challenge must not depend on who asks: only on what
    his phone can read (`simplified`).

    Args:
        realm: The realm.
        algorithms: What to offer, in order of preference.
        logins: Who may log in; a gate is replaced when they change, its nonces and window stay.
        nonces: Mints and checks nonces of the same realm.
        window: Which nonce counts were used.
        login_must_match_user: Whether a login acts only as its own users.
    """

    __slots__ = (
        "_algorithms",
        "_any_user",
        "_heads",
        "_nonces",
        "_simple",
        "_told",
        "_window",
        "logins",
        "offered",
        "realm",
    )

    def __init__(
        self,
        realm: bytes,
        algorithms: Sequence[Algorithm],
        logins: Logins,
        nonces: Nonces,
        window: Window,
        *,
        login_must_match_user: bool = True,
    ) -> None:
        self.realm = realm
        self._algorithms = tuple(algorithms)
        self.logins, self._nonces, self._window = logins, nonces, window
        self._any_user = not login_must_match_user
        common = tuple(one for one in self._algorithms if logins.all_have(one))
        self.offered: tuple[Algorithm, ...] = common or self._algorithms
        self._heads = [
            b': Digest realm="%b", algorithm=%b, qop="auth", ' % (realm, one.token)
            for one in self.offered
        ]
        mixed = len(self.offered) > 1 and MD5 in self.offered
        self._simple = [self._heads[self.offered.index(MD5)]] if mixed else []
        self._told = Told()

    def check(
        self,
        values: Sequence[bytes],
        method: bytes,
        request_uri: bytes,
        source: bytes,
        now: Instant,
    ) -> Verdict:
        """Judge a request.

        Args:
            values: The value of each of its Authorization headers where we are the server, of its
                Proxy-Authorization headers where we forward.
            method: Its method.
            request_uri: Its Request-URI.
            source: The host it came from, `Flow.received_host`; nonces are bound to it.
            now: Monotonic seconds.
        RFC: 3261 §22.4, 7616 §3.4.6, 8760 §2.4.
        """
        if not values:
            return _NOTHING
        given, why = self._ours(values)
        if given is None:
            return _PLAIN[why]
        algorithm = _algorithm(given)
        if algorithm is None or algorithm not in self._algorithms:
            return _PLAIN[Why.UNOFFERED]
        return self._judge(method, request_uri, given, algorithm, source, now)

    def _judge(
        self,
        method: bytes,
        request_uri: bytes,
        given: dict[bytes, bytes],
        algorithm: Algorithm,
        source: bytes,
        now: Instant,
    ) -> Verdict:
        name, nonce = given.get(b"username", b""), given.get(b"nonce", b"")
        uri, response = given.get(b"uri", b""), given.get(b"response", b"")
        qop, nc, cnonce = given.get(b"qop", b""), given.get(b"nc", b""), given.get(b"cnonce", b"")
        if qop and qop.lower() != b"auth":
            return _PLAIN[Why.UNOFFERED]
        count = _count(nc)
        if not (name and nonce and uri and response) or (qop and not (count and cnonce)):
            return _PLAIN[Why.INCOMPLETE]
        login = self.logins.find(name)
        owed = expected_response(
            algorithm,
            (login and login.ha1(algorithm)) or _NO_HA1[: algorithm.digits],
            method,
            uri,
            nonce,
            qop=qop,
            nc=nc,
            cnonce=cnonce,
        )
        right = hmac.compare_digest(owed, response.lower())
        wrong = self._wrong(login, algorithm, right)
        age = self._nonces.check(nonce, now, source)
        if age is not FRESH:
            why = Why.FOREIGN if age is FOREIGN else Why.STALE
            return _PLAIN[why] if wrong or login is None else _AGAIN[why]
        if wrong or login is None:
            return Refused(wrong or Why.UNKNOWN, name)
        if qop:
            if not self._window.use(nonce, count, now):
                return _AGAIN[Why.REPLAYED]
        elif not _same_target(uri, request_uri):
            return Refused(Why.OTHER_URI, name)
        return Authenticated(login)

    @staticmethod
    def _wrong(login: Login | None, algorithm: Algorithm, right: bool) -> Why | None:
        if login is None:
            return Why.UNKNOWN
        if not login.enabled:
            return Why.DISABLED
        if not login.ha1(algorithm):
            return Why.NO_HASH
        return None if right else Why.WRONG

    def _ours(self, values: Sequence[bytes]) -> tuple[dict[bytes, bytes] | None, Why]:
        """Find the first credentials for our realm in an algorithm of ours, else in any."""
        other: dict[bytes, bytes] | None = None
        why = Why.NONE
        for value in values[:_MAX_HEADERS]:
            given = _digest(value)
            if given is None:
                why = Why.UNREADABLE
            elif given.get(b"realm") == self.realm:
                if _algorithm(given) in self._algorithms:
                    return given, Why.NONE
                other = other or given
        return other, why

    def challenge_lines(
        self,
        header_name: bytes,
        source: bytes,
        now: Instant,
        *,
        stale: bool = False,
        simple: bool = False,
    ) -> list[bytes]:
        """Write a challenge: one header line for each algorithm, the preferred one first.

        Args:
            header_name: `WWW-Authenticate` or `Proxy-Authenticate`.
            source: The host challenged, `Flow.received_host`.
            now: Monotonic seconds.
            stale: As the verdict says.
            simple: As `simplified` says.
        RFC: 3261 §20.27, §20.44; 8760 §2.3.
        """
        tail = b'nonce="%b"' % self._nonces.mint(now, source)
        if stale:
            tail = b"stale=true, " + tail
        heads = self._simple if simple and self._simple else self._heads
        return [header_name + head + tail for head in heads]

    def simplified(self, user_agent: bytes) -> bool:
        """Return whether a phone of this name is to be offered MD5 alone, of several algorithms.

        Such a phone gives up on a challenge that names anything else, whatever the order, and
        would never answer; where MD5 is not among what is offered, there is nothing to be done.

        Args:
            user_agent: The value of its User-Agent header; empty where it has none.
        """
        return bool(self._simple) and md5_only(user_agent)

    def is_news(self, flow: Flow) -> bool:
        """Return whether it was not told yet that a flow's host has such a phone; now it was."""
        return self._told.is_news(flow)

    def knows(self, login: bytes) -> bool:
        """Whether a login exists and is enabled."""
        record = self.logins.find(login)
        return record is not None and record.enabled

    def may_act_as(self, record: Login, user: bytes, *, case_sensitive: bool) -> bool:
        """Return whether a login may register and speak as a user.

        Args:
            record: The login, from `Authenticated.record`.
            user: The user part claimed, unescaped.
            case_sensitive: Whether users that differ in case are different users.
        """
        allowed = record.users or (record.name,)
        if self._any_user or user in allowed or b"*" in allowed:
            return True
        return not case_sensitive and user.lower() in [one.lower() for one in allowed]


def strip(message: Message, realm: bytes) -> int:
    """Take every credential for a realm off a request that is to be forwarded.

    Both `Proxy-Authorization` and `Authorization` are looked at: some phones answer our challenge to
    a forwarded request in the latter, and whoever gets it could guess the password at leisure. What
    is for other realms, or cannot be read, stays as it came.

    Returns:
        How many lines were taken.
    RFC: 3261 §22.3.
    """
    at, taken = message.at, []
    for number in (PROXY_AUTHORIZATION, AUTHORIZATION):
        if at[number]:
            for index, value in zip(message.indices(number), message.values(number), strict=True):
                if is_for(realm, value):
                    taken.append((index, number))
    if len(taken) == 1 and not message.repeated >> taken[0][1] & 1:
        _take_one(message, *taken[0])
    elif taken:
        for index, _ in sorted(taken, reverse=True):
            del message.lines[index]
        message.rescan()
    return len(taken)


def _take_one(message: Message, index: int, number: int) -> None:
    """Remove the only line of its number; cheaper than to scan again."""
    del message.lines[index]
    at = message.at
    at[number] = 0
    for other in range(COUNT):
        if at[other] > index:
            at[other] -= 1


def is_for(realm: bytes, value: bytes) -> bool:
    """Return whether the value of a header with credentials is for a realm."""
    # Where nothing is escaped, no quoted string can hold this text: nothing need be parsed.
    if (
        value.find(b"\\") < 0
        and value.find(b'realm="%b"' % realm) >= 0
        and value[:7].lower() == b"digest "
    ):
        return True
    given = _digest(value)
    return given is not None and given.get(b"realm") == realm


def _digest(value: bytes) -> dict[bytes, bytes] | None:
    """Return the parameters of Digest credentials; of another scheme none; None if unreadable."""
    try:
        scheme, given = parse_credentials(value)
    except PeerError:
        return None
    return given if scheme == _SCHEME else {}


def _algorithm(given: dict[bytes, bytes]) -> Algorithm | None:
    token = given.get(b"algorithm")
    return MD5 if token is None else ALGORITHMS.get(token.lower())


def _count(nc: bytes) -> int:
    """Return a nonce count as a number; 0 where it is none."""
    if not 0 < len(nc) <= _MAX_COUNT_DIGITS or not _HEX.issuperset(nc):
        return 0
    return int(nc, 16)


def _same_target(uri: bytes, request_uri: bytes) -> bool:
    """Return whether a digest URI may stand for a Request-URI where no nonce count protects it.

    With a nonce count the two may differ, since proxies and phones change either (RFC 3261 §22.4,
    point 6; SIPp sends the server's own address). Without one, credentials seen on the wire could
    be put on a request to anybody else: so a user part, where the digest URI has one, must be ours.
    """
    if uri == request_uri:
        return True
    try:
        named, requested = parse_uri(uri), parse_uri(request_uri)
    except PeerError:
        return False
    if isinstance(named, SipUri) and not named.user:
        return True
    if isinstance(named, SipUri) and isinstance(requested, SipUri):
        return unescape_user(named.user) == unescape_user(requested.user)
    return uri_equal(named, requested)
