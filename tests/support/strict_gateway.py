"""A gateway that asks who calls at every request, and takes no CSeq twice (RFC 3261 §12.2.2, §22.2)."""

from centrex.auth import (
    ALGORITHMS,
    Authenticated,
    Challenge,
    Gate,
    Login,
    Logins,
    Nonces,
    Window,
    ha1,
)
from centrex.sip.message import Message, parse
from centrex.sip.names import AUTHORIZATION, CALL_ID, CSEQ, PROXY_AUTHORIZATION, TO
from tests.support.calling import Phone, Sent, start
from tests.support.proxy import Proxy

REALM = b"pstn.test"


class StrictGateway(Phone):
    """Its judge is a gate as the server has one, for one login.

    Args:
        proxy: The proxy that calls it.
        host: Its address.
        password: The password that is right.
        status: How it asks: 401 or 407.

    Attributes:
        log: Each request it got: method, CSeq number, what it answered.
        changes_nonces: Whether a nonce is good only once, and then stale.
    """

    def __init__(
        self, proxy: Proxy, host: str, password: bytes = b"secret", status: int = 407
    ) -> None:
        super().__init__(proxy, "gw", host, register=False)
        hashes = [ha1(b"us", REALM, password, ALGORITHMS[name]) for name in (b"md5", b"sha-256")]
        self.status = status
        self.log: list[tuple[str, int, int]] = []
        self.changes_nonces = 0
        self._gate = Gate(
            REALM,
            tuple(ALGORITHMS.values()),
            Logins([Login(b"us", hashes[0], hashes[1])]),
            Nonces(b"g" * 32, 300, realm=REALM),
            Window(300),
            login_must_match_user=False,
        )
        self._highest: dict[tuple[bytes, bytes], int] = {}

    def takes(self, sent: Sent, what: str, answer: int = 200, *, ring: bool = False) -> Sent:
        """Answer the one request of a kind that came; then, if it comes again, that one too."""
        data = self.gets(sent, what)
        status, extra = self._judge(parse(data), data)
        self.log.append((start(data), number(data), status or answer))
        if status:
            return self.says(data, status, extra=extra)
        if ring:
            self.says(data, 180)
        return self.says(data, answer)

    def _judge(self, message: Message, data: bytes) -> tuple[int, str]:
        """Return the status with which a request is refused, 0 if it is not; and header lines."""
        tagged = b";tag=" in message.value(TO)
        key = message.value(CALL_ID), b"in" if tagged else b"out"
        if number(data) <= self._highest.get(key, -1):
            return 500, ""
        self._highest[key] = number(data)
        if not tagged:  # the dialog it begins goes on from there
            self._highest[message.value(CALL_ID), b"in"] = number(data)
        served = self.status == 401
        given = message.values(AUTHORIZATION if served else PROXY_AUTHORIZATION)
        source = self.flow.local.host.encode()
        verdict = self._gate.check(given, message.method, message.uri, source, self.proxy.now)
        stale = bool(given) and self.changes_nonces > 0
        self.changes_nonces -= stale
        if isinstance(verdict, Authenticated) and not stale:
            return 0, ""
        if not isinstance(verdict, Authenticated | Challenge):
            return 403, ""
        name = b"WWW-Authenticate" if served else b"Proxy-Authenticate"
        lines = self._gate.challenge_lines(name, source, self.proxy.now, stale=stale, simple=False)
        return self.status, b"\n".join(lines).decode() + "\n"


def number(data: bytes) -> int:
    """Return the number in a message's CSeq."""
    return int(parse(data).value(CSEQ).split()[0])
