"""Tables: Slack's own block where the limits allow, an aligned text where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import wcwidth

from tasks.deliver import defuse

Element = dict[str, Any]

# docs.slack.dev/reference/block-kit/blocks/table-block: 100 rows, 20 columns, one table in a message,
# and 10,000 characters over all its cells.
MAX_ROWS = 100
MAX_COLUMNS = 20
MAX_CHARACTERS = 10_000
# A longer cell is not padded to: one long note would push every other column out of sight.
WIDEST = 40


def native(rows: Sequence[Sequence[Element]], aligns: Sequence[str]) -> Element | None:
    """Slack's table block of sections, or None where it would not fit."""
    if not 0 < len(rows) <= MAX_ROWS or not 0 < len(aligns) <= MAX_COLUMNS:
        return None
    if sum(_size(cell) for row in rows for cell in row) > MAX_CHARACTERS:
        return None
    return {
        "type": "table",
        "column_settings": [{"align": align, "is_wrapped": True} for align in aligns],
        "rows": [[_cell(cell) for cell in _full(row, len(aligns))] for row in rows],
    }


def aligned(rows: Sequence[Sequence[Element]]) -> str:
    """The table as text for a fixed-width font, in which a Korean letter is two columns wide."""
    columns = max((len(row) for row in rows), default=0)
    texts = [[_text(cell).replace("\n", " ") for cell in _full(row, columns)] for row in rows]
    widths = [max(min(wcwidth.width(row[at]), WIDEST) for row in texts) for at in range(columns)]
    lines = [" | ".join(map(_padded, row, widths)).rstrip() for row in texts]
    rule = "-|-".join("-" * width for width in widths)
    return "\n".join([*lines[:1], rule, *lines[1:]])


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - wcwidth.width(text), 0)


def _full(row: Sequence[Element], columns: int) -> list[Element]:
    missing: Element = {"elements": []}
    return [*row, *[missing] * (columns - len(row))][:columns]


def _cell(section: Element) -> Element:
    # Slack takes no empty cell; the dash is what slack-markdown-parser found accepted.
    empty = [{"type": "text", "text": "-"}]
    elements = section["elements"] if _text(section).strip() else empty
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def _text(section: Element) -> str:
    return "".join(element["text"] for element in section["elements"])


def _size(section: Element) -> int:
    return sum(defuse.size(element["text"] + element.get("url", "")) for element in section["elements"])
