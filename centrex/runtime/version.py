"""Which version of Centrex this is."""

import importlib.metadata


def version() -> str:
    """Return the version that is installed; says so where none is."""
    try:
        return importlib.metadata.version("centrex")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
