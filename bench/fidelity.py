"""How much of a known text an extraction kept, in which order, and what it added."""

import bisect
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# White space, and the signs that Markdown puts around words: each reader has its own way with them.
_SIGNS = str.maketrans(dict.fromkeys("#*|>-_\\`•·●○◦▪■–—"))
_RUN = 3


@dataclass(frozen=True)
class Fidelity:
    """Shares from 0 to 1; `ordered` is None when no sentence was found whole."""

    kept: float
    """Of the source's runs of three characters, those that are there."""
    added: float
    """Of the extraction's runs, those that are not the source's."""
    whole: float
    """Of the source's sentences and cells, those without a break or a character of anything else in them."""
    ordered: float | None
    """Of those, the most that stand in the source's order."""


def of(source: Sequence[str], extracted: str) -> Fidelity:
    """Compare what was written, in order, with what was read. No sentence may be a part of another."""
    sentences, text = [_bare(sentence) for sentence in source], _bare(extracted)
    wanted, found = Counter(_runs(sentences)), Counter(_runs([text]))
    both = (wanted & found).total()
    # Where sentences meet there are runs of neither: a source in one piece has them too.
    joined = both + (Counter(_runs(["".join(sentences)])) - wanted & (found - wanted)).total()
    places = [place for sentence in sentences if (place := text.find(sentence)) >= 0]
    return Fidelity(
        kept=both / max(1, wanted.total()),
        added=max(0, found.total() - joined) / max(1, found.total()),
        whole=len(places) / max(1, len(sentences)),
        ordered=_longest_rising(places) / len(places) if places else None,
    )


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).translate(_SIGNS).split())


def _runs(texts: Sequence[str]) -> list[str]:
    return [text[at : at + _RUN] for text in texts for at in range(len(text) - _RUN + 1)]


def _longest_rising(places: Sequence[int]) -> int:
    tails: list[int] = []
    for place in places:
        at = bisect.bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(tails)
