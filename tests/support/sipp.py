"""SIPp as a load of phones: scenarios of ours, run as processes that end by themselves."""

import csv
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_port, loopback
from tests.support.server import CentrexServer, password_of

SCENARIOS = Path(__file__).parents[1] / "data" / "sipp"


def login_rows(users: Iterable[str]) -> list[tuple[str, str]]:
    """Return the lines of an injection file: a user, and what answers its challenges."""
    return [
        (user, f"[authentication username={user} password={password_of(user)}]") for user in users
    ]


class Sipp:
    """A SIPp process that plays one scenario a number of times over UDP.

    Args:
        scenario: The file's name in `tests/data/sipp`, without `.xml`.
        server: The server it speaks to.
        folder: Where its files go.
        count: How often the scenario is played; the process ends after that.
        rate: New plays a second; for callers.
        hold_ms: How long `<pause/>` lasts.
        files: Injection files: name and lines, taken in order.
        at_once: The most plays under way together.
        limit_s: It ends as a failure after this time.
    """

    def __init__(
        self,
        scenario: str,
        server: CentrexServer,
        folder: Path,
        *,
        count: int,
        rate: int = 50,
        hold_ms: int = 100,
        files: Mapping[str, Sequence[Sequence[str]]] | None = None,
        at_once: int = 3000,
        limit_s: int = 90,
    ) -> None:
        self.folder = folder / f"sipp-{scenario}"
        self.folder.mkdir(parents=True)
        self.host = loopback()
        self.port = free_port(self.host)
        self.limit_s = limit_s
        self._output = self.folder / "output.log"
        self._errors = self.folder / "errors.log"
        self._statistics = self.folder / "statistics.csv"
        self._process: subprocess.Popen[bytes] | None = None
        command = ["sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-nostdin"]
        command += ["-i", self.host, "-mi", self.host, "-p", str(self.port), "-bind_local"]
        command += ["-mp", str(free_port(self.host, run=4)), "-cp", str(free_port(self.host))]
        command += ["-ci", self.host]  # else it wants that port at every address of the machine
        command += ["-m", str(count), "-r", str(rate), "-l", str(at_once), "-d", str(hold_ms)]
        command += ["-timeout", f"{limit_s}s", "-timeout_error", "-timer_resol", "1"]
        command += ["-cid_str", f"%u-{self.port}-{scenario}", "-key", "domain", server.domain]
        command += ["-buff_size", "4194304", "-max_log_size", "200000", "-f", "1", "-fd", "1"]
        command += ["-trace_err", "-error_file", str(self._errors)]
        command += ["-trace_stat", "-stf", str(self._statistics)]
        for name, lines in (files or {}).items():
            (self.folder / name).write_text(
                "SEQUENTIAL\n" + "".join(";".join(line) + "\n" for line in lines)
            )
            command += ["-inf", name]
        self._command = [*command, f"{server.host}:{server.port}"]

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait(10)
        if error is not None:
            error.add_note(f"{self.folder.name}: {self.errors()}")

    def finish(self) -> dict[str, int]:
        """Wait for its end, assert that no play failed, and return its counters."""
        assert self._process is not None
        code = self._process.wait(self.limit_s + 15)
        assert code == 0, f"{self.folder.name} ended with code {code}: {self.errors()}"
        counters = self.counters()
        assert counters["FailedCall(C)"] == 0, (counters, self.errors())
        return counters

    def counters(self) -> dict[str, int]:
        """Return the last line of its statistics; only the whole numbers."""
        with self._statistics.open(encoding="ascii", errors="replace", newline="") as lines:
            rows = list(csv.DictReader(lines, delimiter=";"))
        return {
            name: int(value)
            for name, value in rows[-1].items()
            if name and value and value.isdigit()
        }

    def errors(self) -> str:
        """Return the end of its error log, or of what it has printed."""
        for file in (self._errors, self._output):
            if file.exists() and (text := file.read_text(errors="replace").strip()):
                return text[-4000:]
        return "(nothing said)"
