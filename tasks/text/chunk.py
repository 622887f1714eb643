"""Cutting a text into pieces that each fit a budget of tokens, at the best place there is."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.text import fences
from tasks.text.fences import Fence
from tasks.text.tokens import estimate

Count = Callable[[str], int]

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

# Marks that belong to the character before them, joiners, and the second half of a flag.
_GLUED = re.compile(
    "[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1160-\u11ff\u200d\u20d0-\u20ff"
    "\u3099\u309a\ufe00-\ufe0f\U0001f3fb-\U0001f3ff\U0001f1e6-\U0001f1ff`~]"
)


@dataclass(frozen=True)
class Piece:
    """`text[start:end]`, between the fence lines that were added because it was cut out of a fence."""

    start: int
    end: int
    opening: str
    closing: str
    body: str

    @property
    def text(self) -> str:
        """What the piece reads like on its own."""
        return self.opening + self.body + self.closing


def split(text: str, budget: int, count: Count = estimate) -> list[str]:
    """`text` in pieces of at most `budget` tokens by `count`, in order; [] for the empty text.

    Pieces end at paragraphs, else sentences (English and Korean), else lines, words or characters:
    at the first of these that leaves the piece at least a quarter full. A code fence that fits a piece
    is never cut; one that does not is cut into fences that are each closed.

    Kept: everything, white space too. "".join of the pieces is `text`, except for the lines added to
    close a cut fence at the end of one piece and to open it again at the start of the next (`pieces`
    tells them apart). No lines are added where they would take more than a quarter of the budget.

    The time is linear in len(text) for a linear `count`, which is called on prefixes of each piece.
    Raises ValueError for a budget below `LEAST_BUDGET`, or if one character costs more than it.
    """
    return [piece.text for piece in pieces(text, budget, count)]


def pieces(text: str, budget: int, count: Count = estimate) -> Iterator[Piece]:
    """The same pieces as `split` gives, with their places in `text` (offsets in characters)."""
    if budget < LEAST_BUDGET:
        raise ValueError(f"a budget of {budget} tokens is below the least, {LEAST_BUDGET}")
    return _Cutter(text, budget, count).run()


class _Cutter:
    def __init__(self, text: str, budget: int, count: Count) -> None:
        self.text, self.budget, self.count = text, budget, count
        self.fences = fences.find(text)
        self.starts = [fence.start for fence in self.fences]
        self.per_token = 1.0  # Characters a token, learnt from the last count.

    def run(self) -> Iterator[Piece]:
        at = 0
        while at < len(self.text):
            fence = self._around(at)
            piece = self._inside(at, fence) if fence else self._outside(at)
            # Only a count that falls when the text grows needs this.
            while self.count(piece.text) > self.budget:
                size = (piece.end - at) * 3 // 4
                piece = self._piece(at, at + self._some(size), piece.opening, piece.closing)
            yield piece
            at = piece.end

    def _outside(self, at: int) -> Piece:
        """A piece that starts outside of a fence."""
        end = self._reach(at, len(self.text))
        fence = self._around(end)
        if end == len(self.text):
            return self._piece(at, end)
        if fence is None:
            return self._piece(at, self._best(at, end))
        if self._fits(fence):
            return self._piece(at, fence.start if fence.start > at else fence.end)
        if fence.start > at and 4 * (fence.start - at) >= end - at:
            return self._piece(at, fence.start)
        return self._into(at, fence)

    def _into(self, at: int, fence: Fence) -> Piece:
        """A piece that starts outside of a fence and ends inside it, closed by an added line."""
        closing = f"\n{fence.mark}" if self._worth_it(fence) else ""
        end = self._reach(at, fence.end, closing=closing)
        end = self._line(fence.body, end, fence) or end
        if end < fence.body:  # Too little room even for the opening line.
            return self._piece(at, fence.start if fence.start > at else end)
        return self._piece(at, end, closing=closing)

    def _inside(self, at: int, fence: Fence) -> Piece:
        """A piece that starts inside a fence that was cut before."""
        opening, closing = "", ""
        if at >= fence.body and self._worth_it(fence):
            opening, closing = fence.opening, f"\n{fence.mark}"
        end = self._reach(at, fence.end, opening)
        if end == fence.end:  # Its closing line is the person's own.
            return self._piece(at, end, opening)
        end = self._reach(at, fence.end, opening, closing)
        line = self._line(at, end, fence)
        end = min(end, fence.tail) if at < fence.tail else end
        return self._piece(at, line if 4 * (line - at) >= end - at else end, opening, closing)

    def _line(self, at: int, end: int, fence: Fence) -> int:
        """Where the last line that starts in text[at + 1 : end] of the fence starts; 0 if none does.

        The closing line stays with the line before it, where there is one, so as not to stand alone.
        """
        last = self.text.rfind("\n", at, end) + 1
        return (self.text.rfind("\n", at, last - 1) + 1 or last) if last == fence.tail else last

    def _best(self, at: int, end: int) -> int:
        """The best place to cut in text[at:end], where `end` is not inside a fence."""
        for level in _LEVELS:
            cuts = [found.end() for found in level.finditer(self.text, at, end)]
            if level is _PARAGRAPH:  # So that no later level cuts inside a fence: its end comes first.
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

    def _around(self, at: int) -> Fence | None:
        """The fence that a cut at `at` would take apart."""
        i = bisect_left(self.starts, at) - 1
        return self.fences[i] if i >= 0 and at < self.fences[i].end else None

    def _edges(self, at: int, end: int) -> Iterator[int]:
        """Where fences start and end in text[at:end]."""
        for i in range(bisect_left(self.starts, at), bisect_left(self.starts, end)):
            yield from (edge for edge in (self.fences[i].start, self.fences[i].end) if at < edge <= end)

    def _fits(self, fence: Fence) -> bool:
        return self.count(self.text[fence.start : fence.end]) <= self.budget

    def _worth_it(self, fence: Fence) -> bool:
        if len(fence.info) > 100:  # Not worth counting, again for each piece.
            return False
        return 4 * self.count(f"{fence.opening}\n{fence.mark}") <= self.budget

    def _some(self, size: int) -> int:
        if size < 1:
            raise ValueError(f"one character costs more than the budget of {self.budget} tokens")
        return size

    def _piece(self, start: int, end: int, opening: str = "", closing: str = "") -> Piece:
        body = self.text[start:end]
        if body.endswith("\n"):
            closing = closing.removeprefix("\n")
        return Piece(start, end, opening, closing, body)
