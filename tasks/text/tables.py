"""Where the tables of a text are: Markdown's, with their header, and lines of cells with tabs between them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# GitHub Flavored Markdown 0.29, section 4.10: the line under the header. One cell and no bar is a heading's line.
_DELIMITER = re.compile(
    r"^(?=[^\n]*\|) {0,3}\|?[ \t]*+:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+$", re.MULTILINE
)
_ROWS = re.compile(r"(?:[^\n|]*+\|[^\n]*+(?:\n|\Z))*+")
# Three lines, for one or two with a tab may be anything. A line that begins with one is indented, as code is.
_TABBED = re.compile(r"^(?:[^\t\n]++(?:\t[^\t\n]*+)++(?:\n|\Z)){3,}+", re.MULTILINE)


@dataclass(frozen=True)
class Table:
    """`text[start:end]` holds whole lines: a header if `body` > `start`, then a row a line."""

    start: int
    body: int
    """Where the first row after the header starts."""
    end: int
    opening: str
    """The header, to be read again above rows that were cut off from it; "" where there is none."""

    closing = ""

    @property
    def tail(self) -> int:
        """Nothing closes a table: it ends with its last row."""
        return self.end


def find(text: str) -> list[Table]:
    """The tables of `text` outside of code, in order, if `text` has no code in it."""
    return sorted([*_markdown(text), *_tabbed(text)], key=lambda table: table.start)


def _markdown(text: str) -> Iterator[Table]:
    free = 0
    for line in _DELIMITER.finditer(text):
        start = text.rfind("\n", 0, max(0, line.start() - 1)) + 1
        body = min(len(text), line.end() + 1)
        if start < free or line.start() == 0 or "|" not in text[start : line.start()]:
            continue
        rows = _ROWS.match(text, body)
        free = rows.end() if rows else body
        yield Table(start, body, free, text[start:body])


def _tabbed(text: str) -> Iterator[Table]:
    for lines in _TABBED.finditer(text):
        yield Table(lines.start(), lines.start(), lines.end(), "")
