import pytest

from centrex import api
from cli import output


class Terminal:
    """Stands for `sys`, with terminals."""

    class Stream:
        isatty = staticmethod(lambda: True)

    stdout = stderr = Stream()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(output, "sys", Terminal())


@pytest.mark.usefixtures("terminal")
def test_a_terminal_has_colour() -> None:
    assert output._styled("x", bold=True) == "\x1b[1mx\x1b[0m"


@pytest.mark.usefixtures("terminal")
def test_no_color_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert output._styled("x", bold=True) == "x"


def test_a_pipe_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    output.say("head\x1b", bold=True)
    output.remark("mind")
    captured = capsys.readouterr()
    assert captured.out == "head\\x1b\n"
    assert captured.err == "mind\n"


def test_tables_are_aligned_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("A", "LONG"), [("x\n", 1), ("yyyyyyy", "z")], empty="none")
    assert capsys.readouterr().out == "A        LONG\nx\\x0a    1\nyyyyyyy  z\n"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (api.ConfigError((api.Problem(file="f", key="k", message="m"),)), 2, "  f: k: m\n"),
        (api.Unavailable("not there"), 3, "error: not there\n"),
        (api.Refused("refused", "no", {}), 4, "error: no\n"),
        (api.Refused("strange", "no", {}), 1, "error: no\n"),
        (api.UserError("none", ["a", "b"]), 1, "  nearest: a, b\n"),
        (OSError(13, "Permission denied", "/etc/x"), 1, "error: /etc/x: Permission denied\n"),
        (OSError("odd"), 1, "error: odd\n"),
    ],
)
def test_errors_have_a_sentence_and_a_code(
    error: api.CentrexError | OSError,
    code: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert output.report(error, as_json=False) == code
    assert capsys.readouterr().err.endswith(words)


def test_a_problem_is_told_without_what_is_not_known_of_it() -> None:
    whole = {"file": "a.toml", "line": 3, "key": "x.y", "message": "is wrong", "nearest": "x.z"}
    assert output.problem_line(whole) == "a.toml:3: x.y: is wrong (did you mean x.z?)"
    assert output.problem_line({"key": "x.y", "message": "is wrong"}) == "x.y: is wrong"
    assert output.problem_line({"file": "", "message": "is wrong"}) == "is wrong"
