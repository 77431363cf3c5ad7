"""The transaction layer: the table of transactions, their timers, and what their machines ask for.

It decides nothing about SIP routing: requests that belong to no transaction, responses that arrive
and transactions that fail are told to its user. It sends by appending `(flow, bytes)` to a list.
"""

from typing import Final, Protocol

from centrex.base import Flow, Instant
from centrex.sip.cseq import parse_cseq
from centrex.sip.message import Message, parse
from centrex.sip.names import CALL_ID, CSEQ, FROM, ROUTE, TO, VIA
from centrex.transaction.client import ClientTransaction
from centrex.transaction.key import ClientKey, ServerKey
from centrex.transaction.machine import Do, In, State
from centrex.transaction.server import ServerTransaction
from centrex.transaction.timers import Timers, Timing

USER_TIMER: Final = 100
"""Timer numbers from here on belong to the transaction user."""

# Members of enumerations are slow to look up by their class, so those of the hot path are named here.
_REQUEST: Final = In.REQUEST
_PROVISIONAL: Final = In.PROVISIONAL
_SUCCESS: Final = In.SUCCESS
_FAILURE: Final = In.FAILURE
_RESEND: Final = In.RESEND
_TIMEOUT: Final = In.TIMEOUT
_LINGER: Final = In.LINGER
_PROCEEDING: Final = State.PROCEEDING
_ACCEPTED: Final = State.ACCEPTED
_SEND: Final = int(Do.SEND)
_SEND_AND_LINGER: Final = int(Do.SEND | Do.ARM_LINGER)
_REPEAT: Final = int(Do.REPEAT)
_SEND_ACK: Final = int(Do.SEND_ACK)
_ARM_RESEND: Final = int(Do.ARM_RESEND)
_ARM_TIMEOUT: Final = int(Do.ARM_TIMEOUT)
_ARM_LINGER: Final = int(Do.ARM_LINGER)
_PASS_UP: Final = int(Do.PASS_UP)
_TIMED_OUT: Final = int(Do.TIMED_OUT)
_FAILED: Final = int(Do.FAILED)
_FORGET: Final = int(Do.FORGET)


class TransactionUser(Protocol):
    """Who is told: the proxy core."""

    def on_response(self, client: ClientTransaction, response: Message, now: Instant) -> None:
        """A response arrived that the machine passes up."""

    def on_timeout(self, client: ClientTransaction, now: Instant) -> None:
        """No final response came in time (timer B or F)."""

    def on_slow(self, client: ClientTransaction, now: Instant) -> None:
        """A non-INVITE request over UDP is unanswered though timer E has reached T2."""

    def on_failure(self, client: ClientTransaction, now: Instant) -> None:
        """The transport could not carry the request."""

    def on_timer(self, owner: object, what: int, now: Instant) -> None:
        """A timer of the user's own is due."""


class TransactionLayer:
    """All transactions of one engine.

    Args:
        user: Who is told what happens.
        sends: Where what leaves is appended, as `(flow, bytes)`.
        timing: The base timer values.
    """

    __slots__ = (
        "_by_stream",
        "_timeout",
        "clients",
        "repeated",
        "sends",
        "servers",
        "timers",
        "timing",
        "user",
    )

    def __init__(
        self, user: TransactionUser, sends: list[tuple[Flow, bytes]], timing: Timing
    ) -> None:
        self.user, self.sends, self.timing = user, sends, timing
        self._timeout = timing.timeout
        self.timers = Timers()
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self._by_stream: dict[Flow, dict[ClientTransaction, None]] = {}
        self.repeated = 0

    # server side

    def open_server(
        self, key: ServerKey, method: bytes, flow: Flow, now: Instant
    ) -> ServerTransaction:
        """Begin a server transaction for a request that belongs to none."""
        server = ServerTransaction(key, method, flow, now)
        self.servers[key] = server
        return server

    def receive_again(self, server: ServerTransaction, what: In, now: Instant) -> bool:
        """Feed a repeated request, or the ACK of a final response, to its transaction.

        Returns:
            Whether the message is the user's after all: an ACK that belongs to a 2xx.
        """
        step = server.steps[server.state][what]
        if step is None:
            return False
        self.repeated += what is _REQUEST
        server.state = step[0]
        return bool(self._serve(server, step[1], now) & _PASS_UP)

    def respond(self, server: ServerTransaction, status: int, data: bytes, now: Instant) -> bool:
        """Send a response through its transaction.

        Returns:
            Whether the transaction still took it: a final response is sent once.
        """
        if status < 200 and server.state is _PROCEEDING:  # nearly all of them
            server.response = data
            self.sends.append((server.flow, data))
            return True
        what = _PROVISIONAL if status < 200 else _SUCCESS if status < 300 else _FAILURE
        step = server.steps[server.state][what]
        if step is None:
            return False
        server.state = step[0]
        server.response = data
        if step[1] == _SEND_AND_LINGER:  # nearly all of them
            self.sends.append((server.flow, data))
            self._linger_server(server, now)
        else:
            self._serve(server, step[1], now)
        return True

    def _serve(self, server: ServerTransaction, do: int, now: Instant) -> int:
        if do & (_SEND | _REPEAT) and server.response:
            self.sends.append((server.flow, server.response))
        if do & _ARM_RESEND and not server.flow.reliable:
            timing = self.timing
            server.interval = min(server.interval * 2 or timing.t1, timing.t2)
            self.timers.arm(server.interval, now, server, _RESEND)
        if do & _ARM_TIMEOUT:
            self.timers.arm(self.timing.timeout, now, server, _TIMEOUT)
        if do & _ARM_LINGER:
            self._linger_server(server, now)
        if do & _FORGET:
            self._forget_server(server)
        return do

    def _linger_server(self, server: ServerTransaction, now: Instant) -> None:
        server.user = None  # answered: only repetitions are still to come
        if server.state is _ACCEPTED:  # timer L, also on reliable transports
            server.response = b""
            seconds = self._timeout
        elif server.flow.reliable:
            self._forget_server(server)
            return
        else:  # timer I or J
            seconds = self.timing.t4 if server.invite else self._timeout
        self.timers.arm(seconds, now, server, _LINGER)

    def _forget_server(self, server: ServerTransaction) -> None:
        if self.servers.get(server.key) is server:
            del self.servers[server.key]
        server.state = State.TERMINATED
        server.user = None
        server.response = b""

    def abandon(self, server: ServerTransaction) -> None:
        """Forget a request without ever answering it (RFC 4320 §4.2)."""
        self._forget_server(server)

    # client side

    def open_client(
        self, key: ClientKey, data: bytes, flow: Flow, user: object, now: Instant
    ) -> ClientTransaction:
        """Send a request and watch over it."""
        client = ClientTransaction(key, data, flow, user)
        self.clients[key] = client
        self.sends.append((flow, data))
        if flow.reliable:
            self.timers.arm(self.timing.timeout, now, client, _TIMEOUT)
            self._by_stream.setdefault(flow, {})[client] = None
        else:
            client.interval = self.timing.t1
            self.timers.arm(client.interval, now, client, _RESEND)
        return client

    def advance(self, client: ClientTransaction, status: int, now: Instant) -> bool:
        """Feed a response below 300 to its transaction.

        Returns:
            Whether it is the user's: not one that was there before.
        """
        step = client.steps[client.state][_PROVISIONAL if status < 200 else _SUCCESS]
        if step is None:
            self.repeated += 1
            return False
        client.state = step[0]
        if step[1] & _ARM_LINGER:
            self._linger_client(client, now)
        return True

    def receive_response(self, client: ClientTransaction, response: Message, now: Instant) -> None:
        """Feed a response to its transaction."""
        status = response.status
        what = _PROVISIONAL if status < 200 else _SUCCESS if status < 300 else _FAILURE
        step = client.steps[client.state][what]
        if step is None:
            self.repeated += 1
            return
        client.state = step[0]
        do = step[1]
        if do & _SEND_ACK:
            self.sends.append((client.flow, ack_for(client.request, response)))
        if do & _ARM_LINGER:
            self._linger_client(client, now)
        if do & _PASS_UP:
            self.user.on_response(client, response, now)

    def _linger_client(self, client: ClientTransaction, now: Instant) -> None:
        if client.state is _ACCEPTED:  # timer M
            client.request = b""
            seconds = self._timeout
        elif client.flow.reliable:
            # forgotten once the response has been passed up: due at the next expiry
            seconds = 0.0
        elif client.invite:  # timer D
            seconds = self._timeout
        else:  # timer K
            client.request = b""
            seconds = self.timing.t4
        self.timers.arm(seconds, now, client, _LINGER)

    def _resend(self, client: ClientTransaction, now: Instant) -> None:
        timing = self.timing
        client.spent += client.interval
        if not client.invite and client.spent - client.interval < 7 * timing.t1 <= client.spent:
            self.user.on_slow(client, now)
        left = timing.timeout - client.spent
        if client.state is _PROCEEDING:
            interval = timing.t2
        else:
            interval = client.interval * 2
            if not client.invite and interval > timing.t2:
                interval = timing.t2
        if left <= interval:
            self.timers.arm(left, now, client, _TIMEOUT)
        else:
            client.interval = interval
            self.timers.arm(interval, now, client, _RESEND)

    def forget_client(self, client: ClientTransaction) -> None:
        """Take a client transaction out of the table; what comes for it is stray from now on."""
        if self.clients.get(client.key) is client:
            del self.clients[client.key]
        if client.flow.reliable:
            others = self._by_stream.get(client.flow)
            if others is not None:
                others.pop(client, None)
                if not others:
                    del self._by_stream[client.flow]
        client.state = State.TERMINATED
        client.request = b""
        client.user = None

    def flow_failed(self, flow: Flow, now: Instant) -> None:
        """Tell every transaction that waits on a stream that it is gone (§17.1.4), the oldest first."""
        for client in tuple(self._by_stream.get(flow, ())):
            self._expire_client(client, In.TRANSPORT_ERROR, now)

    # time

    @property
    def deadline(self) -> Instant:
        """When `expire` has something to do the next time."""
        return self.timers.deadline

    def expire(self, now: Instant) -> None:
        """Let everything happen that is due."""
        for owner, what in self.timers.due(now):
            if what >= USER_TIMER:
                self.user.on_timer(owner, what, now)
            elif type(owner) is ClientTransaction:
                self._expire_client(owner, what, now)
            else:
                self._expire_server(owner, what, now)

    def _expire_server(self, server: ServerTransaction, what: int, now: Instant) -> None:
        step = server.steps[server.state][what]
        if step is None:
            return
        server.state = step[0]
        self.repeated += what == _RESEND
        self._serve(server, step[1], now)

    def _expire_client(self, client: ClientTransaction, what: int, now: Instant) -> None:
        step = client.steps[client.state][what]
        if step is None:
            return
        client.state = step[0]
        do = step[1]
        if do & _ARM_RESEND:
            self.repeated += 1
            self.sends.append((client.flow, client.request))
            self._resend(client, now)
        if do & _TIMED_OUT:
            self.user.on_timeout(client, now)
        if do & _FAILED:
            self.user.on_failure(client, now)
        if do & _FORGET:
            self.forget_client(client)


def ack_for(request: bytes, response: Message) -> bytes:
    """Return the ACK of a final response other than 2xx (RFC 3261 §17.1.1.3).

    Args:
        request: The INVITE as it was sent.
        response: The response, whose To, with its tag, is taken over.
    """
    invite = parse(request)
    lines = invite.lines
    at = invite.at
    number, _ = parse_cseq(invite.value(CSEQ))
    out = [
        b"ACK " + invite.uri + b" SIP/2.0",
        lines[at[VIA]],
        b"Max-Forwards: 70",
        *(lines[i] for i in invite.indices(ROUTE)),
        lines[at[FROM]],
        response.lines[response.at[TO]] if response.at[TO] else lines[at[TO]],
        lines[at[CALL_ID]],
        b"CSeq: %d ACK" % number,
        b"Content-Length: 0",
        b"",
        b"",
    ]
    return b"\r\n".join(out)
