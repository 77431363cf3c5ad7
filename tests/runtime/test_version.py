"""The version that is told."""

import importlib.metadata

import pytest

from centrex.runtime.version import version


def test_it_is_the_installed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version() == importlib.metadata.version("centrex")

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert version() == "(not installed)"
