"""Draws the dashboard's main screens into docs/screens: `python -m tests.tui.screenshots`.

What they show is an office's real day. Where they say what those that are there say, but for times,
numbers and names that are made up anew, these are left as they are.
"""

import argparse
import asyncio
import html
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from centrex import api
from tests.support.office import Office, at_home, network
from tests.support.screens import Operator, dashboard
from tui.run import Opener

TARGET = Path(__file__).parents[2] / "docs" / "screens"
SIZE = (110, 32)
DAY_S = 12
_RUN = re.compile(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
_FOLDER = re.compile(r"/tmp/tmp\w{8}")
_AS_INSTALLED = "/srv/centrex/etc"
"""Shown for the folder the server is run in; as long as that is, so that nothing moves."""
_MADE_UP = re.compile(
    r"/tmp/\w+|\b[0-9a-f]+-[0-9a-f]+-[0-9a-f]+…?|[\d:.,]*\d[\d:.,]*|[▁▂▃▄▅▆▇█▲▼╺━╸┃]+"
)


def words_of(drawn: str) -> str:
    """Return what a picture shows, line by line."""
    lines: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in _RUN.findall(drawn):
        lines.setdefault(float(y), []).append((float(x), html.unescape(text)))
    rows = ("".join(text for _, text in sorted(runs)) for _, runs in sorted(lines.items()))
    return "\n".join(rows).replace("\xa0", " ")


def is_like(drawn: str, before: str) -> bool:
    """Return whether two pictures say the same, but for what each run makes up anew."""
    said, was = (
        [" ".join(_MADE_UP.sub("#", line).split()) for line in words_of(one).splitlines()]
        for one in (drawn, before)
    )
    return said == was


class Artist:
    """Draws what an operator sees.

    Args:
        operator: Whoever is at the keys.
    Attributes:
        drawn: The pictures, by name.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.drawn: dict[str, str] = {}

    async def draw(self, name: str, *words: str) -> None:
        """Draw the screen once all words are on it."""
        await self._operator.sees(*words)
        await self._operator.pilot.pause(0.5)
        drawn = self._operator.app.export_screenshot(title="centrex")
        self.drawn[name] = _FOLDER.sub(_AS_INSTALLED, drawn)


def hang(drawn: Mapping[str, str], target: Path) -> bool:
    """Put pictures into a folder, all or none; return whether they say something new."""
    files = {target / f"{name}.svg": text for name, text in drawn.items()}
    if all(
        file.exists() and is_like(text, file.read_text("utf-8")) for file, text in files.items()
    ):
        return False
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return True


async def draw() -> dict[str, str]:
    """Draw all of them."""
    with tempfile.TemporaryDirectory() as folder, Office(Path(folder)) as office, at_home(office):
        config = office.server.config
        opener = Opener(api.instance_paths("", config), lambda: api.ConfigSource(path=config))
        async with dashboard(opener=opener, size=SIZE) as operator:
            await operator.sees("server.started", patience_s=30)
            await asyncio.to_thread(office.open)
            await operator.until(lambda: len(operator.app.relays) == 2, "two relays", 20)
            await operator.app.feed.ask("relays.drain", {"name": "frankfurt", "on": True})
            call_id = await asyncio.to_thread(office.talk)
            await asyncio.to_thread(office.work, DAY_S)
            await asyncio.to_thread(office.guess)
            await asyncio.to_thread(office.work, 1)
            artist = Artist(operator)
            await _draw_all(operator, artist, call_id)
            await operator.app.feed.close()
    return artist.drawn


async def _draw_all(operator: Operator, artist: Artist, call_id: str) -> None:
    await artist.draw("main", "Statistics", " now 9 ", "relays 2/2")
    await operator.press("3")
    await artist.draw("phones", "Phones – 20")
    await operator.press("4")
    await artist.draw("calls", "Calls – 9")
    operator.app.obey(f"call {call_id}")
    await operator.sees("INVITE 1002")
    await operator.press("j", "j")
    await artist.draw("call", "◆ 1002 is registered")
    operator.app.go("relays")
    await artist.draw("relays", "↓ draining")
    await operator.press("6")
    await artist.draw("bans", "wrong passwords")
    await operator.press("7")
    await artist.draw("watch", "Watchers – 7")
    await operator.press("question_mark")
    await artist.draw("help", "Keys on the screen you came from")
    await operator.press("escape")
    operator.app.obey("route 9044")
    await operator.sees("Who rings when")
    await operator.press("down", "1005", "enter")
    await artist.draw("route", "15–135 s")
    operator.app.go("config")
    await operator.sees("Basic Settings")
    await operator.press("j", "tab", "j", "j", "j", "enter", "5070", "enter")
    await artist.draw("config", "● Server port")
    await operator.press("v")
    await artist.draw("review", "In the file")


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
    if os.geteuid() != 0:  # a network of its own takes root, if only of a world of its own
        here = [sys.executable, "-m", "tests.tui.screenshots", "--to", str(target)]
        os.execvp("unshare", ["unshare", "--map-root-user", "--net", *here])
    target.mkdir(parents=True, exist_ok=True)
    with network():
        hang(asyncio.run(draw()), target)


if __name__ == "__main__":
    main()
