"""One file in, one document out: finds the module for its kind."""

import importlib
from dataclasses import replace
from pathlib import Path

from tasks.prepare.extract import kinds
from tasks.prepare.extract.problem import Problem
from tasks.text import clean
from tasks.text.document import Document

_MODULES = {
    "csv": "rows",
    "docx": "docx",
    "eml": "mail",
    "html": "webpage",
    "hwpx": "hwpx",
    "pdf": "pdf",
    "pptx": "pptx",
    "tab": "rows",
    "tsv": "rows",
    **dict.fromkeys(kinds.SHEETS, "sheets"),
    **dict.fromkeys(kinds.IMAGES, "image"),
}


def read(path: Path, name: str, kind: str) -> Document:
    """The document in a file of a known kind; raises Problem."""
    # Each loads the library that it needs: a text file must not wait for those of a PDF.
    module = importlib.import_module(f"tasks.prepare.extract.{_MODULES.get(kind, 'plain')}")
    found = _cleaned(module.read(path, name, kind))
    if not found.sections:
        raise Problem("empty")
    return found


def _cleaned(found: Document) -> Document:
    """Clean sections; those without a word in them are gone."""
    sections = [replace(section, text=clean.clean(section.text)) for section in found.sections]
    return replace(found, sections=[section for section in sections if section.text])
