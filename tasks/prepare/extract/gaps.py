"""Words that a PDF draws after the line among whose words they are seen, put back into it.

A sheet from LibreOffice draws its Korean words after all of its Latin ones, for they have another font; a filled form
draws what was filled in after its labels. Only what stands between two words of a line is sure to be of it, and then
what stands in the same columns beside other lines; any other words at a line's height may be another column's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from operator import itemgetter

import pypdfium2

# Of the height of a word: so far may its middle be from that of the words beside it, when its font is another.
_OFF = 0.35
# Points by which boxes that touch may overlap.
_TOUCH = 0.5
# What of a box's height is read, above and below its middle, so that letters of other lines that reach into it are not.
_BAND = 0.4
# Points by which the middles of words at one height differ at most.
_NEAR = 4
# Points between the edges of words in one column.
_ALIGNED = 1.0


@dataclass(frozen=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    @property
    def middle(self) -> float:
        return (self.bottom + self.top) / 2

    def is_level_with(self, other: "_Box") -> bool:
        height = min(self.top - self.bottom, other.top - other.bottom)
        return abs(self.middle - other.middle) <= _OFF * height

    def text(self, page: pypdfium2.PdfTextPage) -> str:
        reach = _BAND * (self.top - self.bottom)
        found: str = page.get_text_bounded(self.left, self.middle - reach, self.right, self.middle + reach)
        return " ".join(found.split())


@dataclass
class _Line:
    number: int
    boxes: list[_Box]
    inside: list[list[_Box]] = field(default_factory=list)
    """What was drawn elsewhere, each time it was, and is of this line."""

    def is_beside(self, other: "_Line") -> bool:
        """Whether the other's words stand at this line's height, and none over a word of it."""
        return self.boxes[0].is_level_with(other.boxes[0]) and all(
            mine.right <= theirs.left + _TOUCH or theirs.right <= mine.left + _TOUCH
            for mine in self.boxes
            for theirs in other.boxes
        )

    def is_around(self, other: "_Line") -> bool:
        """Whether a word of the other stands between two of this one."""
        return any(
            left.right <= box.left + _TOUCH and box.right <= right.left + _TOUCH
            for left, right in pairwise(self.boxes)
            for box in other.boxes
        )

    def is_one_with(self, later: "_Line") -> bool:
        """Whether both are one line, of which this was drawn first."""
        return self.number < later.number and (self.is_around(later) or later.is_around(self))


def filled(page: pypdfium2.PdfTextPage) -> str | None:
    """The page's text with its gaps filled; None where it has none to fill."""
    lines = list(_lines(page))
    _move(lines)
    if not any(line.inside for line in lines):
        return None
    return "\n".join(_text(page, line) for line in lines if line.boxes)


def _lines(page: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    """Boxes that were drawn one after the other from left to right, at one height."""
    boxes: list[_Box] = []
    for number in range(page.count_rects()):
        box = _Box(*page.get_rect(number))
        if boxes and not (box.is_level_with(boxes[-1]) and box.left >= boxes[-1].right - _TOUCH):
            yield _Line(number, boxes)
            boxes = []
        boxes.append(box)
    if boxes:
        yield _Line(page.count_rects(), boxes)


def _move(lines: list[_Line]) -> None:
    """Give the words that are seen among a line's to that line; their own is empty then."""
    rows = defaultdict(list)
    for line in lines:
        rows[round(line.boxes[0].middle)].append(line)
    columns: list[_Box] = []
    for line in lines:
        if (earlier := _first(rows, line, _Line.is_one_with)) is not None:
            columns += line.boxes
            _give(earlier, line)
    if not columns:
        return
    for line in lines:
        if line.boxes and not line.inside and all(_is_in(columns, box) for box in line.boxes):
            beside = _first(rows, line, lambda row, _: len(row.boxes) > 1)
            if beside is not None:
                _give(beside, line)


def _first(
    rows: dict[int, list[_Line]], line: _Line, is_right: Callable[[_Line, _Line], bool]
) -> _Line | None:
    level = round(line.boxes[0].middle)
    near = (row for height in range(level - _NEAR, level + _NEAR + 1) for row in rows.get(height, ()))
    return next(
        (
            row
            for row in near
            if row is not line and row.boxes and row.is_beside(line) and is_right(row, line)
        ),
        None,
    )


def _give(row: _Line, line: _Line) -> None:
    row.inside += [line.boxes, *line.inside]
    line.boxes, line.inside = [], []


def _is_in(columns: list[_Box], box: _Box) -> bool:
    return any(
        abs(box.left - one.left) < _ALIGNED or abs(box.right - one.right) < _ALIGNED for one in columns
    )


def _text(page: pypdfium2.PdfTextPage, line: _Line) -> str:
    """Words that were drawn together and stand together are read together, for then their spaces are known."""
    drawn = enumerate([line.boxes, *line.inside])
    seen = sorted(((box, number) for number, boxes in drawn for box in boxes), key=lambda one: one[0].left)
    runs = groupby(seen, key=itemgetter(1))
    return " ".join(_around([box for box, _ in run]).text(page) for _, run in runs)


def _around(boxes: list[_Box]) -> _Box:
    bottom, top = min(box.bottom for box in boxes), max(box.top for box in boxes)
    return _Box(boxes[0].left, bottom, boxes[-1].right, top)
