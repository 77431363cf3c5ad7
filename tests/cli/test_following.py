import json
from collections.abc import Sequence

import pytest

from cli import following
from cli.following import Row, Table, show

TABLE = Table(
    headers=("NAME", "SECONDS"),
    cells=lambda row: (row["name"], row["seconds"]),
    empty="nothing here",
    news=("name",),
)


class Rows:
    """Gives what a test has laid out, moment by moment; then it is interrupted."""

    def __init__(self, *moments: Sequence[Row]) -> None:
        self._moments = list(moments)

    def __call__(self) -> Sequence[Row]:
        if not self._moments:
            raise KeyboardInterrupt
        return self._moments.pop(0)


def row(name: str, seconds: int) -> Row:
    return {"name": name, "seconds": seconds}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAUSE_S", 0.0)


def test_a_table_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    show(TABLE, Rows([row("a", 1)]), follow=False)
    show(TABLE, Rows([]), follow=False)
    assert capsys.readouterr().out == "NAME  SECONDS\na     1\nnothing here\n"


def test_into_a_pipe_goes_a_line_for_what_is_new(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = row("a\x1b", 1), row("b", 1)
    show(TABLE, Rows([a], [row("a\x1b", 2), b], [b], [a]), follow=True)
    assert capsys.readouterr().out == "a\\x1b  1\nb  1\na\\x1b  1\n"


def test_programs_get_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    show(TABLE, Rows([row("a", 1)], [row("a", 2)]), follow=True, as_json=True)
    assert json.loads(capsys.readouterr().out) == row("a", 1)


def test_a_terminal_is_drawn_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show(TABLE, Rows([row("a", 1)], []), follow=True)
    out = capsys.readouterr().out
    assert out.count("\x1b[2J") == 2
    assert out.endswith("nothing here\n")
