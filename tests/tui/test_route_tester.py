"""The route tester at the keys, and with a real engine."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex import api
from tests.support.pretend import FORBIDDEN, HOSTILE, ROUTE, Pretend
from tests.support.screens import LARGE, SMALL, dashboard, text
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tui.route import answer_lines, bar, scale
from tui.widgets.lines import cells

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def asked(instance: Pretend) -> list[dict[str, Any]]:
    return [params for _, params in instance.commands("route.test")]


@given(
    st.floats(0, 7200), st.floats(0, 7200), st.integers(24, 170),
)  # fmt: skip
def test_a_bar_stands_where_its_time_is(begins: float, rings: float, room: int) -> None:
    total = begins + rings
    drawn = bar(begins, rings, total, room)
    assert len(drawn) == room
    assert "█" in drawn
    assert "█" not in drawn[: max(0, round(begins / total * room) - 1) if total else 0]
    assert len(scale(total, room)) <= max(room, 3)


def test_what_rings_later_stands_further_right() -> None:
    assert bar(0, 15, 60, 40) == "█" * 10 + " " * 30
    assert bar(15, 45, 60, 40) == "·" * 10 + "█" * 30
    assert scale(60, 40).split() == ["0", "s", "15", "30", "45"]


@pytest.mark.parametrize("width", [40, 78, 198])
def test_every_line_fits_and_nothing_of_it_commands_the_terminal(width: int) -> None:
    hostile: dict[str, Any] = {
        **ROUTE,
        "outcome": HOSTILE,
        "looked": [{**ROUTE["looked"][1], "key": HOSTILE, "why": HOSTILE}],
        "steps": [{**step, "to": HOSTILE, "why": HOSTILE} for step in ROUTE["steps"]],
    }
    for answer in (ROUTE, hostile):
        lines = answer_lines(answer, width)
        assert max(map(cells, lines)) <= max(width, 65)
        shown = "".join(api.shown(run, 4096) for line in lines for run, _ in line)
        assert not [one for one in FORBIDDEN if one in shown]


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
async def test_it_looks_as_it_did(size: tuple[int, int]) -> None:
    async with dashboard(Pretend(), size=size) as operator:
        await operator.press("8")
        await operator.sees("Nobody is called")
        await operator.press(*"9044", "enter")
        await operator.sees("Who rings when", "0–15 s")
        await operator.matches(f"route-{size[0]}x{size[1]}")


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_the_answer_follows_what_is_typed() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("8", *"9044")
        await operator.sees(
            "Who rings when",
            "9044 at 2026-11-26T10:15+01:00 (Europe/Berlin)",
            "no phone is registered",
        )
        assert asked(instance)[-1] == {"number": "9044", "from": "", "at": ""}
        await operator.press("down", *"1001", "down", *"2026-12-24T18:30", "enter")
        await operator.until(
            lambda: (
                asked(instance)[-1] == {"number": "9044", "from": "1001", "at": "2026-12-24T18:30"}
            )
        )
        await operator.press("y")
        assert operator.app.clipboard.startswith("9044: rings until")
        await operator.press("1")
        await operator.sees("Statistics")


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_what_makes_no_sense_is_said() -> None:
    instance = Pretend()

    def refuse(params: dict[str, Any]) -> dict[str, Any]:
        raise api.Refused("not-found", "there is no user nobody", {})

    instance.answers["route.test"] = refuse
    async with dashboard(instance) as operator:
        await operator.press("8", *"1")
        await operator.sees("✗ there is no user nobody")


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_edits_not_applied_are_counted_in_or_left_out() -> None:
    instance = Pretend()
    async with dashboard(instance, size=(120, 40)) as operator:
        operator.app.obey("config routing")
        await operator.sees("Routing plans – 3")
        await operator.press("tab", "tab", "space")
        await operator.press("t")
        await operator.sees("1 edit not applied, counted in", "with 1 edit not yet applied")
        assert asked(instance)[-1]["number"] == "100"
        assert asked(instance)[-1]["changes"][0]["op"] == "update"
        assert asked(instance)[-1]["fingerprint"] == "f1"
        await operator.press("escape", "e")
        await operator.sees("left out; e counts them in")
        assert "changes" not in asked(instance)[-1]


@pytest.mark.slow
@pytest.mark.wire
@pytest.mark.timeout(60)
async def test_a_real_engine_answers_by_its_phones_and_by_edits(tmp_path: Path) -> None:
    with CentrexServer(tmp_path, users=("1001", "1002")) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CENTREX_ROOT", server._root.name)
            paths = api.instance_paths("", server.config)
        with SipClient("1001", server) as phone:
            phone.register()
            instance = await api.attach(paths, read_only=True)

            async def opener() -> api.Instance:
                return instance

            opened = await instance.ask("config.open")
            plan = {"name": "300", "destinations": ["1001", "1002"], "enabled": True}
            added = {"op": "add", "list": "routing.plans", "at": None, "value": plan}
            told = await instance.ask(
                "route.test",
                {"number": "300", "fingerprint": opened["fingerprint"], "changes": [added]},
            )
            assert told["edited"]
            assert [bool(step["uris"]) for step in told["steps"]] == [True, False]
            entry = {"name": "fax", "contact": "sip:fax@192.0.2.9", "enabled": True}
            standing = {"op": "add", "list": "directory.entries", "at": None, "value": entry}
            told = await instance.ask("route.test", {"number": "fax", "changes": [standing]})
            assert told["steps"][0]["uris"] == ["sip:fax@192.0.2.9"]
            assert (await instance.ask("route.test", {"number": "fax"}))["outcome"].startswith(
                "404"
            )
            broken = {"op": "set", "key": "network.port", "value": 70_000}
            with pytest.raises(api.Refused) as refused:
                await instance.ask("route.test", {"number": "1", "changes": [broken]})
            assert next(api.iter_problems(refused.value))["key"] == "network.port"
            async with dashboard(opener=opener) as operator:
                await operator.press("8", *"1001", "enter")
                await operator.sees("Who rings when", f"sip:1001@{phone.sent_by}")
                await operator.press("enter")
                operator.app.obey("route 1002")
                await operator.sees("480: no phone is registered")
                assert "not yet applied" not in text(operator.app)
            await instance.close()
