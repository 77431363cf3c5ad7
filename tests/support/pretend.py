"""A pretended instance for the dashboard: it follows the contract, and answers from plain values."""

import asyncio
import base64
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from centrex import api
from centrex.config.describe import describe

Json = dict[str, Any]
AT = "2026-11-26T09:15:02.125Z"
HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m \x9b31m \u202egnp.exe \u200bzero [bold]markup[/bold] "
    "[@click=app.quit]x[/] \x00\x7f\r\nVia: forged"
)
"""What a stranger may send where a name is expected."""
FORBIDDEN = ("\x1b]0;owned", "\x1b[2J\x1b[31mred", "\x9b", "\u202e", "\u200b", "\x00", "\x7f")
"""What of it must never reach a terminal."""


def event(number: int, **values: Any) -> Json:
    """An event as the stream tells it."""
    row: Json = {
        "at": f"2026-11-26T09:15:{number % 60:02}.{number % 1000:03}Z",
        "kind": "calls",
        "severity": "info",
        "name": "call.ended",
        "text": f'call.ended from="1001" to="1002" seconds={number}',
        "call_id": f"call-{number}@192.0.2.7",
        "fields": {},
    }
    return {**row, **values}


def registration(user: str, **values: Any) -> Json:
    """A row of `registrations`."""
    row: Json = {
        "aor": f"sip:{user}@example.com",
        "contact": f"sip:{user}@10.0.0.{len(user)}:5060",
        "transport": "udp",
        "source": "198.51.100.7:40112",
        "q": 1.0,
        "expires_s": 3541,
        "user_agent": "Yealink SIP-T46S 66.85.0.5",
        "path": [],
        "call_id": f"reg-{user}@10.0.0.9",
    }
    return {**row, **values}


def call_row(number: int, **values: Any) -> Json:
    """A row of `calls`."""
    row: Json = {
        "id": f"call-{number}@192.0.2.7",
        "from": f"sip:10{number:02}@example.com",
        "to": f"sip:10{number + 1:02}@example.com",
        "state": ("up", "ringing", "calling")[number % 3],
        "started_at": "2026-11-26T09:14:00.000Z",
        "answered_at": "2026-11-26T09:14:05.000Z",
        "duration_s": 57.0 + number,
        "caller": "udp 198.51.100.7:40112",
        "callee": "tcp 203.0.113.9:5060",
        "relay": "embedded",
        "codec": ("PCMU", "", "opus, H264")[number % 3],
    }
    return {**row, **values}


SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.4\r\ns=-\r\nc=IN IP4 10.0.0.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def message(sender: str, to: str, summary: str, *, body: str = "", **values: Any) -> Json:
    """A message of a call's ladder."""
    raw = (
        f"{summary}\r\nVia: SIP/2.0/UDP 10.0.0.4:5060;branch=z9hG4bK1\r\n"
        "From: <sip:1001@example.com>;tag=a\r\nTo: <sip:1002@example.com>\r\n"
        f"Call-ID: call-1@192.0.2.7\r\nCSeq: 1 INVITE\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    entry: Json = {
        "at": AT, "kind": "message", "from": sender, "to": to, "transport": "udp",
        "summary": summary, "raw": raw, "size": len(raw),
    }  # fmt: skip
    return {**entry, **values}


CALLER, SERVER, CALLEE = "1001 198.51.100.7", "centrex", "1002 203.0.113.9"
CALL: Json = {
    "call_id": "call-1@192.0.2.7",
    "headline": "1001 called 1002, who answered after 5 seconds.",
    "advice": ["The voice is relayed, because 1001 is behind NAT."],
    "state": "up",
    "parties": [CALLER, SERVER, CALLEE],
    "entries": [
        message(CALLER, SERVER, "INVITE sip:1002@example.com SIP/2.0", body=SDP),
        {"at": AT, "kind": "decision", "rule": "challenged", "text": "it was asked for a password"},
        message(SERVER, CALLER, "SIP/2.0 407 Proxy Authentication Required"),
        message(CALLER, SERVER, "ACK sip:1002@example.com SIP/2.0"),
        message(CALLER, SERVER, "INVITE sip:1002@example.com SIP/2.0", body=SDP),
        {"at": AT, "kind": "decision", "rule": "located", "text": "1002 has one phone"},
        message(SERVER, CALLEE, "INVITE sip:1002@203.0.113.9 SIP/2.0", body=SDP),
        message(CALLEE, SERVER, "SIP/2.0 180 Ringing"),
        message(SERVER, CALLER, "SIP/2.0 180 Ringing"),
        message(CALLEE, SERVER, "SIP/2.0 200 OK", body=SDP),
        message(SERVER, CALLER, "SIP/2.0 200 OK", body=SDP),
        message(CALLER, SERVER, "ACK sip:1002@203.0.113.9 SIP/2.0"),
        message(SERVER, CALLEE, "ACK sip:1002@203.0.113.9 SIP/2.0"),
    ],
    "lost": 0,
}

SNAPSHOT: Json = {
    "at": AT,
    "state": "running",
    "uptime_s": 93784.0,
    "registrations": {"users": 12, "bindings": 14, "peak": 15, "total": 9912},
    "calls": {"now": 3, "peak": 41, "total": 12345, "failed": 7},
    "rates": {
        "calls_per_s": 1.5, "registers_per_s": 0.4, "messages_in_per_s": 22.0,
        "messages_out_per_s": 21.0, "calls_per_min": 88, "registers_per_min": 23,
    },
    "messages": {"in": 1203344, "out": 1193301},
    "refused_challenges": 3,
    "drops": {"malformed": 2, "guard-limited": 11},
    "relays": {"available": 1, "known": 2, "sessions": 3, "packets_per_s": 298},
    "bans": 1,
    "subscriptions": 0,
}  # fmt: skip

STATUS: Json = {
    "instance": "office",
    "version": "0.1.0",
    "pid": 4711,
    "domain": "example.com",
    "description": "Head office",
    "state": "running",
    "started_at": "2026-11-25T07:12:00.000Z",
    "uptime_s": 93784.0,
    "config_file": "/etc/centrex/office.toml",
    "listeners": [
        {"transport": "udp", "host": "192.0.2.10", "port": 5060},
        {"transport": "tcp", "host": "192.0.2.10", "port": 5060},
    ],
    "registrar": {"name": "registrar", "store": "memory", "users": 12, "bindings": 14},
    "auth": {"enabled": True, "realm": "example.com", "logins": 12},
    "warnings": [],
    "confirm_by": "",
    "confirm_left_s": 0.0,
    "not_rolled_back": "",
    "statistics": {},
}

RELAYS: list[Json] = [
    {
        "name": "embedded", "state": "available", "why": "no right to load eBPF programs",
        "source": "127.0.0.1:40000", "sessions": 3, "capacity": 3000, "path": "nftables",
        "path_why": "", "addresses": {"ipv4": "192.0.2.10"}, "packets_per_s": 298,
        "octets_per_s": 51256, "since_s": 93000, "heard_s": 0.4, "figures": {},
    },
    {
        "name": "frankfurt", "state": "silent", "why": "three heartbeats missed",
        "source": "203.0.113.80:51000", "sessions": 0, "capacity": 3000, "path": "ebpf",
        "path_why": "", "addresses": {"ipv4": "203.0.113.80"}, "packets_per_s": 0,
        "octets_per_s": 0, "since_s": 120, "heard_s": 31.0, "figures": {},
    },
]  # fmt: skip

_END: Json = {
    "port": "192.0.2.10:40000", "signalled": "10.0.0.4:4000", "learned": "198.51.100.7:4000",
    "locked": True, "packets": 1234, "octets": 211000, "sent": 1200, "lost": 3, "jitter_ms": 2.104,
    "rtcp_packets": 4, "reported": None, "kernel": True, "relearned": 0, "drops": {},
}  # fmt: skip
RELAYED: Json = {
    "id": "s1", "call_id": "call-1@192.0.2.7", "answered": True, "seconds": 33.562,
    "one_way": "", "streams": [[_END, {**_END, "signalled": "203.0.113.9:4002", "learned": ""}]],
}  # fmt: skip
"""A row of `relays.calls`."""

BANS: list[Json] = [
    {
        "source": "198.51.100.99", "reason": "guessed passwords", "until": AT, "seconds_left": 3000
    },
]  # fmt: skip


WATCHER: Json = {
    "watcher": "sip:1001@example.com", "target": "sip:1002@example.com", "package": "dialog",
    "expires_s": 1200, "state": "active", "notified": 3, "source": "udp 198.51.100.7:40112",
}  # fmt: skip
"""A row of `subscriptions`."""

ROUTE: Json = {
    "number": "9044",
    "at": "2026-11-26T10:15+01:00", "zone": "Europe/Berlin",
    "plan": {"index": 1, "number": 2, "key": r"9(\d+)", "groups": ["044"]},
    "looked": [
        {"index": 0, "number": 1, "key": "100", "why": "another number", "decides": False},
        {"index": 1, "number": 2, "key": r"9(\d+)", "why": r"the pattern matches, \1 is 044", "decides": True},
    ],
    "steps": [
        {"to": "1001", "kind": "user", "uris": ["sip:1001@10.0.0.4:5060"], "why": "",
         "from_s": 0.0, "ring_s": 15.0},
        {"to": "1003", "kind": "user", "uris": [], "why": "no phone is registered",
         "from_s": 15.0, "ring_s": 0.0},
        {"to": r"\1@office", "kind": "gateway",
         "uris": ["sip:044@192.0.2.80:5060", "sip:044@192.0.2.81:5060"], "why": "",
         "from_s": 15.0, "ring_s": 120.0},
    ],
    "seconds": 135.0,
    "outcome": "rings until somebody answers; else the caller gets 480, or the last one's answer",
    "leads": True, "live": True,
    "edited": False,
}  # fmt: skip
"""An answer of the route tester."""


def settings() -> Json:
    """The values of a configuration as `config.open` tells them."""
    values: Json = {}
    for table in describe()["tables"]:
        for key in table["keys"]:
            _put(values, key["key"], key["default"])
        if "list" in table:
            _put(values, table["list"]["key"], [])
    values["network"].update(domain="example.com", address=["192.0.2.10"])
    values["routing"]["plans"] = [
        {
            "name": "100", "pattern": "", "destinations": ["1001", "1002"], "enabled": True,
            "note": "Reception",
        },
        {
            "name": "", "pattern": r"9(\d+)", "destinations": [r"sip:\1@gw.example.net"],
            "enabled": True, "note": "Outside",
        },
        {"name": "200", "pattern": "", "destinations": ["1003"], "enabled": False, "note": ""},
    ]  # fmt: skip
    values["auth"]["credentials"] = [
        {"login": user, "ha1_md5": "***", "ha1_sha256": "***", "users": [], "enabled": True,
         "note": ""}
        for user in ("1001", "1002")
    ]  # fmt: skip
    return values


def _put(values: Json, dotted: str, value: object) -> None:
    *tables, name = dotted.split(".")
    for table in tables:
        values = values.setdefault(table, {})
    values[name] = value


class Pretend:
    """The instance.

    Args:
        mode: As the contract's.
        read_only: As the contract's.
    """

    def __init__(
        self,
        mode: Literal["in-process", "attached"] = "in-process",
        *,
        read_only: bool = False,
    ) -> None:
        self.mode: Literal["in-process", "attached"] = mode
        self.read_only = read_only
        self.paths = api.instance_paths("office", Path("/etc/centrex/office.toml"))
        self.asked: list[tuple[str, Json]] = []
        self.closed = False
        self.gone = ""
        self.batches: asyncio.Queue[Json] = asyncio.Queue()
        self.waits: dict[str, asyncio.Event] = {}
        """Commands that are answered only once something has happened."""
        self.recent = [event(number) for number in range(3)]
        self.calls = [call_row(number) for number in range(3)]
        self.registrations = [registration(user) for user in ("1001", "1002", "reception")]
        self.snapshot = copy.deepcopy(SNAPSHOT)
        self.call = copy.deepcopy(CALL)
        self.status, self.bans = copy.deepcopy(STATUS), copy.deepcopy(BANS)
        self.values: Json = {}
        self.opened: Json = {
            "file": "/etc/centrex/office.toml",
            "fingerprint": "f1",
            "values": settings(),
            "origins": {},
            "waiting": [],
            "confirm_by": "",
        }
        self.preview: Json = {
            "fingerprint": "f1",
            "diff": "--- office.toml\n+++ office.toml\n@@ -1 +1 @@\n-port = 5060\n+port = 5070\n",
            "effects": [
                {
                    "key": "network.port", "old": 5060, "new": 5070, "effect": "restart",
                    "words": "waits for a restart: all sockets are opened anew, and calls keep their media",
                }
            ],
            "problems": [],
        }  # fmt: skip
        self.applied: Json = {"fingerprint": "f2", "changed": [], "waiting": [], "confirm_by": ""}
        self.answers: dict[str, Callable[[Json], Json]] = {
            "snapshot": lambda _: self.snapshot,
            "status": lambda _: self.status,
            "config": lambda _: {"file": "/etc/centrex/office.toml", "values": self.values},
            "relays": lambda _: {"relays": RELAYS},
            "relays.calls": lambda _: {
                "relays.calls": [RELAYED],
                "total": 1,
                "next": None,
            },
            "relays.drain": lambda params: {"draining": params["on"], "sessions": 3},
            "registrations": lambda params: self._page("registrations", self.registrations),
            "registrations.remove": self._remove,
            "calls": lambda params: self._page("calls", self.calls),
            "calls.end": lambda _: {"ended": True},
            "call": lambda _: self.call,
            "call.export": lambda params: {
                "data": base64.b64encode(b"exported as " + params["format"].encode()).decode(),
                "name": "call",
            },
            "bans": lambda _: {"bans": self.bans},
            "bans.release": lambda _: {"released": True},
            "config.describe": lambda _: describe(),
            "config.open": lambda _: self.opened,
            "config.preview": lambda params: self.preview,
            "config.apply": self._apply,
            "config.confirm": lambda _: {"confirmed": True},
            "config.rollback": lambda _: {"rolled_back": True},
            "subscriptions": lambda _: {"rows": [], "available": False},
            "route.test": lambda params: {**ROUTE, "number": params["number"]},
        }

    def _page(self, name: str, rows: list[Json]) -> Json:
        return {name: rows, "total": len(rows), "next": None}

    def _apply(self, params: Json) -> Json:
        return self.applied

    def _remove(self, params: Json) -> Json:
        before = len(self.registrations)
        contact = params.get("contact")
        self.registrations = [
            row for row in self.registrations
            if row["aor"] != params["aor"] or (contact and row["contact"] != contact)
        ]  # fmt: skip
        return {"removed": before - len(self.registrations)}

    @property
    def runs(self) -> bool:
        """Whether it has neither gone nor been let go of."""
        return not (self.closed or self.gone)

    @property
    def was_stopped(self) -> bool:
        """Nobody stops it."""
        return False

    async def ask(self, command: str, params: Mapping[str, Any] | None = None) -> Json:
        """Answer from the table."""
        given = dict(params or {})
        self.asked.append((command, given))
        if self.gone or self.closed:
            raise api.Unavailable(self.gone or "closed")
        if command in self.waits:
            await self.waits[command].wait()
        answer = self.answers.get(command)
        if answer is None:
            raise api.Refused("not-found", f"there is no command {command}", {})
        await asyncio.sleep(0)
        return copy.deepcopy(answer(given))

    @asynccontextmanager
    async def follow(
        self, stream: str, params: Mapping[str, Any] | None = None
    ) -> AsyncIterator[AsyncIterator[Json]]:
        """Give the recent events, then what is put into `batches`."""
        yield self._batches()

    async def _batches(self) -> AsyncIterator[Json]:
        yield {"rows": self.recent, "lost": 0}
        while True:
            yield await self.batches.get()

    async def close(self) -> None:
        """Note it."""
        self.closed = True

    def commands(self, *names: str) -> list[tuple[str, Json]]:
        """What was asked of these commands."""
        return [one for one in self.asked if one[0] in names]
