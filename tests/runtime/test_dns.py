from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import dns.resolver
import pytest

from centrex.base import Transport, Unavailable
from centrex.routing.rfc3263 import Destination, Target
from centrex.runtime import dns as module
from centrex.runtime.dns import Resolver
from tests.support.name_server import SILENT, NameServer

pytestmark = pytest.mark.wire

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
NAME = "voip.test"
ZONE: Mapping[tuple[str, str], Sequence[str] | str] = {
    ("NAPTR", NAME): [
        '10 50 "s" "SIPS+D2T" "" _sips._tcp.voip.test.',
        '20 50 "s" "SIP+D2U" "" _sip._udp.voip.test.',
    ],
    ("SRV", "_sips._tcp.voip.test"): ["1 1 5061 one.voip.test."],
    ("SRV", "_sip._udp.voip.test"): ["2 1 5070 two.voip.test.", "1 1 5060 one.voip.test."],
    ("A", "one.voip.test"): ["127.0.0.11"],
    ("A", "two.voip.test"): ["127.0.0.12", "127.0.0.13"],
    ("AAAA", "two.voip.test"): ["2001:db8::2"],
    ("A", NAME): ["127.0.0.9"],
}


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts"
    path.write_text("127.0.0.20 pbx pbx.lan\n")
    return path


def resolver_for(server: NameServer, hosts: Path, clock: Clock, **more: Any) -> Resolver:
    options: dict[str, Any] = {"nameservers": [server.address], "hosts": hosts, "clock": clock}
    return Resolver({UDP, TCP, TLS}, draw=lambda _: 0, **options | more)


async def test_naptr_srv_and_addresses_make_the_list(hosts: Path, clock: Clock) -> None:
    async with NameServer(ZONE).answering() as server:
        targets = await resolver_for(server, hosts, clock).resolve(Destination(host=NAME))
    one, two, *both, last = targets
    assert one == Target(TLS, "127.0.0.11", 5061, NAME)
    assert two == Target(UDP, "127.0.0.11", 5060, NAME)
    # The addresses of one server come in the order its name server likes.
    assert sorted(both, key=lambda target: target.host) == [
        Target(UDP, "127.0.0.12", 5070, NAME),
        Target(UDP, "127.0.0.13", 5070, NAME),
    ]
    assert last == Target(UDP, "2001:db8::2", 5070, NAME)


async def test_a_numeric_host_asks_nobody(hosts: Path, clock: Clock) -> None:
    resolver = Resolver({UDP}, nameservers=[], hosts=hosts, clock=clock)
    found = await resolver.resolve(Destination(host="[2001:db8::1]", port=5071))
    assert found == (Target(UDP, "2001:db8::1", 5071, "2001:db8::1"),)
    assert resolver.counts["asked"] == 0


async def test_answers_are_believed_for_their_ttl(hosts: Path, clock: Clock) -> None:
    async with NameServer(ZONE, ttl=60).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        destination = Destination(host=NAME, port=5060)
        for _ in range(3):
            await resolver.resolve(destination)
        assert server.asked == [("A", NAME), ("AAAA", NAME)]
        clock.now += 7.5  # the AAAA record's absence is believed for 7 seconds
        await resolver.resolve(destination)
        assert server.asked[2:] == [("AAAA", NAME)]
        clock.now += 53
        await resolver.resolve(destination)
        assert sorted(server.asked[3:]) == [("A", NAME), ("AAAA", NAME)]
        resolver.forget()
        await resolver.resolve(destination)
        assert len(server.asked) == 7


async def test_a_name_that_does_not_exist_is_remembered(hosts: Path, clock: Clock) -> None:
    async with NameServer(ZONE).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        destination = Destination(host="nobody.test", port=5060)
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"DNS knows no SIP server for nobody\.test"):
                await resolver.resolve(destination)
        assert len(server.asked) == 2
        clock.now += 7.5
        with pytest.raises(Unavailable):
            await resolver.resolve(destination)
        assert len(server.asked) == 4


async def test_a_server_failure_is_told_and_soon_tried_again(hosts: Path, clock: Clock) -> None:
    zone: dict[tuple[str, str], str] = {(kind, "bad.test"): "SERVFAIL" for kind in ("A", "AAAA")}
    async with NameServer(zone).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        destination = Destination(host="bad.test", port=5060)
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"answered A bad\.test with SERVFAIL"):
                await resolver.resolve(destination)
        asked = len(server.asked)
        assert resolver.counts["failed"] == 2
        server.zone["A", "bad.test"] = ["127.0.0.5"]
        clock.now += 3.1
        assert (await resolver.resolve(destination))[0].host == "127.0.0.5"
        assert len(server.asked) > asked


async def test_a_failing_naptr_does_not_hide_the_rest(hosts: Path, clock: Clock) -> None:
    zone = {**ZONE, ("NAPTR", NAME): "SERVFAIL", ("SRV", "_sip._tcp.voip.test"): "REFUSED"}
    async with NameServer(zone).answering() as server:
        found = await resolver_for(server, hosts, clock).resolve(Destination(host=NAME))
    assert [t.transport for t in found] == [UDP, UDP, UDP, UDP, TLS]


async def test_silence_ends_in_time(
    hosts: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUESTION_S", 0.1)
    monkeypatch.setattr(module, "_TRY_S", 0.05)
    zone = {("A", "mute.test"): SILENT, ("AAAA", "mute.test"): SILENT}
    async with NameServer(zone).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        with pytest.raises(Unavailable, match=r"no name server answered A mute\.test within"):
            await resolver.resolve(Destination(host="mute.test", port=5060))


async def test_the_total_is_bounded_too(
    hosts: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOTAL_S", 0.05)
    async with NameServer({("A", "mute.test"): SILENT}).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            await resolver.resolve(Destination(host="mute.test", port=5060))


async def test_nobody_at_the_address_of_the_server(
    hosts: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUESTION_S", 0.05)
    server = NameServer({})
    async with server.answering():
        pass
    resolver = resolver_for(server, hosts, clock)
    with pytest.raises(Unavailable, match=r"cannot find voip\.test"), anyio.fail_after(20):
        await resolver.resolve(Destination(host=NAME, port=5060))


async def test_the_same_question_is_asked_once_at_a_time(hosts: Path, clock: Clock) -> None:
    found: list[tuple[Target, ...]] = []
    async with NameServer(ZONE).answering() as server:
        server.hold = anyio.Event()
        resolver = resolver_for(server, hosts, clock, families=(4,))

        async def find() -> None:
            found.append(await resolver.resolve(Destination(host=NAME, port=5060)))

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(find)
            await anyio.wait_all_tasks_blocked()
            server.hold.set()
        assert len(found) == 10
        assert server.asked == [("A", NAME)]


async def test_who_waits_for_a_cancelled_question_asks_again(hosts: Path, clock: Clock) -> None:
    found: list[tuple[Target, ...]] = []
    async with NameServer(ZONE).answering() as server:
        server.hold = anyio.Event()
        resolver = resolver_for(server, hosts, clock, families=(4,))
        leader = anyio.CancelScope()

        async def ask_and_leave() -> None:
            with leader:
                await resolver.resolve(Destination(host=NAME, port=5060))

        async def find() -> None:
            found.append(await resolver.resolve(Destination(host=NAME, port=5060)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_and_leave)
            while not server.asked:
                await anyio.lowlevel.checkpoint()
            tasks.start_soon(find)
            await anyio.lowlevel.checkpoint()
            leader.cancel()
            server.hold.set()
    assert [t.host for t in found[0]] == ["127.0.0.9"]


async def test_look_ups_under_way_are_bounded(hosts: Path, clock: Clock) -> None:
    async with NameServer(ZONE).answering() as server:
        server.hold = anyio.Event()
        resolver = resolver_for(server, hosts, clock, waiting=2)
        async with anyio.create_task_group() as tasks:
            for port in (5060, 5062):
                tasks.start_soon(resolver.resolve, Destination(host=NAME, port=port))
            await anyio.lowlevel.checkpoint()
            with pytest.raises(Unavailable, match="too many DNS look-ups"):
                await resolver.resolve(Destination(host=NAME))
            server.hold.set()
        assert resolver.counts["refused"] == 1
        assert await resolver.resolve(Destination(host=NAME))


async def test_the_memory_is_bounded(hosts: Path, clock: Clock) -> None:
    zone = {("A", f"h{n}.test"): ["127.0.0.1"] for n in range(5)}
    async with NameServer(zone).answering() as server:
        resolver = resolver_for(server, hosts, clock, families=(4,), cache_size=2)
        for n in (0, 1, 0, 2, 0, 1):
            await resolver.resolve(Destination(host=f"h{n}.test", port=5060))
    assert [name for _, name in server.asked] == ["h0.test", "h1.test", "h2.test", "h1.test"]


@pytest.mark.parametrize("name", ["pbx", "PBX.lan", "localhost"])
async def test_names_of_this_machine_are_not_asked_for(
    hosts: Path, clock: Clock, name: str
) -> None:
    async with NameServer(ZONE).answering() as server:
        resolver = resolver_for(server, hosts, clock)
        first, *_ = await resolver.resolve(Destination(host=name))
        assert (first.transport, first.port, first.server_name) == (UDP, 5060, name.lower())
        assert first.host in {"127.0.0.20", "127.0.0.1"}
        assert server.asked == []


@pytest.mark.parametrize(
    ("destination", "why"),
    [
        (Destination(host=NAME, secure=True), "wants TLS, which is not spoken here"),
        (Destination(host=NAME, transport=TCP), "wants TCP, which is not spoken here"),
        (Destination(host="2001:db8::1"), "of an IP version not spoken here"),
        (Destination(host="a b"), "DNS knows no SIP server for a b"),
    ],
)
async def test_what_cannot_be_is_told_in_words(
    hosts: Path, clock: Clock, destination: Destination, why: str
) -> None:
    resolver = Resolver({UDP}, families=(4,), nameservers=[], hosts=hosts, clock=clock)
    with pytest.raises(Unavailable, match=why):
        await resolver.resolve(destination)
    assert resolver.counts["asked"] == 0


async def test_sips_over_udp_is_told_in_words(hosts: Path, clock: Clock) -> None:
    resolver = Resolver({UDP, TLS}, nameservers=[], hosts=hosts, clock=clock)
    with pytest.raises(Unavailable, match="TLS over UDP"):
        await resolver.resolve(Destination(host=NAME, secure=True, transport=UDP))


async def test_the_systems_name_servers_are_found_or_done_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert module._stub(None).nameservers

    def missing(*_: object, **__: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.BaseResolver.read_resolv_conf", missing)
    assert module._stub(None).nameservers == ["127.0.0.1"]
