"""What the core costs without sockets: microseconds per complete call, OPTIONS, REGISTER and plan found.

Run it as `python -m tests.bench.micro [-p]`; `-p` profiles the calls instead.
"""

import cProfile
import datetime as dt
import gc
import pstats
import sys
import time
from collections.abc import Callable

from centrex.routing.plans import Plans
from centrex.routing.settings import Plan
from centrex.sip.message import parse
from centrex.sip.names import RECORD_ROUTE
from tests.support.proxy import DOMAIN, Proxy, request, respond

_SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
_HEADERS = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\nContent-Type: application/sdp\n"
Step = tuple[bytes, bool]


def call_script(proxy: Proxy, number: int, *, described: bool = False) -> list[Step]:
    """Play one call slowly and return what its ends sent: (message, whether the callee sent it).

    Args:
        proxy: A proxy that knows bob.
        number: Makes the call one of its own.
        described: Whether the answer describes the callee's media too.
    """
    alice, bob = proxy.flows.get("192.0.2.7", 5060), proxy.flows.get("192.0.2.8", 5060)
    steps: list[Step] = []
    call_id, tag = f"bench-{number}@192.0.2.7", f"a{number}"
    invite = request(
        "INVITE",
        f"sip:bob@{DOMAIN}",
        alice,
        extra=f"Contact: <sip:alice@192.0.2.7:5060>\n{_HEADERS}",
        body=_SDP,
        call_id=call_id,
        from_tag=tag,
    )
    steps.append((invite, False))
    sent = proxy.receive(invite, alice)[-1][1]
    contact = "Contact: <sip:bob@192.0.2.8:5060>"
    for status in (180, 200):
        if described and status == 200:
            answer = respond(
                sent,
                status,
                extra=f"{contact}\nContent-Type: application/sdp",
                body=_SDP.replace("192.0.2.7", "192.0.2.8"),
            )
        else:
            answer = respond(sent, status, extra=contact)
        steps.append((answer, True))
        proxy.receive(answer, bob)
    message = parse(sent)
    recorded = b"\n".join(message.lines[i] for i in message.indices(RECORD_ROUTE))
    route = recorded.replace(b"Record-Route", b"Route").decode()
    for method, cseq in (("ACK", 1), ("BYE", 2)):
        data = request(
            method,
            "sip:bob@192.0.2.8:5060",
            alice,
            target=f"sip:bob@{DOMAIN}",
            to_tag="b",
            cseq=cseq,
            extra=route,
            call_id=call_id,
            from_tag=tag,
        )
        steps.append((data, False))
        sent = proxy.receive(data, alice)[-1][1]
    answer = respond(sent, 200)
    steps.append((answer, True))
    proxy.receive(answer, bob)
    return steps


def fresh() -> Proxy:
    """Return a proxy that knows bob."""
    proxy = Proxy(users=["alice", "bob"])
    proxy.register("bob", proxy.flows.get("192.0.2.8", 5060))
    return proxy


def talks(
    proxy: Proxy, scripts: list[list[Step]], between: Callable[[], None] = lambda: None
) -> Callable[[], None]:
    """Return what plays calls, and does something after each."""
    core, sends = proxy.core, proxy.core.sends
    alice, bob = proxy.flows.get("192.0.2.7", 5060), proxy.flows.get("192.0.2.8", 5060)

    def calls() -> None:
        now = 1000.0
        for steps in scripts:
            now += 0.005
            for data, from_callee in steps:
                core.receive(data, bob if from_callee else alice, now)
                sends.clear()
                if core.relaying is not None:
                    core.relaying.tell(now)
            core.events.clear()
            core.expire(now)
            between()

    return calls


def spent(work: Callable[[], None], count: int) -> float:
    """Run once and return the CPU time per unit, µs."""
    gc.collect()
    gc.freeze()
    gc.disable()  # as the engine has it
    began = time.process_time()
    work()
    return (time.process_time() - began) / count * 1e6


def timed(name: str, work: Callable[[], None], count: int) -> None:
    """Run once and print the CPU time per unit."""
    print(f"{name:10} {spent(work, count):7.1f} us")  # noqa: T201


def main() -> None:
    """Measure."""
    count = 3000
    proxy = fresh()
    scripts = [call_script(proxy, number) for number in range(count)]
    # the same seed gives the same branches, so what the ends said can be said again
    proxy = fresh()
    alice = proxy.flows.get("192.0.2.7", 5060)
    core, sends = proxy.core, proxy.core.sends
    calls = talks(proxy, scripts)
    if "-p" in sys.argv:
        profile = cProfile.Profile()
        profile.runcall(calls)
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    timed("call", calls, count)
    assert core.statistics.calls_total == count, core.statistics.calls_total
    assert not len(core.calls), len(core.calls)
    pings = [request("OPTIONS", f"sip:{DOMAIN}", alice, call_id=f"o{i}") for i in range(count)]
    registers = [
        request(
            "REGISTER",
            f"sip:{DOMAIN}",
            alice,
            sender=f"u{i}",
            target=f"sip:u{i}@{DOMAIN}",
            call_id=f"r{i}",
            extra=f"Contact: <sip:u{i}@192.0.2.7:5060>\nExpires: 3600",
        )
        for i in range(count)
    ]
    for name, messages in (("options", pings), ("register", registers)):

        def feed(messages: list[bytes] = messages) -> None:
            for data in messages:
                core.receive(data, alice, 1020.0)
                sends.clear()
                core.events.clear()

        timed(name, feed, count)
    timed("plan", _plans_asked(count), count)


def _plans_asked(count: int) -> Callable[[], None]:
    """Return what has the plan found for a number by the last of 300 patterns, with 700 names."""
    names = [Plan(name=f"u{n}", destinations=("a", "b")) for n in range(700)]
    patterns = [Plan(pattern=rf"{n:03}9(\d{{2,9}})", destinations=(r"\1@gw",)) for n in range(300)]
    plans = Plans([*names, *patterns], str.lower)
    when = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
    assert plans.find("299912345", lambda: when) is not None

    def ask() -> None:
        for _ in range(count):
            plans.find("299912345", lambda: when)

    return ask


if __name__ == "__main__":
    main()
