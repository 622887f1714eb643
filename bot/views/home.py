"""The App Home: a person's requests, their share, the recipes, their settings, and what is kept about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db.models import Job
from db.people import Preferences, Usage
from db.states import OPEN, JobState
from tasks import actions, place
from tasks.catalogue import LANGUAGES, say
from tasks.recipes import Recipes

Block = dict[str, Any]

# As many as fit a look; /analyze status lists all open ones.
MOST_OPEN_SHOWN = 10
MOST_ENDED_SHOWN = 5

# docs.slack.dev/reference/block-kit/block-elements/button-element
_LONGEST_LABEL = 75

# An option needs a value, and "as Slack says" is none.
_UNSET = "-"


@dataclass(frozen=True)
class Facts:
    """All that the Home shows of a person."""

    open: Sequence[Job]
    ended: Sequence[Job]
    usage: Usage
    most_open: int
    preferences: Preferences
    retention: timedelta


def home(language: str, command: str, recipes: Recipes, facts: Facts, now: datetime) -> dict[str, Any]:
    """The view to publish."""
    blocks = [
        *_requests(language, command, recipes, facts, now),
        {"type": "divider"},
        _header(language, "home.share"),
        _section(_share(language, facts)),
        {"type": "divider"},
        _header(language, "home.recipes"),
        *(_section(text) for text in _recipes(language, command, recipes)),
        {"type": "divider"},
        _header(language, "home.settings"),
        *_settings(language, recipes, facts.preferences),
        {"type": "divider"},
        _header(language, "home.kept"),
        *_kept(language, facts),
    ]
    return {"type": "home", "blocks": blocks}


def chosen(value: str) -> str | None:
    """What an option of the settings stands for."""
    return None if value == _UNSET else value


def _requests(language: str, command: str, recipes: Recipes, facts: Facts, now: datetime) -> list[Block]:
    ask = _button(language, "home.ask", actions.OPEN_FORM, "form", "primary")
    blocks = [_header(language, "home.requests"), {"type": "actions", "elements": [ask]}]
    if not facts.open and not facts.ended:
        blocks.append(_section(say(language, "home.no_requests", command=command)))
    for job in [*facts.open[:MOST_OPEN_SHOWN], *facts.ended[:MOST_ENDED_SHOWN]]:
        block = _section(_request(language, recipes, job, now))
        button = _button_of(language, recipes, job)
        blocks.append(block | ({"accessory": button} if button else {}))
    if len(facts.open) > MOST_OPEN_SHOWN:
        blocks.append(_section(say(language, "home.more", command=command)))
    return blocks


def _request(language: str, recipes: Recipes, job: Job, now: datetime) -> str:
    state = say(language, f"state.{job.state}")
    stands = place.words(language, job)
    return say(
        language,
        "home.request" if not job.channel else "home.request_in",
        recipe=recipes.called(job.recipe, language),
        state=say(language, "status.place", state=state, place=stands) if stands else state,
        minutes=int((now - job.created_at).total_seconds() // 60),
        channel=job.channel,
        reference=job.id,
    )


def _button_of(language: str, recipes: Recipes, job: Job) -> Block | None:
    attempt = str(actions.Attempt(job.id, job.attempt))
    if job.state in OPEN:
        button = _button(language, "button.cancel", actions.CANCEL, attempt)
    elif job.state is JobState.FAILED:
        button = _button(language, "button.retry", actions.RETRY, attempt)
    else:
        return None
    which = f"{recipes.called(job.recipe, language)} {job.id}"
    heard = say(language, "button.heard", button=button["text"]["text"], recipe=which)
    return button | {"accessibility_label": heard[:_LONGEST_LABEL]}


def _share(language: str, facts: Facts) -> str:
    usage = facts.usage
    share = round(100 * usage.tokens / usage.tokens_of_all) if usage.tokens_of_all else 0
    return say(
        language,
        "home.share_line",
        requests=f"{usage.requests:,}",
        tokens=f"{usage.tokens:,}",
        share=share,
        open=len(facts.open),
        most=facts.most_open,
    )


def _recipes(language: str, command: str, recipes: Recipes) -> list[str]:
    return [
        say(
            language,
            "help.recipe",
            name=recipe.called(language),
            purpose=recipe.purpose.of(language),
            example=recipe.example_of(language, command),
        )
        for recipe in sorted(recipes, key=lambda recipe: (not recipe.default, recipe.name))
    ]


def _settings(language: str, recipes: Recipes, preferences: Preferences) -> list[Block]:
    languages = [(say(language, "home.as_slack"), _UNSET)]
    languages += [(say(language, f"modal.language_{each}"), each) for each in LANGUAGES]
    defaults = [(say(language, "home.the_usual", recipe=recipes.default.called(language)), _UNSET)]
    defaults += [(recipe.called(language), recipe.name) for recipe in recipes]
    mentions = [(say(language, f"home.mention_{each}"), each) for each in ("yes", "no")]
    return [
        _choice(
            say(language, "home.language"),
            say(language, "home.language_name"),
            actions.SET_LANGUAGE,
            languages,
            preferences.language,
        ),
        _choice(
            say(language, "home.recipe"),
            say(language, "home.recipe_name"),
            actions.SET_RECIPE,
            defaults,
            preferences.recipe,
        ),
        _choice(
            say(language, "home.mention"),
            say(language, "home.mention_name"),
            actions.SET_MENTION,
            mentions,
            "yes" if preferences.mention else "no",
        ),
    ]


def _kept(language: str, facts: Facts) -> list[Block]:
    button = _button(language, "home.delete", actions.DELETE_DATA, "all", "danger")
    button["confirm"] = {
        "title": _plain(say(language, "home.delete_title")),
        "text": _plain(say(language, "home.delete_text")),
        "confirm": _plain(say(language, "home.delete")),
        "deny": _plain(say(language, "home.keep")),
    }
    kept = say(language, "home.kept_line", count=facts.usage.kept, days=facts.retention.days)
    return [_section(kept), {"type": "actions", "elements": [button]}]


def _choice(text: str, name: str, action: str, options: list[tuple[str, str]], current: str | None) -> Block:
    offered = [{"text": _plain(text[:75]), "value": value} for text, value in options]
    # A recipe that is gone since is as good as none.
    initial = next((option for option in offered if option["value"] == current), offered[0])
    # Screen readers say the placeholder as the select's name, also when something is chosen.
    select = {"type": "static_select", "action_id": action, "placeholder": _plain(name), "options": offered}
    return _section(text) | {"accessory": select | {"initial_option": initial}}


def _button(language: str, key: str, action: str, value: str, style: str | None = None) -> Block:
    button = {"type": "button", "action_id": action, "text": _plain(say(language, key)), "value": value}
    return button | ({"style": style} if style else {})


def _header(language: str, key: str) -> Block:
    return {"type": "header", "text": _plain(say(language, key))}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
