"""A backup is read whole and right, or refused: whatever was done to it."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.config import archive
from centrex.config.archive import CONFIG, CREDENTIALS, RELAY, BadArchive, pack, unpack

FILES = {CONFIG: b"[network]\n" * 20, CREDENTIALS: b"a:b:c\n" * 9, RELAY: b"name\n"}
PACKED = pack("office", "1.2", "2026-01-02T03:04:05Z", FILES)


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as made:
        for entry, data in entries:
            made.addfile(entry, io.BytesIO(data))
    return gzip.compress(raw.getvalue())


def entry(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = "/etc/passwd"
    return info, data


def manifest(held: dict[str, bytes] = FILES, **more: Any) -> bytes:
    told = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in held.items()
    }
    names = {"instance": "a", "version": "1", "made_at": "now"}
    return json.dumps({"product": "centrex", "format": 2, **names, "files": told, **more}).encode()


def packed(head: bytes, files: dict[str, bytes] = FILES) -> bytes:
    return tar(entry("manifest.json", head), *(entry(name, data) for name, data in files.items()))


def test_what_was_packed_comes_out() -> None:
    read = unpack(PACKED)
    assert read.files == FILES
    assert (read.instance, read.version, read.made_at, read.format) == (
        "office",
        "1.2",
        "2026-01-02T03:04:05Z",
        2,
    )


def test_the_same_contents_make_the_same_archive() -> None:
    assert pack("office", "1.2", "2026-01-02T03:04:05Z", FILES) == PACKED


@pytest.mark.slow
def test_any_flipped_bit_is_refused_or_harmless() -> None:
    for at in range(len(PACKED)):
        for bit in range(8):
            spoilt = bytearray(PACKED)
            spoilt[at] ^= 1 << bit
            refused_or_same(bytes(spoilt))


@given(st.integers(0, len(PACKED) - 1))
def test_any_truncation_is_refused(length: int) -> None:
    with pytest.raises(BadArchive):
        unpack(PACKED[:length])


@given(
    st.lists(
        st.tuples(st.integers(0, len(PACKED) - 1), st.integers(0, 255)), min_size=1, max_size=6
    )
)
def test_any_changed_octets_are_refused_or_harmless(changes: list[tuple[int, int]]) -> None:
    spoilt = bytearray(PACKED)
    for at, octet in changes:
        spoilt[at] = octet
    refused_or_same(bytes(spoilt))


def refused_or_same(data: bytes) -> None:
    try:
        read = unpack(data)
    except BadArchive:
        return
    assert read == unpack(PACKED)


@given(st.data())
def test_any_changed_octet_inside_is_refused_or_harmless(data: st.DataObject) -> None:
    """Where whoever changed it packed it again, so that the outer sum is right."""
    raw = bytearray(gzip.decompress(PACKED))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))
    try:
        read = unpack(gzip.compress(bytes(raw)))
    except BadArchive:
        return
    assert read.files == FILES


@given(st.binary(max_size=300))
def test_anything_else_is_refused(data: bytes) -> None:
    for one in (data, gzip.compress(data), gzip.compress(bytes(1024) + data)):
        with pytest.raises(BadArchive):
            unpack(one)


@pytest.mark.parametrize(
    "make",
    [
        lambda: tar(entry("../../etc/cron.d/x", b"evil")),
        lambda: tar(entry("/etc/passwd", b"evil")),
        lambda: tar(entry(CONFIG, kind=tarfile.SYMTYPE)),
        lambda: tar(entry(CONFIG, kind=tarfile.LNKTYPE)),
        lambda: tar(entry(CONFIG, kind=tarfile.CHRTYPE)),
        lambda: tar(entry(CONFIG, kind=tarfile.DIRTYPE)),
        lambda: tar(entry(CONFIG, b"a"), entry(CONFIG, b"b")),
        lambda: tar(entry(RELAY, bytes(archive.LARGEST[RELAY] + 1))),
        lambda: packed(b""),
        lambda: packed(b"[]"),
        lambda: packed(b"[" * 100_000),
        lambda: packed(manifest(product="other")),
        lambda: packed(manifest(format="2")),
        lambda: packed(manifest(format=0)),
        lambda: packed(manifest(format=True)),
        lambda: packed(manifest(files=5)),
        lambda: packed(manifest(instance="a\x1b[2J")),
        lambda: packed(manifest(made_at=None)),
        lambda: packed(manifest({RELAY: b""}), {RELAY: b""}),
        lambda: packed(manifest(), {**FILES, CONFIG: b"other"}),
        lambda: PACKED + b"more",
        lambda: PACKED + PACKED,
    ],
)
def test_hostile_archives_are_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(BadArchive):
        unpack(make())


def test_a_later_format_says_so() -> None:
    with pytest.raises(BadArchive, match=r"later version \(9\.9\)"):
        unpack(packed(manifest(format=3, version="9.9")))


def test_an_older_format_is_brought_up_to_date_and_checked_as_well() -> None:
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    old = unpack(packed(manifest(format=1, files=None, sums=sums)))
    assert (old.format, old.files) == (1, FILES)
    for wrong in (None, {}, {**sums, CONFIG: "0" * 64}):
        with pytest.raises(BadArchive):
            unpack(packed(manifest(format=1, files=None, sums=wrong)))


def test_what_could_not_be_restored_is_not_packed() -> None:
    with pytest.raises(BadArchive, match="may be kept"):
        pack("a", "1", "now", {RELAY: bytes(archive.LARGEST[RELAY] + 1)})


def test_an_archive_has_a_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ARCHIVE", 64)
    with pytest.raises(BadArchive):
        unpack(PACKED)
    with pytest.raises(BadArchive):
        pack("a", "1", "now", FILES)


def test_what_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_ROOM", 100_000)
    with pytest.raises(BadArchive, match="more than any backup"):
        unpack(gzip.compress(bytes(50_000_000), 1))
