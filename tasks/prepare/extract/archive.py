"""ZIP files: unpacked into a folder, for each member is then read in a process of its own."""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tasks.prepare.extract import limits, office
from tasks.prepare.extract.problem import Problem

# What systems put beside people's files.
_NOISE = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
_UTF_8 = 0x800  # The flag of a name in UTF-8; without it, a name is in whatever its system wrote.


def unpack(path: Path, into: Path) -> list[tuple[str, str]]:
    """(name, file) of each member. Files are named by number, so that no name leads out of the folder."""
    with office.opened(path, limits.ENTRIES, "entries") as archive:
        members = list(_members(archive))
        if not members:
            raise Problem("empty")
        return [
            (name, _extracted(archive, entry, into / f"{path.name}-{n}"))
            for n, (name, entry) in enumerate(members)
        ]


def _members(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for entry in archive.infolist():
        name = PurePosixPath(_name(entry))
        if not entry.is_dir() and _NOISE.isdisjoint(name.parts) and name.name:
            yield name.name, entry


def _name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & _UTF_8:
        return entry.filename
    try:
        raw = entry.filename.encode("cp437")  # As which the standard library reads it.
    except UnicodeEncodeError:
        return entry.filename
    for encoding in ("utf-8", "cp949"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return entry.filename


def _extracted(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> str:
    with archive.open(entry) as packed, file.open("wb") as out:
        shutil.copyfileobj(packed, out)
    return str(file)
