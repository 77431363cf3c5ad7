"""Runs `centrex …` in this process, with all its files below one folder."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from centrex.api import InstancePaths, instance_paths
from cli.main import app


class CommandLine:
    """One operator's command line.

    Args:
        root: The folder that holds configuration, state and sockets.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._env = {"CENTREX_ROOT": str(root)}

    @property
    def paths(self) -> InstancePaths:
        """The places of the default instance."""
        return instance_paths(env=self._env)

    def run(self, *arguments: str, typed: str | None = None, **env: str) -> Result:
        """Run a command; `typed` is its standard input."""
        return CliRunner().invoke(app, list(arguments), input=typed, env={**self._env, **env})

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with `--json` and return its answer."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def write(self, text: str) -> Path:
        """Write the default instance's configuration."""
        file = self.paths.config
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o600)
        return file
