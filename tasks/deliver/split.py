"""Pieces dealt into messages within Slack's limits, cut where a reader would pause."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Any

from tasks.deliver import defuse
from tasks.deliver.pieces import Piece

Element = dict[str, Any]

# Slack: 12,000 characters of markdown and 50 blocks in a message (docs.slack.dev/reference/block-kit/blocks);
# 13,200 over all blocks was measured to fail. The rest is for the mention, a footer and buttons.
MAX_CHARACTERS = 11_000
MAX_BLOCKS = 40
# A shorter piece moves to the next message whole; a longer one may begin in what is left of this one.
WHOLE = 3_000
_LEAST_ROOM = 1_500
# A dash, a pair of stars: twenty thousand items of one letter are a long message, too.
_SIGNS = 2
_PAUSES = (
    re.compile(r"\n"),
    re.compile(r"(?:[.!?…][\"'”’)\]]*(?=\s)|[。！？])"),
    re.compile(r"\s"),
)


def pack(pieces: Iterable[Piece], most: int) -> list[list[Piece]]:
    """`pieces` in order, by message; stops once more than `most` messages are full."""
    waiting = deque(pieces)
    messages: list[list[Piece]] = []
    current: list[Piece] = []
    room = MAX_CHARACTERS
    while waiting and len(messages) <= most:
        piece = waiting.popleft()
        if piece.kind == "rule" and messages and not current:
            continue
        measure = _piece_size(piece)
        if _joins(piece, current) and measure <= room:
            current.append(piece)
            room -= measure
            continue
        if piece.kind == "text" and _may_begin(current, measure, room):
            head, tail = _split(piece.elements, room)
            current += [Piece("text", head)] * bool(head)
            piece = Piece("text", tail)
        elif piece.kind == "heading" and not current:
            piece = Piece("text", piece.elements)
        waiting.appendleft(piece)
        if current:
            messages.append(_closed(current, waiting))
        current, room = [], MAX_CHARACTERS
    return [*messages, _closed(current, None)] if current else messages


def _joins(piece: Piece, current: list[Piece]) -> bool:
    if piece.kind == "table" and any(other.kind == "table" for other in current):
        return False
    return len(current) < MAX_BLOCKS


def _may_begin(current: list[Piece], measure: int, room: int) -> bool:
    if not current:
        return True
    return len(current) < MAX_BLOCKS and measure > WHOLE and room >= _LEAST_ROOM


def _closed(current: list[Piece], waiting: deque[Piece] | None) -> list[Piece]:
    """The message as it is posted: a heading at its end goes with its text, a rule there goes away."""
    message = list(current)
    while len(message) > 1 and message[-1].kind in ("heading", "rule"):
        last = message.pop()
        if last.kind == "heading":
            if waiting is None:
                return [*message, last]
            waiting.appendleft(last)
    return message


def _split(elements: list[Element], room: int) -> tuple[list[Element], list[Element]]:
    """As many elements as fit, and the rest; the first is cut anywhere if a whole message is too small."""
    head: list[Element] = []
    for index, element in enumerate(elements):
        measure = element_size(element)
        if measure <= room:
            head.append(element)
            room -= measure
            continue
        forced = not head and room == MAX_CHARACTERS
        if not forced and (measure <= WHOLE or room < _LEAST_ROOM):
            return head, elements[index:]
        first, rest = _cut(element, room, forced)
        return head + [first] * bool(first), [rest, *elements[index + 1 :]]
    return head, []


def _cut(element: Element, room: int, forced: bool) -> tuple[Element, Element]:
    """One element in two, each complete in itself; the first is empty where it had better not be cut."""
    if element["type"] == "rich_text_list":
        return _cut_list(element, room, forced)
    first, rest = cut_runs(element["elements"], room)
    return ({**element, "elements": first} if first else {}), {**element, "elements": rest}


def _cut_list(element: Element, room: int, forced: bool) -> tuple[Element, Element]:
    items: list[Element] = element["elements"]
    count = 0
    while count < len(items) and element_size(items[count]) <= room:
        room -= element_size(items[count])
        count += 1
    if count:
        rest = {**element, "elements": items[count:]}
        if element["style"] == "ordered":
            rest["offset"] = element.get("offset", 0) + count
        return {**element, "elements": items[:count]}, rest
    if not forced:
        return {}, element
    first, tail = cut_runs(items[0]["elements"], room)
    rest_items = [{**items[0], "elements": tail}, *items[1:]]
    return {**element, "elements": [{**items[0], "elements": first}]}, {**element, "elements": rest_items}


def cut_runs(runs: list[Element], room: int) -> tuple[list[Element], list[Element]]:
    """Inline elements in two: at a line, else a sentence, else a word, else between graphemes."""
    count = 0
    while count < len(runs) and element_size(runs[count]) <= room:
        room -= element_size(runs[count])
        count += 1
    if count == len(runs):
        return runs, []
    run = runs[count]
    fits = defuse.fitting(run["text"], room - _SIGNS - defuse.size(run.get("url", "")))
    before = "".join(one["text"] for one in runs[:count])
    at = _pause(before + run["text"][:fits])
    first, rest = _cut_at(runs, at)
    return _defused(first), _defused(rest)


def _defused(runs: list[Element]) -> list[Element]:
    """What was harmless whole may not be in parts: `<!--` ends as `<!-`, `me@here.kr` begins as `@here`."""
    texts = defuse.defuse_runs([run["text"] for run in runs])
    return [{**run, "text": text} for run, text in zip(runs, texts, strict=True)]


def _pause(text: str) -> int:
    """Where to cut `text`, which is all that fits: at the last pause that leaves two thirds of it."""
    for pause in _PAUSES:
        ends = [found.end() for found in pause.finditer(text, len(text) * 2 // 3)]
        if ends:
            return ends[-1]
    return len(text)


def _cut_at(runs: list[Element], at: int) -> tuple[list[Element], list[Element]]:
    first: list[Element] = []
    for index, run in enumerate(runs):
        if at < len(run["text"]):
            head = [{**run, "text": run["text"][:at]}] if at else []
            return first + head, [{**run, "text": run["text"][at:]}, *runs[index + 1 :]]
        first.append(run)
        at -= len(run["text"])
    return first, []


def _piece_size(piece: Piece) -> int:
    return element_size(piece.block) if piece.block is not None else sum(map(element_size, piece.elements))


def element_size(element: Any) -> int:
    """All that an element shows or links to, in UTF-16 units, and its Markdown signs."""
    if isinstance(element, list):
        return sum(map(element_size, element))
    if not isinstance(element, dict):
        return 0
    own = sum(defuse.size(value) for key, value in element.items() if _counts(key, value))
    signs = _SIGNS if "type" in element else 0
    return (
        own + signs + sum(element_size(value) for value in element.values() if isinstance(value, dict | list))
    )


def _counts(key: str, value: object) -> bool:
    return isinstance(value, str) and key in ("text", "url")
