"""Draws the dashboard's main screens into docs/screens: `python -m tests.tui.screenshots`."""

import argparse
import asyncio
import copy
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from centrex.config.describe import describe
from tests.support.day import Day
from tests.support.pretend import RELAYS, WATCHER, Json, Pretend, call_row, registration
from tests.support.screens import Operator, dashboard

TARGET = Path(__file__).parents[2] / "docs" / "screens"
SIZE = (110, 32)
PEOPLE = [str(number) for number in range(1001, 1021)]
_PHONES = ("Yealink SIP-T46S 66.85.0.5", "Grandstream GXP2135 1.0.11", "baresip v3.10", "Snom D735")


def busy() -> Pretend:
    """An instance in the middle of a day."""
    chance = random.Random(7)
    instance = Pretend()
    people = PEOPLE
    instance.registrations = [
        registration(
            user,
            source=f"198.51.100.{chance.randrange(2, 250)}:{chance.randrange(1024, 65000)}",
            user_agent=chance.choice(_PHONES),
            expires_s=chance.randrange(60, 3600),
            transport=chance.choice(("udp", "tcp", "tls")),
        )
        for user in people
    ]
    instance.calls = [call_row(number, duration_s=7.0 + 13 * number) for number in range(9)]
    instance.bans = [
        {
            "source": source, "reason": "more than 10 wrong passwords in a minute",
            "until": f"2026-11-26T09:40:{second:02}.000Z", "seconds_left": 1500 + second,
        }
        for second, source in enumerate(("203.0.113.20", "2001:db8:77::/64"))
    ]  # fmt: skip
    watchers = [
        {**WATCHER, "watcher": f"sip:{who}@example.com", "target": f"sip:{whom}@example.com"}
        for who, whom in pairwise(people[:8])
    ]
    instance.answers["subscriptions"] = lambda _: {
        "rows": watchers, "total": len(watchers), "next": None, "available": True
    }  # fmt: skip
    day = Day(people)
    instance.recent, instance.call = day.events(), day.call()
    (port,) = (key for key in keys_described() if key["key"] == "network.port")
    (effect,) = instance.preview["effects"]
    effect.update(effect=port["effect"], words=port["words"])
    relays = copy.deepcopy(RELAYS)
    relays[0]["why"] = "eBPF: no right to load programs (CAP_BPF and CAP_NET_ADMIN)"
    relays[1]["why"] = ""
    instance.answers["relays"] = lambda _: {"relays": relays}
    instance.values = {
        key["key"]: {"value": key["default"], "origin": "default"} for key in keys_described()
    }
    return instance


def keys_described() -> list[Json]:
    """Return every setting that has a default, as `config.describe` tells it."""
    return [key for table in describe()["tables"] for key in table["keys"]]


async def draw(target: Path = TARGET) -> None:
    """Draw all of them into a folder that is there."""

    async def _draw(operator: Operator, name: str, *words: str) -> None:
        await operator.sees(*words)
        await operator.pilot.pause(0.3)
        svg = operator.app.export_screenshot(title="centrex")
        (target / f"{name}.svg").write_text(svg, encoding="utf-8")

    async with dashboard(busy(), size=SIZE) as operator:
        usual = {id(one): one[-1] for one in operator.app.history._series.values()}
        for number in range(120):
            wave = 1.5 + math.sin(number / 9) + 0.4 * math.sin(number / 2)
            for series in operator.app.history._series.values():
                series.append(round(wave / 2.5 * usual[id(series)], 2))
        await operator.pilot.pause(1.5)
        await _draw(operator, "main", "Statistics")
        await operator.press("3")
        await _draw(operator, "phones", "Phones – 20")
        await operator.press("4")
        await _draw(operator, "calls", "Calls – 9")
        await operator.press("enter")
        await operator.sees("INVITE 1002")
        await operator.press("j", "j")
        await _draw(operator, "call", "◆ 1002 is registered")
        operator.app.go("relays")
        await _draw(operator, "relays", "frankfurt")
        await operator.press("6")
        await _draw(operator, "bans", "wrong passwords")
        await operator.press("7")
        await _draw(operator, "watch", "Watchers – 7")
        await operator.press("question_mark")
        await _draw(operator, "help", "Keys on the screen you came from")
        await operator.press("escape")
        operator.app.obey("route 9044")
        await operator.sees("Who rings when")
        await operator.press("enter", "enter")
        await _draw(operator, "route", "15–135 s")
        operator.app.go("config")
        await operator.sees("Basic Settings")
        await operator.press("j", "tab", "j", "j", "j", "enter", "5070", "enter")
        await _draw(operator, "config", "● Server port")
        await operator.press("v")
        await _draw(operator, "review", "In the file")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw all of them where the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.tui.screenshots",
        description="Draw the dashboard's main screens, as SVG.",
    )
    parser.add_argument(
        "--to", type=Path, default=TARGET, metavar="DIR", help="where to; docs/screens if not given"
    )
    target: Path = parser.parse_args(arguments).to
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(target))


if __name__ == "__main__":
    main()
