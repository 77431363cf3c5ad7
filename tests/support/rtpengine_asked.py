"""An rtpengine that answers what a core without sockets asks: addresses of its own in descriptions."""

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from centrex.farm.rtpengines import Reply
from centrex.proxy.ask import Consult
from centrex.proxy.delegating import Delegating
from centrex.proxy.media_path import Mode
from tests.support.calling import Sent
from tests.support.proxy import Proxy

HOST = "198.51.100.9"
NAME = "udp:192.0.2.100:2223"


class FakeRtpengine:
    """Answers when it is told to.

    Attributes:
        told: All questions, in order.
        failing: What it answers instead, if anything.
        knows: Call-IDs that it holds from before.
    """

    def __init__(self, proxy: Proxy, *, mode: Mode = "always", refuse: bool = False) -> None:
        self.proxy, self.name = proxy, NAME
        self.media = Delegating(mode=mode, refuse=refuse)
        proxy.core.relaying = self.media
        self.told: list[Consult] = []
        self.failing = ""
        self.silent = False
        self.knows: set[bytes] = set()
        self._ports: dict[tuple[object, ...], int] = {}
        self._next = count(30000, 2)

    @property
    def waiting(self) -> list[Consult]:
        """The questions that nobody has answered."""
        return [ask for ask in self.proxy.core.asks if isinstance(ask, Consult)]

    def answers(self, *, last: bool = False) -> Sent:
        """Answer the questions that are open, or only the last; return what leaves."""
        sent: Sent = []
        while asks := self.waiting:
            ask = asks[-1] if last else asks[0]
            self.proxy.core.asks.remove(ask)
            self.told.append(ask)
            self.proxy.core.consulted(ask.id, self._reply(ask), self.proxy.now)
            sent += self.proxy.taken()
            if last:
                break
        return sent

    def _reply(self, ask: Consult) -> Reply | str:
        if self.silent:
            return "no rtpengine answers"
        if self.failing:
            fields: Mapping[bytes, Any] = {
                b"result": b"error",
                b"error-reason": self.failing.encode(),
            }
            return Reply(self.name, fields)
        command = ask.fields["command"]
        if command == "query" and ask.call_id not in self.knows:
            return Reply(self.name, {b"result": b"error", b"error-reason": b"Unknown call-id"})
        if command in ("offer", "answer"):
            return Reply(self.name, {b"result": b"ok", b"sdp": self._described(ask)})
        return Reply(self.name, {b"result": b"ok"})

    def _described(self, ask: Consult) -> bytes:
        sdp = ask.fields["sdp"]
        assert isinstance(sdp, bytes)
        key = tuple(
            ask.fields.get(name) for name in ("command", "from-tag", "to-tag", "via-branch")
        )
        port = self._ports.setdefault(key, next(self._next))
        sdp = re.sub(rb"c=IN IP\d \S+", b"c=IN IP4 " + HOST.encode(), sdp)
        return re.sub(rb"m=audio [1-9]\d*", b"m=audio %d" % port, sdp)

    def commands(self) -> list[str]:
        """Return which commands were told, in order."""
        return [str(ask.fields["command"]) for ask in self.told]
