"""Retrieval: a long text in passages, the ones that bear on a question, and where they stand in the text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from db.models import Passage as Cited
from tasks import lexical
from tasks.catalogue import say
from tasks.text import clean
from tasks.text.chunk import split
from tasks.text.document import Document, Section
from tasks.text.tokens import estimate

SIZE = 250
"""Tokens of a passage: enough to be understood alone, few enough for some twenty to fit a call."""

_NUMBER = 30  # Tokens of a passage's number, its place and the blank line after it, at most.
_CITED = re.compile(r"\[(\d{1,3})\]")
_QUOTE = 60  # Characters by which a passage is found again that has no page and no row.


@dataclass(frozen=True)
class Passage:
    """A piece of a document; `page`, or `sheet` and `row`, say where it begins."""

    name: str
    text: str
    page: int | None = None
    sheet: str | None = None
    row: int | None = None


def cut(documents: Sequence[Document]) -> list[Passage]:
    """The documents in passages of SIZE tokens at most. None goes over the end of a page, so that it can be cited."""
    return [
        Passage(document.name, text, first.page, first.sheet, first.row)
        for document in documents
        for group in _groups(document.sections)
        for first, text in _pieces(group)
    ]


def rank(question: str, passages: Sequence[Passage], nearness: Sequence[float] | None) -> list[int]:
    """The passages from the best on, by the words they share with the question, and by `nearness` in meaning if an
    embedding model told it: the two orders are joined by reciprocal rank (Cormack et al., SIGIR 2009).

    Without a model, those that share no word are left out.
    """
    shared = lexical.scores(question, [lexical.vector(passage.text) for passage in passages])
    points = dict.fromkeys(range(len(passages)), 0.0)
    for scores in (shared, nearness or ()):
        order = sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])
        for place, at in enumerate(order):
            points[at] += 1 / (60 + place)
    return sorted((at for at in points if points[at] > 0), key=lambda at: (-points[at], at))


def choose(passages: Sequence[Passage], best: Sequence[int], room: int) -> list[int]:
    """As many of the best as fit `room` tokens, in the order of the text."""
    chosen = []
    for at in best:
        room -= estimate(passages[at].text) + _NUMBER
        if room < 0:
            break
        chosen.append(at)
    return sorted(chosen)


def numbered(passages: Sequence[Passage]) -> str:
    """The passages as the model reads them, each after its number."""
    return "\n\n".join(f"[{number}] {passage.text}" for number, passage in enumerate(passages, 1))


def note(question: str, answer: str, given: Sequence[Cited]) -> str:
    """The places of the passages that an answer cites, or of all that were read if it cites none."""
    language = "ko" if clean.language(question) == "ko" else "en"
    numbers = {int(number) for number in _CITED.findall(answer)}
    cited = [passage for passage in given if passage.number in numbers]
    places = [f"- [{passage.number}] {_place(language, passage)}" for passage in cited or given]
    return "\n".join([say(language, "passages.cited" if cited else "passages.read"), "", *places])


def _place(language: str, passage: Cited) -> str:
    parts = [passage.name, passage.sheet or ""]
    if passage.page is not None:
        parts.append(say(language, "passages.page", page=passage.page))
    if passage.row is not None:
        parts.append(say(language, "passages.row", row=passage.row))
    if passage.page is None and passage.row is None:
        beginning = " ".join(passage.text.split())[:_QUOTE]
        parts.append(say(language, "passages.beginning", beginning=beginning))
    return ", ".join(part for part in parts if part)


def _groups(sections: Sequence[Section]) -> Iterator[list[Section]]:
    """Neighbours on one page or sheet, as many as make a passage together."""
    group: list[Section] = []
    used = 0
    for section in sections:
        tokens = estimate(section.text)
        elsewhere = bool(group) and (group[0].page, group[0].sheet) != (section.page, section.sheet)
        if group and (elsewhere or used + tokens > SIZE):
            yield group
            group, used = [], 0
        group.append(section)
        used += tokens
    if group:
        yield group


def _pieces(group: Sequence[Section]) -> Iterator[tuple[Section, str]]:
    text = "\n\n".join(section.text for section in group)
    # The blank lines between many short rows count, too.
    yield from ((group[0], piece.strip()) for piece in split(text, SIZE) if piece.strip())
