"""What commands write: lines, tables and JSON on standard output, errors on standard error.

Whatever may have come from the network is escaped here. Colour appears on terminals only, and not
where `NO_COLOR` is set.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from centrex import api
from cli.text import escape

FINE, FINDING, USAGE, UNREACHABLE, REFUSED = range(5)
"""The exit codes."""

_CODES: Mapping[str, int] = {
    "not-found": FINDING,
    "internal": FINDING,
    "invalid": USAGE,
    "unavailable": UNREACHABLE,
    "refused": REFUSED,
}


def _styled(text: str, *, is_error: bool = False, **style: Any) -> str:
    stream = sys.stderr if is_error else sys.stdout
    if os.environ.get("NO_COLOR") or not stream.isatty():
        return text
    return typer.style(text, **style)


def say(text: str = "", *, bold: bool = False) -> None:
    """Write a line to standard output, escaped."""
    line = escape(text)
    typer.echo(_styled(line, bold=True) if bold else line)


def say_page(text: str) -> None:
    """Write a text of our own, line by line."""
    for line in text.splitlines():
        say(line)


def remark(text: str) -> None:
    """Write a line to standard error: not the answer, but about it."""
    typer.echo(_styled(escape(text), is_error=True, fg="yellow"), err=True)


def emit_json(value: Any, *, is_error: bool = False) -> None:
    """Write a value as JSON, pure ASCII, so that nothing in it can act upon a terminal."""
    text = json.dumps(value, indent=2).replace("\x7f", "\\u007f")
    typer.echo(text, err=is_error)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Write aligned columns, or what to say where there are no rows."""
    cells = [[escape(cell) for cell in row] for row in rows]
    if not cells:
        say(empty)
        return
    widths = [
        max(len(header), *(len(row[column]) for row in cells))
        for column, header in enumerate(headers)
    ]

    def line(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))

    typer.echo(_styled(line(headers).rstrip(), bold=True))
    for row in cells:
        typer.echo(line(row).rstrip())


def pairs(facts: Iterable[tuple[str, object]]) -> None:
    """Write `name  value` lines, aligned."""
    listed = [(name, escape(value)) for name, value in facts]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        typer.echo(f"{_styled(name.ljust(width), bold=True)}  {value}")


def problem_line(problem: Mapping[str, Any]) -> str:
    """Put one problem into a line: where, which key, what, and what was perhaps meant."""
    where = str(problem.get("file", ""))
    if problem.get("line"):
        where += f":{problem['line']}"
    hint = f" (did you mean {problem['nearest']}?)" if problem.get("nearest") else ""
    parts = (where, str(problem.get("key", "")), str(problem.get("message", "")))
    return f"{': '.join(filter(None, parts))}{hint}"


def _code_and_status(error: Exception) -> tuple[str, int]:
    match error:
        case api.ConfigError():
            return "invalid", USAGE
        case api.Refused():
            return error.code, _CODES.get(error.code, FINDING)
        case api.Unavailable():
            return "unavailable", UNREACHABLE
        case _:
            return "failed", FINDING


def _nearest(error: Exception) -> list[str]:
    if isinstance(error, api.UserError):
        return list(error.nearest)
    if isinstance(error, api.Refused):
        return [str(name) for name in error.detail.get("nearest", ())]
    return []


def report(error: api.CentrexError | OSError, *, as_json: bool) -> int:
    """Write an error to standard error, as a sentence or as JSON, and return its exit code."""
    code, status = _code_and_status(error)
    problems = list(api.iter_problems(error)) if isinstance(error, api.CentrexError) else []
    nearest = _nearest(error)
    message = "the configuration cannot be used" if problems else _sentence(error)
    if as_json:
        told = {"code": code, "message": message, "problems": problems, "nearest": nearest}
        emit_json({"error": told}, is_error=True)
        return status
    red = _styled("error:", is_error=True, fg="red", bold=True)
    typer.echo(f"{red} {escape(message)}", err=True)
    for problem in problems:
        typer.echo(f"  {escape(problem_line(problem))}", err=True)
    if nearest:
        typer.echo(f"  nearest: {escape(', '.join(nearest))}", err=True)
    return status


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
