import pytest

from tests.support.pretend import Pretend
from tests.support.screens import dashboard
from tests.tui.test_configuration import opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def effect(key: str, old: object, new: object, **values: object) -> dict[str, object]:
    return {"key": key, "old": old, "new": new, "effect": "live", "words": "at once", **values}


async def test_the_review_tells_what_else_comes_in_force() -> None:
    instance = Pretend()
    instance.preview["effects"] = [effect("timeouts.final_answer", 7, 30, in_force=120)]
    instance.preview["also"] = [effect("media.mode", "auto", "never")]
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        await operator.sees("timeouts.final_answer  7 → 30  (in force: 120)")
        await operator.sees("Also comes in force", "media.mode  auto → never")


async def test_the_review_tells_what_is_odd_and_what_of_it_is_new() -> None:
    instance = Pretend()
    instance.preview["warnings"] = [
        {"key": "media.secret", "message": "is short", "fresh": False},
        {"key": "routing.plans[3]", "message": "there is no user 1002", "fresh": True},
    ]
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        shown = await operator.sees("there is no user 1002", "is short")
        places = [
            shown.index(words)
            for words in ("These edits make odd", "no user 1002", "Odd before, too", "is short")
        ]
        assert places == sorted(places)


async def test_what_is_not_in_force_is_marked_at_its_field_its_list_and_its_tab() -> None:
    instance = Pretend()
    instance.opened["in_force"] = {"timeouts.final_answer": 90, "routing.plans": None}
    async with dashboard(instance) as operator:
        await opened(operator, "timeouts")
        await operator.sees("↻ in force: 90 s", "Call Processing Timeouts ↻")
        await operator.press("tab", "j", "j")
        await operator.sees("in force differs from the file until", "it is reloaded")
        await opened(operator, "routing")
        await operator.sees("Routing plans – 3 · ↻ not in force yet")
