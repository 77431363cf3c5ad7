"""A thousand calls over a path that loses two packets in a hundred, each way, on both sides."""

from pathlib import Path

import pytest

from tests.support.lossy import LossyPath
from tests.support.manycalls import Callees, Callers, Clockwork
from tests.support.phones import settle
from tests.support.ports import loopback
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(180)]
CALLS, RATE = 1000, 60
LOSS = 0.02
USERS = 20


def test_no_call_of_a_thousand_fails(tmp_path: Path) -> None:
    callers = [f"caller{number}" for number in range(USERS)]
    callees = [f"callee{number}" for number in range(USERS)]
    clockwork = Clockwork()
    with (
        CentrexServer(tmp_path, users=[*callers, *callees]) as server,
        LossyPath(
            (server.host, server.port), [loopback(), loopback()], loss=LOSS, seed=20260211
        ) as path,
    ):
        taken = Callees(clockwork, path.leg(1), loopback(), path.leg(1), ring_s=0.1)
        made = Callers(clockwork, path.leg(0), loopback(), server.domain, hold_s=0.3)
        try:
            contact = f"sip:%s@{path.leg(1)[0]}:{path.leg(1)[1]}"
            for callee in callees:
                with SipClient(callee, server) as phone:
                    assert phone.register(contact=f"<{contact % callee}>").status == 200
            # The leg learns where its client is by this packet.
            taken.side.send(b"\r\n\r\n")
            for number in range(CALLS):
                caller, callee = callers[number % USERS], callees[number * 7 % USERS]
                clockwork.after(
                    number / RATE,
                    lambda a=caller, b=callee: made.call(a, b),  # type: ignore[misc]
                )
            sides = [made.side, taken.side]
            begun = clockwork.run(sides, lambda: len(made.calls) == CALLS, timeout=60)
            assert begun, f"only {len(made.calls)} calls could be begun in a minute"
            clockwork.run(sides, lambda: not made.open, timeout=70)
            failed = [(call.call_id, call.status) for call in made.in_state("failed")]
            assert not failed
            assert len(made.in_state("ended")) == CALLS
            assert len(taken.answered) == CALLS
            assert taken.ended == taken.answered
        finally:
            made.side.close()
            taken.side.close()
        assert 0.01 < path.lost / (path.lost + path.passed) < 0.03
        settle(lambda: server.status()["statistics"]["calls"]["now"] == 0, "no call is left")
        calls = server.status()["statistics"]["calls"]
        assert calls["total"] == CALLS
        assert calls["failed"] == 0
