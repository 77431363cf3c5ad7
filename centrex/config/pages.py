"""The help pages: one for each dialog, plain text that is shipped with the package."""

import functools
from importlib import resources

from centrex.config.keys import titles


@functools.cache
def page(table: str) -> str:
    """Return the help page of a table such as `network`.

    Raises:
        KeyError: There is no such table.
    """
    if table not in titles():
        raise KeyError(table)
    file = resources.files("centrex.config") / "help" / f"{table}.md"
    return file.read_text(encoding="utf-8")
