import asyncio
import time
from typing import Any

import pytest
from textual import events

from tests.support.pretend import Pretend
from tests.support.screens import Operator, dashboard
from tests.tui.test_configuration import opened, wishes
from tui import keys
from tui.screens.call import CallScreen
from tui.screens.config import ConfigScreen
from tui.screens.item import ItemScreen
from tui.screens.questions import Confirm

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def at_once(operator: Operator, *typed: str) -> None:
    """Pass keys on as the terminal's reader does that finds them all in one read."""
    for word in typed:
        named = (len(word) > 1 and not word.isalnum()) or word in _NAMED
        for key in [word] if named else list(word):
            character = " " if key == "space" else key if len(key) == 1 else None
            operator.app.post_message(events.Key(_CALLED.get(key, key), character))


_NAMED = {"enter", "tab", "escape", "space", "down"}
_CALLED = {"/": "slash", ":": "colon"}


async def test_what_is_typed_after_add_goes_into_the_new_row() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "routing")
        at_once(operator, "tab", "tab", "a", "300", "enter")
        await operator.until(lambda: isinstance(operator.app.screen, ItemScreen))
        await operator.sees("300")
        at_once(operator, "s", "a", "400", "ctrl+s", "J")
        await operator.until(lambda: operator.app.screen is screen)
        await operator.until(lambda: len(screen.draft.changes()) == 2)
        assert [one["value"]["name"] for one in screen.draft.changes()] == ["300", "400"]


async def test_what_is_typed_after_enter_goes_into_the_field_of_a_form() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "network")
        at_once(operator, "tab", "jjj", "enter", "5070", "enter", "k", "enter")
        await operator.until(
            lambda: screen.form.typing and bool(instance.commands("config.preview"))
        )
        assert wishes(instance, "config.preview") == [
            {"op": "set", "key": "network.port", "value": 5070}
        ]


async def test_what_is_pasted_after_enter_goes_into_the_field() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "basic")
        at_once(operator, "tab", "enter")
        operator.app.post_message(events.Paste("Head office"))
        at_once(operator, "enter")
        await operator.until(lambda: len(screen.draft) == 1)
        assert screen.draft.value("basic.description") == "Head office"


async def test_keys_for_a_question_do_not_go_to_the_list_behind_it() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("4")
        await operator.sees("1000")
        at_once(operator, "e", "n", "j", "e", "y")
        await operator.until(lambda: bool(instance.commands("calls.end")))
        await operator.until(lambda: not isinstance(operator.app.screen, Confirm))
        ids = [params["id"] for _, params in instance.commands("calls.end")]
        assert ids == ["call-1@192.0.2.7"]


async def test_a_screen_is_gone_to_and_a_row_of_it_opened_in_one_go() -> None:
    async with dashboard(Pretend()) as operator:
        at_once(operator, "4", "j", "enter")
        await operator.until(lambda: isinstance(operator.app.screen, CallScreen))
        assert operator.app.screen.call_id == "call-1@192.0.2.7"  # type: ignore[attr-defined]


async def test_a_setting_is_gone_to_and_changed_in_one_go() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        at_once(operator, ":", "config", "space", "network", "enter")
        at_once(operator, "tab", "jjj", "enter", "5070", "enter", "v", "a")
        await operator.until(lambda: bool(instance.commands("config.apply")))
        assert wishes(instance) == [{"op": "set", "key": "network.port", "value": 5070}]
        assert isinstance(operator.app.view, ConfigScreen)


async def test_a_filter_is_typed_in_one_go() -> None:
    async with dashboard(Pretend()) as operator:
        at_once(operator, "3", "/", "reception", "enter")
        await operator.sees("1 pass the filter reception")


async def test_a_slow_answer_does_not_keep_keys_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PATIENCE_S", 0.3)
    instance = Pretend()
    async with dashboard(instance) as operator:
        instance.waits["calls"] = asyncio.Event()
        began = time.monotonic()
        at_once(operator, "4", "3")
        await operator.sees("Phones – 3")
        assert time.monotonic() - began >= 0.3
        instance.waits["calls"].set()


async def test_textual_tells_what_is_to_be_done_after_a_redraw() -> None:
    """`Keys` looks at what Textual has inside, since it tells that nowhere."""
    async with dashboard(Pretend()) as operator:
        screen = operator.app.screen
        waits = "Textual has what follows a redraw elsewhere now: see tui/keys.py"
        assert not keys._after_redraw(screen)
        done = asyncio.Event()
        seen: list[bool] = []
        real = type(screen)._invoke_later  # where `call_after_refresh` leads to

        def noted(self: Any, *told: Any) -> None:
            real(self, *told)
            seen.append(keys._after_redraw(self))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(screen), "_invoke_later", noted)
            screen.call_after_refresh(done.set)
            await asyncio.wait_for(done.wait(), 20)
        assert seen, waits
        assert all(seen), waits
        await operator.until(lambda: not keys._after_redraw(screen))
