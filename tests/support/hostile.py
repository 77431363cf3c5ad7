"""A dashboard on a pretended instance to which strangers have sent the worst; run in a terminal."""

import copy
from typing import Any

from centrex import api
from tests.support.pretend import (
    BANS,
    CALL,
    HOSTILE,
    RELAYS,
    ROUTE,
    STATUS,
    WATCHER,
    Pretend,
    call_row,
    event,
    message,
    registration,
)
from tui.app import Dashboard


def spoiled() -> Pretend:
    """The instance."""
    instance = Pretend()
    aor = f"sip:{HOSTILE}@example.com"
    instance.registrations = [
        registration(
            "1001", aor=aor, contact=f"<sip:{HOSTILE}>", user_agent=HOSTILE, source=HOSTILE
        )
    ]
    instance.calls = [
        call_row(
            0, id=HOSTILE, **{"from": aor, "to": HOSTILE}, caller=HOSTILE, callee=HOSTILE,
            relay=HOSTILE, codec=HOSTILE,
        )
    ]  # fmt: skip
    instance.recent = [
        event(number, kind=kind, text=HOSTILE, call_id=HOSTILE, aor=aor)
        for number, kind in enumerate(("calls", "errors", HOSTILE))
    ]
    parties = [f"a {HOSTILE}", f"b {HOSTILE}"]
    summary = f"INVITE sip:{HOSTILE} SIP/2.0"
    raw = f"{summary}\r\nFrom: {HOSTILE}\r\nReason: {HOSTILE}\r\nUser-Agent: {HOSTILE}\r\n\r\n{HOSTILE}"
    instance.call = {
        **copy.deepcopy(CALL),
        "call_id": HOSTILE,
        "headline": HOSTILE,
        "advice": [HOSTILE],
        "parties": parties,
        "users": {parties[0]: HOSTILE},
        "entries": [
            message(parties[0], parties[1], summary, raw=raw, transport=HOSTILE),
            {"at": HOSTILE, "kind": "decision", "rule": HOSTILE, "text": HOSTILE},
            message(HOSTILE, HOSTILE, f"SIP/2.0 {HOSTILE}", raw=raw),
        ],
    }
    relay: dict[str, Any] = {**RELAYS[0], "name": HOSTILE, "why": HOSTILE, "path": HOSTILE}
    instance.answers["relays"] = lambda _: {"relays": [relay]}
    streams = [{"call_id": HOSTILE, "caller": {"address": HOSTILE}, "x": [HOSTILE]}]
    instance.answers["relays.calls"] = lambda _: {"relays.calls": streams, "total": 1, "next": None}
    watcher = dict.fromkeys(("watcher", "target", "package", "state", "source"), HOSTILE)
    instance.answers["subscriptions"] = lambda _: {
        "available": True,
        "rows": [{**WATCHER, **watcher}],
    }
    step = {**ROUTE["steps"][0], "to": HOSTILE, "uris": [f"sip:{HOSTILE}"]}
    instance.answers["route.test"] = lambda _: {
        **ROUTE,
        "number": HOSTILE,
        "outcome": HOSTILE,
        "steps": [step, {**step, "uris": [], "why": HOSTILE}],
        "looked": [{**ROUTE["looked"][0], "key": HOSTILE, "why": HOSTILE}],
    }
    ban = {**BANS[0], "source": HOSTILE, "reason": HOSTILE}
    instance.answers["bans"] = lambda _: {"bans": [ban]}
    status = {**STATUS, "description": HOSTILE, "warnings": [HOSTILE], "domain": HOSTILE}
    instance.answers["status"] = lambda _: status
    instance.snapshot["drops"] = {HOSTILE: 3}
    instance.opened["values"]["basic"]["description"] = HOSTILE
    instance.opened["values"]["auth"]["credentials"][0].update(login=HOSTILE, note=HOSTILE)
    instance.preview = {
        "fingerprint": "f1",
        "diff": f"+{HOSTILE}",
        "effects": [
            {"key": HOSTILE, "old": HOSTILE, "new": HOSTILE, "effect": "live", "words": HOSTILE}
        ],
        "problems": [{"key": "basic.description", "message": HOSTILE, "nearest": HOSTILE}],
    }
    return instance


def main() -> None:
    """Show it."""
    instance = spoiled()

    async def opener() -> api.Instance:
        return instance

    Dashboard(opener).run()


if __name__ == "__main__":
    main()
