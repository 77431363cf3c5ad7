import asyncio
import os
from pathlib import Path

import pytest

from tests.support.office import network
from tests.tui import screenshots

README = Path(__file__).parents[2] / "README.md"


def test_asking_for_help_draws_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshots, "draw", lambda: pytest.fail("drawn"))
    with pytest.raises(SystemExit) as ended:
        screenshots.main(["--help"])
    assert ended.value.code == 0
    assert "--to DIR" in capsys.readouterr().out


def test_the_readme_refers_to_every_picture() -> None:
    names = {file.name for file in screenshots.TARGET.iterdir()}
    text = README.read_text(encoding="utf-8")
    assert names
    assert not [name for name in names if f"docs/screens/{name}" not in text]


def picture(*lines: str) -> str:
    return "".join(
        f'<text class="a" x="{x}" y="{y}.5" clip-path="b">{word}</text>'
        for y, line in enumerate(lines)
        for x, word in enumerate(line.split("|"))
    )


def test_a_picture_says_the_same_whatever_is_made_up_anew() -> None:
    drawn = picture("Calls – 9|  udp 198.51.100.7:40112", "Call-ID 7f10-65-2631b3 ▁▂█")
    assert screenshots.words_of(drawn).startswith("Calls – 9  udp 198")
    again = picture("Calls – 9| udp 198.51.100.7:5999", "Call-ID 9a10-6-31b3|  ▁█▁▁")
    assert screenshots.is_like(drawn, again)
    assert not screenshots.is_like(drawn, again.replace("udp", "tcp"))


def test_no_picture_shows_the_folder_it_was_drawn_in() -> None:
    folder = "/tmp/tmp_071ejal"
    assert screenshots._FOLDER.sub(screenshots._AS_INSTALLED, f"{folder}/a") == "/srv/centrex/etc/a"
    assert len(screenshots._AS_INSTALLED) == len(folder)
    for file in screenshots.TARGET.iterdir():
        assert "/tmp/" not in file.read_text(encoding="utf-8"), file.name


def test_pictures_are_put_up_all_or_none(tmp_path: Path) -> None:
    before = {"a": picture("up 00:10"), "b": picture("9 calls")}
    assert screenshots.hang(before, tmp_path)
    assert not screenshots.hang({"a": picture("up 00:11"), "b": picture("8 calls")}, tmp_path)
    assert (tmp_path / "a.svg").read_text() == before["a"]
    after = {"a": picture("up 00:12"), "b": picture("8 phones")}
    assert screenshots.hang(after, tmp_path)
    assert (tmp_path / "a.svg").read_text() == after["a"]


@pytest.mark.slow
@pytest.mark.wire
@pytest.mark.timeout(180)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a network of its own")
def test_the_pictures_are_those_of_a_real_day() -> None:
    with network():
        drawn = asyncio.run(screenshots.draw())
    assert {f"{name}.svg" for name in drawn} == {file.name for file in screenshots.TARGET.iterdir()}
    words = {name: screenshots.words_of(text) for name, text in drawn.items()}
    assert "1001  198.51.100.7:" in words["call"]
    assert "1002  198.51.100.18:" in words["call"]
    assert "Yealink SIP-T46S" in words["phones"]
    assert "203.0.113.20" in words["bans"]
    assert "+port = 5070" in words["review"]
