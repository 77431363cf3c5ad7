"""What the documents say is so: configurations load, commands and links exist, examples run."""

import importlib
import inspect
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main

from centrex import api
from centrex.config.relay import load_relay
from cli.main import app

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "README.md"
ARCHITECTURE: Final = ROOT / "docs" / "architecture.md"
PAGES: Final = sorted([README, ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
ROOMS: Final = sorted(
    path.name.removesuffix(".py")
    for path in (ROOT / "centrex").iterdir()
    if (path.is_dir() or path.suffix == ".py") and not path.name.startswith("_")
)

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")
_SHELL: Final = re.compile(r"(?:sudo |echo .*\| )?(?:/\S+/)?centrex\b(?! =)")
_NAME: Final = re.compile(r"(?:centrex\.)?([a-z_0-9]+(?:\.\w+)+)")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, *languages: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [body for language, body in _FENCE.findall(text) if language in languages]


def spans(page: Path) -> list[str]:
    return _SPAN.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))


def every(*languages: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{name_of(page)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, *languages), 1)
    ]


def rows(page: Path, heading: str) -> Iterator[list[str]]:
    """Return the cells of the tables below a heading, the header row left out."""
    text = page.read_text(encoding="utf-8").split(f"\n{heading}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


# Configurations


@pytest.mark.parametrize("block", every("toml"))
def test_a_configuration_loads(block: str, tmp_path: Path) -> None:
    for name in re.findall(r'"([\w.-]+\.(?:pem|htdigest))"', block):
        (tmp_path / name).touch()
    file = tmp_path / "example.toml"
    if "[[proxies]]" in block:
        file.write_text(block)
        assert load_relay(file).proxies
    else:
        api.load_text(block, file=file)


def later_section() -> str:
    text = README.read_text(encoding="utf-8")
    return text.split("### What comes later")[1].split("\n## ")[0]


def later_tables() -> set[str]:
    """Return the tables of which no key has an effect yet."""
    tables = {name.partition(".")[0] for name in api.tables()}
    return {
        table
        for table in tables
        if not any(
            key.available
            for key in api.catalogue().values()
            if key.name.startswith(f"{table}.") and key.kind not in ("rows", "map")
        )
    }


def test_the_readme_tells_which_tables_come_later() -> None:
    told = later_section().split("these keys")[0]
    assert set(re.findall(r"`\[(\w+)\]`", told)) == later_tables()


def test_the_readme_tells_which_keys_come_later() -> None:
    told = {word for word in _SPAN.findall(later_section()) if api.find(word)}
    missing = {
        key.name
        for key in api.catalogue().values()
        if not key.available and key.name.partition(".")[0] not in later_tables()
    }
    assert missing <= told


def test_the_readme_tells_of_every_table_in_force() -> None:
    told = {word for cells in rows(README, "## Configuration") for word in _SPAN.findall(cells[0])}
    in_force = {name for name in api.tables() if name.partition(".")[0] not in later_tables()}
    assert {f"[{name}]" for name in in_force} <= told


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("block", every("ini"))
def test_systemd_understands_a_unit(block: str, tmp_path: Path) -> None:
    """Those lines that need a later version of it are commented out."""
    (command,) = re.findall(r"^ExecStart=(\S+)", block, re.MULTILINE)
    unit = tmp_path / "centrex@office.service"
    unit.write_text(block.replace(command, "/bin/true"))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    # it looks at the units of this machine as well, which are not ours
    assert not [line for line in told.stderr.splitlines() if unit.name in line]


# Commands


def mentioned() -> Iterator[Any]:
    """Return each command line that a page shows or speaks of."""
    for page in PAGES:
        shown = [line for block in blocks(page, "sh") for line in block.splitlines()]
        for line in [*shown, *spans(page)]:
            if not _SHELL.match(line):
                continue
            words = shlex.split(line, comments=True)
            at = next((i for i, word in enumerate(words) if _is_centrex(word)), None)
            if at is not None:
                yield pytest.param(words[at + 1 :], id=f"{name_of(page)}-{line}")


def _is_centrex(word: str) -> bool:
    return word == "centrex" or word.endswith("/bin/centrex")


def _choices(word: str) -> list[str]:
    """Return the verbs in `add|remove|list`."""
    return word.split("|") if re.fullmatch(r"[a-z|]+", word) else []


@pytest.mark.parametrize("words", list(mentioned()))
def test_a_command_exists(words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while rest and not rest[0].startswith("-") and hasattr(command, "commands"):
        verbs = _choices(rest[0])
        if not verbs and rest[0].isupper():
            return
        for verb in verbs:
            assert verb in command.commands, f"there is no command {verb!r}"
        command = command.commands[verbs[-1]]
        rest.pop(0)
    options = {option for param in command.params for option in param.opts} | {"--help"}
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"{command.name} has no option {word}"


# Links


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), target
        if anchor:
            assert anchor in _anchors(place), f"{target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# Names


def resolve(dotted: str) -> Any:
    """Return what a name below `centrex` stands for: a module, or something in one."""
    parts = ["centrex", *dotted.split(".")]
    for length in range(len(parts), 1, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return found
    raise AssertionError(f"there is no centrex.{dotted}")


def names(page: Path) -> list[Any]:
    found = []
    for span in dict.fromkeys(spans(page)):
        match = _NAME.match(span)
        if match and match[1].partition(".")[0] in ROOMS and api.find(span) is None:
            found.append(pytest.param(match[1], id=f"{name_of(page)}-{span}"))
    return found


@pytest.mark.parametrize("dotted", [name for page in PAGES for name in names(page)])
def test_a_name_exists(dotted: str) -> None:
    if api.find(dotted) is None and dotted not in api.tables():
        resolve(dotted)


def test_the_map_shows_every_room() -> None:
    told = [_SPAN.findall(cells[0])[0] for cells in rows(ARCHITECTURE, "## The rooms")]
    assert sorted(told) == ROOMS


def test_the_way_of_a_request_is_told_in_order() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    told = re.findall(r"`(proxy\.\w+\.\w+)`", text.split("`proxy.chain.CHAIN`:")[1])
    chain = [f"{step.__module__}.{step.__name__}" for step in resolve("proxy.chain.CHAIN")]
    assert [f"centrex.{name}" for name in told[: len(chain)]] == chain


@pytest.mark.parametrize(
    "cells", [pytest.param(row, id=row[0]) for row in rows(ARCHITECTURE, "## Bounds")]
)
def test_a_bound_is_what_the_code_says(cells: list[str]) -> None:
    _, number, where, _ = cells
    name, _, argument = where.strip("`").removesuffix(")").partition("(")
    found = resolve(name)
    if argument:
        found = inspect.signature(found).parameters[argument].default
    assert found == int(number.replace(",", ""))


# Examples


@pytest.mark.parametrize("block", every("python"))
def test_an_example_runs(block: str) -> None:
    exec(compile(block, "example", "exec"), {})
