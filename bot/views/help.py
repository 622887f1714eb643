"""`/analyze help`: how to ask, and the recipes."""

from typing import Any

from tasks.catalogue import say
from tasks.recipes import Recipes

_LINES = 9


def message(language: str, command: str, recipes: Recipes) -> dict[str, Any]:
    """The help as an ephemeral message; its `text` is the same words for screen readers."""
    known = [
        say(
            language,
            "help.recipe",
            name=recipe.name,
            purpose=recipe.purpose.of(language),
            example=recipe.example_of(language, command),
        )
        for recipe in sorted(recipes, key=lambda recipe: (not recipe.default, recipe.name))
    ]
    listed = [say(language, "help.recipes"), *known]
    parts = [
        say(language, "help.title"),
        say(language, "help.usage", command=command),
        # Slack: 3,000 characters in a section. A line has some 300 at most.
        *("\n".join(listed[at : at + _LINES]) for at in range(0, len(listed), _LINES)),
        say(language, "help.thread"),
    ]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in parts]
    return {"text": "\n\n".join(parts), "blocks": blocks}
