import re

import pytest

from centrex import api
from tests.support.pretend import Pretend
from tests.support.screens import LARGE, dashboard, lines, text
from tui.dialogs import DIALOGS
from tui.screens.help import HelpScreen
from tui.screens.main import MainScreen

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("calls", "Calls –"),
        ("regs", "Phones –"),
        ("regs 1002", "1 pass the filter"),
        ("relays", "Media relays –"),
        ("bans", "Bans –"),
        ("watch", "Watchers –"),
        ("route 9044", "Who rings when"),
        ("config media", "Media Proxy Support"),
        ("config Call R", "Routing plans"),
        ("call call-1@192.0.2.7", "who answered"),
        ("help calls", "Each line is a call in progress"),
        ("cals", "mean :calls?"),
        ("call", "wants a CALL-ID"),
    ],
)
async def test_commands_after_a_colon(line: str, title: str) -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("colon")
        operator.app.screen.query_one("Prompt Input").value = line  # type: ignore[attr-defined]
        await operator.press("enter")
        await operator.sees(title)


async def test_the_palette_knows_the_same_commands() -> None:
    async with dashboard(Pretend()) as operator:
        main = operator.app.screen
        await operator.press("ctrl+p")
        await operator.until(lambda: operator.app.screen is not main)
        await operator.press(*"bans")
        await operator.sees("not heard")
        palette = operator.app.screen
        for _ in range(20):  # the first Enter may only choose, and it still looks for more
            await operator.press("enter")
            await operator.pilot.pause(0.3)
            if operator.app.screen is not palette:
                break
        await operator.sees("Bans –")


async def test_screens_and_keys_are_reached_by_mouse() -> None:
    async with dashboard(Pretend()) as operator:
        place = text(operator.app).index("4 Calls")
        await operator.pilot.click("TopLine", offset=(place, 0))
        await operator.sees("Calls – 3")
        foot = text(operator.app).splitlines()[-1]
        await operator.pilot.click("KeyLine", offset=(foot.index("? help"), 0))
        await operator.sees("Each line is a call in progress")


async def test_help_has_the_page_of_the_screen_its_keys_and_the_commands() -> None:
    async with dashboard(Pretend(), size=(100, 90)) as operator:
        await operator.press("question_mark")
        await operator.sees("Three areas", "Keys on the screen you came from", "pause", ":quit")
        await operator.press("n")
        await operator.sees("Each line is a phone that is registered")
        await operator.press("escape")
        assert isinstance(operator.app.screen, MainScreen)


async def test_every_tab_of_the_configuration_has_its_page() -> None:
    async with dashboard(Pretend(), size=(100, 50)) as operator:
        await operator.press("2")
        await operator.sees("Basic Settings", "Description")
        for dialog in DIALOGS:
            operator.app.obey(f"help {dialog.name}")
            await operator.until(lambda: isinstance(operator.app.screen, HelpScreen))
            await operator.sees(dialog.title)
            assert operator.app.screen.query_one("Lines").count() > 5  # type: ignore[attr-defined]
            await operator.press("escape")


async def test_quitting_an_engine_of_our_own_asks_while_calls_are_up() -> None:
    instance = Pretend("in-process")
    async with dashboard(instance) as operator:
        await operator.press("q")
        shown = " ".join((await operator.sees("Stop the server?", "3 calls")).split())
        assert "no relay carries" not in shown, "a relay that carries calls stays with them"
        await operator.press("n")
        assert not instance.closed
        await operator.press("q", "y")
        await operator.until(lambda: instance.closed)


@pytest.mark.parametrize("reason", ["attached", "no calls", "confirm_exit off"])
async def test_quitting_does_not_ask_where_nothing_would_end(reason: str) -> None:
    instance = Pretend("attached" if reason == "attached" else "in-process")
    if reason == "no calls":
        instance.snapshot["calls"]["now"] = 0
    if reason == "confirm_exit off":
        instance.values = {"basic.confirm_exit": {"value": False, "origin": "file"}}
    async with dashboard(instance) as operator:
        await operator.press("q")
        await operator.until(lambda: instance.closed)


async def test_what_stands_against_a_start_is_told_whole_and_tried_again() -> None:
    instance = Pretend()
    tries: list[int] = []

    async def opener() -> api.Instance:
        tries.append(1)
        if len(tries) == 1:
            problem = api.Problem(
                file="office.toml",
                key="network.prot",
                message="unknown key",
                nearest="network.port",
            )
            raise api.ConfigError((problem,))
        return instance

    async with dashboard(opener=opener, begun="There is no server to show") as operator:
        await operator.sees("network.prot", "did you mean network.port?")
        await operator.press("r")
        await operator.sees("Statistics", "seconds=2")


async def test_the_first_start_asks_writes_and_tells_what_to_type_into_the_phones() -> None:
    instance, written = Pretend(), []

    def writer(answers: object) -> dict[str, object]:
        written.append(answers)
        if len(written) == 1:
            problem = api.Problem(file="", key="network.domain", message="is neither name nor IP")
            raise api.ConfigError((problem,))
        return {
            "file": "/etc/centrex/office.toml", "domain": "example.com", "server": "192.0.2.10",
            "port": 5060, "transports": ["UDP", "TCP"],
            "phones": [{"user": "1001", "login": "1001", "password": "geheim-7"}],
        }  # fmt: skip

    async def opener() -> api.Instance:
        return instance

    async with dashboard(opener=opener, writer=writer, begun="Welcome to Centrex") as operator:
        questions = len(api.setup_questions())
        for _ in range(questions):
            await operator.press("enter")
        await operator.sees("is neither name nor IP")
        operator.app.screen.query_one("#users").focus()
        for _ in range(questions):
            if len(written) < 2:
                await operator.press("enter")
        await operator.sees("geheim-7", "example.com", "5060")
        await operator.press("y")
        assert "geheim-7" in operator.app.clipboard
        await operator.press("enter")
        await operator.sees("Statistics", "office")
        assert "geheim-7" not in text(operator.app)


async def test_the_first_start_judges_each_answer_where_it_stands() -> None:
    written: list[object] = []

    def writer(answers: object) -> dict[str, object]:
        written.append(answers)
        problems = (
            api.Problem(file="", key="network.address", message="cannot be listened on"),
            api.Problem(file="", key="auth.credentials[0].login", message="is taken"),
            api.Problem(file="", key="basic.data_dir", message="cannot be written"),
        )
        raise api.ConfigError(problems)

    async def opener() -> api.Instance:
        return Pretend()

    async with dashboard(opener=opener, writer=writer, begun="Welcome to Centrex") as operator:
        await operator.until(lambda: "⏎ next  ⇧Tab back" in lines(operator.app)[-1])
        assert "command" not in lines(operator.app)[-1]
        await operator.press("no domain at all", "enter")
        shown = await operator.sees("✗ ")
        assert shown.index("SIP domain") < shown.index("✗ ") < shown.index("Address to listen")
        assert operator.app.focused is not None
        assert operator.app.focused.id == "domain"
        await operator.press("home", *["delete"] * 20, "example.com")
        await operator.sees_no_more("✗ ")
        await operator.press("enter", "enter", "many", "tab")
        await operator.sees("✗ must be a whole number")
        operator.app.screen.query_one("#port").focus()
        await operator.press("home", *["delete"] * 20, "5070", "enter", "enter")
        shown = await operator.sees("✗ cannot be listened on", "✗ is taken", "basic.data_dir")
        assert operator.app.focused.id == "address"
        assert written


async def test_the_help_is_searched_on_all_pages_at_once() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("question_mark")
        await operator.sees("The main screen")
        await operator.press("slash", *"wireshark")
        shown = await operator.sees("One call: what happened and why", "pcapng file for Wireshark")
        assert "The main screen" not in shown
        await operator.press("enter")
        await operator.sees("/wireshark", "1 of ")
        await operator.press("escape")
        await operator.sees("The main screen", "page 1 of", "n: ")
        await operator.press("slash", *"xyzzy", "enter")
        await operator.sees("nothing in the help passes")
        await operator.press("n")
        await operator.sees("page 2 of")
        await operator.press("escape")
        await operator.sees_no_more("page 2 of")


async def test_the_help_names_keys_and_says_what_they_do() -> None:
    async with dashboard(Pretend(), size=LARGE) as operator:
        await operator.press("question_mark")
        shown = await operator.sees("The main screen", "Keys on the screen")
        assert re.search(r"↓ j +down", shown)
        assert re.search(r"PgDn \^d +page down", shown)
        assert "pageup" not in shown
