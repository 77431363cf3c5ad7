"""The tester tells what a call would meet."""

import datetime as dt
from typing import Any

from centrex.routing.plans import Plans
from centrex.routing.settings import Plan
from centrex.routing.tester import Limits, Question, StandingView, try_route

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
LIMITS = Limits(rollover_s=20, final_answer_s=120, call_maximum_s=0)
VIEW = StandingView(
    {"a", "b", "gate", "round", "turn"},
    {
        "door": "sip:door@192.0.2.9",
        "b": "sip:b@192.0.2.8",
        "gate": "sip:Door@here",
        "round": "sip:turn@here",
        "turn": "sip:round@here",
    },
    ["Here"],
    str.lower,
)


def ask(number: str, *rows: dict[str, Any], limits: Limits = LIMITS) -> dict[str, Any]:
    question = Question(number=number, when=NOON, may_leave=True, zone="UTC", live=False)
    plans = Plans([Plan(**row) for row in rows], str.lower)
    return try_route(question, plans, {}, VIEW, limits)


def test_the_time_line() -> None:
    row = {
        "name": "n",
        "destinations": ({"to": "door", "ring": 7}, "a", "B", "sip:door@here", "sip:x@far"),
    }
    told = ask("N", row)
    assert [(step["from_s"], step["ring_s"]) for step in told["steps"]] == [
        (0, 7), (7, 0), (7, 20), (27, 20), (47, 120),
    ]  # fmt: skip
    assert told["seconds"] == 167
    assert told["steps"][1]["why"] == "no phone is registered"
    assert told["steps"][3]["uris"] == ["sip:door@192.0.2.9"]
    assert told["plan"] == {"index": 0, "number": 1, "key": "n", "groups": ["N"]}
    assert "somebody answers" in told["outcome"]
    short = Limits(rollover_s=20, final_answer_s=120, call_maximum_s=40)
    assert ask("N", row, limits=short)["seconds"] == 40


def test_where_the_limit_for_all_cuts() -> None:
    row = {"name": "n", "destinations": ("sip:x@far", "sip:y@far", "sip:z@far")}
    told = ask("n", row, limits=Limits(rollover_s=20, final_answer_s=120, call_maximum_s=30))
    assert [(step["ring_s"], step["cut"]) for step in told["steps"]] == [
        (20, False), (10, True), (0, True),
    ]  # fmt: skip
    assert told["steps"][1]["why"] == "cut short: all together have 30 s"
    assert told["steps"][2]["why"] == "not tried: the 30 s for all together are over"
    assert "timeouts.call_maximum ends it early" in told["outcome"]
    assert "call_maximum" not in ask("n", row)["outcome"]


def test_without_a_plan() -> None:
    assert ask("a")["outcome"] == "480: no phone is registered"
    assert ask("zz")["outcome"] == "404: there is no such user"
    assert ask("door")["steps"][0]["uris"] == ["sip:door@192.0.2.9"]
    assert ask("door")["plan"] is None
    assert ask("gate")["steps"][0]["uris"] == ["sip:door@192.0.2.9"]
    assert ask("round")["outcome"] == "480: no phone is registered"


def test_a_plan_that_is_not_in_force() -> None:
    told = ask("N", {"name": "n", "destinations": ("door",), "times": ("sat",)})
    assert told["outcome"] == "480: its routing plan is not in force now"
    assert told["looked"][0]["why"] == "not at this time"
    row = {"name": "door", "destinations": ("a",), "times": ("sat",)}
    assert ask("door", row)["steps"][0]["uris"] == ["sip:door@192.0.2.9"]
    assert ask("a", {**row, "name": "a"})["outcome"] == "480: no phone is registered"


def test_none_can_be_reached() -> None:
    assert ask("n", {"name": "n", "destinations": ("a",)})["outcome"].startswith("480: none")


def test_whether_it_leads_anywhere() -> None:
    """By what is written alone a user's phones may be there; nobody's may not."""
    assert not ask("zz")["leads"]
    assert ask("a")["leads"]
    assert ask("door")["leads"]
    assert ask("n", {"name": "n", "destinations": ("zz", "a")})["leads"]
    assert not ask("n", {"name": "n", "destinations": ("zz", "yy")})["leads"]
    assert not ask("n", {"name": "n", "destinations": ("a",), "times": ("sat",)})["leads"]
    question = Question(number="a", when=NOON, may_leave=True, zone="UTC", live=True)
    assert not try_route(question, Plans([], str.lower), {}, VIEW, LIMITS)["leads"]


def test_the_time_and_its_zone() -> None:
    told = ask("a")
    assert (told["at"], told["zone"]) == ("2026-11-26T12:00+00:00", "UTC")
