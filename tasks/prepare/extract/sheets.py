"""Spreadsheets: every visible sheet is a table. Values as they were last calculated; formulas and macros are left out."""

import datetime as dt
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from tasks.prepare.extract import limits, markup, office
from tasks.prepare.extract.problem import Problem, over
from tasks.text.document import Document, Section, Table

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def read(path: Path, name: str, kind: str) -> Document:
    """Each sheet's first row with anything in it is its header."""
    notes = _checked(path) if zipfile.is_zipfile(path) else []
    try:
        with CalamineWorkbook.from_path(path) as book:
            shown = [each.name for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
            notes += ["hidden"] if len(shown) < len(book.sheet_names) else []
            sheets = [(each, book.get_sheet_by_name(each)) for each in shown if _is_table(book, each)]
            cells = sum(sheet.total_height * sheet.total_width for _, sheet in sheets)
            if cells > limits.CELLS:
                raise over("cells", cells, limits.CELLS)
            found = [made for title, sheet in sheets if (made := _table(title, sheet)) is not None]
    except PasswordError as error:
        raise Problem("encrypted") from error
    except (CalamineError, OSError, ValueError) as error:
        raise Problem("broken") from error
    sections = list(chain.from_iterable(_sections(table, first, len(found) > 1) for table, first in found))
    return Document(name, kind, sections, [table for table, _ in found], notes=notes)


def _checked(path: Path) -> list[str]:
    with office.opened(path) as archive:
        return office.macros(archive)


def _is_table(book: CalamineWorkbook, name: str) -> bool:
    """Charts have sheets too."""
    return any(each.name == name and each.typ == SheetTypeEnum.WorkSheet for each in book.sheets_metadata)


def _table(title: str, sheet: CalamineSheet) -> tuple[Table, int] | None:
    """A sheet, and in which of its rows the first row after the header stands."""
    rows = ([_text(cell) for cell in row] for row in sheet.iter_rows())
    numbered = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
    if not numbered:
        return None
    left = min(next(place for place, cell in enumerate(row) if cell) for _, row in numbered)
    right = max(len(row) for _, row in numbered)
    (first, header), *rest = [(number, row[left:right]) for number, row in numbered]
    return Table(header, [row for _, row in rest], title), rest[0][0] if rest else first + 1


def _sections(table: Table, first_row: int, is_one_of_many: bool) -> Iterator[Section]:
    for number, section in enumerate(markup.sections(table, first_row)):
        title = f"## {table.sheet}\n\n" if is_one_of_many and number == 0 else ""
        yield Section(title + section.text, sheet=section.sheet, row=section.row)


def _text(cell: Cell) -> str:
    match cell:
        case str():
            return cell.strip()
        case bool():
            return "TRUE" if cell else "FALSE"
        case float():
            return f"{cell:.15g}"
        case dt.datetime():
            return cell.isoformat(" ").removesuffix(" 00:00:00")
        case dt.date() | dt.time():
            return cell.isoformat()
        case _:
            return str(cell)
