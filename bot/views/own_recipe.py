"""The form in which owners make a recipe or change it, and what comes back from it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.views import modal
from bot.views.modal import field, plain, writing
from tasks.catalogue import say
from tasks.recipes.own import LEAST_ANSWER, MOST_ANSWER, USUAL_ANSWER, Own

CALLBACK = "own_recipe"

NAME, INSTRUCTIONS, ANSWER, CHOICES, TAKES = "name", "instructions", "answer", "choices", "takes"
LONGEST, PLACE = "longest_answer", "place"
FIELDS = (
    NAME,
    "korean_name",
    "purpose_en",
    "purpose_ko",
    INSTRUCTIONS,
    ANSWER,
    CHOICES,
    TAKES,
    LONGEST,
    PLACE,
)

HERE, EVERYWHERE = "here", "everywhere"

_ANSWERS = ("text", "parts", "rows")
_TAKES = ("nothing", "question", "language")


@dataclass(frozen=True)
class Origin:
    """What the form carries: the recipe that it changes, None for a new one, and where to say that it was done."""

    name: str | None
    response_url: str | None

    def __str__(self) -> str:
        return json.dumps([self.name, self.response_url])

    @classmethod
    def parse(cls, carried: str) -> "Origin":
        """What a form carried; ValueError for anything else."""
        of = modal.Origin.parse(carried)
        return cls(of.channel, of.response_url)


def action(name: str) -> str:
    """A field's block_id and action_id."""
    return f"own_{name}"


def form(language: str, origin: Origin, made: Own | None = None) -> dict[str, Any]:
    """The view, in the owner's language; filled with `made` when that is to be changed, which keeps its name."""

    def word(key: str) -> dict[str, Any]:
        return plain(say(language, f"own.{key}"))

    def input_(name: str, element: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
        return field(action(name), word(name), element, hint=word(f"{name}_hint"), optional=optional)

    def write(name: str, *, lines: bool = False, optional: bool = False) -> dict[str, Any]:
        value = getattr(made, name, None)
        shown = ", ".join(value) if isinstance(value, list) else str(value or "")
        element = writing(action(name), word(f"{name}_like"), lines=lines)
        return input_(name, element | ({"initial_value": shown} if shown else {}), optional=optional)

    def choose(name: str, values: tuple[str, ...]) -> dict[str, Any]:
        options = [modal.option(say(language, f"own.{name}_{each}"), each) for each in values]
        return input_(name, modal.select(action(name), options, getattr(made, name, values[0])))

    number = {
        "type": "number_input",
        "action_id": action(LONGEST),
        "is_decimal_allowed": False,
        "min_value": str(LEAST_ANSWER),
        "max_value": str(MOST_ANSWER),
        "initial_value": str(made.longest_answer if made else USUAL_ANSWER),
    }
    blocks = [
        *([] if made else [write(NAME)]),
        write("korean_name", optional=True),
        write("purpose_en", optional=True),
        write("purpose_ko", optional=True),
        write(INSTRUCTIONS, lines=True),
        choose(ANSWER, _ANSWERS),
        write(CHOICES, optional=True),
        choose(TAKES, _TAKES),
        input_(LONGEST, number),
        *([] if made else [choose(PLACE, (HERE, EVERYWHERE))]),
    ]
    if made:
        named = say(language, "own.changes", recipe=made.name)
        blocks.insert(0, {"type": "section", "text": {"type": "mrkdwn", "text": named}})
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": str(origin),
        "title": word("title_edit" if made else "title_new"),
        "submit": word("submit"),
        "close": plain(say(language, "modal.close")),
        "blocks": blocks,
    }


def filled(values: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What somebody put into the form, as fields of Own, and whether it is for everybody; nothing is checked yet."""
    said: dict[str, Any] = {}
    for name in FIELDS:
        said[name] = modal.written(values, action(name)) or modal.chosen(values, action(name))
    said[CHOICES] = [each.strip() for each in said[CHOICES].replace("\n", ",").split(",") if each.strip()]
    number = said[LONGEST]
    said[LONGEST] = int(number) if number.isascii() and number.isdigit() and len(number) < 9 else number
    return said, said.pop(PLACE) == EVERYWHERE
