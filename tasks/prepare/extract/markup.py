"""Tables as Markdown, the form in which every format's tables are handed on."""

from collections.abc import Iterator, Sequence

from tasks.text.document import Section, Table

# Rows of one section. Each begins with the header again, so that a part of a long table can be read by itself.
GROUP = 50


def row(cells: Sequence[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(map(_cell, cells)) + " |"


def table(rows: Sequence[Sequence[str]]) -> str:
    """A whole table, its first row the header; "" if no cell says anything."""
    written = [cells for cells in rows if any(cell.strip() for cell in cells)]
    if not written:
        return ""
    width = max(map(len, written))
    even = [[*cells, *[""] * (width - len(cells))] for cells in written]
    if width == 1:  # A frame around a text, not a table.
        return "\n\n".join(cells[0].strip() for cells in even)
    return "\n".join([row(even[0]), _rule(width), *map(row, even[1:])])


def sections(found: Table, first_row: int = 2) -> Iterator[Section]:
    """A long table in groups of rows; `first_row` is where its rows begin, as people count."""
    head = f"{row(found.header)}\n{_rule(len(found.header))}"
    for start in range(0, max(1, len(found.rows)), GROUP):
        lines = [head, *map(row, found.rows[start : start + GROUP])]
        yield Section("\n".join(lines), sheet=found.sheet, row=first_row + start)


def _rule(width: int) -> str:
    return "|" + " --- |" * width


def _cell(text: str) -> str:
    if text.isalnum():
        return text
    return " ".join(text.split()).replace("|", "\\|")
