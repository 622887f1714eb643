"""Presentations: a section a slide, its title first, its speaker's notes last."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from tasks.prepare.extract import markup, office
from tasks.prepare.extract.office import attribute, child, local
from tasks.text.document import Document, Section

_SHOW = "ppt/presentation.xml"
_TITLES = frozenset({"title", "ctrTitle"})
_RUNNING = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read(path: Path, name: str, kind: str) -> Document:
    """The slides in the order of the show; hidden ones too, for they are often meant to be read."""
    with office.opened(path) as archive:
        slides = list(_slides(archive))
        sections = [Section(_slide(archive, slide), page=number) for number, slide in enumerate(slides, 1)]
        notes = office.macros(archive)
    return Document(name, kind, sections, pages=len(slides), notes=notes)


def _slides(archive: zipfile.ZipFile) -> Iterator[str]:
    relations = office.relations(archive, _SHOW)
    listed = child(office.tree(archive, _SHOW), "sldIdLst")
    for slide in listed if listed is not None else ():
        # Its own id and its relation's are told apart by their namespaces only.
        ids = [value for key, value in slide.attrib.items() if key.endswith("}id")]
        if ids and ids[0] in relations:
            yield relations[ids[0]]


def _slide(archive: zipfile.ZipFile, slide: str) -> str:
    shapes = list(_shapes(office.tree(archive, slide)))
    titles = [f"# {' '.join(text.split())}" for place, text in shapes if place in _TITLES]
    rest = [text for place, text in shapes if place not in _TITLES | _RUNNING]
    for part in office.relations(archive, slide).values():
        if part.startswith("ppt/notesSlides/"):
            rest += [f"> {text}" for place, text in _shapes(office.tree(archive, part)) if place == "body"]
    return "\n\n".join([*titles, *rest])


def _shapes(element: ET.Element) -> Iterator[tuple[str, str]]:
    """(kind of placeholder, text) of each shape and table."""
    for each in element:
        match local(each):
            case "sp" | "cxnSp":
                text = "\n".join(_paragraphs(each))
                if text.strip():
                    yield _place(each), text
            case "tbl":
                rows = [
                    [" ".join(_paragraphs(cell)) for cell in row if local(cell) == "tc"]
                    for row in each
                    if local(row) == "tr"
                ]
                if text := markup.table(rows):
                    yield "", text
            case "Fallback":
                pass
            case _:
                yield from _shapes(each)


def _place(shape: ET.Element) -> str:
    holder = child(shape, "nvSpPr", "nvPr", "ph")
    return (attribute(holder, "type") or "body") if holder is not None else ""


def _paragraphs(element: ET.Element) -> Iterator[str]:
    for each in element.iter():
        if local(each) == "p":
            text = "".join(
                "\n" if local(run) == "br" else (run.text or "")
                for run in each.iter()
                if local(run) in {"t", "br"}
            ).strip()
            if text:
                yield text
