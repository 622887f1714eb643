"""Cutting a text into pieces that each fit a budget of tokens, at the best place there is."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.text import fences, tables
from tasks.text.fences import Fence
from tasks.text.tables import Table
from tasks.text.tokens import Count, estimate

Block = Fence | Table

LEAST_BUDGET = 16
"""Tokens. Any one character fits with every known tokenizer, so that cutting always advances."""

_CLOSERS = "[\"'”’»)\\]」』】*_]*+"
# No cut is made before a backtick or a tilde, which would read as a fence at the start of a piece.
_SPACE = r"\s++(?![`~])"
_PARAGRAPH = re.compile(r"\n[ \t]*(?:\n[ \t]*)*\n|\n(?=#{1,6} )")
_SENTENCE = re.compile(
    # Initials, list numbers and common abbreviations ("J. Kim", "1. ", "Dr. ", "e.g. ") end no sentence.
    rf"(?<!\b[A-Za-z0-9])(?<!\bMr|\bDr|\bMs|\bvs|\bNo)(?<!\be\.g|\bi\.e)[.!?…]{_CLOSERS}{_SPACE}"
    rf"|[。！？]{_CLOSERS}\s*+(?![`~])"  # CJK full stops need no space after them.
    rf"|(?:니다|까요|[세어아해에예네지게래데군나]요){_CLOSERS}{_SPACE}"  # Korean chat leaves the full stop out.
)
_LINE = re.compile(r"\n(?!\s*[`~]{3})")
_WORD = re.compile(_SPACE)
_LEVELS = (_PARAGRAPH, _SENTENCE, _LINE, _WORD)
_CELL = re.compile(r"[|\t]")
_STRAY_FENCE = re.compile(r"^\s*(?:`{3}|~{3})", re.MULTILINE)

# Marks that belong to the character before them, joiners, and the second half of a flag.
_GLUED = re.compile(
    "[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1160-\u11ff\u200d\u20d0-\u20ff"
    "\u3099\u309a\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff`~]"
)


@dataclass(frozen=True)
class Piece:
    """`text[start:end]` and what was added: the overlap, a table's header, or the lines of a cut fence."""

    start: int
    end: int
    opening: str
    closing: str
    body: str

    @property
    def text(self) -> str:
        """What the piece reads like on its own."""
        return self.opening + self.body + self.closing


def split(text: str, budget: int, count: Count = estimate, overlap: int = 0) -> list[str]:
    """`text` in pieces of at most `budget` tokens by `count`, in order; [] for the empty text.

    Pieces end at paragraphs, else sentences (English and Korean), else lines, words or characters:
    at the first of these that leaves the piece at least a quarter full. A code fence or a table that
    fits a piece is never cut. A fence that does not is cut into fences that are each closed; a table
    is cut between its rows, and its header stands again above each part.

    With `overlap`, a piece begins with the last whole sentences before it, of at most so many tokens
    and at most a quarter of the budget; not where it begins inside a fence or a table.

    Kept: everything, white space too. "".join of the pieces is `text`, except for what is added: the
    overlap, the header, and the lines that close a cut fence and open it again (`pieces` tells them
    apart). No lines are added where they would take more than a quarter of the budget.

    The time is linear in len(text) for a linear `count`, which is called on prefixes of each piece.
    Raises ValueError for a budget below `LEAST_BUDGET`, or if one character costs more than it.
    """
    return [piece.text for piece in pieces(text, budget, count, overlap)]


def pieces(text: str, budget: int, count: Count = estimate, overlap: int = 0) -> Iterator[Piece]:
    """The same pieces as `split` gives, with their places in `text` (offsets in characters)."""
    if budget < LEAST_BUDGET:
        raise ValueError(f"a budget of {budget} tokens is below the least, {LEAST_BUDGET}")
    return _Cutter(text, budget, count, min(overlap, budget // 4)).run()


def _blocks(text: str) -> list[Block]:
    """The fences and tables of `text`, in order; what looks like a table inside a fence is code."""
    found: list[Block] = []
    at = 0
    for fence in [*fences.find(text), None]:
        end = fence.start if fence else len(text)
        found += [
            Table(at + table.start, at + table.body, at + table.end, table.opening)
            for table in tables.find(text[at:end])
        ]
        if fence:
            found.append(fence)
            at = fence.end
    return found


class _Cutter:
    def __init__(self, text: str, budget: int, count: Count, overlap: int) -> None:
        self.text, self.budget, self.count, self.overlap = text, budget, count, overlap
        self.blocks = _blocks(text)
        self.starts = [block.start for block in self.blocks]
        self.worth: dict[int, bool] = {}
        self.per_token = 1.0  # Characters a token, learnt from the last count.

    def run(self) -> Iterator[Piece]:
        at = last = 0
        while at < len(self.text):
            block = self._around(at)
            piece = self._inside(at, block) if block else self._outside(at, self._lead(last, at))
            # Only a count that falls when the text grows needs this.
            while self.count(piece.text) > self.budget:
                size = (piece.end - at) * 3 // 4
                piece = self._piece(at, at + self._some(size), piece.opening, piece.closing)
            yield piece
            last, at = at, piece.end

    def _outside(self, at: int, lead: str) -> Piece:
        """A piece that starts outside of a block, after the words `lead` of the piece before."""
        end = self._reach(at, len(self.text), lead)
        block = self._around(end)
        if end == len(self.text):
            return self._piece(at, end, lead)
        if block is None:
            return self._piece(at, self._best(at, end), lead)
        if self._fits(block):
            return self._piece(at, block.start, lead) if block.start > at else self._piece(at, block.end)
        if block.start > at and 4 * (block.start - at) >= end - at:
            return self._piece(at, block.start, lead)
        return self._into(at, block, lead)

    def _into(self, at: int, block: Block, lead: str) -> Piece:
        """A piece that starts outside of a block and ends inside it; a fence is closed by an added line."""
        closing = block.closing if self._worth_it(block) else ""
        end = self._reach(at, block.end, lead, closing)
        line = self._line(block.body, end, block)
        if end < block.body or (isinstance(block, Table) and not line):
            # Too little room even for the opening line, or for one row.
            if block.start > at:
                return self._piece(at, block.start, lead)
            return self._piece(at, self._cell(at, end, block), lead, closing if end >= block.body else "")
        return self._piece(at, line or end, lead, closing)

    def _inside(self, at: int, block: Block) -> Piece:
        """A piece that starts inside a block that was cut before."""
        opening, closing = "", ""
        if at >= block.body and self._worth_it(block):
            opening, closing = block.opening, block.closing
        end = self._reach(at, block.end, opening)
        if end == block.end:  # Its closing line is the person's own.
            return self._piece(at, end, opening)
        end = self._reach(at, block.end, opening, closing)
        line = self._line(at, end, block)
        if isinstance(block, Table):
            return self._piece(at, line if line > at else self._cell(at, end, block), opening)
        end = min(end, block.tail) if at < block.tail else end
        return self._piece(at, line if 4 * (line - at) >= end - at else end, opening, closing)

    def _line(self, at: int, end: int, block: Block) -> int:
        """Where the last line that starts in text[at + 1 : end] of the block starts; 0 if none does.

        The closing line stays with the line before it, where there is one, so as not to stand alone.
        """
        last = self.text.rfind("\n", at, end) + 1
        return (self.text.rfind("\n", at, last - 1) + 1 or last) if last == block.tail else last

    def _cell(self, at: int, end: int, block: Block) -> int:
        """Where to cut a row that is longer than a piece: between its cells, else its words."""
        if not isinstance(block, Table):
            return end
        for level in (_CELL, _WORD):
            cut = max((found.end() for found in level.finditer(self.text, at, end)), default=at)
            if cut > at and 4 * (cut - at) >= end - at:
                return cut
        return end

    def _lead(self, last: int, at: int) -> str:
        """The words before `at` to say again: whole sentences, else words, of the piece that began at `last`."""
        if not self.overlap or not at:
            return ""
        before = bisect_left(self.starts, at) - 1
        edge = self.blocks[before].end if before >= 0 else 0
        start = max(last, edge, at - 8 * self.overlap)
        for levels in (_LEVELS[:3], _LEVELS[3:]):
            ends = {found.end() for level in levels for found in level.finditer(self.text, start, at)}
            ends |= {start} & {last, edge}
            starts = sorted(cut for cut in ends if start <= cut < at)
            fits = bisect_left(starts, True, key=lambda cut: self.count(self.text[cut:at]) <= self.overlap)
            if fits < len(starts):
                lead = self.text[starts[fits] : at]
                room = self.count(lead) <= self.overlap and self.count(lead + self.text[at]) <= self.budget
                return lead if room and lead.strip() and not _STRAY_FENCE.search(lead) else ""
        return ""

    def _best(self, at: int, end: int) -> int:
        """The best place to cut in text[at:end], where `end` is not inside a block."""
        for level in _LEVELS:
            cuts = [found.end() for found in level.finditer(self.text, at, end)]
            if level is _PARAGRAPH:  # So that no later level cuts inside a block: its end comes first.
                cuts += self._edges(at, end)
            cut = max(cuts, default=at)
            if cut > at and 4 * (cut - at) >= end - at:
                return cut
        return end

    def _reach(self, at: int, limit: int, opening: str = "", closing: str = "") -> int:
        """Close to the furthest end (within 2 %) up to which a piece from `at` keeps to the budget.

        Every count is of a text about as long as the piece, however much of the text is left.
        """
        good, bad = at, limit + 1
        end = min(limit, at + max(1, int(self.per_token * self.budget)))
        while bad - good > 1 and (good == at or bad > limit or bad - good > (good - at) // 50):
            tokens = self.count(opening + self.text[at:end] + closing)
            self.per_token = (end - at) / max(1, tokens)
            good, bad = (end, bad) if tokens <= self.budget else (good, end)
            step = (bad - good) // 8 if bad <= limit else (good - at) // 50
            aim = at + int(0.995 * self.per_token * self.budget)
            end = max(good + 1, min(bad - 1 - step if bad <= limit else limit, max(good + step, aim)))
        if good == at:
            raise ValueError(f"one character costs more than the budget of {self.budget} tokens")
        return good if good == limit else self._whole(at, good)

    def _whole(self, at: int, end: int) -> int:
        """`end`, or up to 16 characters less so that no emoji or accented letter is taken apart."""
        for cut in range(end, max(at, end - 16), -1):
            before = self.text[cut - 1]
            if before == "\n" or (before != "\u200d" and not _GLUED.match(self.text, cut)):
                return cut
        return end

    def _around(self, at: int) -> Block | None:
        """The block that a cut at `at` would take apart."""
        i = bisect_left(self.starts, at) - 1
        return self.blocks[i] if i >= 0 and at < self.blocks[i].end else None

    def _edges(self, at: int, end: int) -> Iterator[int]:
        """Where blocks start and end in text[at:end]."""
        for i in range(bisect_left(self.starts, at), bisect_left(self.starts, end)):
            yield from (edge for edge in (self.blocks[i].start, self.blocks[i].end) if at < edge <= end)

    def _fits(self, block: Block) -> bool:
        return self.count(self.text[block.start : block.end]) <= self.budget

    def _worth_it(self, block: Block) -> bool:
        """Whether what opens and closes the block leaves most of a piece to what stands in it."""
        if block.start not in self.worth:  # Counted once, however many pieces a block makes.
            self.worth[block.start] = 4 * self.count(block.opening + block.closing) <= self.budget
        return self.worth[block.start]

    def _some(self, size: int) -> int:
        if size < 1:
            raise ValueError(f"one character costs more than the budget of {self.budget} tokens")
        return size

    def _piece(self, start: int, end: int, opening: str = "", closing: str = "") -> Piece:
        body = self.text[start:end]
        if body.endswith("\n"):
            closing = closing.removeprefix("\n")
        return Piece(start, end, opening, closing, body)
