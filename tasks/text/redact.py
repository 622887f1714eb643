"""Placeholders in the place of private values."""

import re
from dataclasses import replace

from tasks.text import placeholders, private
from tasks.text.document import Document, Table
from tasks.text.kind import Kind

# By what two spellings of one value are the same.
_NOT_DIGITS = re.compile(r"\D")
_NOT_ALNUM = re.compile(r"[\W_]")

# No value is shorter.
_LEAST_VALUE = 4
# So many cells of a table are searched at a time; a NUL, which no value has in it, stands between them.
_CELLS = 2000


class Redaction:
    """The placeholders of one job: a value has the same one in all its texts, however it is spelled."""

    def __init__(self, kinds: frozenset[Kind] = private.EVERY) -> None:
        self.originals: dict[str, str] = {}
        self._kinds = kinds
        self._known: dict[tuple[Kind, str], str] = {}
        self._last: dict[Kind, int] = {}
        # What people wrote themselves in the shape of placeholders: these names are not given out.
        self._taken: set[str] = set()

    def text(self, text: str) -> str:
        """`text` with its values hidden. `placeholders.restore` of it gives `text` back, up to the spelling of the values."""
        if not self._kinds:
            return text
        found = [(each.start, each.end, each.kind) for each in private.find(text, self._kinds)]
        parts, at = [], 0
        for start, end, kind in sorted([*found, *self._clashes(text, found)]):
            parts += [text[at:start], f"[{self._name(kind, text[start:end])}]"]
            at = end
        return "".join([*parts, text[at:]])

    def document(self, document: Document) -> Document:
        """A document with the values in its sections and tables hidden."""
        sections = [replace(section, text=self.text(section.text)) for section in document.sections]
        return replace(document, sections=sections, tables=[self._table(table) for table in document.tables])

    def _table(self, table: Table) -> Table:
        columns = [
            self._column(name, [row[place] if place < len(row) else "" for row in table.rows])
            for place, name in enumerate(table.header)
        ]
        rows = [
            [
                columns[place][number] if place < len(columns) else self.text(cell)
                for place, cell in enumerate(row)
            ]
            for number, row in enumerate(table.rows)
        ]
        return replace(table, header=[self.text(cell) for cell in table.header], rows=rows)

    def _column(self, name: str, cells: list[str]) -> list[str]:
        """A cell is read with its column's name, for a bare number is an account under `계좌번호`; and many cells
        at a time, for a search has a price.
        """
        label = f"{name}: "
        hidden = list(cells)
        worth = [
            place for place, cell in enumerate(cells) if len(cell) >= _LEAST_VALUE and not cell.isalpha()
        ]
        for first in range(0, len(worth), _CELLS):
            places = worth[first : first + _CELLS]
            together = self.text("\0".join(label + cells[place] for place in places)).split("\0")
            for place, cell in zip(places, together, strict=True):
                hidden[place] = (
                    cell.removeprefix(label) if cell.startswith(label) else self.text(cells[place])
                )
        return hidden

    def _clashes(self, text: str, found: list[tuple[int, int, Kind]]) -> list[tuple[int, int, Kind]]:
        """What looks like one of our placeholders and is people's own; it is hidden itself, to come back as it was."""
        clashes = []
        for match in placeholders.PATTERN.finditer(text):
            name = placeholders.name_in(match)
            if any(start < match.end() and match.start() < end for start, end, _ in found):
                continue
            if name in self.originals:
                clashes.append((match.start(), match.end(), Kind(name.partition("-")[0])))
            else:
                self._taken.add(name)
        return clashes

    def _name(self, kind: Kind, value: str) -> str:
        # A clash is no value, and is kept to the letter.
        is_clash = placeholders.PATTERN.fullmatch(value) is not None
        key = (kind, value if is_clash else _same(kind, value))
        if key not in self._known:
            number = self._last.get(kind, 0) + 1
            while f"{kind}-{number}" in self._taken:
                number += 1
            self._last[kind] = number
            self._known[key] = f"{kind}-{number}"
            self.originals[self._known[key]] = value
        return self._known[key]


def _same(kind: Kind, value: str) -> str:
    match kind:
        case Kind.PHONE:
            digits = _NOT_DIGITS.sub("", value)
            # The same telephone, as seen from outside of Korea.
            return "0" + digits[2:].lstrip("0") if digits.startswith("82") and "+" in value else digits
        case Kind.EMAIL | Kind.IP:
            return value.casefold()
        case Kind.KEY:
            return value
        case _:
            return _NOT_ALNUM.sub("", value).upper()
