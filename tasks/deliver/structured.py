"""Answers in JSON as Markdown that people can read: fields, lists and tables, in their language."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.models import Job, Source
from tasks.catalogue import say, word
from tasks.recipes import Recipe, form

# Rows in the message; the attached file has all.
MOST_ROWS = 20
# Characters of an item's own text beside its answer.
_BEGINNING = 80

# Brackets stay: with a backslash they would begin a formula (tasks.deliver.grammar), and a link does no harm.
_MARKDOWN = re.compile(r"([\\`*_<>|#~!])")


@dataclass(frozen=True)
class Structured:
    """An answer in JSON, its recipe, and the names that its person gave: those are said as they are."""

    value: Any
    recipe: Recipe
    names: Sequence[str]
    sources: Sequence[Source]

    @property
    def items(self) -> list[dict[str, Any]] | None:
        """The answers for items, as tasks.items.gather made them; None for an answer as a whole."""
        return self.value["items"] if self.sources else None

    def title(self, language: str, name: str) -> str:
        """What to call a field."""
        return name if name in self.names else word(language, "column", name)

    def said(self, language: str, value: Any) -> str:
        """A field's value in words."""
        if isinstance(value, list):
            return ", ".join(self.said(language, each) for each in value)
        if isinstance(value, dict):
            return ", ".join(
                f"{self.title(language, key)}: {self.said(language, one)}" for key, one in value.items()
            )
        if isinstance(value, bool) or value is None or not isinstance(value, str):
            return json.dumps(value)
        return value if value in self.names else word(language, "value", value)

    def columns(self) -> list[str]:
        """The fields of an item's answer, in the order of the form."""
        schema = form.of(self.recipe, ",".join(self.names)) or {}
        return list(schema.get("properties", {}))


def read(job: Job, recipe: Recipe | None, sources: Sequence[Source]) -> Structured | None:
    """The answer of a job whose recipe has a form; None for any other, and for what is no JSON after all."""
    if recipe is None or recipe.form is None or not job.result:
        return None
    try:
        value = json.loads(job.result)
    except ValueError:
        return None
    if not isinstance(value, dict):
        return None
    names = form.names(job.question) if recipe.takes_names else []
    return Structured(value, recipe, names, sources)


def restored(of: Structured, restore: Callable[[str], str]) -> Structured:
    """The same with `restore` done to every text in it: answers, names and the rows that they are about."""
    for source in of.sources:
        source.header = [restore(cell) for cell in source.header]
        source.rows = [[restore(cell) for cell in row] for row in source.rows]
    return replace(of, value=_each(of.value, restore), names=[restore(name) for name in of.names])


def _each(value: Any, restore: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return restore(value)
    if isinstance(value, list):
        return [_each(one, restore) for one in value]
    if isinstance(value, dict):
        return {restore(key): _each(one, restore) for key, one in value.items()}
    return value


def markdown(language: str, of: Structured) -> str:
    """What there is to say, as Markdown."""
    if of.items is not None:
        return _items(language, of, of.items)
    return _object(language, of, of.value) or say(language, "result.nothing")


def counts(of: Structured) -> list[tuple[str, int]]:
    """How often each value of the recipe's chart stands in the answers, the most frequent first."""
    key, items = of.recipe.chart, of.items or []
    found = Counter(str(item["answer"][key]) for item in items if item["answer"] and key in item["answer"])
    return sorted(found.items(), key=lambda each: (-each[1], each[0]))


def counted(language: str, of: Structured) -> str:
    """Those numbers in words."""
    numbers = counts(of)
    total = sum(count for _, count in numbers)
    return ", ".join(
        say(
            language,
            "result.count",
            value=of.said(language, value),
            count=count,
            share=round(100 * count / total),
        )
        for value, count in numbers
    )


def _items(language: str, of: Structured, items: list[dict[str, Any]]) -> str:
    if len(items) == 1 and items[0]["answer"]:
        return _object(language, of, items[0]["answer"])
    parts = []
    if of.recipe.chart:
        parts.append(say(language, "result.overall", counts=_plain(counted(language, of))))
    columns = of.columns()
    own = beginnings(of.sources, MOST_ROWS)
    rows = [
        [
            str(item["row"]),
            text,
            *(of.said(language, item["answer"].get(c, "")) if item["answer"] else "" for c in columns),
        ]
        for item, text in zip(items[:MOST_ROWS], own, strict=False)
    ]
    titles = [of.title(language, column) for column in columns]
    parts.append(_table([say(language, "result.row"), word(language, "column", "text"), *titles], rows))
    if len(items) > MOST_ROWS:
        parts.append(say(language, "result.attached", count=len(items)))
    missing = sum(item["answer"] is None for item in items)
    if missing:
        parts.append(say(language, "result.unanswered", count=missing, total=len(items)))
    return "\n\n".join(parts)


def beginnings(sources: Sequence[Source], most: int) -> list[str]:
    """The first items' own texts, as much of them as tells which they are: the longest cell of each row."""
    rows = [row for source in sources for row in source.rows[:most]]
    texts = [" ".join(max(row, key=len, default="").split()) for row in rows[:most]]
    return [text if len(text) <= _BEGINNING else text[: _BEGINNING - 1].rstrip() + "…" for text in texts]


def _object(language: str, of: Structured, value: dict[str, Any]) -> str:
    """Fields as lines, and lists of objects as tables."""
    fields, tables = [], []
    for key, held in value.items():
        title = _plain(of.title(language, key))
        if isinstance(held, list) and held and all(isinstance(each, dict) for each in held):
            columns = list(dict.fromkeys(column for each in held for column in each))
            rows = [[of.said(language, each.get(column, "")) for column in columns] for each in held]
            tables.append(_table([of.title(language, column) for column in columns], rows))
        elif held not in ([], {}, None, ""):
            fields.append(f"- **{title}:** {_plain(of.said(language, held))}")
        elif not isinstance(held, list):
            fields.append(f"- **{title}:** –")
    return "\n\n".join(["\n".join(fields), *tables] if fields else tables)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *body = [f"| {' | '.join(map(_plain, cells))} |" for cells in (titles, *rows)]
    return "\n".join([head, "|---" * len(titles) + "|", *body])


def _plain(text: str) -> str:
    """Words that Markdown leaves as they are, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
