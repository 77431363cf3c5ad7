"""Part of a day of a server, lived by a real core: the words of its events and of a call's ladder.

Pictures of the dashboard are drawn from it, so that they show what the product says and nothing else.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from centrex.base import Flow, Transport
from centrex.events import Event, Kind
from centrex.events.render import message_text
from centrex.runtime import ladder
from centrex.runtime.capture import Passed
from centrex.trace.explain import explain
from tests.support.calling import Phone, Sent, answer_challenge, find, names, routes
from tests.support.proxy import DOMAIN, Proxy

Json = dict[str, Any]
BEGAN: Final = datetime(2026, 11, 26, 9, 13, 50, tzinfo=UTC)
SHOWN: Final = "5d0f3c1e-1@10.0.0.4"
"""The Call-ID of the call whose ladder is shown."""
_SDP: Final = "v=0\r\no=- 1 1 IN IP4 10.0.0.4\r\ns=-\r\nc=IN IP4 10.0.0.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
_ALL: Final = frozenset(Kind)


class _Heard(Proxy):
    """A core of which it is kept what came and what left, and when its events happened."""

    def __init__(self, users: list[str]) -> None:
        super().__init__(auth=True, users=users)
        self.core.listen(_ALL, frozenset({Kind.CALLS}))
        self.passed: list[Passed] = []
        self.events: list[tuple[float, Event]] = []
        self._began = self.now

    def receive(self, data: bytes, source: Flow) -> Sent:
        self.now += 0.004
        sent = super().receive(data, source)
        self.passed.append(Passed(self.now, source, data, incoming=True))
        self.passed += [Passed(self.now, flow, told, incoming=False) for flow, told in sent]
        self.events += [(self.now, event) for event in self.core.events]
        self.core.events.clear()
        return sent

    def wall(self, now: float) -> str:
        moment = BEGAN + timedelta(seconds=now - self._began)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Day:
    """The day.

    Args:
        people: Numbers that have a phone, five at least.
    """

    def __init__(self, people: list[str]) -> None:
        self.proxy = _Heard(people)
        self.phones = [
            Phone(
                self.proxy,
                user,
                f"198.51.100.{7 + 11 * at % 240}",
                40112 + 37 * at,
                transport=(Transport.UDP, Transport.TCP, Transport.TLS)[at % 3],
                register=False,
            )
            for at, user in enumerate(people)
        ]
        for at, phone in enumerate(self.phones):
            self._with_password(phone, "REGISTER", f"sip:{DOMAIN}", phone.name, f"reg-{at}")
            self.proxy.advance(0.3)
        self._events_of_calls()
        self._answered(self.phones[0], self.phones[1], SHOWN)

    def _events_of_calls(self) -> None:
        some = self.phones
        for turn in range(4):
            caller, callee, other = some[turn], some[turn + 1], some[-1 - turn]
            call_id = f"a84b4c76-{turn}@{caller.flow.host}"
            ok = self._answered(caller, callee, call_id)
            self.proxy.advance(3.0 + turn)
            self._within(caller, callee, "BYE", ok, call_id, cseq=3)
            self._refused(other, callee, f"b1{turn}")
            self._calls(other, "1999", f"c1{turn}")  # there is no such user
            stranger = Phone(self.proxy, "admin", f"203.0.113.{turn + 20}", register=False)
            self._with_password(stranger, "REGISTER", f"sip:{DOMAIN}", "1001", f"d1{turn}", "1234")

    def _with_password(
        self, phone: Phone, method: str, uri: str, user: str, call_id: str, password: str = "secret"
    ) -> Sent:
        target = f"sip:{user}@{DOMAIN}" if method == "REGISTER" else uri
        body = _SDP if method == "INVITE" else ""
        kind = "Content-Type: application/sdp\n" if body else ""
        more: Json = {"target": target, "sender": user, "call_id": call_id}
        contact = f"Contact: <{phone.contact}>\n{kind}"
        branch = f"z9hG4bK{call_id}"
        asked = phone.sends(method, uri, branch=branch, extra=contact, body=body, **more)
        challenge = find(asked, "407" if method == "INVITE" else "401")
        if method == "INVITE":
            phone.sends("ACK", uri, branch=branch, **more)
        line = answer_challenge(challenge, method, uri, user, password)
        return phone.sends(method, uri, cseq=2, extra=f"{contact}{line}", body=body, **more)

    def _calls(self, caller: Phone, user: str, call_id: str) -> Sent:
        return self._with_password(caller, "INVITE", f"sip:{user}@{DOMAIN}", caller.name, call_id)

    def _answered(self, caller: Phone, callee: Phone, call_id: str) -> bytes:
        """Have a call set up; return the 200 that the caller got."""
        invite = callee.gets(self._calls(caller, callee.name, call_id), "INVITE")
        self.proxy.advance(0.2)
        callee.says(invite, 180, "Ringing")
        self.proxy.advance(4.6)
        ok = caller.gets(callee.says(invite, 200, "OK", body=_SDP), "200")
        self._within(caller, callee, "ACK", ok, call_id, cseq=2)
        return ok

    @staticmethod
    def _within(
        caller: Phone, callee: Phone, method: str, ok: bytes, call_id: str, cseq: int
    ) -> None:
        sent = caller.sends(
            method, callee.contact, target=f"sip:{callee.name}@{DOMAIN}", to_tag=callee.name,
            cseq=cseq, call_id=call_id, extra=routes(ok, caller=True),
        )  # fmt: skip
        assert method in names(sent)

    def _refused(self, caller: Phone, callee: Phone, call_id: str) -> None:
        invite = callee.gets(self._calls(caller, callee.name, call_id), "INVITE")
        self.proxy.advance(1.1)
        callee.says(invite, 486, "Busy Here")

    def events(self) -> list[Json]:
        """Return what happened, as the stream of events tells it."""
        return [
            {
                "at": self.proxy.wall(now),
                "kind": event.kind.value,
                "severity": event.severity.name.lower(),
                "name": event.name,
                "text": message_text(event),
                "call_id": event.call_id.decode(),
                "fields": {},
            }
            for now, event in self.proxy.events
        ]

    def call(self) -> Json:
        """Return the call that is up, as the command `call` tells it."""
        call_id = SHOWN.encode()
        story = self.proxy.journal.story(call_id)
        passed = [one for one in self.proxy.passed if b"Call-ID: " + call_id in one.data]
        told = explain(call_id, story, self.proxy.wall)
        entries, lost = ladder.entries(passed, story, self.proxy.wall)
        assert not lost
        return {
            "call_id": SHOWN,
            "headline": told.headline,
            "advice": list(told.advice),
            "state": "up",
            "parties": ladder.parties(passed),
            "entries": entries,
            "lost": 0,
        }
