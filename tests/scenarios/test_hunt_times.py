"""When a caller is told that nobody answered: to the moment, whatever phones and gateways do meanwhile."""

from typing import Any

import pytest

from centrex.proxy.patience import Patience
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, names, rules, start
from tests.support.hunting import hunted, phones, planned
from tests.support.proxy import Proxy

DEAD = tuple(f"198.51.100.{number}" for number in range(1, 5))
TWO: dict[str, Any] = {
    "name": "two",
    "addresses": tuple(f"sip:{host}" for host in DEAD),
    "check_interval": 0,
}


@pytest.fixture
def proxy() -> Proxy:
    patience = Patience(start_response_s=5, rollover_s=20, final_answer_s=60)
    return Proxy(users=["alice", "desk", "mobile"], patience=patience, trusted=["192.0.2.7"])


@pytest.fixture
def people(proxy: Proxy) -> dict[str, Phone]:
    return phones(proxy)


def until(proxy: Proxy, what: str, most: float = 1000.0) -> float:
    """Return how many seconds pass until something leaves, to a twentieth."""
    began = proxy.now
    while proxy.now < began + most:
        if what in names(proxy.advance(0.05)):
            return round(proxy.now - began, 2)
    raise AssertionError(f"no {what}")


def rings(proxy: Proxy, phone: Phone, sent: Sent) -> bytes:
    invite = phone.gets(sent, "INVITE")
    phone.says(invite, 180)
    return invite


@pytest.mark.parametrize("final", [7, 60, 300, 3600])
def test_the_last_one_rings_for_its_time(
    proxy: Proxy, people: dict[str, Phone], final: int
) -> None:
    """However long that is, and however seldom the phone says that it still rings (timer C)."""
    proxy.core.patience = Patience(final_answer_s=final)
    invite = rings(proxy, people["desk"], people["alice"].calls("desk"))
    assert final <= until(proxy, "CANCEL", 4000) <= final + 0.1
    assert "480" in names(people["desk"].says(invite, 487)), "at once where the phone obeys"


def test_where_the_phone_does_not_obey_it_is_a_second_more(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    rings(proxy, people["desk"], people["alice"].calls("desk"))
    assert 61 <= until(proxy, "480") <= 61.2


def test_where_there_is_no_sign_of_life_it_is_sooner(
    proxy: Proxy, people: dict[str, Phone]
) -> None:
    people["alice"].calls("desk")
    assert 5 <= until(proxy, "408") <= 5.1


@pytest.mark.parametrize("maximum", [3, 12])
def test_dead_addresses_of_a_gateway_stretch_no_limit(
    proxy: Proxy, people: dict[str, Phone], maximum: int
) -> None:
    """Each is silent for 5 s; all destinations together have less than four times that."""
    proxy.core.patience = Patience(start_response_s=5, call_maximum_s=maximum)
    planned(proxy, hunted("5@two"), gateways=[TWO])
    people["alice"].calls("sales")
    assert maximum <= until(proxy, "408") <= maximum + 0.2
    assert rules(proxy).count(Rule.GATEWAY_SILENT) == (maximum - 1) // 5


def test_nor_does_one_that_rings_behind_them(proxy: Proxy, people: dict[str, Phone]) -> None:
    proxy.core.patience = Patience(start_response_s=5, call_maximum_s=12)
    planned(proxy, hunted("5@two"), gateways=[TWO])
    people["alice"].calls("sales")
    sent = proxy.advance(5.05)
    gateway = Phone(proxy, "gw", DEAD[1], register=False)
    invite = rings(proxy, gateway, [one for one in sent if start(one[1]) == "INVITE"])
    cancelled = 5.05 + until(proxy, "CANCEL")
    assert 12 <= cancelled <= 12.2
    assert "480" in names(gateway.says(invite, 487))


def test_timers_are_of_few_durations(proxy: Proxy, people: dict[str, Phone]) -> None:
    """What is left of a limit is another number for each call; of each there would be a queue for ever."""
    proxy.core.patience = Patience(start_response_s=5, call_maximum_s=12, rollover_s=11)
    planned(proxy, hunted("desk", "mobile"))
    before = len(proxy.core.layer.timers._queues)
    for number in range(30):
        more = {"branch": f"z9hG4bK{number}", "call_id": f"c{number}"}
        invite = rings(proxy, people["desk"], people["alice"].calls("sales", **more))
        proxy.advance(8 + number * 0.0317)
        people["desk"].says(invite, 486)
        proxy.advance(60)
    assert len(proxy.core.layer.timers._queues) - before < 20


@pytest.mark.parametrize("obeys", [True, False])
def test_a_phone_that_is_to_ring_again_may_stop_ringing_first(
    proxy: Proxy, people: dict[str, Phone], *, obeys: bool
) -> None:
    """It would take the second INVITE for a copy of the first: 482, merged request (§8.2.2.2)."""
    planned(proxy, hunted("desk", "desk", "mobile"))
    invite = rings(proxy, people["desk"], people["alice"].calls("sales"))
    proxy.advance(19.9)
    sent = proxy.advance(0.2)
    assert names(sent) == ["CANCEL"]
    if obeys:
        sent = people["desk"].says(invite, 487)
        assert names(sent) == ["ACK", "INVITE"]
    else:
        assert "INVITE" not in names(proxy.advance(0.3))
        sent = proxy.advance(0.3)
        assert "INVITE" in names(sent), "it has half a second"
    people["desk"].says(next(data for _, data in sent if start(data) == "INVITE"), 180)
    assert "INVITE" not in names(proxy.advance(19.7))
    sent = proxy.advance(0.4)
    assert {"CANCEL", "INVITE"} <= set(names(sent)), "another phone rings at once"


def test_an_answer_in_that_half_second_wins(proxy: Proxy, people: dict[str, Phone]) -> None:
    planned(proxy, hunted("desk", "desk"))
    invite = rings(proxy, people["desk"], people["alice"].calls("sales"))
    proxy.advance(20.1)
    assert names(people["desk"].says(invite, 200)) == ["200"]
    assert "INVITE" not in names(proxy.advance(5))
