"""One answer an item: what the items of a request are, how many go into one call, and their answers put together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.recipes import form
from tasks.text.chunk import pieces
from tasks.text.document import Document, Table
from tasks.text.tokens import estimate

# A longer list makes models lose count; at 25 a call's own instructions are a small part of its cost.
MOST_IN_A_CALL = 25

_NUMBER = 8  # Tokens of an item's number and the blank line after it, at most.
_FROM_TEXT = ("text",)
_FROM_FILES = ("file", "text")
_NOTHING = "-"


@dataclass(frozen=True)
class Source:
    """A table whose rows are items, and the file that it stands in: `name` is "" for what stood in a message."""

    name: str
    kind: str
    table: Table


def sources(documents: Sequence[Document], each: Literal["line", "row"] | None) -> list[Source]:
    """Where the items of a request stand: its tables, with other files beside them as one more, else its files, else
    (with "line") the lines of its text. What somebody wrote beside a table speaks of it.

    [] if it is to be answered as a whole.
    """
    if each is None:
        return []
    tables = [Source(one.name, one.kind, table) for one in documents for table in one.tables if table.rows]
    if tables:
        beside = [(one.name, one.text) for one in documents if _is_file(one) and not one.tables]
        return [*tables, Source("", "csv", Table(_FROM_FILES, beside))] if beside else tables
    if len(documents) > 1:
        rows = [(one.name, one.text) for one in documents]
        return [Source("", "csv", Table(_FROM_FILES, rows))]
    if each == "line":
        lines = [(line,) for one in documents for line in _lines(one)]
        return [Source(documents[0].name, "csv", Table(_FROM_TEXT, lines))]
    return []


def count(of: Sequence[Source]) -> int:
    """How many items there are."""
    return sum(len(one.table.rows) for one in of)


def texts(of: Sequence[Source]) -> Iterator[str]:
    """What the model reads of each item: a lone column bare, several with their headings."""
    for one in of:
        header = one.table.header
        for row in one.table.rows:
            if header == _FROM_FILES:
                yield f"{row[0]}\n{row[1]}"
            elif len(header) == 1:
                yield _flat(row[0]) if row else _NOTHING
            else:
                cells = zip(header, row, strict=False)
                yield " | ".join(f"{_flat(name)}: {_flat(cell)}" for name, cell in cells if cell.strip()) or (
                    _NOTHING
                )


def batches(of: Sequence[Source], budget: int, most: int) -> Iterator[list[str]]:
    """The items in order, in calls of at most `most` and `budget` tokens; of one that is longer, its beginning."""
    batch: list[str] = []
    used = 0
    for text in texts(of):
        item = text if estimate(text) + _NUMBER <= budget else _beginning(text, budget - _NUMBER)
        cost = estimate(item) + _NUMBER
        if batch and (used + cost > budget or len(batch) >= min(most, MOST_IN_A_CALL)):
            yield batch
            batch, used = [], 0
        batch.append(item)
        used += cost
    if batch:
        yield batch


def numbered(batch: Sequence[str]) -> str:
    """A call's items, each under its number."""
    return "\n\n".join(f"[{number}] {item}" for number, item in enumerate(batch, 1))


def gather(schema: form.Schema, answers: Sequence[str], sizes: Sequence[int]) -> list[dict[str, Any]]:
    """The answers for all items in order, as `{"row": 1, "answer": {...}}`; None where its call gave none."""
    said: list[dict[str, Any] | None] = []
    for answer, size in zip(answers, sizes, strict=True):
        usable = form.usable(schema, size, answer)
        said += [usable.get(number) for number in range(1, size + 1)]
    return [{"row": row, "answer": each} for row, each in enumerate(said, 1)]


def _is_file(document: Document) -> bool:
    return bool(document.name) and document.kind != "thread"


def _lines(document: Document) -> Iterator[str]:
    """A section each where there are several, such as a thread's messages; else each line that says something."""
    if document.kind == "thread" and len(document.sections) > 1:
        yield from (section.text for section in document.sections if section.text.strip())
        return
    yield from (line.strip() for line in document.text.splitlines() if line.strip())


def _flat(text: str) -> str:
    return " ".join(text.split()) or _NOTHING


def _beginning(text: str, budget: int) -> str:
    return next(pieces(text, budget - 2)).text.rstrip() + " …"
