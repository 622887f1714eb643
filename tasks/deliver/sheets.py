"""Tables given back as files of the kind they came as, with the answers as new columns.

Values survive; formulas, formats and merged cells do not. What a model wrote is text, whatever it begins with: a
cell with `=` at its start would be run by whoever opens the file.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from db.models import Source

# owasp.org/www-community/attacks/CSV_Injection; Excel and its kin also look through a full-width sign.
_FORMULA = re.compile(r"[=+\-@\t\r＝＋－＠]")
# A number that reads the same again: no leading zero, no more digits than a spreadsheet keeps.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,10})?")
_LONGEST_CELL = 32_767  # Excel's limit, in characters.
_LONGEST_SHEET_NAME = 31
_NOT_IN_SHEET_NAMES = re.compile(r"[\\/*?:\[\]]")

Answers = Sequence[Sequence[str]]


def kind(sources: Sequence[Source]) -> str:
    """What file they go back as: a workbook if one of them came in one, or if there are several."""
    return "xlsx" if len(sources) > 1 or sources[0].kind.startswith("xls") else "csv"


def write(sources: Sequence[Source], titles: Sequence[str], answers: Answers) -> bytes:
    """The file, with `answers` (a row for each row of all sources, in order) under `titles`."""
    return (_workbook if kind(sources) == "xlsx" else _csv)(sources, titles, answers)


def _csv(sources: Sequence[Source], titles: Sequence[str], answers: Answers) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([*sources[0].header, *map(_harmless, titles)])
    for own, said in _beside(sources[0], iter(answers)):
        writer.writerow([*own, *map(_harmless, said)])
    # With a mark of its encoding, without which Excel reads Korean as something else.
    return out.getvalue().encode("utf-8-sig", "replace")


def _workbook(sources: Sequence[Source], titles: Sequence[str], answers: Answers) -> bytes:
    import openpyxl  # Late: few answers are workbooks, and it takes 17 MB.

    book = openpyxl.Workbook(write_only=True)
    left = iter(answers)
    for number, source in enumerate(sources, 1):
        name = _NOT_IN_SHEET_NAMES.sub(" ", source.sheet or source.name).strip("' ")
        # openpyxl itself numbers names that stand twice.
        sheet = book.create_sheet(name[: _LONGEST_SHEET_NAME - 3] or f"{number}")
        sheet.append([_text(sheet, title) for title in (*source.header, *titles)])
        for own, said in _beside(source, left):
            sheet.append([*(_own(sheet, value) for value in own), *(_text(sheet, one) for one in said)])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _beside(source: Source, answers: Iterator[Sequence[str]]) -> Iterator[tuple[list[str], Sequence[str]]]:
    width = len(source.header)
    for row in source.rows:
        yield [*row, *[""] * (width - len(row))], next(answers)


def _own(sheet: Any, value: str) -> Any:
    """A person's value: a number where it is one, and else text, as it was read."""
    if _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return _text(sheet, value)


def _text(sheet: Any, value: str) -> Any:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST_CELL])
    # Else openpyxl takes what begins with `=` for a formula.
    cell.data_type = "s"
    return cell


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell
