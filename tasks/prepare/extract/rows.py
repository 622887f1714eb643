"""CSV and its kin: a table, whatever stands between its cells."""

import csv
import io
import sys
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tasks.prepare.extract import decode, limits, markup
from tasks.prepare.extract.problem import Problem, over
from tasks.text.document import Document, Table

_DELIMITERS = ",;\t|"
_LINES = 20


def read(path: Path, name: str, kind: str) -> Document:
    """The table, its first row the header."""
    text = unicodedata.normalize("NFC", decode.text(path.read_bytes()))
    csv.field_size_limit(sys.maxsize)
    rows = _rows(text, _delimiter(text, kind))
    header = next(rows, None)
    if header is None:
        raise Problem("empty")
    table = Table(header, list(rows))
    return Document(name, kind, list(markup.sections(table)), [table])


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    """Rows with anything in them; raises Problem past the most cells, once all are counted."""
    cells = 0
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        cells += len(row)
        if cells <= limits.CELLS and any(row):
            yield row
    if cells > limits.CELLS:
        raise over("cells", cells, limits.CELLS)


def _delimiter(text: str, kind: str) -> str:
    """The one that cuts the first lines into the same number of cells, and into the most."""
    if kind == "tsv":
        return "\t"
    best, most = ",", 1.0
    for delimiter in _DELIMITERS:
        lines = csv.reader(io.StringIO(text[:100_000], newline=""), delimiter=delimiter)
        widths = [len(row) for row in islice(lines, _LINES) if row]
        if widths and (steady := widths.count(widths[0]) / len(widths) * widths[0]) > most:
            best, most = delimiter, steady
    return best
