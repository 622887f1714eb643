"""Answers in JSON: the schema that a request's answers must fit, and whether an answer fits it.

A recipe's `[form]` describes one answer, or the answer for one item. Where it says `$names`, in a list or as a
property, the names that the person gave stand instead: the labels of `classify`, the fields of `extract`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from tasks.recipes.recipe import Recipe

Schema = dict[str, Any]

NAMES = "$names"
ROW = "item_number"
"""Which item of its call an answer is for, from 1. No field that a person names is likely to be called that."""

MOST_NAMES = 20
LONGEST_NAME = 60

_BETWEEN_NAMES = re.compile(r"[,，、;|\n]")
_FENCED = re.compile(r"```[a-z]*\s*\n(.*?)\n?```", re.DOTALL)


@dataclass(frozen=True)
class Bad:
    """An answer that does not fit: why, in words for the model, without quoting the answer at length."""

    problems: Sequence[str]


def names(question: str | None) -> list[str]:
    """The names in what the person wrote: `불만, 칭찬, 문의`. Each once, without quotes and spaces around."""
    said = (part.strip().strip("\"'`*“”‘’").strip() for part in _BETWEEN_NAMES.split(question or ""))
    return list(dict.fromkeys(name for name in said if name))


def of(recipe: Recipe, question: str | None) -> Schema | None:
    """The schema of one answer to this request, or None for a recipe whose answers are text."""
    if recipe.form is None:
        return None
    schema: Schema = _filled(recipe.form, names(question) if recipe.takes_names else [])
    return schema


def of_items(schema: Schema, items: int) -> Schema:
    """The schema of an answer for so many items, each with its number."""
    item = {
        **schema,
        "properties": {ROW: {"type": "integer", "minimum": 1, "maximum": items}, **schema["properties"]},
        "required": [ROW, *schema.get("required", [])],
    }
    listed = {"type": "array", "minItems": items, "maxItems": items, "items": item}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["items"],
        "properties": {"items": listed},
    }


def written(schema: Schema) -> str:
    """The schema as it stands in a call's instructions, for servers that do not hold the model to it."""
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def read(text: str) -> Any:
    """The JSON in an answer, be it bare, in a code fence, or with words around it; ValueError if there is none."""
    for candidate in (text, *_FENCED.findall(text), text[text.find("{") : text.rfind("}") + 1]):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    raise ValueError("no JSON")


def check(schema: Schema, text: str) -> Any | Bad:
    """The value of an answer that fits `schema`, else Bad."""
    try:
        value = read(text)
    except ValueError:
        return Bad(["The answer is not one JSON object, or it is cut off."])
    errors = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: list(error.path))
    problems = [f"{error.json_path}: {error.message[:200]}" for error in errors[:10]]
    problems += _rows(value) if not problems else []
    return Bad(problems) if problems else value


def usable(schema: Schema, items: int, text: str) -> dict[int, dict[str, Any]]:
    """What an answer says of items by their number, as far as it fits: the rest of it may be broken."""
    try:
        value = read(text)
    except ValueError:
        return {}
    one = Draft202012Validator(of_items(schema, items)["properties"]["items"]["items"])
    listed = value.get("items") if isinstance(value, dict) else None
    said = [item for item in listed if one.is_valid(item)] if isinstance(listed, list) else []
    return {item[ROW]: {key: held for key, held in item.items() if key != ROW} for item in reversed(said)}


def _rows(value: Any) -> list[str]:
    """A number that stands twice: JSON schema cannot say that each must be there once."""
    listed = value.get("items") if isinstance(value, dict) else None
    if not isinstance(listed, list) or not all(isinstance(item, dict) and ROW in item for item in listed):
        return []
    rows = [item[ROW] for item in listed]
    twice = sorted({row for row in rows if rows.count(row) > 1})
    return [f"$.items: number {row} stands there more than once." for row in twice[:10]]


def _filled(part: Any, given: Sequence[str]) -> Any:
    if isinstance(part, list):
        return [each for item in part for each in (given if item == NAMES else [_filled(item, given)])]
    if isinstance(part, dict):
        filled: dict[str, Any] = {}
        for key, value in part.items():
            filled |= {name: _filled(value, given) for name in (given if key == NAMES else [key])}
        return filled
    return part
