"""What Wireshark's own eyes see in a file: each SIP message, with its ends."""

import subprocess
from pathlib import Path
from typing import Final, NamedTuple

_FIELDS: Final = (
    "ip.src", "ipv6.src", "udp.srcport", "tcp.srcport",
    "ip.dst", "ipv6.dst", "udp.dstport", "tcp.dstport",
    "frame.protocols", "sip.Request-Line", "sip.Status-Line", "_ws.malformed",
)  # fmt: skip


class Dissected(NamedTuple):
    """One message."""

    source: str
    """Address and port."""
    target: str
    protocols: str


def _rows(file: Path) -> list[dict[str, str]]:
    command = ["tshark", "-r", str(file), "-T", "fields"]
    command += [word for field in _FIELDS for word in ("-e", field)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    return [dict(zip(_FIELDS, line, strict=True)) for line in lines]


def _end(row: dict[str, str], way: str) -> str:
    host = row[f"ip.{way}"] or row[f"ipv6.{way}"]
    return f"{host}:{row[f'udp.{way}port'] or row[f'tcp.{way}port']}"


def first_lines(file: Path) -> list[str]:
    """Return the first line of each SIP message."""
    return [row["sip.Request-Line"] or row["sip.Status-Line"] for row in _messages(file)]


def _messages(file: Path) -> list[dict[str, str]]:
    rows = _rows(file)
    assert not [row for row in rows if row["_ws.malformed"]]
    return [row for row in rows if row["sip.Request-Line"] or row["sip.Status-Line"]]


def dissected(file: Path) -> list[Dissected]:
    """Return the SIP messages of a file in order; one in several segments counts where it ends."""
    return [
        Dissected(_end(row, "src"), _end(row, "dst"), row["frame.protocols"])
        for row in _messages(file)
    ]
