"""The house rules that no linter knows."""

import ast
import os
import re
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
ENGINE: Final = ROOT / "centrex"
LONGEST: Final = 600

TABLES: Final[dict[str, str]] = {}
"""Modules that may be longer than that, being tables: path and what they list."""

TESTED_ELSEWHERE: Final = {
    # plain declarations: nothing in them decides anything
    "centrex/base/errors.py": "config/test_problems.py",
    "centrex/base/flow.py": "every scenario",
    "centrex/base/instant.py": "a name for float",
    "centrex/events/event.py": "events/test_render.py",
    "centrex/trace/rules.py": "trace/test_explain.py, rule by rule",
    "centrex/auth/settings.py": "config/test_settings.py",
    "centrex/calls/settings.py": "config/test_settings.py",
    "centrex/config/basic.py": "config/test_settings.py",
    "centrex/config/later.py": "config/test_settings.py",
    "centrex/config/model.py": "config/test_settings.py",
    "centrex/config/network.py": "config/test_settings.py",
    "centrex/events/settings.py": "config/test_settings.py",
    "centrex/guard/settings.py": "config/test_settings.py",
    "centrex/registrar/settings.py": "config/test_settings.py",
    "centrex/media/settings.py": "config/test_settings.py",
    "centrex/proxy/carried.py": "proxy/test_relaying.py and test_delegating.py",
    "centrex/base/address.py": "config/test_metrics.py",
    "centrex/runtime/http_server.py": "runtime/test_metrics.py and test_phonebook.py",
    "centrex/proxy/routes.py": "proxy/test_hunting.py",
    "centrex/proxy/stateless.py": "scenarios/test_torture.py and others",
    "centrex/runtime/route_test.py": "wire/test_routes.py",
    "centrex/proxy/ends.py": "proxy/test_relaying.py and test_delegating.py",
    "centrex/proxy/media_path.py": "proxy/test_relaying.py and test_delegating.py",
    "centrex/media/terms.py": "farm/ and runtime/relay/",
    "centrex/runtime/relay/kernel.py": "runtime/relay/test_ebpf.py and test_nftables.py",
    # one machine, seen through the whole it belongs to
    "centrex/runtime/relay/link.py": "runtime/test_farm_server.py",
    "centrex/runtime/relay/carrier.py": "runtime/relay/test_plane.py",
    "centrex/runtime/relay/held.py": "runtime/relay/test_plane.py",
    "centrex/runtime/relay/__main__.py": "wire/test_relay.py",
    "centrex/runtime/relay/process.py": "wire/test_relay.py",
    "centrex/runtime/media.py": "wire/test_relay.py",
    "centrex/proxy/core.py": "scenarios/",
    "centrex/proxy/watchers.py": "scenarios/test_watchers.py",
    "centrex/proxy/subscribe.py": "scenarios/test_watchers.py",
    "centrex/proxy/lamp_life.py": "scenarios/test_lamps.py",
    "centrex/trace/advice.py": "trace/test_explain.py",
    "centrex/trace/words.py": "trace/test_explain.py",
    "centrex/transaction/client.py": "transaction/test_invite_client.py, test_non_invite_client.py",
    "centrex/transaction/server.py": "transaction/test_invite_server.py, test_non_invite_server.py",
    # still without a file of their own
    "centrex/api.py": "cli/ and wire/",
    "centrex/proxy/flows.py": "scenarios/",
    "centrex/trace/journal.py": "scenarios/test_journal.py",
}
"""Modules of the engine that need no test file of their own: path and where they are tested."""


def _modules(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _own_tests(module: Path) -> Path:
    return ROOT / "tests" / module.relative_to(ENGINE).with_name(f"test_{module.name}")


SOURCES: Final = _modules("centrex", "cli", "tui")
OWN: Final = [path for path in _modules("centrex") if path.name != "__init__.py"]


@pytest.mark.parametrize("path", [*SOURCES, *_modules("tests")], ids=_name)
def test_no_module_is_longer_than_anybody_reads(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST or _name(path) in TABLES


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_each_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", _modules("centrex"), ids=_name)
def test_the_engine_prints_nothing(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


@pytest.mark.parametrize("path", OWN, ids=_name)
def test_each_module_has_its_test_file(path: Path) -> None:
    assert _name(path) in TESTED_ELSEWHERE or _own_tests(path).exists()


def test_the_list_of_exceptions_names_modules_that_exist() -> None:
    named = {*TESTED_ELSEWHERE, *TABLES}
    assert not [name for name in named if not (ROOT / name).exists()]


def test_init_files_only_name_what_a_room_offers() -> None:
    for path in _modules("centrex"):
        if path.name == "__init__.py":
            assert len(path.read_text(encoding="utf-8").splitlines()) < 60, _name(path)


def test_test_folders_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_changelog_tells_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = [line for line in changelog.splitlines() if line.startswith("## ")]
    assert any(project["version"] in heading for heading in headings), headings


def test_the_build_machine_runs_what_everybody_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")


POSSESSIVE_GROUP: Final = re.compile(r"(?<!\\)\)(?:\*|\+|\?|\{[0-9,]+\})\+")


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_expression_has_a_possessive_group(path: Path) -> None:
    # Debian 12's Python 3.11.2 loses its place in them; a possessive class of characters is sound
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            assert not POSSESSIVE_GROUP.search(node.value.decode("latin-1"))
