import json
from pathlib import Path

import pytest

from centrex.events import Event
from centrex.runtime.kept_file import UNREADABLE, KeptFile

pytestmark = pytest.mark.anyio


def kept(folder: Path, told: list[Event]) -> KeptFile:
    return KeptFile(folder / "kept.json", "things", version=2, longest=1000, report=told.append)


async def test_what_was_written_is_read(tmp_path: Path) -> None:
    told: list[Event] = []
    file = kept(tmp_path, told)
    with pytest.raises(FileNotFoundError):
        await file.read()
    assert await file.write(lambda: b'{"version": 2, "things": [1]}')
    assert await file.read() == {"version": 2, "things": [1]}
    assert not told


@pytest.mark.parametrize(
    "held",
    [b"", b"[", b"[]", b"{}", b"1", b"[" * 5000, b'{"version": 1}', b'{"version": 2' + b" " * 1000],
)
async def test_what_cannot_be_used_is_refused(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "kept.json").write_bytes(held)
    with pytest.raises(UNREADABLE):
        await kept(tmp_path, []).read()


async def test_a_failure_is_told_once_and_so_is_its_end(tmp_path: Path) -> None:
    told: list[Event] = []
    folder = tmp_path / "folder"
    file = kept(folder, told)
    data = json.dumps({"version": 2}).encode()
    assert not await file.write(lambda: data)
    assert not await file.write(lambda: data)
    folder.mkdir()
    assert await file.write(lambda: data)
    assert await file.write(lambda: data)
    assert [event.name for event in told] == ["things.failed", "things.written"]
    assert told[0].fields["file"] == str(file.path)
    assert told[0].fields["why"]
