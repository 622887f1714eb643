"""Word documents: headings, lists, tables and footnotes; what was deleted under tracked changes is left out."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from tasks.prepare.extract import markup, office
from tasks.prepare.extract.office import attribute, child, local
from tasks.text.document import Document, Section

_BODY = "word/document.xml"
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_UNSAID = frozenset({"del", "moveFrom", "instrText", "delText", "pPr", "rPr", "Fallback", "proofErr"})
_BLOCKS = frozenset({"p", "tbl"})


@dataclass
class _Styles:
    levels: dict[str, int] = field(default_factory=dict)
    """Style -> level of heading; titles have 1."""
    lists: set[str] = field(default_factory=set)


def read(path: Path, name: str, kind: str) -> Document:
    """The body in its order as one section, footnotes at the end."""
    with office.opened(path) as archive:
        styles = _styles(archive)
        blocks = list(_written(_body(archive), styles))
        blocks += _notes(archive, styles)
        notes = office.macros(archive)
    return Document(name, kind, [Section("\n\n".join(_grouped(blocks)))], notes=notes)


def _body(archive: zipfile.ZipFile) -> Iterator[ET.Element]:
    """The blocks of the body, each forgotten when the next one is asked for: a long one is not held as a tree."""
    depth = 0
    path: list[ET.Element] = []
    for event, element in ET.iterparse(office.part(archive, _BODY), ("start", "end")):  # noqa: S314 - See part().
        if event == "start":
            path.append(element)
            depth += local(element) in _BLOCKS
            continue
        path.pop()
        if local(element) in _BLOCKS:
            depth -= 1
            if depth == 0:
                yield element
                element.clear()
                path[-1].remove(element)


def _written(blocks: Iterator[ET.Element], styles: _Styles) -> Iterator[str]:
    for block in blocks:
        text = _table(block) if local(block) == "tbl" else _paragraph(block, styles)
        if text.strip():
            yield text


def _grouped(blocks: list[str]) -> Iterator[str]:
    """Items of a list stand together."""
    items: list[str] = []
    for block in blocks:
        if block.lstrip().startswith("- "):
            items.append(block)
            continue
        if items:
            yield "\n".join(items)
            items = []
        yield block
    if items:
        yield "\n".join(items)


def _paragraph(paragraph: ET.Element, styles: _Styles) -> str:
    text = _text(paragraph).strip()
    properties = child(paragraph, "pPr")
    if not text or properties is None:
        return text
    style = child(properties, "pStyle")
    name = (attribute(style, "val") if style is not None else None) or ""
    if level := styles.levels.get(name):
        return f"{'#' * level} {' '.join(text.split())}"
    numbered = child(properties, "numPr")
    if numbered is not None or name in styles.lists:
        depth = child(numbered, "ilvl") if numbered is not None else None
        indent = int(attribute(depth, "val") or 0) if depth is not None else 0
        return f"{'  ' * min(indent, 8)}- {text}"
    return text


def _table(table: ET.Element) -> str:
    rows = [
        [
            " ".join(filter(None, (_text(block).strip() for block in _blocks(cell))))
            for cell in _under(row, "tc")
        ]
        for row in _under(table, "tr")
    ]
    return markup.table(rows)


def _under(element: ET.Element, name: str) -> Iterator[ET.Element]:
    """Rows or cells, also those inside of content controls."""
    for each in element:
        if local(each) == name:
            yield each
        elif local(each) in {"sdt", "sdtContent", "customXml", "ins"}:
            yield from _under(each, name)


def _blocks(element: ET.Element) -> Iterator[ET.Element]:
    for each in element:
        if local(each) in _BLOCKS:
            yield each
        else:
            yield from _blocks(each)


def _text(element: ET.Element) -> str:
    return "".join(_pieces(element))


def _pieces(element: ET.Element) -> Iterator[str]:
    for each in element:
        match local(each):
            case "t":
                yield each.text or ""
            case "tab":
                yield "\t"
            case "br" | "cr":
                yield "\n"
            case "noBreakHyphen":
                yield "-"
            case "p" | "tr":  # In a text box, or in a table within a cell.
                yield "\n"
                yield from _pieces(each)
                yield "\n"
            case "footnoteReference" | "endnoteReference":
                yield f"[^{attribute(each, 'id')}]"
            case name if name not in _UNSAID:
                yield from _pieces(each)


def _styles(archive: zipfile.ZipFile) -> _Styles:
    found = _Styles()
    if "word/styles.xml" not in archive.namelist():
        return found
    for style in office.tree(archive, "word/styles.xml"):
        style_id, name = attribute(style, "styleId"), child(style, "name")
        if local(style) != "style" or not style_id or name is None:
            continue
        said = attribute(name, "val") or ""
        if heading := _HEADING.fullmatch(said):
            found.levels[style_id] = min(6, int(heading[1]))
        elif said.lower() == "title":
            found.levels[style_id] = 1
        if child(style, "pPr", "numPr") is not None and style_id not in found.levels:
            found.lists.add(style_id)
    return found


def _notes(archive: zipfile.ZipFile, styles: _Styles) -> Iterator[str]:
    for name in ("word/footnotes.xml", "word/endnotes.xml"):
        if name in archive.namelist():
            for note in office.tree(archive, name):
                text = "\n".join(_paragraph(block, styles) for block in _blocks(note)).strip()
                if text and attribute(note, "type") is None:
                    yield f"[^{attribute(note, 'id')}]: {text}"
