"""The terminal that may be taken away: nobody waits for it, and the application is told once."""

import io
import os
import signal
from typing import Any

import pytest
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal import Outlet, enduring


class Gone(io.StringIO):
    """A file that takes nothing any more."""

    def write(self, text: str) -> int:
        raise OSError("gone")

    def flush(self) -> None:
        raise OSError("gone")


def test_what_is_written_to_a_terminal_that_is_gone_is_swallowed_and_told_once() -> None:
    told: list[str] = []
    outlet = Outlet(Gone(), lambda: told.append("lost"))
    assert outlet.write("abc") == 3
    outlet.flush()
    outlet.write("d")
    assert told == ["lost"]


def test_what_is_written_to_one_that_is_there_arrives() -> None:
    there = io.StringIO()
    outlet = Outlet(there, lambda: pytest.fail("it is there"))
    outlet.write("abc")
    outlet.flush()
    assert there.getvalue() == "abc"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_textual_writes_to_the_terminal_where_it_is_held_for_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`enduring` relies on what Textual has inside, since it tells that nowhere."""
    reader, writer = os.openpty()
    with os.fdopen(writer, "r") as keyboard, os.fdopen(reader, "rb"):
        monkeypatch.setattr(signal, "signal", lambda *_: None)  # the driver takes SIGTSTP
        monkeypatch.setattr("sys.__stdin__", keyboard)
        driver: Any = enduring(LinuxDriver)(App())
    assert hasattr(driver, "_file"), "Textual has its terminal elsewhere now: see tui/terminal.py"
    assert isinstance(driver._file, Outlet)


def test_a_driver_that_has_no_such_file_is_left_as_it_is() -> None:
    class Other:
        def __init__(self, app: App[Any]) -> None:
            self.app = app

    made: Any = enduring(Other)(App())  # type: ignore[arg-type]  # a driver in nothing but name
    assert isinstance(made.app, App)
    assert not hasattr(made, "_file")
