"""The parts of the page on text: what is hidden, and what is cut."""

import pathlib
from typing import Any

from bench import markdown

Data = dict[str, Any]
PARTS = {"held_out": "held out", "hard": "held out, harder"}


def aims(found: dict[str, Data]) -> list[list[str]]:
    """That no piece is over its budget."""
    if "cutting" not in found:
        return []
    cases = found["cutting"]["data"]["cases"]
    over, documents = sum(case["over"] for case in cases), cases[0]["documents"]
    return [
        [f"Pieces over their budget, {documents:,} random documents", "0", str(over), markdown.met(over == 0)]
    ]


def redaction(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """Precision and recall per kind."""
    rows = []
    for part, name in PARTS.items():
        kinds = {**data[part]["kinds"], "**all**": data[part]["all"]}
        rows += [[name, kind, *_shares(counts)] for kind, counts in kinds.items()]
    sizes = data["lines"]
    return markdown.section(
        "Private values that are hidden",
        about,
        f"Lines as people send them, Korean and English, with values and with numbers that only look like some: "
        f"{sizes['held_out']} lines and {sizes['hard']} harder ones that tuned nothing ({sizes['dev']} others did), each "
        "filled with made-up values many times. The lines and the rules are by the same hand, and the sums over all of "
        "the lines were seen before the last rules were written: this says how the rules hold over forms, and not how "
        "a workspace's own texts fare. *Hidden* is the share of values of which no "
        "character is left, under whatever name (recall); *right name* of those found exactly, as their own kind; "
        "*precision* is the share of what was hidden that is part of a value. "
        f"{data['characters_per_second']:,.0f} characters a second, one core.",
        markdown.table(["lines", "kind", "values", "hidden", "right name", "precision"], rows),
    )


def _shares(counts: dict[str, int]) -> list[str]:
    values, hidden = counts["values"], counts["exact"] + counts["beside"]
    shown = [f"{counts[name] / values:.1%}" if values else "-" for name in ("hidden", "exact")]
    return [str(values), *shown, f"{1 - counts['wrong'] / hidden:.1%}" if hidden else "-"]


def cutting(data: Data, about: Data, pictures: pathlib.Path) -> str:
    """How many pieces were over their budget."""
    rows = [
        [
            case["count"],
            *(f"{case[key]:,}" for key in ("documents", "characters", "pieces", "over", "lost")),
            f"{case['seconds']} s",
        ]
        for case in data["cases"]
    ]
    return markdown.section(
        "Cutting long texts",
        about,
        "Random documents of prose in both languages, code in fences, tables, long words and emoji, each cut to a "
        "random budget of 40 to 400 tokens, with an overlap or without; counted by the estimate, and by a real "
        "tokenizer as a server's `/tokenize` would. *Lost* counts documents that their pieces do not make again.",
        markdown.table(
            ["counted by", "documents", "characters", "pieces", "over budget", "lost", "took"], rows
        ),
    )
