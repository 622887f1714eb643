"""How often a passage is found by a question: `python -m bench.retrieval.measure`.

Each question of set.toml is put to the passages of both languages together, once in the passage's own words and
once in others, by the words alone, by the embedded model alone (the extra `embeddings`), and by both as the product
joins them.
"""

import resource
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks import embedding, lexical, passages

KINDS = {"same": "its own words", "other": "other words"}
Order = Callable[[str], Sequence[int]]


def main() -> None:
    """Print the table."""
    questions = tomllib.loads(Path(__file__).with_name("set.toml").read_text("utf-8"))
    texts = [passages.Passage("", each["text"]) for both in questions.values() for each in both]
    print("| found by | language | asked in | first | among 3 | among 5 |\n|---|---|---|--:|--:|--:|")
    for name, order in _ways(texts).items():
        for language, asked in questions.items():
            for kind, words in KINDS.items():
                places = [_place(order(each[kind]), texts, each["text"]) for each in asked]
                found = " | ".join(
                    f"{sum(place < most for place in places)}/{len(asked)}" for most in (1, 3, 5)
                )
                print(f"| {name} | {language} | {words} | {found} |")


def _place(order: Sequence[int], texts: Sequence[passages.Passage], wanted: str) -> int:
    found = [place for place, at in enumerate(order) if texts[at].text == wanted]
    return found[0] if found else len(texts)


def _ways(texts: Sequence[passages.Passage]) -> dict[str, Order]:
    words = [lexical.vector(each.text) for each in texts]

    def best(scores: Sequence[float]) -> list[int]:
        return sorted((at for at, score in enumerate(scores) if score > 0), key=lambda at: -scores[at])

    ways: dict[str, Order] = {"words": lambda question: best(lexical.scores(question, words))}
    start = time.perf_counter()
    model = embedding.embedded()
    if model is None:
        print("The extra `embeddings` is not installed.\n")
        return ways
    meanings = model.vectors([each.text for each in texts])
    loaded = time.perf_counter() - start
    model.vectors([each.text for each in texts] * 15)
    took = time.perf_counter() - start - loaded
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"Model loaded in {loaded:.1f} s; {15 * len(texts)} passages in {took:.2f} s; {memory:.0f} MB in all.\n"
    )

    def near(question: str) -> list[float]:
        return embedding.nearness(model.vectors([question])[0], meanings)

    ways["meaning"] = lambda question: best(near(question))
    ways["both"] = lambda question: passages.rank(question, texts, near(question))
    return ways


if __name__ == "__main__":
    main()
