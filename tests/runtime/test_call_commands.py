import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from centrex.base import Refused
from tests.support.engine import DOMAIN, Instance, Phone, instance
from tests.support.proxy import respond

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


class Call:
    """A call between two phones of an engine, as far as a test takes it."""

    def __init__(self, made: Instance) -> None:
        self.made = made
        self.caller = Phone((made.host, made.port), "1002")
        self.callee = Phone((made.host, made.port), "1001")
        self.invite = self.call_id = ""
        self.arrived = b""

    async def begin(self) -> None:
        await self.callee.register()
        contact = f"Contact: <sip:1002@{self.caller.host}:{self.caller.port}>"
        invite = self.caller.request("INVITE", f"sip:1001@{DOMAIN}", [contact])
        self.call_id = next(
            line[9:] for line in invite.decode().splitlines() if line.startswith("Call-ID: ")
        )
        assert b" 100 " in await self.caller.ask(invite)
        self.arrived = await self.callee.receive()

    async def answer(self, status: int) -> None:
        where = f"Contact: <sip:1001@{self.callee.host}:{self.callee.port}>"
        self.callee.send(respond(self.arrived, status, "X", extra=where))
        assert b" %d " % status in await self.caller.receive()

    async def ask(self, command: str, **params: Any) -> dict[str, Any]:
        return await self.made.ask(command, id=self.call_id, **params)

    def __enter__(self) -> "Call":
        return self

    def __exit__(self, *_: object) -> None:
        self.caller.sock.close()
        self.callee.sock.close()


async def test_a_call_that_is_up_is_ended_at_both_phones(made: Instance) -> None:
    with Call(made) as call:
        async with made.running() as engine:
            await call.begin()
            await call.answer(200)
            assert await call.ask("calls.end") == {"ended": True}
            for phone in (call.caller, call.callee):
                bye = await phone.receive()
                assert bye.startswith(f"BYE sip:{phone.user}@{phone.host}:{phone.port} ".encode())
                phone.send(respond(bye, 200))
            assert len(engine.core.calls) == 0
            with pytest.raises(Refused, match="no call with that Call-ID"):
                await call.ask("calls.end")
            told = await call.ask("call")
            assert told["state"] == "over"
            assert "the operator ended it" in told["headline"]
            assert "calls.ended" in [
                row["name"] for row in (await made.ask("events.recent"))["rows"]
            ]


async def test_a_call_that_rings_is_ended_at_both_phones(made: Instance) -> None:
    with Call(made) as call:
        async with made.running():
            await call.begin()
            await call.answer(180)
            assert await call.ask("calls.end") == {"ended": True}
            assert (await call.caller.receive()).startswith(b"SIP/2.0 487 ")
            cancel = await call.callee.receive()
            assert cancel.startswith(b"CANCEL ")
            call.callee.send(respond(cancel, 200))
            call.callee.send(respond(call.arrived, 487, "X"))
            assert (await call.callee.receive()).startswith(b"ACK ")


async def test_a_call_is_told_as_a_ladder(made: Instance) -> None:
    with Call(made) as call:
        async with made.running() as engine:
            await call.begin()
            await call.answer(180)
            told = await call.ask("call")
            engine.grace_s = 0.0
    caller, callee = (f"udp {phone.host}:{phone.port}" for phone in (call.caller, call.callee))
    assert told["parties"] == [caller, "centrex", callee]
    assert told["users"] == {caller: call.caller.user, callee: call.callee.user}
    assert (told["state"], told["lost"]) == ("ringing", 0)
    messages = [one for one in told["entries"] if one["kind"] == "message"]
    assert [(one["from"], one["to"], one["summary"].split(" sip:")[0]) for one in messages] == [
        (caller, "centrex", "INVITE"),
        ("centrex", caller, "100 Trying (INVITE)"),
        ("centrex", callee, "INVITE"),
        (callee, "centrex", "180 X (INVITE)"),
        ("centrex", caller, "180 X (INVITE)"),
    ]
    assert messages[2]["raw"].encode() == call.arrived
    rules = [one["rule"] for one in told["entries"] if one["kind"] == "decision"]
    assert rules[0] == "request"
    assert "target-tried" in rules
    times = [one["at"] for one in told["entries"]]
    assert times == sorted(times)


async def test_a_call_is_exported(made: Instance) -> None:
    with Call(made) as call:
        async with made.running() as engine:
            await call.begin()
            text, packets = [
                await call.ask("call.export", format=one) for one in ("text", "pcapng")
            ]
            with pytest.raises(Refused, match="text, pcapng"):
                await call.ask("call.export", format="gif")
            engine.grace_s = 0.0
    assert text["name"] == f"{call.call_id}.txt"
    assert packets["name"] == f"{call.call_id}.pcapng"
    assert f"INVITE sip:1001@{DOMAIN} SIP/2.0" in base64.b64decode(text["data"]).decode()
    assert base64.b64decode(packets["data"]).count(b"INVITE sip:1001@") == 2


async def test_who_looks_at_calls_has_all_messages_kept(made: Instance) -> None:
    async with made.running() as engine:
        for command in ("snapshot", "call"):
            engine.capture.on = False
            with contextlib.suppress(Refused):
                await made.ask(command, id="nobody")
            assert engine.capture.on


@pytest.mark.parametrize("command", ["call", "call.export", "calls.end"])
async def test_a_call_nobody_knows_is_not_found(made: Instance, command: str) -> None:
    async with made.running():
        with pytest.raises(Refused) as caught:
            await made.ask(command, id="nobody's \u2603")
    assert caught.value.code == "not-found"
