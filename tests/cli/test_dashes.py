import pytest

from cli.dashes import set_apart
from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

FLAGS = {"--json", "--help", "-h"}
TAKING = {"--config", "-c", "--instance", "-i"}
STORY = {"call_id": "-Xabc", "headline": "it was answered", "advice": [], "lines": []}


@pytest.mark.parametrize(
    ("typed", "options", "arguments"),
    [
        ("abc", "", "abc"),
        ("-Xabc", "", "-Xabc"),
        ("--abc", "", "--abc"),
        ("-", "", "-"),
        ("-Xabc --json", "--json", "-Xabc"),
        ("--json -Xabc -c FILE", "--json -c FILE", "-Xabc"),
        ("-c -Xabc -i NAME -Xdef", "-c -Xabc -i NAME", "-Xdef"),
        ("-c -c -Xabc", "-c -c", "-Xabc"),
        ("--config=FILE -X=abc", "--config=FILE", "-X=abc"),
        # what might be an option is one where the argument is there without it
        ("-cFILE abc", "-cFILE", "abc"),
        ("-cFILE -Xabc", "-cFILE", "-Xabc"),
        ("-Xabc -cFILE", "-cFILE", "-Xabc"),
        ("-cabc", "", "-cabc"),
        ("-habc -i NAME", "-i NAME", "-habc"),
        # and what is left over is told to be wrong
        ("abc --jsn", "--jsn", "abc"),
        ("-Xabc --jsn", "--jsn", "-Xabc"),
        ("abc def", "", "abc def"),
        ("--json", "--json", ""),
        ("-c", "-c", ""),
    ],
)
def test_one_argument_is_found(typed: str, options: str, arguments: str) -> None:
    expected = [*options.split(), "--", *arguments.split()]
    assert set_apart(typed.split(), FLAGS, TAKING, 1) == expected


def test_two_arguments_keep_their_order() -> None:
    assert set_apart(["-1", "--json", "key"], FLAGS, TAKING, 2) == ["--json", "--", "-1", "key"]
    assert set_apart(["key", "-1", "-2"], FLAGS, TAKING, 2) == ["-2", "--", "key", "-1"]


def test_whoever_types_the_two_dashes_is_believed() -> None:
    words = ["--json", "--", "-Xabc"]
    assert set_apart(words, FLAGS, TAKING, 1) == words


@pytest.mark.wire
@pytest.mark.parametrize("call_id", ["-Xabc", "--Xabc", "-cabc", "-hi", "-", "Xabc"])
def test_any_call_id_is_explained(call_id: str, line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"explain": STORY}) as instance:
        assert line.json("explain", call_id) == STORY
        assert line.run("-i", "default", "explain", "-i", "default", call_id).exit_code == 0
        assert line.run("explain", "--", call_id).exit_code == 0
    assert instance.asked == [("explain", {"call_id": call_id})] * 3


@pytest.mark.parametrize("words", [[], ["abc", "--jsn"], ["-Xabc", "-Xdef"], ["-c"]])
def test_wrong_usage_is_still_told(words: list[str], line: CommandLine) -> None:
    assert line.run("explain", *words).exit_code == 2


def test_help_is_still_help(line: CommandLine) -> None:
    assert "Usage:" in line.run("explain", "-h").stdout
    assert "Usage:" in line.run("explain", "-Xabc", "--help").stdout


def test_a_value_may_begin_with_a_dash(line: CommandLine) -> None:
    line.write('[network]\ndomain = "example.com"\n')
    (change,) = line.json("config", "set", "basic.description", "-- ours --")["changed"]
    assert change["new"] == "-- ours --"
    refused = line.run("config", "set", "registrar.min_expires", "-1")
    assert refused.exit_code == 2
    assert "registrar.min_expires" in refused.stderr
    assert "No such option" not in refused.stderr
