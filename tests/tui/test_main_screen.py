import asyncio
from pathlib import Path
from typing import Any

import pytest

from centrex import api
from tests.support.pretend import Pretend, event
from tests.support.screens import LARGE, SMALL, dashboard, text
from tui.widgets.activity_log import told_first

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
async def test_it_shows_the_three_areas_of_the_original(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.history._KEPT", 1)  # one bar, however many figures have come
    async with dashboard(Pretend(), size=size) as operator:
        shown = await operator.sees("Settings", "Activity", "Statistics", "seconds=2")
        for fact in ("office", "example.com", "5060", "memory, 12 users", "1 of 2 online"):
            assert fact in shown
        for figure in (
            "peak 41",
            "failed 7",
            "refused 3",
            "sessions 3",
            "messages in",
            "messages out",
        ):
            assert figure in shown
        for rate in ("1.5/s 88/min", "0.4/s 23/min", "22/s", "21/s", "298 packets/s"):
            assert rate in shown
        await operator.matches(f"main-{size[0]}x{size[1]}")


async def test_events_appear_as_they_come_and_the_log_follows() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        rows = [event(number, text=f"line number {number}") for number in range(200)]
        instance.batches.put_nowait({"rows": rows, "lost": 7})
        shown = await operator.sees("line number 199", "203 lines", "7 lost")
        assert "line number 150" not in shown


async def test_a_paused_log_stands_still_and_tells_what_it_missed() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("p")
        instance.batches.put_nowait({"rows": [event(9, text="came later")], "lost": 0})
        shown = await operator.sees("paused, 1 new")
        assert "came later" not in shown
        await operator.press("p")
        await operator.sees("came later", "following")


async def test_who_moves_up_reads_on_undisturbed_until_he_goes_to_the_end() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        rows = [event(number, text=f"line number {number}") for number in range(100)]
        instance.batches.put_nowait({"rows": rows, "lost": 0})
        await operator.sees("line number 99")
        await operator.press("k", "k", "k")
        await operator.sees("line 100")
        instance.batches.put_nowait({"rows": [event(3, text="the newest")] * 40, "lost": 0})
        await operator.sees("143 lines")
        assert "the newest" not in text(operator.app)
        await operator.press("G")
        await operator.sees("the newest", "following")


async def test_it_filters_by_words_and_by_kinds() -> None:
    instance = Pretend()
    instance.recent = [
        event(1, kind="calls", text="about a call"),
        event(2, kind="network", text="about the network", severity="warning"),
        event(3, kind="errors", text="about a failure", severity="error"),
    ]
    async with dashboard(instance) as operator:
        await operator.press("slash", "severity:warn")
        await operator.sees_no_more("about a call")
        assert "about the network" in text(operator.app)
        await operator.press("escape")
        await operator.sees("about a call")
        await operator.press("t", "j", "j", "space", "enter")  # calls off
        await operator.sees_no_more("about a call")
        assert "about a failure" in text(operator.app)


async def test_a_line_leads_to_its_call_and_a_registration_to_its_phone() -> None:
    instance = Pretend()
    instance.recent = [
        event(1, kind="registrations", aor="sip:1001@example.com", text="registration.added"),
        event(2, text="call.ended"),
    ]
    async with dashboard(instance) as operator:
        await operator.press("k", "j", "enter")
        await operator.sees("1001 called 1002")
        assert instance.commands("call")[0][1] == {"id": "call-2@192.0.2.7"}
        await operator.press("escape", "k", "enter")
        await operator.sees("Phones", "sip:1001@example.com")


async def test_lines_are_copied_and_written(tmp_path: Path) -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("k", "y")
        await operator.sees("copied")
        assert "call.ended" in operator.app.clipboard
        file = tmp_path / "log.txt"
        await operator.press("w")
        field = operator.app.screen.query_one("Prompt Input")
        field.value = str(file)  # type: ignore[attr-defined]
        await operator.press("enter")
        await operator.sees("wrote")
    assert file.read_text().count("\n") == 3


async def test_one_user_with_one_phone_is_told_so() -> None:
    instance = Pretend()
    instance.status["registrar"].update(users=1, bindings=1)
    instance.status["auth"]["logins"] = 1
    async with dashboard(instance) as operator:
        await operator.sees("1 user, 1 phone ", "1 login\n")
        await operator.press("t", "space", "enter")
        await operator.sees("1 kind off")


async def test_where_a_file_is_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    async with dashboard(Pretend(), size=LARGE) as operator:
        await operator.press("w")
        await operator.sees("write to: ~/here/office-main-20261126T091502.txt")
        await operator.press("enter")
        await operator.sees("wrote", "/here/office-main-")
        await operator.press("w", "ctrl+u", *"my.txt", "enter")
        await operator.until((folder / "my.txt").exists)
        assert [
            toast for toast in operator.app._notifications if f"{folder}/my.txt" in toast.message
        ]
    assert len(list(folder.iterdir())) == 2


async def test_a_server_that_is_only_starting_is_not_away() -> None:
    instance, ready = Pretend(), asyncio.Event()

    async def opener() -> api.Instance:
        await ready.wait()
        return instance

    async with dashboard(opener=opener, begun="starting") as operator:
        assert "away" not in text(operator.app)
        await operator.press("4")
        shown = await operator.sees("Calls – 0", "… it is starting")
        assert "cannot be reached" not in shown
        ready.set()
        await operator.sees_no_more("starting")
        await operator.sees("Calls – 3")


async def test_a_lost_instance_is_told_and_found_again() -> None:
    instance = Pretend("attached")
    async with dashboard(instance) as operator:
        instance.gone = "the socket is gone"
        await operator.sees("✗ away")
        instance.gone = ""
        operator.app.feed.retry()
        await operator.sees_no_more("✗ away")
        await operator.sees("3 lines")  # what was known already is not shown again


async def test_who_was_refused_and_why_stands_in_sight_at_80_columns() -> None:
    instance = Pretend()
    refused = (
        'call.refused src="udp 198.51.100.177:40112" method=INVITE from="sip:1001@example.com" '
        'to="sip:1002@example.com" status=403 why="wrong = \\x22password\\x22" call-id="a b"'
    )
    instance.recent = [event(1, severity="warning", text=refused, name="call.refused")]
    async with dashboard(instance) as operator:
        shown = await operator.sees("call.refused status=403 from=")
        assert "src=" not in shown
        await operator.press("k", "y")
        await operator.sees("copied")
        assert 'call.refused src="udp' in operator.app.clipboard


def test_facts_are_put_in_order_and_none_is_lost() -> None:
    assert told_first('a.b src=x n=1 why="b c" to="" from=1 call-id=z') == (
        'a.b from=1 why="b c" n=1 to="" src=x call-id=z'
    )
    for odd in ("", "server.started", "no facts here", 'odd src="x', "a src=x said so"):
        assert told_first(odd) == odd


async def test_what_is_refused_ends_no_engine() -> None:
    """To let go of an engine of our own is to stop it."""

    def refuse(params: dict[str, object]) -> dict[str, object]:
        raise api.Refused("refused", "the answer is too long", {})

    instance = Pretend()
    instance.answers["config"] = instance.answers["relays"] = refuse
    async with dashboard(instance) as operator:
        await operator.sees("config: the answer is", "relays: the answer is")
        before = len(instance.commands("snapshot"))
        operator.app.feed.look()
        await operator.until(lambda: len(instance.commands("snapshot")) > before + 1)
        assert not instance.closed
        assert "✗ away" not in text(operator.app)


@pytest.mark.parametrize("mode", ["in-process", "attached"])
async def test_an_engine_that_answers_late_is_not_let_go_of(mode: Any) -> None:
    instance = Pretend(mode)
    first = True

    def late(params: dict[str, object]) -> dict[str, object]:
        nonlocal first
        if first:
            first = False
            raise api.Unavailable("no answer within 10 s")
        return instance.snapshot

    async with dashboard(instance) as operator:
        instance.answers["snapshot"] = late
        await operator.sees("✗ away")
        assert instance.closed == (mode == "attached")
        await operator.sees_no_more("✗ away")


async def test_the_bound_of_the_log_and_its_colours_come_from_the_settings() -> None:
    instance = Pretend()
    instance.values = {
        "basic.activity_lines": {"value": 100, "origin": "file"},
        "basic.theme": {"value": "nord", "origin": "file"},
    }
    async with dashboard(instance) as operator:
        await operator.until(lambda: operator.app.theme == "nord")
        instance.batches.put_nowait({"rows": [event(1)] * 500, "lost": 0})
        await operator.until(lambda: operator.app.activity.ring.gone > 0)
        assert len(operator.app.activity.ring) == 100
        await operator.sees("100 lines")


async def test_thousands_of_lines_a_second_leave_the_keys_quick() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        for _ in range(40):
            instance.batches.put_nowait({"rows": [event(1)] * 500, "lost": 0})
        await operator.until(lambda: operator.app.activity.ring.gone >= 15_000)
        await operator.press("4")
        await operator.sees("Calls – 3")


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
async def test_what_is_typed_is_seen_above_the_keys(size: tuple[int, int]) -> None:
    async with dashboard(Pretend(), size=size) as operator:
        await operator.press("colon", *"config med")
        shown = await operator.sees(":config med", "⏎ take it", "Esc cancel")
        assert "/ filter" not in shown, "it would be typed"
        rows = text(operator.app).rstrip("\n").splitlines()
        assert "config med" in rows[-2]
        await operator.press("escape", "slash", *"needle")
        await operator.sees("/needle")
        await operator.press("escape", "w")
        await operator.sees("write to:")


_LONG = (
    "nobody can call from outside: " + "a plan leads to a gateway that is none, " * 12 + "the end"
)


async def test_warnings_take_whole_lines_and_are_read_in_full_by_a_key() -> None:
    instance = Pretend()
    instance.status["warnings"] = ["the clock is wrong", _LONG]
    async with dashboard(instance) as operator:
        shown = await operator.sees("⚠ the clock is wrong", "⚠ nobody can call", "… i shows all")
        assert "Activity – " in shown
        assert shown.count("a plan leads to") < 12
        await operator.press("i")
        await operator.sees("192.0.2.10:5060", "nobody can call")
        await operator.press("y")
        assert _LONG in operator.app.clipboard
        await operator.press("G")
        await operator.sees("the end")


async def test_there_is_room_for_a_long_warning_on_a_large_screen() -> None:
    instance = Pretend()
    instance.status["warnings"] = [_LONG]
    async with dashboard(instance, size=LARGE) as operator:
        shown = await operator.sees("the end")
        assert "shows all" not in shown


@pytest.mark.parametrize("gone", ["", "the socket is gone"])
async def test_the_head_of_a_read_only_dashboard_names_every_screen(gone: str) -> None:
    instance = Pretend("attached", read_only=True)
    async with dashboard(instance, read_only=True) as operator:
        instance.gone = gone
        await operator.sees("read-only", "✗ away" if gone else "office")
        head = text(operator.app).partition("\n")[0]
        assert len(head) <= 80
        for place in ("[1 Main]", "2 C", "3 P", "4 C", "5 R", "6 B", "7 W", "8 R"):
            assert place in head
        if not gone:
            for title in ("Conf", "Phon", "Call", "Rela", "Bans", "Watc", "Rout", "office"):
                assert title in head


async def test_a_refused_call_and_a_refused_registration_lead_to_their_ladders() -> None:
    instance = Pretend()
    instance.recent = [
        event(
            1, kind="registrations", name="registration.refused", aor="sip:1001@example.com",
            text="registration.refused status=404",
        ),
        event(2, name="call.refused", text="call.refused status=480", severity="debug"),
    ]  # fmt: skip
    async with dashboard(instance) as operator:
        await operator.press("k", "enter")
        await operator.sees("1001 called 1002")
        await operator.press("escape", "j", "enter")
        await operator.until(lambda: len(instance.commands("call")) > 1)
        ids = {params["id"] for _, params in instance.commands("call")}
        assert ids == {"call-1@192.0.2.7", "call-2@192.0.2.7"}


async def test_what_is_amiss_with_media_is_told_where_there_is_any() -> None:
    instance = Pretend()
    instance.snapshot["media_amiss"] = {"media-one-way": 2, "media-unrelayed": 1, "media-late": 0}
    async with dashboard(instance) as operator:
        shown = await operator.sees("bans 1 amiss 3", "298 packets/s")
        assert "watched" not in shown
    async with dashboard(instance, size=(130, 40)) as operator:
        await operator.sees("bans 1 amiss 3 (one-way 2, unrelayed 1) watched 0", "298 packets/s")


async def test_the_reasons_of_drops_give_way_to_the_rate() -> None:
    instance = Pretend()
    instance.snapshot["drops"] = {"a-reason-of-many-letters-indeed": 1_000_000, "other": 3}
    async with dashboard(instance) as operator:
        shown = await operator.sees("dropped 1.0M", "22/s")
        assert "a-reason" not in shown
    async with dashboard(instance, size=(120, 40)) as operator:
        await operator.sees("dropped 1.0M (a-reason-of-many-letters-indeed 1.0M, other 3)", "22/s")
