"""Watching through a whole engine: told over the wire, listed, and heard of in the log."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.engine import DOMAIN, Instance, Phone, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    entries = [{"name": "fax", "display": "Fax", "contact": "sip:fax@192.0.2.9"}]
    async with instance(tmp_path, {"directory.entries": entries}) as one:
        yield one


def ok(notify: bytes) -> bytes:
    lines = [line for line in notify.split(b"\r\n") if line[:4] in (b"Via:", b"From", b"To: ")]
    lines += [line for line in notify.split(b"\r\n") if line.startswith((b"Call-ID", b"CSeq"))]
    return b"\r\n".join([b"SIP/2.0 200 OK", *lines, b"Content-Length: 0", b"", b""])


async def watch(phone: Phone, target: str = "registrar") -> bytes:
    """Subscribe and return the first NOTIFY, answered."""
    lines = [f"Contact: <sip:{phone.user}@{phone.host}:{phone.port}>", "Event: reg", "Expires: 600"]
    answer = await phone.ask(phone.request("SUBSCRIBE", f"sip:{target}@{DOMAIN}", lines))
    assert answer.startswith(b"SIP/2.0 200 "), answer
    return await told(phone)


async def told(phone: Phone) -> bytes:
    notify = await phone.receive()
    assert notify.startswith(b"NOTIFY ")
    phone.send(ok(notify))
    return notify


async def test_a_watcher_is_told_and_listed(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone, Phone((made.host, made.port), "1002") as other:
        async with made.running():
            first = await watch(phone)
            assert b"Fax" in first
            await other.register()
            assert b"sip:1002@voip.test" in await told(phone)
            answer = await made.ask("subscriptions")
            shot = await made.ask("snapshot")
            watchers = (await made.ask("status"))["watchers"]
            await made.ask("registrations.remove", aor="1002")
            assert b'event="deactivated"' in await told(phone)
            page = await made.ask("subscriptions", offset=0, limit=1)
        assert b"terminated;reason=deactivated" in await told(phone)
    assert {name: watchers[name] for name in ("subscriptions", "of_domain", "waiting")} == {
        "subscriptions": 1,
        "of_domain": 1,
        "waiting": 0,
    }
    (row,) = answer["rows"]
    assert answer["available"] is True
    assert 590 < row.pop("expires_s") <= 600
    assert row == {
        "watcher": f"sip:1001@{DOMAIN}",
        "target": f"sip:registrar@{DOMAIN}",
        "package": "reg",
        "state": "active",
        "notified": 2,
        "source": f"udp {phone.host}:{phone.port}",
        "behind": 0,
    }
    assert shot["subscriptions"] == 1
    assert (page["total"], page["next"]) == (1, None)
    assert "subscription.started" in made.log
    assert "subscription.ended" in made.log


async def test_a_changed_directory_is_told_on_reload(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running():
            await watch(phone)
            made.write(directory__entries=[{"name": "door"}])
            await made.ask("reload")
            notify = await told(phone)
    assert b"sip:door@voip.test" in notify
    assert b'state="terminated" event="deactivated"' in notify
