"""Hangul word processor documents in their open form (OWPML, KS X 6101)."""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from tasks.prepare.extract import markup, office
from tasks.prepare.extract.office import local
from tasks.prepare.extract.problem import Problem
from tasks.text.document import Document, Section

_PART = re.compile(r"Contents/section(\d+)\.xml")
_BREAKS = {"lineBreak": "\n", "tab": "\t", "nbSpace": " ", "fwSpace": " ", "hyphen": "-"}
# Running lines and what is not shown.
_UNSAID = frozenset(
    {"secPr", "header", "footer", "hiddenComment", "linesegarray", "deleteBegin", "deleteEnd"}
)


def read(path: Path, name: str, kind: str) -> Document:
    """The parts in order, as one section."""
    with office.opened(path) as archive:
        if _is_encrypted(archive):
            raise Problem("encrypted")
        parts = sorted(
            (int(found[1]), part) for part in archive.namelist() if (found := _PART.fullmatch(part))
        )
        blocks = [block for _, part in parts for block in _blocks(office.tree(archive, part))]
    return Document(name, kind, [Section("\n\n".join(blocks))])


def _is_encrypted(archive: zipfile.ZipFile) -> bool:
    manifest = "META-INF/manifest.xml"
    return manifest in archive.namelist() and b"encryption-data" in archive.read(manifest)


def _blocks(element: ET.Element) -> Iterator[str]:
    """Paragraphs, and the tables that hang from them."""
    for paragraph in element:
        if local(paragraph) != "p":
            yield from _blocks(paragraph)
            continue
        text = "".join(_pieces(paragraph)).strip()
        if text:
            yield text
        for table in _tables(paragraph):
            if written := markup.table(
                [[_cell(cell) for cell in _named(row, "tc")] for row in _named(table, "tr")]
            ):
                yield written


def _pieces(element: ET.Element) -> Iterator[str]:
    for each in element:
        name = local(each)
        if name == "t":
            yield each.text or ""
            for mark in each:
                yield _BREAKS.get(local(mark), "") + (mark.tail or "")
        elif name == "p":  # In a text box or a footnote.
            yield "\n"
            yield from _pieces(each)
        elif name != "tbl" and name not in _UNSAID:
            yield from _pieces(each)


def _tables(element: ET.Element) -> Iterator[ET.Element]:
    for each in element:
        if local(each) == "tbl":
            yield each
        elif local(each) not in _UNSAID:
            yield from _tables(each)


def _named(element: ET.Element, name: str) -> Iterator[ET.Element]:
    return (each for each in element if local(each) == name)


def _cell(cell: ET.Element) -> str:
    return " ".join(
        text
        for paragraph in cell.iter()
        if local(paragraph) == "p" and (text := "".join(_pieces(paragraph)).strip())
    )
