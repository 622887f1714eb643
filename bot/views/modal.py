"""The form behind `/analyze` without a text and behind the global shortcut, and what comes back from it.

Lengths: docs.slack.dev/reference/block-kit/block-elements (an input takes 3,000 characters, an option's text and
its description 75 each, a file input 10 files).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.catalogue import LANGUAGES, say
from tasks.recipes import Recipe, Recipes

CALLBACK = "analysis"
AGAIN = "again"

# Each is the block_id and the action_id of its input.
TEXT, FILES, QUESTION, RECIPE, LANGUAGE, PLACE = "text", "files", "question", "recipe", "language", "place"

AS_THE_TEXT = "as_the_text"
THREAD, ONLY_ME = "thread", "only_me"

LONGEST_INPUT = 3000
MOST_FILES = 10
_LONGEST_OPTION = 75


@dataclass(frozen=True)
class Origin:
    """Where the form was opened: the channel of the command, None from the shortcut; carried by the form itself."""

    channel: str | None
    response_url: str | None

    def __str__(self) -> str:
        return json.dumps([self.channel, self.response_url])

    @classmethod
    def parse(cls, carried: str) -> "Origin":
        """What a form carried; ValueError for anything else."""
        parts = json.loads(carried)
        if not isinstance(parts, list) or len(parts) != 2:
            raise ValueError("not what the form carries")
        if not all(part is None or isinstance(part, str) for part in parts):
            raise ValueError("not what the form carries")
        return cls(*parts)


@dataclass(frozen=True)
class Filled:
    """What somebody put into the form; nothing is checked yet but its shape."""

    text: str
    # As Slack describes them.
    files: list[Any]
    question: str
    recipe: str
    language: str | None
    only_me: bool


def form(language: str, recipes: Recipes, usual: Recipe, origin: Origin) -> dict[str, Any]:
    """The view, in the person's language, with `usual` as its recipe."""

    def word(key: str) -> dict[str, Any]:
        return plain(say(language, f"modal.{key}"))

    offered = [
        option(recipe.called(language), recipe.name, recipe.purpose.of(language)) for recipe in recipes
    ]
    languages = [option(say(language, f"modal.language_{each}"), each) for each in (AS_THE_TEXT, *LANGUAGES)]
    blocks = [
        field(RECIPE, word("recipe"), select(RECIPE, offered, usual.name)),
        field(
            TEXT,
            word("text"),
            writing(TEXT, word("text_hint"), lines=True),
            hint=word("text_long"),
            optional=True,
        ),
        field(FILES, word("files"), _attaching(FILES), optional=True),
        field(QUESTION, word("question"), writing(QUESTION, word("question_hint")), optional=True),
        field(LANGUAGE, word("language"), select(LANGUAGE, languages, AS_THE_TEXT)),
    ]
    if origin.channel is not None and not origin.channel.startswith("D"):
        places = [option(say(language, f"modal.place_{each}"), each) for each in (THREAD, ONLY_ME)]
        element = {
            "type": "radio_buttons",
            "action_id": PLACE,
            "options": places,
            "initial_option": places[0],
        }
        blocks.append(field(PLACE, word("place"), element))
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": str(origin),
        "title": word("title"),
        "submit": word("submit"),
        "close": word("close"),
        "blocks": blocks,
    }


def again(language: str, recipes: Recipes, usual: Recipe, job_id: str) -> dict[str, Any]:
    """The form that runs a request once more: what to do with its input this time."""
    view = form(language, recipes, usual, Origin(None, None))
    return view | {
        "callback_id": AGAIN,
        "private_metadata": job_id,
        "blocks": [block for block in view["blocks"] if block["block_id"] not in {TEXT, FILES}],
    }


def filled(values: Mapping[str, Any]) -> Filled:
    """Read `view.state.values`; a form of another version may lack an input."""
    language = chosen(values, LANGUAGE)
    return Filled(
        text=written(values, TEXT),
        files=_attached(values, FILES),
        question=written(values, QUESTION),
        recipe=chosen(values, RECIPE),
        language=language if language in LANGUAGES else None,
        only_me=chosen(values, PLACE) == ONLY_ME,
    )


def _element(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    block = values.get(name)
    element = block.get(name) if isinstance(block, Mapping) else None
    return element if isinstance(element, Mapping) else {}


def written(values: Mapping[str, Any], name: str) -> str:
    """The text in an input, without the space around it; empty when there is none."""
    value = _element(values, name).get("value")
    return value.strip() if isinstance(value, str) else ""


def chosen(values: Mapping[str, Any], name: str) -> str:
    """The value of the option that was chosen in an input; empty when none was."""
    picked = _element(values, name).get("selected_option")
    value = picked.get("value") if isinstance(picked, Mapping) else None
    return value if isinstance(value, str) else ""


def _attached(values: Mapping[str, Any], name: str) -> list[Any]:
    files = _element(values, name).get("files")
    return files if isinstance(files, list) else []


def plain(text: str) -> dict[str, Any]:
    """A text object."""
    return {"type": "plain_text", "text": text}


def option(text: str, value: str, description: str | None = None) -> dict[str, Any]:
    """One of a choice, cut to what Slack shows."""
    made = {"text": plain(text[:_LONGEST_OPTION]), "value": value}
    return made | ({"description": plain(_cut(description))} if description else {})


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_OPTION else text[: _LONGEST_OPTION - 1] + "…"


def select(name: str, options: list[dict[str, Any]], initial: str) -> dict[str, Any]:
    """A choice of one of several, with `initial` chosen at first."""
    first = next(each for each in options if each["value"] == initial)
    return {"type": "static_select", "action_id": name, "options": options, "initial_option": first}


def _attaching(name: str) -> dict[str, Any]:
    """An input for files of any kind: what they are, their content says when they are read."""
    return {"type": "file_input", "action_id": name, "max_files": MOST_FILES}


def writing(name: str, placeholder: dict[str, Any], *, lines: bool = False) -> dict[str, Any]:
    """An input for a line, or for several."""
    return {
        "type": "plain_text_input",
        "action_id": name,
        "multiline": lines,
        "max_length": LONGEST_INPUT,
        "placeholder": placeholder,
    }


def field(
    name: str,
    label: dict[str, Any],
    element: dict[str, Any],
    *,
    hint: dict[str, Any] | None = None,
    optional: bool = False,
) -> dict[str, Any]:
    """An input with its label; `name` is the block's id."""
    block = {"type": "input", "block_id": name, "label": label, "element": element, "optional": optional}
    return block | ({"hint": hint} if hint else {})
