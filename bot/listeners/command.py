"""`/analyze <recipe> <text>`, and its words: help, status, cancel, admin."""

import re
from typing import Any

from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import intake, payloads, voice
from bot.listeners import cancel, modal, own_recipe
from bot.owners import answer as owners
from bot.owners import who, words
from bot.owners.orders import Owner
from bot.payloads import commands
from bot.views import help as help_view
from bot.views import status as status_view
from db import jobs, session
from tasks.resources import Resources

# The whole text must be the word: "cancel the meeting and ..." is a text to analyze.
_HELP = re.compile(r"help|도움말", re.IGNORECASE)
_STATUS = re.compile(r"status|상태", re.IGNORECASE)
_ADMIN = re.compile(r"(?:admin|관리)(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_CANCEL = re.compile(r"(?:cancel|취소)(?:\s+`?([0-9a-z]{12})`?)?", re.IGNORECASE)

# As many as MOST_OPEN allows, unless that was raised: whoever has to cancel one sees them all.
MOST_SHOWN = 20


def register(app: App, resources: Resources) -> None:
    """Listen for the slash command."""

    @app.command(resources.settings.slack_command)
    def analyze(ack: Ack, body: payloads.Payload) -> None:
        command = commands.command(body)
        ack(**answer(resources, command))


def answer(resources: Resources, command: commands.Command) -> dict[str, Any]:
    """What the person is shown at once: nothing when the card will speak, else a word for their eyes only."""
    shown = word(resources, command.team, command.user, command.text) or _ordered(resources, command)
    if shown is not None:
        return shown
    recipes = resources.recipes_of(command.team)
    asked = recipes.parse_command(command.text)
    if asked.text and asked.unknown is None:
        try:
            intake.accept(resources, command.request(asked))
        except intake.NotSaved as error:
            # Slack does not send a command again, so the person has to. The database is not asked a second
            # time, for their language: Slack waits 3 seconds.
            voice.log_not_saved(error)
            return {"text": voice.say(voice.guess(resources, command.text), "intake.not_saved")}
        except intake.Refused as refusal:
            return {"text": voice.refused(resources, command.team, command.user, refusal, command.text)}
        return {}
    if asked.unknown is None and modal.show(resources, command.opening(), asked.recipe):
        return {}
    language = voice.language(resources, command.team, command.user, command.text)
    if asked.unknown is not None:
        alternatives = recipes.alternatives(asked.unknown)
        return {"text": voice.say(language, "error.unknown_recipe", word=asked.unknown, **alternatives)}
    return {"text": voice.say(language, "intake.empty", command=resources.settings.slack_command)}


def is_word(text: str) -> bool:
    """Whether a text is one of the words that `word` answers."""
    return any(known.fullmatch(text) for known in (_HELP, _STATUS, _CANCEL))


def word(resources: Resources, team: str, user: str, text: str) -> dict[str, Any] | None:
    """The answer to help, status or cancel; None for all else."""
    name = resources.settings.slack_command

    def language() -> str:
        return voice.language_of_newcomers_too(resources, team, user, text)

    if _HELP.fullmatch(text):
        return help_view.message(language(), name, resources.recipes_of(team))
    if _STATUS.fullmatch(text):
        try:
            with session.reading(resources.engine) as reading:
                mine = jobs.open_of(reading, team, user, MOST_SHOWN)
        except SQLAlchemyError:
            return {"text": voice.say(voice.guess(resources, text), "intake.not_read")}
        recipes = resources.recipes_of(team)
        return status_view.message(language(), name, recipes, mine, resources.clock())
    if found := _CANCEL.fullmatch(text):
        said, job = cancel.stop(resources, team, user, found[1] and found[1].lower())
        spoken = language()
        about = {"recipe": resources.called(job, spoken), "reference": job.id} if job else {}
        return {"text": voice.say(spoken, said, **about)}
    return None


def _ordered(resources: Resources, command: commands.Command) -> dict[str, Any] | None:
    """What an owner's order gives; {}: it was done, and shown already. None: the text of somebody who is none, and
    only begins with that word.
    """
    found = _ADMIN.fullmatch(command.text)
    if found is None:
        return None
    order = found[1] or ""

    def language() -> str:
        return voice.language_of_newcomers_too(resources, command.team, command.user, command.text)

    try:
        with session.reading(resources.engine) as reading:
            is_admin = who.is_admin(resources, reading, command.team, command.user)
    except SQLAlchemyError:
        return {"text": voice.say(voice.guess(resources, command.text), "admin.not_saved")}
    if not is_admin:
        is_order = not order or words.begins_with_verb(order)
        return {"text": voice.say(language(), "admin.not_yours")} if is_order else None
    if wanted := words.wants_form(order):
        told_instead = own_recipe.show(resources, command, wanted)
        return {"text": told_instead} if told_instead else {}
    lead = f"{resources.settings.slack_command} admin"
    owner = Owner(command.user, command.team, command.channel)
    told = owners.answer(resources, language(), order, owner, lead)
    # Charts are young in Slack; if it does not take them, the same numbers come as text.
    if told.blocks and voice.whisper(command.response_url, told.text, told.blocks):
        return {}
    return {"text": told.text}
