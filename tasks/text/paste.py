"""Tables that people paste: cells copied from a spreadsheet, and CSV in a code block."""

import csv
import io
import re

from tasks.text.document import Document, Section, Table

_FENCED = re.compile(r"\A```(csv|tsv)\s*\n(.*?)\n?```\s*\Z", re.DOTALL | re.IGNORECASE)


def read(text: str, kind: str = "text") -> Document:
    """A text as a document: with a table where all of it is one, headings first.

    Cells from a spreadsheet come with tabs between them, as many as the headings have but for empty cells at a
    line's end. Commas alone make no table, since sentences have them, too; a code block that is called csv does.
    """
    table = _table(text)
    tables = () if table is None else (table,)
    return Document("", "csv" if tables else kind, [Section(text)], tables)


def _table(text: str) -> Table | None:
    fenced = _FENCED.match(text.strip())
    if fenced:
        return _of(fenced[2], "," if fenced[1].lower() == "csv" else "\t")
    tabs = [line.count("\t") for line in text.strip("\n").split("\n") if line.strip()]
    full = tabs.count(tabs[0]) if tabs else 0
    is_table = full > 1 and tabs[0] == max(tabs) > 0 and 2 * full >= len(tabs)
    return _of(text.strip("\n"), "\t") if is_table else None


def _of(text: str, delimiter: str) -> Table | None:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True) if any(row)]
    except csv.Error:
        return None
    if len(rows) < 2:
        return None
    header, *rest = rows
    return Table(tuple(header), [(*row, *[""] * (len(header) - len(row)))[: len(header)] for row in rest])
