from pathlib import Path

import pytest

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
