"""Vectors without a model: which pieces of words a text has, and how often; found by BM25 over hashed pieces.

Korean words carry their particles, so they count by two and three syllables at a time; others by the word and by
its first five letters, which makes forms of one word look alike. Texts that say the same in other words stay apart:
docs/decisions/0033 has the numbers.
"""

import math
import re
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

MODEL = "lexical-1"
"""What made a stored vector; another number when the same text would get another one."""

_WORD = re.compile(r"[가-힣]+|[^\W_가-힣]+")
_STEM = 5
# Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009): the usual values.
_K, _B = 1.2, 0.75

Counts = dict[int, int]


def vector(text: str) -> bytes:
    """The pieces of a text and how often each is there, in bytes: 4 for a piece, 2 for its number."""
    found = sorted(Counter(zlib.crc32(piece.encode()) for piece in _pieces(text)).items())
    pieces, times = array("I", (piece for piece, _ in found)), array("H", (min(n, 65_535) for _, n in found))
    return pieces.tobytes() + times.tobytes()


def scores(question: str, vectors: Sequence[bytes]) -> list[float]:
    """How well each text answers to the question, by its vector; 0: they have nothing in common."""
    texts = [_counts(each) for each in vectors]
    lengths = [sum(counts.values()) for counts in texts]
    mean = sum(lengths) / max(1, len(lengths)) or 1.0
    asked = set(_counts(vector(question)))
    known = Counter(piece for counts in texts for piece in counts.keys() & asked)
    worth = {piece: math.log(1 + (len(texts) - n + 0.5) / (n + 0.5)) for piece, n in known.items()}
    return [
        sum(
            worth[piece] * counts[piece] * (_K + 1) / (counts[piece] + _K * (1 - _B + _B * length / mean))
            for piece in counts.keys() & worth.keys()
        )
        for counts, length in zip(texts, lengths, strict=True)
    ]


def _counts(stored: bytes) -> Counts:
    size = len(stored) // 6
    pieces, times = array("I", stored[: 4 * size]), array("H", stored[4 * size :])
    return dict(zip(pieces, times, strict=True))


def _pieces(text: str) -> Iterator[str]:
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if not "가" <= word[0] <= "힣":
            yield word
            if len(word) > _STEM:
                yield word[:_STEM]
        elif len(word) == 1:
            yield word
        else:
            yield from (word[at : at + size] for size in (2, 3) for at in range(len(word) - size + 1))
