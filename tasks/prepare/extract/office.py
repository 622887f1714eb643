"""What office formats share: ZIP files with parts of XML, opened with bombs in mind."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

from tasks.prepare.extract import limits
from tasks.prepare.extract.problem import Problem, over, too_large

# What a damaged or lying ZIP raises in the standard library.
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError, RuntimeError)


@contextmanager
def opened(path: Path, most_entries: int = limits.PARTS, code: str = "parts") -> Iterator[zipfile.ZipFile]:
    """A ZIP that is no bomb by its own account; more than that account is never read from it. Raises Problem."""
    try:
        archive = zipfile.ZipFile(path)
    except BROKEN as error:
        raise Problem("broken") from error
    with archive:
        entries = archive.infolist()
        if len(entries) > most_entries:
            raise over(code, len(entries), most_entries)
        if any(entry.flag_bits & 1 for entry in entries):
            raise Problem("encrypted")
        unpacked = sum(entry.file_size for entry in entries)
        packed = sum(entry.compress_size for entry in entries)
        if unpacked > limits.UNPACKED_BYTES:
            raise too_large("unpacked", unpacked, limits.UNPACKED_BYTES)
        if unpacked > limits.SMALL_BYTES and unpacked > limits.RATIO * max(1, packed):
            raise over("ratio", unpacked // max(1, packed), limits.RATIO)
        try:
            yield archive
        except (*BROKEN, ET.ParseError, KeyError) as error:
            raise Problem("broken") from error


def part(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    """The XML of a part. Office files declare no entities; one that does is a bomb. Raises Problem, KeyError."""
    data = archive.read(name)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise Problem("entities")
    return io.BytesIO(data)


def tree(archive: zipfile.ZipFile, name: str) -> ET.Element:
    """A small part as a tree."""
    return ET.parse(part(archive, name)).getroot()  # noqa: S314 - `part` refuses entities.


def local(element: ET.Element) -> str:
    """An element's name without its namespace: transitional and strict files differ in nothing else here."""
    return element.tag.rpartition("}")[2]


def attribute(element: ET.Element, name: str) -> str | None:
    """An attribute by its name without a namespace."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def child(element: ET.Element, *names: str) -> ET.Element | None:
    """The first element down a path of names."""
    for name in names:
        below = next((each for each in element if local(each) == name), None)
        if below is None:
            return None
        element = below
    return element


def relations(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """What a part refers to, by id: names of other parts."""
    folder, _, file = name.rpartition("/")
    listed = f"{folder}/_rels/{file}.rels"
    if listed not in archive.namelist():
        return {}
    found = {}
    for each in tree(archive, listed):
        if attribute(each, "TargetMode") != "External":
            found[attribute(each, "Id") or ""] = _resolved(folder, attribute(each, "Target") or "")
    return found


def macros(archive: zipfile.ZipFile) -> list[str]:
    """The note about macros, if there are any: nobody runs them here."""
    return ["macros"] if any(name.endswith("vbaProject.bin") for name in archive.namelist()) else []


def _resolved(folder: str, target: str) -> str:
    if target.startswith("/"):
        return target[1:]
    parts = folder.split("/") if folder else []
    for step in target.split("/"):
        if step == "..":
            parts = parts[:-1]
        elif step not in {"", "."}:
            parts.append(step)
    return "/".join(parts)
