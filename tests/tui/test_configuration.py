from typing import Any

import pytest

from centrex import api
from tests.support.pretend import Pretend
from tests.support.screens import LARGE, SMALL, Operator, dashboard, text
from tui.dialogs import DIALOGS
from tui.draft import Draft
from tui.screens.config import ConfigScreen

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def opened(operator: Operator, tab: str = "") -> ConfigScreen:
    if not isinstance(operator.app.screen, ConfigScreen):
        await operator.press("2")
        await operator.sees("Description")
    if tab:
        operator.app.obey(f"config {tab}")
        title = next(dialog.title for dialog in DIALOGS if dialog.name == tab)
        await operator.until(lambda: _title(operator) == title)
        await operator.pilot.pause()
    screen = operator.app.screen
    assert isinstance(screen, ConfigScreen)
    return screen


def _title(operator: Operator) -> str:
    screen = operator.app.screen
    return screen.dialog.title if isinstance(screen, ConfigScreen) else ""


def wishes(instance: Pretend, command: str = "config.apply") -> Any:
    return instance.commands(command)[-1][1]["changes"]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda dialog: dialog.name)
async def test_each_tab_looks_as_it_did(dialog: Any, size: tuple[int, int]) -> None:
    async with dashboard(Pretend(), size=size) as operator:
        screen = await opened(operator)
        for _ in range(DIALOGS.index(dialog)):
            await operator.press("j")
        await operator.until(lambda: screen.dialog is dialog)
        await operator.matches(f"config-{dialog.name}-{size[0]}x{size[1]}")


async def test_the_tabs_stand_in_the_order_of_the_original() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator)
        shown = text(operator.app)
        places = [
            shown.index(f" {dialog.title}" if i else dialog.title)
            for i, dialog in enumerate(DIALOGS)
        ]
        assert places == sorted(places)
        assert len(DIALOGS) == 13


async def test_what_explains_a_setting_or_a_list_is_not_cut_where_there_is_room() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "routing")
        await operator.press("tab")
        redirects = str(screen.described["routing"]["keys"][0]["help"]).split()
        await operator.sees(redirects[0], redirects[-1], "calls that begin later follow it")
        await operator.press("tab")
        await operator.sees("Exact names first", "the first that fits decides", "u undo")


async def test_a_value_is_typed_reviewed_and_applied() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "network")
        await operator.press("tab", "j", "j", "j", "enter", "5070", "enter")
        await operator.sees("● Server port", "5070")
        assert wishes(instance, "config.preview") == [
            {"op": "set", "key": "network.port", "value": 5070}
        ]
        await operator.press("v")
        await operator.sees("+port = 5070", "all sockets are opened anew", "↻ network.port")
        await operator.matches("review-80x24")
        assert not instance.commands("config.apply")
        await operator.press("a")
        await operator.sees("applied")
        (command,) = instance.commands("config.apply")
        assert command[1] == {
            "fingerprint": "f1",
            "changes": [{"op": "set", "key": "network.port", "value": 5070}],
            "confirm_s": 0,
        }
        await operator.sees_no_more("● Server port")


async def test_what_is_typed_is_judged_while_it_is_typed_and_escape_leaves_it() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "network")
        await operator.press("tab", "j", "j", "j", "enter", "99999")
        await operator.sees("must be between 0 and 65535")
        await operator.press("enter")
        await operator.sees("must be between 0 and 65535")
        await operator.press("escape")
        await operator.sees_no_more("must be between")
        assert not instance.commands("config.preview")


async def test_switches_and_choices_and_several_choices() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "media")
        await operator.press("tab", "enter")  # media.mode
        await operator.sees("◉ auto")
        await operator.press("j", "enter")
        await operator.sees("● ")
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter")
        await operator.sees("✗ no")
        await opened(operator, "network")
        await operator.press("tab", "j", "j", "j", "j", "enter")
        await operator.sees("[✓] udp", "[ ] tls")
        await operator.press("j", "j", "space", "enter")
        await operator.sees("udp, tcp, tls")
        keys = {one["key"]: one["value"] for one in wishes(instance, "config.preview")}
        assert keys["network.transports"] == ["udp", "tcp", "tls"]
        assert keys["basic.start_engine"] is False
        assert keys["media.mode"] == "always"


async def test_edits_are_taken_back_one_by_one_or_all() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "basic")
        await operator.press("tab", "j", "enter")
        assert len(screen.draft) == 1
        await operator.press("u")
        assert len(screen.draft) == 0
        await operator.press("enter", "j", "enter")
        assert len(screen.draft) == 2
        await operator.press("U", "y")
        await operator.until(lambda: len(screen.draft) == 0)


async def test_what_the_instance_finds_wrong_stands_at_the_field_and_at_its_tab() -> None:
    instance = Pretend()
    instance.preview["problems"] = [
        {
            "key": "network.domain",
            "message": "is neither a host name nor an IP address",
            "nearest": "",
        }
    ]
    async with dashboard(instance) as operator:
        await opened(operator, "network")
        await operator.press("tab", "enter", "no domain", "enter")
        await operator.sees("✗ Domain name", "is neither a host name")
        await operator.sees("Network Configuration    ✗")
        await operator.press("v")
        await operator.sees("Nothing can be applied")
        await operator.press("a")
        assert not instance.commands("config.apply")


async def test_changes_that_must_be_confirmed_are_counted_down_and_kept() -> None:
    instance = Pretend()
    instance.applied["confirm_by"] = "2026-11-26T09:16:02Z"
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        await operator.sees("In the file")
        await operator.press("c")
        await operator.sees("The changes are in force", "Rolled back by itself in", "58 s")
        await operator.press("4")
        await operator.sees("Calls – ", "Rolled back by itself in", "K keep them")
        await operator.press("K")
        await operator.sees("kept")
        await operator.sees_no_more("Rolled back by itself")
        assert instance.commands("config.apply")[0][1]["confirm_s"] == 60
        assert instance.commands("config.confirm")


async def test_changes_that_are_not_kept_are_rolled_back() -> None:
    instance = Pretend()
    instance.applied["confirm_by"] = "2026-11-26T09:16:02Z"
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        await operator.sees("In the file")
        await operator.press("c")
        await operator.sees("The changes are in force")
        await operator.press("R")
        await operator.sees("rolled back")
        assert instance.commands("config.rollback")
        await operator.press("2")
        await operator.sees_no_more("The changes are in force")


async def test_the_review_cuts_no_words() -> None:
    instance = Pretend()
    words = "calls that are up go on, " * 6 + "and this is the end"
    instance.preview["effects"] = [
        {"key": "routing.plans", "effect": "live", "old": "a" * 70, "new": "z" * 70, "words": words}
    ]
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        shown = await operator.sees("In the file", "What it does")
        assert shown.count("calls that are up") >= 1
        assert shown.count("go on,") == 6
        assert "this is the end" in " ".join(shown.replace("│", " ").split())
        squeezed = "".join(
            line[line.index("│") :].rpartition("│")[0].strip("│ ▁▂▃▄▅▆▇█")
            for line in shown.splitlines()
            if line.count("│") > 1
        )
        assert "a" * 70 in squeezed.replace(" ", "")
        assert "z" * 70 in squeezed.replace(" ", "")


async def test_what_the_time_or_somebody_else_decides_ends_the_reminder() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        operator.app.await_decision("2026-11-26T09:15:12Z", 60)
        await operator.sees("Rolled back by itself in 10 s")
        operator.app._decided("kept")
        await operator.sees_no_more("Rolled back by itself")
        assert operator.app.waiting is None


def _conflict(instance: Pretend) -> None:
    def refuse(params: dict[str, Any]) -> dict[str, Any]:
        if params["fingerprint"] == "f1":
            instance.opened = {**instance.opened, "fingerprint": "f2"}
            raise api.Refused("conflict", "the file was changed meanwhile", {"fingerprint": "f2"})
        return instance.applied

    instance.answers["config.apply"] = refuse


@pytest.mark.parametrize("keep", [True, False])
async def test_two_editors_do_not_overwrite_each_other_silently(keep: bool) -> None:
    instance = Pretend()
    _conflict(instance)
    async with dashboard(instance) as operator:
        screen = await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.sees("was changed by somebody else meanwhile")
        if keep:
            await operator.press("enter")
            await operator.sees("In the file")
            await operator.press("a")
            await operator.sees("applied")
            assert instance.commands("config.apply")[-1][1]["fingerprint"] == "f2"
        else:
            await operator.press("j", "enter")
            await operator.until(lambda: len(screen.draft) == 0)
            assert screen.draft.fingerprint == "f2"


async def test_a_plan_is_added_moved_switched_off_duplicated_and_deleted() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "a", "300", "enter")
        await operator.press("s")
        await operator.sees("+ new", "– 4")
        await operator.press("K")
        await operator.press("space")
        await operator.sees("✗ off")
        await operator.press("c", "301", "enter", "s")
        await operator.sees("– 5")
        await operator.press("g", "x", "y")
        await operator.sees("– 4")
        ops = [one["op"] for one in wishes(instance, "config.preview")]
        assert ops == ["add", "move", "update", "add", "delete"]
        await operator.press("u")
        await operator.sees("– 5")


async def test_rows_are_edited_and_searched() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "routing")
        await operator.press("slash", "Outside", "enter")
        await operator.sees("1 pass")
        await operator.press("enter")
        await operator.sees("Row 2", r"9(\d+)")
        await operator.press("escape", "escape")
        await operator.sees("1001, 1002")


async def test_a_row_without_what_it_needs_is_not_taken() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "directory")
        await operator.press("tab", "a", "enter", "s")
        await operator.sees("is required")


async def test_a_login_gets_a_password_that_is_shown_once() -> None:
    instance = Pretend()
    instance.applied["passwords"] = {"1003": "Kuh-Blau-77"}
    async with dashboard(instance) as operator:
        await opened(operator, "auth")
        await operator.press("tab", "tab")
        await operator.press("a", "1003", "enter", "s")
        await operator.sees("Password of 1003", "make one up")
        await operator.press("enter")
        await operator.sees("+ new")
        await operator.press("v")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.sees("Kuh-Blau-77", "shown only now")
        changes = wishes(instance)
        assert [one["op"] for one in changes] == ["add", "password"]
        assert changes[1]["login"] == "1003"
        assert changes[1]["password"] is None
        await operator.press("y")
        assert operator.app.clipboard == "1003\tKuh-Blau-77\n"
        await operator.press("enter")
        await operator.sees_no_more("Kuh-Blau-77")


async def test_the_list_of_logins_names_the_file_of_others() -> None:
    instance = Pretend()
    instance.opened["values"]["auth"]["credentials_file"] = "isp.htdigest"
    async with dashboard(instance) as operator:
        await opened(operator, "auth")
        await operator.sees("Logins – 2 · and those of isp.htdigest")


async def test_a_password_is_typed_unseen() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "auth")
        await operator.press("tab", "tab", "p", "j", "enter", "geheim")
        assert "geheim" not in text(operator.app)
        await operator.press("enter")
        await operator.sees("● password")
        assert wishes(instance, "config.preview")[0]["password"] == "geheim"
        assert "geheim" not in text(operator.app)


async def test_a_read_only_dashboard_shows_all_and_edits_nothing() -> None:
    async with dashboard(Pretend("attached", read_only=True), read_only=True) as operator:
        screen = await opened(operator, "basic")
        await operator.sees("nothing can be changed here")
        await operator.press("tab", "j", "enter")
        assert len(screen.draft) == 0


async def test_what_comes_with_a_later_version_says_so() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator)
        for name, told in screen.described.items():
            if not told["available"] and name in {dialog.name for dialog in DIALOGS}:
                operator.app.obey(f"config {name}")
                await operator.sees("comes with a later")


async def test_a_dialog_with_several_lists_shows_one_after_the_other() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "routing")
        lists = screen.lists_of(screen.dialog)
        assert len(lists) > 1
        for one in lists[1:]:
            await operator.press("L")
            await operator.sees(f"{one['label']} – 0")
        await operator.press("L")
        await operator.sees("Routing plans – 3")


async def test_a_theme_is_one_of_those_there_are() -> None:
    instance = Pretend()
    instance.values = {"basic.theme": {"value": "nrod", "origin": "file"}}
    async with dashboard(instance) as operator:
        await operator.sees("✗ basic.theme: there is no theme")
        screen = await opened(operator, "basic")
        await operator.press("tab", "G", "enter")
        await operator.sees("◉ (none)", "○ nord")
        await operator.press("G", "enter")
        await operator.until(lambda: len(screen.draft) == 1)
        assert screen.draft.value("basic.theme") in operator.app.available_themes


async def test_nobody_leaves_unasked_while_changes_wait() -> None:
    async with dashboard(Pretend("attached")) as operator:
        operator.app.await_decision("2026-11-26T09:15:32Z", 60)
        await operator.sees("Rolled back by itself in")
        await operator.press("q")
        await operator.sees("Leave without keeping them?", "rolls them back in")
        await operator.press("n")
        await operator.sees_no_more("Leave without keeping them?")


async def test_the_review_of_a_broken_file_names_the_line() -> None:
    instance = Pretend()

    def broken(params: dict[str, Any]) -> dict[str, Any]:
        problem = {"key": "(file)", "message": "TOML cannot be read", "line": 366}
        raise api.Refused("invalid", "broken", {"problems": [problem]})

    instance.answers["config.preview"] = broken
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        shown = await operator.sees("(file)  line 366", "TOML cannot be read")
        assert "In the file" not in shown


async def test_nobody_leaves_with_edits_unasked() -> None:
    async with dashboard(Pretend()) as operator:
        draft = operator.app.draft = Draft({"values": {}, "origins": {}})
        draft.set("network.domain", "example.org")
        await operator.press("q")
        await operator.sees("Leave without them?", "1 edit of the configuration is not applied")
        await operator.press("escape")
        await operator.sees_no_more("Leave without them?")
        assert operator.app.is_running


async def test_who_comes_while_changes_wait_is_reminded_of_them_too() -> None:
    instance = Pretend("attached")
    instance.status.update(confirm_by="2026-11-26T09:16:02Z", confirm_left_s=47.4)
    async with dashboard(instance) as operator:
        await operator.sees("The changes are in force", "Rolled back by itself in 4", "K keep")
        await operator.press("4")
        await operator.sees("Calls – ", "Rolled back by itself in 4")
        instance.status.update(confirm_by="", confirm_left_s=0.0)
        operator.app.feed.look()
        await operator.sees_no_more("Rolled back by itself")
        assert operator.app.waiting is None
        instance.status.update(confirm_by="2026-11-26T09:17:02Z", confirm_left_s=60.0)
        operator.app.feed.look()
        await operator.sees("Rolled back by itself in")
        await operator.press("K")
        await operator.until(lambda: bool(instance.commands("config.confirm")))


async def test_who_may_change_nothing_sees_the_reminder_without_its_keys() -> None:
    instance = Pretend("attached", read_only=True)
    instance.status.update(confirm_by="2026-11-26T09:16:02Z", confirm_left_s=47.4)
    async with dashboard(instance, read_only=True) as operator:
        shown = await operator.sees("Rolled back by itself in 4")
        assert "keep them" not in shown
        await operator.press("K", "R")
        assert not instance.commands("config.confirm", "config.rollback")


async def test_settings_are_filtered_by_label_and_key_on_every_tab() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "network")
        await operator.press("tab", "slash", *"label:port")
        shown = await operator.sees("Server port", "settings and rows pass /label:port")
        assert "Domain name" not in shown
        await operator.press("enter")
        assert {one["key"] for one in screen.form.rows.items if isinstance(one, dict)} == {
            "network.port", "network.transports", "network.tls_port"
        }  # fmt: skip
        assert "Media Proxy Support      /" in text(operator.app)
        await operator.press("right_square_bracket")
        await operator.sees("no setting here passes the filter")
        await operator.press("escape")
        await operator.sees_no_more("passes the filter")
        await operator.press("left_square_bracket", "tab", "slash", *"network.domain", "enter")
        await operator.sees("Domain name")
        await operator.press("enter", *"example.net", "enter")
        await operator.sees("● Domain name")
        await operator.press("escape")
        await operator.sees("Server port", "● Domain name")
        await operator.press("escape")
        assert screen.tabs.has_focus


async def test_a_filter_goes_for_settings_and_rows_at_once() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "routing")
        await operator.press("slash", *"reception", "enter")
        await operator.sees("1 pass /reception")
        assert screen.table.has_focus
        await operator.press("escape")
        await operator.sees_no_more("1 pass")


async def test_all_methods_are_chosen_or_some_of_them_but_not_both() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "auth")
        screen.set_focus(screen.form.rows)
        screen.form.rows.choose("auth.methods")
        await operator.press("enter")
        await operator.sees("[✓] * (all of them)", "[ ] REGISTER")
        await operator.press("j", "space")
        await operator.sees("[ ] * (all of them)", "[✓] REGISTER")
        await operator.press("j", "space")
        await operator.sees("[✓] INVITE")
        await operator.press("k", "k", "space")
        await operator.sees("[✓] * (all of them)", "[ ] REGISTER", "[ ] INVITE")
        await operator.press("j", "space", "enter")
        await operator.sees("● Methods")
        assert wishes(instance, "config.preview")[-1]["value"] == ["REGISTER"]


async def test_the_review_leaves_out_what_is_empty_before_and_after() -> None:
    instance = Pretend()
    instance.preview["effects"] = [
        {"key": "auth.credentials[1003].login", "old": None, "new": "1003", "effect": "live"},
        {"key": "auth.credentials[1003].note", "old": None, "new": "", "effect": "live"},
        {"key": "auth.credentials[1003].users", "old": None, "new": [], "effect": "live"},
        {"key": "media.secret", "old": "***", "new": "***", "effect": "live"},
    ]
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        shown = await operator.sees("1003 is added", "another one (***)")
        assert "note" not in shown
        assert "(none) → (none)" not in shown
