"""Routing plans with real phones: a hunt over three, a voicemail, gateways with a password."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.phones import CLOSED, INCOMING, REGISTERED, UP, Baresip, settle
from tests.support.ports import free_port, loopback
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipp import Sipp, login_rows
from tests.support.wire import change, control

pytestmark = [pytest.mark.peer("baresip", "sipp"), pytest.mark.slow, pytest.mark.timeout(180)]
USERS = ["alice", "silent", "busy", "answers", "voicemail"]
QUICK: dict[str, object] = {
    "timeouts.start_response": 1,
    "timeouts.rollover": 2,
    "timeouts.final_answer": 5,
}


def baresip(stack: ExitStack, server: CentrexServer, folder: Path, *users: str) -> list[Baresip]:
    phones = [stack.enter_context(Baresip(user, server, folder)) for user in users]
    for phone in phones:
        phone.await_(REGISTERED)
    return phones


def plan(server: CentrexServer, *destinations: str) -> None:
    change(server, routing={"plans": [{"name": "sales", "destinations": list(destinations)}]})
    assert server.command("reload")[0] == 0


def test_a_hunt_over_three_phones(tmp_path: Path) -> None:
    """The first says nothing at all, the second is busy, the third answers."""
    with ExitStack() as stack:
        server = stack.enter_context(CentrexServer(tmp_path, users=USERS, overrides=QUICK))
        plan(server, "silent", "busy", "answers")
        silent = stack.enter_context(SipClient("silent", server))
        assert silent.register().status == 200
        alice, busy, answers = baresip(stack, server, tmp_path, "alice", "busy", "answers")
        alice.dial("sales")
        busy.await_(INCOMING)
        busy.hang_up()  # 486
        answers.await_(INCOMING)
        answers.accept()
        alice.await_(UP)
        answers.await_(UP)
        story = _story(server)
        assert "gave no sign of life" in story
        assert "refused: 486" in story
        alice.hang_up()
        answers.await_(CLOSED)
        settle(lambda: server.status()["statistics"]["calls"]["now"] == 0, "no leg is left")


def _story(server: CentrexServer) -> str:
    (call,) = control(server, "calls")["calls"]
    told = control(server, "explain", call_id=call["id"])
    return "\n".join(line["text"] for line in told["lines"])


def test_rollover_to_voicemail(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(CentrexServer(tmp_path, users=USERS, overrides=QUICK))
        plan(server, "answers", "voicemail")
        voicemail = stack.enter_context(Sipp("callee", server, tmp_path, count=1, hold_ms=50))
        with SipClient("voicemail", server) as phone:
            contact = f"<sip:voicemail@{voicemail.host}:{voicemail.port}>"
            assert phone.register(contact=contact).status == 200
        alice, desk = baresip(stack, server, tmp_path, "alice", "answers")
        alice.dial("sales")
        desk.await_(INCOMING)
        alice.await_(UP)
        desk.await_(CLOSED)
        assert "rang for" in _story(server)
        alice.hang_up()
        voicemail.finish()


def test_a_gateway_by_a_pattern_with_one_address_dead(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(CentrexServer(tmp_path, users=USERS, overrides=QUICK))
        gateway = stack.enter_context(Sipp("gateway", server, tmp_path, count=1, hold_ms=50))
        dead = loopback()
        row = {
            "name": "pstn",
            "addresses": [
                f"sip:{dead}:{free_port(dead)}",
                f"sip:{gateway.host}:{gateway.port}",
            ],
            "login": "our-account",
            "password": "its-password",
            "check_interval": 0,
        }
        rows = [{"pattern": r"9(\d+)", "destinations": [r"\1@pstn"]}]
        change(server, routing={"plans": rows, "gateways": [row]})
        assert server.command("reload")[0] == 0
        (alice,) = baresip(stack, server, tmp_path, "alice")
        alice.dial("9030123")
        alice.await_(UP)
        story = _story(server)
        assert "is tried in its place" in story
        assert "sent again with its login" in story
        alice.hang_up()
        gateway.finish()


def outside(server: CentrexServer, gateway: Sipp, password: str = "its-password") -> None:
    """Have calls to numbers with a 9 go to a gateway."""
    row = {
        "name": "pstn",
        "addresses": [f"sip:{gateway.host}:{gateway.port}"],
        "login": "our-account",
        "password": password,
        "check_interval": 0,
    }
    rows = [{"pattern": r"9(\d+)", "destinations": [r"\1@pstn"]}]
    change(server, routing={"plans": rows, "gateways": [row]})
    assert server.command("reload")[0] == 0


def test_a_gateway_that_asks_at_every_request(tmp_path: Path) -> None:
    """And takes no CSeq twice: hold and hang-up reach it, and the phone hears nothing of all that."""
    count = 20
    with ExitStack() as stack:
        md5: dict[str, object] = {"auth.algorithms": ["MD5"]}  # SIPp knows no other
        server = stack.enter_context(CentrexServer(tmp_path, users=USERS, overrides=md5))
        gateway = stack.enter_context(Sipp("strict_gateway", server, tmp_path, count=count))
        outside(server, gateway)
        files: dict[str, Sequence[Sequence[str]]] = {
            "callers.csv": login_rows(["alice"]),
            "callees.csv": [("9030123",)],
        }
        with Sipp("outside_caller", server, tmp_path, count=count, rate=20, files=files) as caller:
            assert caller.finish()["SuccessfulCall(C)"] == count
        assert gateway.finish()["SuccessfulCall(C)"] == count
        assert server.status()["statistics"]["calls"]["now"] == 0


def test_hold_and_hang_up_of_a_real_phone_at_a_gateway_that_asks(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(CentrexServer(tmp_path, users=USERS, overrides=QUICK))
        gateway = stack.enter_context(Sipp("asking_gateway", server, tmp_path, count=1))
        outside(server, gateway)
        (alice,) = baresip(stack, server, tmp_path, "alice")
        alice.dial("9030123")
        alice.await_(UP)
        alice.hold()
        settle(lambda: _story(server).count("sent again with its login") == 2, "it is held")
        alice.hang_up()
        gateway.finish()
