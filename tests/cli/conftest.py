"""A command line of its own for each test."""

from pathlib import Path

import pytest

from tests.support.command_line import CommandLine


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("CENTREX_ROOT", str(tmp_path))
    return CommandLine(tmp_path)
