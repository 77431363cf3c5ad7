"""The archive of a backup: a gzipped tar with a manifest and a checksum for everything in it.

It turns contents into bytes and back, and opens no file. What it reads may be anybody's: names,
kinds, sizes and sums are checked before a single octet is believed, and nothing is ever unpacked to
a place that the archive chooses.
"""

import gzip
import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from centrex.base import CentrexError

FORMAT: Final = 2
"""The version of the format that is written."""
MANIFEST: Final = "manifest.json"
CONFIG: Final = "config.toml"
CREDENTIALS: Final = "credentials.htdigest"
RELAY: Final = "relay.toml"
REGISTRATIONS: Final = "registrations"
LARGEST: Final[Mapping[str, int]] = {
    MANIFEST: 65_536,
    CONFIG: 16_777_216,
    CREDENTIALS: 67_108_864,
    RELAY: 1_048_576,
    REGISTRATIONS: 268_435_456,
}
"""What may be in an archive, and how many octets of it."""
MAX_ARCHIVE: Final = 268_435_456
"""Octets of a whole archive, as it is stored."""
_CHUNK: Final = 1_048_576
_ROOM: Final = sum(LARGEST.values()) + 65_536
_BLOCK: Final = 512
_PRODUCT: Final = "centrex"


class BadArchive(CentrexError):
    """A file is no backup, or a damaged one; nothing has been touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """What a backup holds."""

    instance: str
    """The name of the instance it was made of."""
    version: str
    """The version of the program that made it."""
    made_at: str
    """When, in UTC as ISO 8601 has it."""
    format: int
    """The version of the format it was read from; older ones have been brought up to date."""
    files: Mapping[str, bytes]
    """`config.toml`, and what else there is of `LARGEST`, the manifest left out."""


def pack(instance: str, version: str, made_at: str, files: Mapping[str, bytes]) -> bytes:
    """Return an archive.

    Args:
        instance: The name of the instance.
        version: The version of the program.
        made_at: When, in UTC as ISO 8601 has it.
        files: Contents by the names in `LARGEST`, `config.toml` among them.

    Raises:
        BadArchive: Something is larger than could be restored.
    """
    for name, data in files.items():
        if len(data) > LARGEST[name]:
            raise BadArchive(f"{name} has {len(data)} octets, and {LARGEST[name]} may be kept")
    manifest = {
        "product": _PRODUCT,
        "format": FORMAT,
        "instance": instance,
        "version": version,
        "made_at": made_at,
        "files": {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in files.items()
        },
    }
    head = json.dumps(manifest, indent=1).encode() + b"\n"
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in {MANIFEST: head, **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o600
            tar.addfile(entry, io.BytesIO(data))
    packed = gzip.compress(raw.getvalue(), mtime=0)
    if len(packed) > MAX_ARCHIVE:
        raise BadArchive(f"a backup of {len(packed)} octets could not be restored")
    return packed


def unpack(data: bytes) -> Archive:
    """Read an archive, and check all of it.

    Raises:
        BadArchive: It is none, or damaged, or made by a later version; says what is wrong.
    """
    members = _members(_inflate(data))
    manifest = _manifest(members.pop(MANIFEST, b""))
    number = manifest["format"]
    files, manifest = _up_to_date(members, manifest)
    told = manifest.get("files")
    if not isinstance(told, dict) or told.keys() != files.keys():
        raise BadArchive("the backup does not hold what its manifest says")
    for name, content in files.items():
        entry = told[name]
        if not isinstance(entry, dict) or entry.get("size") != len(content):
            raise BadArchive(f"the backup is damaged: {name} has not the size it had")
        if entry.get("sha256") != hashlib.sha256(content).hexdigest():
            raise BadArchive(f"the backup is damaged: {name} has not the checksum it had")
    if CONFIG not in files:
        raise BadArchive("the backup holds no configuration")
    return Archive(
        instance=_text(manifest, "instance"),
        version=_text(manifest, "version"),
        made_at=_text(manifest, "made_at"),
        format=number,
        files=files,
    )


def _inflate(data: bytes) -> bytes:
    """Return what a gzip file holds: one member, whole, its sum right, and nothing behind it."""
    if len(data) > MAX_ARCHIVE:
        raise BadArchive(f"a backup has at most {MAX_ARCHIVE} octets")
    if data[:2] != b"\x1f\x8b":
        raise BadArchive("this is no backup: not a gzipped archive")
    machine = zlib.decompressobj(wbits=31)
    found = bytearray()
    try:
        found += machine.decompress(data, _CHUNK)
        while not machine.eof and machine.unconsumed_tail:
            found += machine.decompress(machine.unconsumed_tail, _CHUNK)
            if len(found) > _ROOM:
                raise BadArchive("the backup unpacks to more than any backup holds")
    except zlib.error as error:
        raise BadArchive(f"the backup is damaged: {error}") from error
    if not machine.eof:
        raise BadArchive("the backup is damaged: its end is missing")
    if machine.unused_data:
        raise BadArchive("the backup is damaged: something follows its end")
    return bytes(found)


def _members(raw: bytes) -> dict[str, bytes]:
    """Return the files of a tar by their names; anything but plain files of known names is refused."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
            while (entry := tar.next()) is not None:
                if not entry.isreg() or entry.issparse() or entry.pax_headers:
                    raise BadArchive("this is no backup: it holds more than plain files")
                largest = LARGEST.get(entry.name)
                if largest is None or entry.name in found:
                    raise BadArchive("this is no backup: it holds files that are none of ours")
                if entry.size > largest:
                    raise BadArchive(f"the backup's {entry.name} is too large")
                file = tar.extractfile(entry)
                content = file.read() if file else b""
                if len(content) != entry.size:
                    raise BadArchive(f"the backup is damaged: {entry.name} is cut short")
                found[entry.name] = content
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise BadArchive(f"this is no backup: {error}") from error
    if not raw.endswith(bytes(2 * _BLOCK)):
        raise BadArchive("the backup is damaged: its last blocks are missing")
    return found


def _manifest(data: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadArchive("this is no backup: it has no manifest that can be read") from error
    if not isinstance(manifest, dict) or manifest.get("product") != _PRODUCT:
        raise BadArchive("this is no backup of Centrex")
    number = manifest.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < min(MIGRATIONS):
        raise BadArchive(f"the backup's format {number!r} is not known")
    if number > FORMAT:
        by = manifest.get("version")
        raise BadArchive(f"the backup was made by a later version ({by}), in format {number}")
    return manifest


def _text(manifest: Mapping[str, Any], name: str) -> str:
    value = manifest.get(name)
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        raise BadArchive(f"the backup's manifest has no {name} that can be used")
    return value


# ------------------------------------------------------------------------------ older formats


def _from_1(
    files: dict[str, bytes], manifest: dict[str, Any]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Format 1 had a bare checksum for each file; format 2 has its size, too.

    No released version wrote it. It stands for the way that an older archive goes.
    """
    sums = manifest.get("sums")
    if not isinstance(sums, dict):
        raise BadArchive("the backup's manifest has no checksums")
    told = {
        name: {"size": len(files.get(name, b"")), "sha256": checksum}
        for name, checksum in sums.items()
    }
    return files, {**manifest, "format": 2, "files": told}


Migration = Callable[[dict[str, bytes], dict[str, Any]], tuple[dict[str, bytes], dict[str, Any]]]
MIGRATIONS: Final[Mapping[int, Migration]] = {1: _from_1}
"""For each older format what makes the next one of it: files and manifest in, and out."""


def _up_to_date(
    files: dict[str, bytes], manifest: dict[str, Any]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    for number in range(manifest["format"], FORMAT):
        files, manifest = MIGRATIONS[number](files, manifest)
    return files, manifest
