"""The built-in model: an extract of the person's own sentences, and a line that says it is one.

Sentences are ranked with sumy's LexRank (Erkan and Radev, 2004), or by nearness to a question when there is one.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from playground.model import prompt, tokens
from playground.model.language import Tokenizer, is_korean

NOTES = {
    "en": "No language model is configured: these are sentences from your own text. "
    "To get a written answer, set `LLM_URL` in `.env` (docs/how-to/model-server.md).",
    "ko": "설정된 언어 모델이 없어 보내신 글에서 그대로 뽑은 문장입니다. "
    "글로 쓴 답을 받으려면 `.env`에 `LLM_URL`을 설정하세요(docs/how-to/model-server.md).",
}
EMPTY = {"en": "There is no text to work on.", "ko": "정리할 글이 없습니다."}

MOST_SENTENCES = 9  # in the answer, however long the text is
GROUP = 40  # LexRank compares all pairs, so long texts are ranked in groups, then their winners
MOST_GROUPS = 18  # of a text longer than that, evenly spaced sentences stand for the rest
_LEANING = re.compile(
    r"(?:it|this|that|these|those|they|he|she|then|but|and|so|still|however|therefore|also)\b|"
    r"(?:그러나|그래도|그래서|그리고|하지만|그런데|따라서|또한|이는|이것|그것|그 |이 )",
    re.IGNORECASE,
)
SAME = 0.6  # share of common words from which two sentences say the same


def answer(messages: Sequence[dict[str, Any]], max_tokens: int = 10**9) -> str:
    """The whole answer in Markdown: a lead, bullets, and the note, in at most `max_tokens` when that can be."""
    material = prompt.read(list(messages))
    text = without_notes(material.text)
    language = "ko" if is_korean(text or material.question) else "en"
    note = f"*{NOTES[language]}*"
    chosen = extract(text, material.question)
    while len(chosen) > 1 and tokens.count(_markdown(chosen)) + tokens.count(note) + 2 > max_tokens:
        chosen = chosen[:-1]
    body = _markdown(chosen) if chosen else EMPTY[language]
    return f"{body}\n\n{note}"


def sentences(messages: Sequence[dict[str, Any]]) -> list[str]:
    """The extract alone, for answers that have a form of their own."""
    material = prompt.read(list(messages))
    return extract(without_notes(material.text), material.question)


def without_notes(text: str) -> str:
    """The text without the note of an earlier answer, as map answers bring it to the reduce step."""
    for note in NOTES.values():
        text = re.sub(rf"[*_]?{re.escape(note)}[*_]?", "", text)
    return text


def extract(text: str, question: str = "") -> list[str]:
    """The sentences that say most of the text, or those nearest to the question, in their order."""
    units = _sampled(list(dict.fromkeys(Tokenizer().to_sentences(text))))
    if len(units) <= 2:
        return units
    # Two sentences of four, nine of a book: the square root grows as readers expect.
    limit = min(MOST_SENTENCES, round(math.sqrt(len(units))))
    near = _nearest(units, question, limit) if question else []
    return near or _central(units, limit)


def _markdown(chosen: list[str]) -> str:
    lead, *rest = chosen
    return "\n\n".join([lead, "\n".join(f"- {sentence}" for sentence in rest)]) if rest else lead


def _sampled(units: list[str]) -> list[str]:
    most = GROUP * MOST_GROUPS
    if len(units) <= most:
        return units
    return [units[i * len(units) // most] for i in range(most)]


def _central(units: list[str], limit: int) -> list[str]:
    """The most central units: of each group first, then of the groups' winners."""
    while len(units) > GROUP:
        groups = math.ceil(len(units) / GROUP)
        size = math.ceil(len(units) / groups)
        keep = max(limit, size // 4) if groups <= 2 else max(3, size // 5)
        winners = [_rank(units[i : i + size], keep) for i in range(0, len(units), size)]
        units = [sentence for group in winners for sentence in group]
    return _rank(units, limit)


def _rank(units: list[str], limit: int) -> list[str]:
    """`limit` units by LexRank, in their order."""
    if len(units) <= limit:
        return units
    # Imported here because they take 0.4 s and 40 MB, which a server that never summarizes need not pay.
    import numpy as np
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.summarizers.lex_rank import LexRankSummarizer

    tokenizer = Tokenizer()
    document = ObjectDocumentModel([Paragraph([Sentence(unit, tokenizer) for unit in units])])
    # Sentences without a word in common make a matrix of zeros, whose ranks are not numbers: then order decides.
    with np.errstate(invalid="ignore", divide="ignore"):
        best = LexRankSummarizer()(document, _Pick(limit, tokenizer))
    return [str(sentence) for sentence in best]


@dataclass(frozen=True)
class _Pick:
    """Chooses among ranked units; sumy accepts any callable in the place of a count."""

    limit: int
    tokenizer: Tokenizer

    def __call__(self, infos: Sequence[Any]) -> list[Any]:
        total = len(infos)
        picked: list[tuple[Any, frozenset[str]]] = []
        for info in sorted(infos, key=lambda info: -_weight(info, total)):
            words = frozenset(self.tokenizer.to_words(str(info.sentence)))
            if not any(_alike(words, other) for _, other in picked):
                picked.append((info, words))
            if len(picked) == self.limit:
                break
        return [info for info, _ in picked]


def _weight(info: Any, total: int) -> float:
    """The rank; a little more for what comes early, as openings tell what a text is about, and less for a
    sentence that leans on the one before it."""
    rating, order = float(info.rating), int(info.order)
    rating = 0.0 if math.isnan(rating) else rating
    early = 1 + 0.3 * (1 - order / total)
    return rating * early * (0.8 if _LEANING.match(str(info.sentence)) else 1) - order * 1e-9


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    shorter = min(len(one), len(other))
    return shorter > 0 and len(one & other) / shorter > SAME


def _nearest(units: list[str], question: str, limit: int) -> list[str]:
    """The units with the rarest words of the question; none when they share no word."""
    tokenizer = Tokenizer()
    asked = frozenset(tokenizer.to_words(question))
    words = [frozenset(tokenizer.to_words(unit)) for unit in units]
    found = Counter(word for each in words for word in each & asked)
    scores = [
        sum(math.log(1 + len(units) / found[word]) for word in each & asked) / math.sqrt(8 + len(each))
        for each in words
    ]
    best = sorted(range(len(units)), key=lambda i: (-scores[i], i))[: min(limit, 4)]
    return [units[i] for i in sorted(best) if scores[i] > max(scores) / 3] if max(scores) > 0 else []
