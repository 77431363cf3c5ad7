import html
import re
from pathlib import Path

import pytest

from tests.support.day import Day
from tests.tui import screenshots

README = Path(__file__).parents[2] / "README.md"


def test_asking_for_help_draws_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshots, "draw", lambda _: pytest.fail("drawn"))
    with pytest.raises(SystemExit) as ended:
        screenshots.main(["--help"])
    assert ended.value.code == 0
    assert "--to DIR" in capsys.readouterr().out


def test_the_readme_refers_to_every_picture() -> None:
    names = {file.name for file in screenshots.TARGET.iterdir()}
    text = README.read_text(encoding="utf-8")
    assert names
    assert not [name for name in names if f"docs/screens/{name}" not in text]


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_the_pictures_are_those_that_are_drawn(tmp_path: Path) -> None:
    screenshots.main(["--to", str(tmp_path)])
    drawn = {file.name for file in tmp_path.iterdir()}
    assert drawn == {file.name for file in screenshots.TARGET.iterdir()}
    assert "Statistics" in (tmp_path / "main.svg").read_text(encoding="utf-8")


def _words(name: str) -> str:
    """Return what a picture shows, each line of it by itself."""
    drawn = (screenshots.TARGET / f"{name}.svg").read_text(encoding="utf-8")
    lines: dict[float, list[tuple[float, str]]] = {}
    pattern = r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>'
    for x, y, text in re.findall(pattern, drawn):
        lines.setdefault(float(y), []).append((float(x), html.unescape(text)))
    rows = ("".join(text for _, text in sorted(runs)) for _, runs in sorted(lines.items()))
    return "\n".join(rows).replace("\xa0", " ")


def test_the_pictures_show_words_that_the_product_says() -> None:
    day = Day(screenshots.PEOPLE)
    told = [str(one["text"]) for one in day.events()]
    shown = re.findall(r"(?:call|auth|registration)\.[a-z-]+ .*", _words("main"))
    assert len(shown) > 5
    for line in shown:
        name, fields = line.split()[0], re.findall(r" ([a-z]+)=", line)
        real = [one for one in told if one.startswith(f"{name} ")]
        assert any(set(fields) <= set(re.findall(r" ([a-z]+)=", one)) for one in real), line
    call = day.call()
    picture = _words("call")
    assert call["headline"] in picture
    decisions = re.findall(r"◆ (.*?)(?:…| *$)", picture, re.MULTILINE)
    texts = [str(one["text"]) for one in call["entries"] if one["kind"] == "decision"]
    assert decisions
    assert not [
        one for one in decisions if not any(text.startswith(one.rstrip()) for text in texts)
    ]
    assert "10 wrong passwords in a minute" in _words("bans")
