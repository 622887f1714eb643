"""One file in, one document out: finds the module for its kind."""

import importlib
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


def read(path: Path, name: str, kind: str, *, seen: bool = False) -> Document:
    """The document in a file of a known kind; raises Problem. A picture that is `seen` by a model is not read here."""
    if seen and kind in kinds.SEEN:
        shown: Document = importlib.import_module("tasks.prepare.extract.picture").read(path, name, kind)
        return shown
    # Each loads the library that it needs: a text file must not wait for those of a PDF.
    module = importlib.import_module(f"tasks.prepare.extract.{_MODULES.get(kind, 'plain')}")
    found = clean.document(module.read(path, name, kind))
    if not found.sections:
        raise Problem("empty")
    return found
