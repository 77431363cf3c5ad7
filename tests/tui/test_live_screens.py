import base64
from pathlib import Path

import pytest

from tests.support.pretend import RELAYS, Pretend, call_row, registration
from tests.support.screens import LARGE, SMALL, dashboard, text
from tui.app import Dashboard
from tui.screens.view import View

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


SCREENS = [
    ("3", "registrations", "Phones – 3"),
    ("4", "calls", "Calls – 3"),
    ("5", "relays", "Media relays – 2"),
    ("6", "bans", "Bans – 1"),
    ("7", "subscriptions", "Watchers – 0"),
]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
@pytest.mark.parametrize(("key", "name", "title"), SCREENS, ids=[one[1] for one in SCREENS])
async def test_each_looks_as_it_did(key: str, name: str, title: str, size: tuple[int, int]) -> None:
    async with dashboard(Pretend(), size=size) as operator:
        await operator.press(key)
        await operator.sees(title)
        await operator.matches(f"{name}-{size[0]}x{size[1]}")


async def test_a_phone_is_removed_after_a_yes() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("3")
        await operator.sees("reception")
        await operator.press("j", "d")
        await operator.sees("Remove this phone?", "sip:1002@example.com")
        await operator.press("n")
        assert not instance.commands("registrations.remove")
        await operator.press("d", "y")
        await operator.sees("Phones – 2", "removed 1")
        wish = instance.commands("registrations.remove")[0][1]
        assert wish["aor"] == "sip:1002@example.com"
        assert wish["contact"].startswith("sip:1002@")


async def test_all_phones_of_a_user_are_removed_by_another_key() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("3")
        await operator.sees("reception")
        await operator.press("j", "D")
        await operator.sees("Remove all phones of this user?")
        await operator.press("y")
        await operator.sees("Phones – 2", "removed 1")
        assert instance.commands("registrations.remove")[0][1] == {"aor": "sip:1002@example.com"}


async def test_only_a_whole_address_is_asked_for_at_the_server() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("3")
        await operator.sees("reception")
        await operator.press("slash", "sip:1002@")
        before = len(instance.commands("registrations"))
        await operator.until(lambda: len(instance.commands("registrations")) > before)
        await operator.sees("1 pass the filter sip:1002@", "Phones – 3")
        await operator.press("example.com")
        await operator.until(lambda: "aor" in instance.commands("registrations")[-1][1])
        assert {one[1].get("aor") for one in instance.commands("registrations")} <= {
            None, "sip:1002@e", "sip:1002@ex", "sip:1002@exa", "sip:1002@exam", "sip:1002@examp",
            "sip:1002@exampl", "sip:1002@example", "sip:1002@example.", "sip:1002@example.c",
            "sip:1002@example.co", "sip:1002@example.com",
        }  # fmt: skip


async def test_a_call_is_ended_after_a_yes() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("4")
        await operator.sees("● up")
        await operator.press("e", "y")
        await operator.sees("is being ended")
        assert instance.commands("calls.end")[0][1] == {"id": "call-0@192.0.2.7"}


async def test_a_relay_is_drained_and_its_streams_are_shown() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("5")
        await operator.sees("embedded", "✗ silent")
        await operator.press("d", "y")
        await operator.sees("embedded is draining")
        assert instance.commands("relays.drain")[0][1] == {"name": "embedded", "on": True}
        await operator.press("enter")
        await operator.sees(
            "streams of embedded", "data path: nftables", "heard at 198.51.100.7:4000"
        )


async def test_a_ban_is_released() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("6")
        await operator.sees("198.51.100.99")
        await operator.press("d", "y")
        await operator.sees("heard again")
        assert instance.commands("bans.release")[0][1] == {"source": "198.51.100.99"}


async def test_that_nobody_can_watch_yet_is_said() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("7")
        await operator.sees("older version")


async def test_rows_are_sorted_by_keys_and_by_mouse_and_the_cursor_stays_on_its_row() -> None:
    instance = Pretend()
    instance.registrations = [
        registration("1001", expires_s=30),
        registration("1002", expires_s=10),
        registration("1003", expires_s=20),
    ]
    async with dashboard(instance) as operator:
        await operator.press("3")
        await operator.sees("1003")
        await operator.press("O")
        await operator.sees("User▼")
        order = [row["aor"] for row in _table(operator.app).shown]
        assert order == [f"sip:{user}@example.com" for user in ("1003", "1002", "1001")]
        chosen = _table(operator.app).chosen
        await operator.press("o", "o", "o", "o")
        await operator.sees("Expires▲")
        assert [row["expires_s"] for row in _table(operator.app).shown] == [10, 20, 30]
        assert _table(operator.app).chosen == chosen
        await operator.pilot.click("Table", offset=(3, 0))
        await operator.sees("User▲")
        await operator.pilot.click("Table", offset=(5, 3))
        await operator.until(lambda: _table(operator.app).cursor == 2)


async def test_rows_are_filtered_and_escape_shows_all() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("3", "slash", "user:rec")
        await operator.sees("1 pass the filter")
        await operator.press("enter")
        assert "1002" not in text(operator.app)
        await operator.press("escape")
        await operator.sees("1002")


async def test_columns_are_chosen() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("3", "c", "j", "space", "enter")
        await operator.sees_no_more("Contact")
        assert "Device" in text(operator.app)


async def test_a_row_and_a_table_are_copied() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("3")
        await operator.sees("reception")
        await operator.press("y")
        assert operator.app.clipboard.startswith("1001\t")
        await operator.press("Y")
        assert operator.app.clipboard.splitlines()[0].startswith("User\t")
        assert len(operator.app.clipboard.splitlines()) == 4


async def test_a_table_is_written_but_never_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "phones.txt"
    file.write_text("mine")
    async with dashboard(Pretend()) as operator:
        await operator.press("3")
        await operator.sees("reception")
        for target, told in ((file, "is there already"), (tmp_path / "other.txt", "wrote")):
            await operator.press("w")
            operator.app.screen.query_one("Prompt Input").value = str(target)  # type: ignore[attr-defined]
            await operator.press("enter")
            await operator.sees(told)
    assert file.read_text() == "mine"
    assert (tmp_path / "other.txt").read_text().count("\n") == 4
    assert (tmp_path / "other.txt").stat().st_mode & 0o777 == 0o600


async def test_five_thousand_calls_are_no_burden() -> None:
    instance = Pretend()
    instance.calls = [call_row(number) for number in range(5000)]
    async with dashboard(instance) as operator:
        await operator.press("4")
        await operator.sees("Calls – 5000")
        await operator.press("G")
        await operator.until(lambda: _table(operator.app).cursor == 4999)


async def test_a_call_is_seen_as_a_ladder_with_its_messages() -> None:
    instance = Pretend()
    async with dashboard(instance, size=LARGE) as operator:
        await operator.press("4")
        await operator.sees("● up")
        await operator.press("enter")
        await operator.sees(
            "who answered after 5 seconds", "INVITE 1002", "407 Proxy", "◆ 1002 has"
        )
        await operator.matches("call-200x60")
        await operator.sees("m=audio 4000", "CSeq: 1 INVITE")
        await operator.press("j")
        await operator.sees("decided by the server", "challenged")
        await operator.press("d")
        await operator.sees_no_more("◆")


async def test_on_a_small_screen_the_message_takes_the_ladders_place() -> None:
    async with dashboard(Pretend()) as operator:
        operator.app.open_call("call-1@192.0.2.7")
        await operator.sees("INVITE 1002")
        await operator.matches("call-80x24")
        await operator.press("enter")
        await operator.sees("CSeq: 1 INVITE")
        await operator.press("escape")
        await operator.sees("407")
        await operator.press("escape")
        await operator.sees("Settings")


@pytest.mark.parametrize(("key", "form"), [("w", "text"), ("P", "pcapng")])
async def test_a_call_is_exported(key: str, form: str, tmp_path: Path) -> None:
    instance = Pretend()
    instance.answers["call.export"] = lambda params: {
        "data": base64.b64encode(f"as {params['format']}".encode()).decode(),
        "name": "x",
    }
    file = tmp_path / "call.out"
    async with dashboard(instance) as operator:
        operator.app.open_call("call-1@192.0.2.7")
        await operator.sees("INVITE 1002")
        await operator.press(key)
        operator.app.screen.query_one("Prompt Input").value = str(file)  # type: ignore[attr-defined]
        await operator.press("enter")
        await operator.until(file.exists)
    assert file.read_text() == f"as {form}"


async def test_read_only_shows_the_keys_that_change_and_obeys_none_of_them() -> None:
    instance = Pretend("attached", read_only=True)
    async with dashboard(instance, read_only=True) as operator:
        await operator.sees("read-only")
        for key, act in (("3", "d"), ("4", "e"), ("5", "d"), ("6", "d")):
            await operator.press(key)
            await operator.pilot.pause(0.2)
            await operator.press(act)
            assert isinstance(operator.app.screen, View)
        assert not instance.commands("registrations.remove", "calls.end", "relays.drain")


def _table(app: Dashboard):  # type: ignore[no-untyped-def]
    return app.screen.table  # type: ignore[attr-defined]


async def test_a_row_that_does_not_fit_is_read_in_full() -> None:
    instance = Pretend()
    reason = "its logins were refused again and again, " * 4 + "as [network.guard] has it"
    instance.bans[0].update(reason=reason, until="2026-11-26T10:05:02.125Z")
    async with dashboard(instance) as operator:
        await operator.press("6")
        shown = await operator.sees("198.51.100.99", "2026-11-26 10:05:02")
        assert "as [network.guard]" not in shown
        await operator.press("enter")
        await operator.sees("╭─ Bans", "its logins were refused", "[network.guard] has it")
        await operator.press("y")
        assert reason in operator.app.clipboard
        await operator.press("escape", "4")
        await operator.sees("Calls – 3")
        await operator.press("i")
        await operator.sees("udp 198.51.100.7:40112", "tcp 203.0.113.9:5060", "call-0@192.0.2.7")


async def test_the_ladder_is_filtered_by_words_and_by_parts() -> None:
    async with dashboard(Pretend()) as operator:
        operator.app.open_call("call-1@192.0.2.7")
        await operator.sees("INVITE 1002")
        await operator.press("slash", *"text:ringing", "enter")
        shown = await operator.sees("2 of 13 pass /text:ringing", "180 Ringing")
        assert "ACK 1002" not in shown
        await operator.press("y")
        assert "180 Ringing" in operator.app.clipboard
        await operator.press("slash", *"nonsense", "enter")
        await operator.sees("no entry passes the filter")
        await operator.press("escape")
        await operator.sees("ACK 1002")
        await operator.press("slash", *"kind:decision", "enter")
        await operator.sees("2 of 13 pass", "1002 has one phone")
        await operator.press("escape", "escape")
        await operator.sees("Statistics")


async def test_what_is_told_of_a_relay_is_wrapped_not_cut() -> None:
    instance = Pretend()
    row = {**RELAYS[0], "why": "word " * 30 + "last-of-all"}
    instance.answers["relays"] = lambda _: {"relays": [row]}
    async with dashboard(instance) as operator:
        await operator.press("5")
        await operator.sees("embedded")
        await operator.press("enter")
        await operator.sees("Figures and streams of embedded", "last-of-all")


async def test_the_chosen_call_stays_in_sight_as_others_begin() -> None:
    instance = Pretend()
    instance.calls = [call_row(number) for number in range(50)]

    def begin_more(count: int) -> None:
        first = len(instance.calls)
        rows = (
            call_row(one, id=f"new-{one}", duration_s=1.0) for one in range(first, first + count)
        )
        instance.calls = [*rows, *instance.calls]

    async with dashboard(instance) as operator:
        await operator.press("4")
        await operator.sees("Calls – 50")
        await operator.press("j", "j")
        await operator.sees("›1002")
        for count in (10, 40, 15):
            begin_more(count)
            await operator.sees(f"Calls – {len(instance.calls)}", "›1002", "▼")
        instance.calls = instance.calls[-50:]
        await operator.sees("Calls – 50", "›1002")
        await operator.press("g")
        begin_more(40)
        await operator.sees("Calls – 90", "›1050")


async def test_the_footer_names_the_filter_where_it_works_only() -> None:
    async with dashboard(Pretend(), size=LARGE) as operator:
        for key, title in enumerate(("Phones", "Calls", "Media", "Bans", "Watchers"), 3):
            await operator.press(str(key))
            await operator.sees(title, "/ filter")
        await operator.press("2")
        await operator.sees("Description", "/ filter")
        await operator.press("8", "escape")
        await operator.sees_no_more("/ filter")
