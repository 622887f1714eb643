"""Running a request again with another recipe: a form, and a new request with the same input."""

from typing import Any

import structlog
from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.payloads import forms, presses
from bot.views import modal as modal_view
from db import jobs, session
from db.models import Job
from tasks import actions, slack
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for the button and for the form that comes back."""

    @app.action(actions.AGAIN)
    def pressed(ack: Ack, body: payloads.Payload) -> None:
        press, opening = presses.press(body), forms.opening(body)
        job = _own(resources, press.team, press.user, press.attempt.job_id)
        if job is None:
            language = voice.language_of_newcomers_too(resources, press.team, press.user)
            voice.whisper(press.response_url, voice.say(language, "intake.not_yours_to_use"))
        else:
            language = voice.language(resources, press.team, press.user)
            recipes = resources.recipes_of(press.team)
            usual = recipes.get(job.recipe) or recipes.default
            view = modal_view.again(language, recipes, usual, job.id)
            try:
                voice.quick(resources).views_open(trigger_id=opening.trigger, view=view)
            except slack.ERRORS as error:
                log.warning("modal.unopened", code=slack.problem(error).code)
                voice.whisper(press.response_url, voice.say(language, "intake.not_read"))
        ack()

    @app.view(modal_view.AGAIN)
    def submitted(ack: Ack, body: payloads.Payload) -> None:
        ack(**take(resources, forms.again(body)))


def take(resources: Resources, sent: forms.Again) -> dict[str, Any]:
    """Save the new request; else the errors beside the form's fields."""
    language = voice.language(resources, sent.team, sent.user)

    def error(field: str, words: str) -> dict[str, Any]:
        return {"response_action": "errors", "errors": {field: words}}

    recipes = resources.recipes_of(sent.team)
    recipe = recipes.get(sent.filled.recipe)
    if recipe is None:
        alternatives = recipes.alternatives(sent.filled.recipe)
        words = voice.say(language, "error.unknown_recipe", word=sent.filled.recipe, **alternatives)
        return error(modal_view.RECIPE, words)
    if recipe.needs_question and not sent.filled.question:
        example = recipe.example_of(language, resources.settings.slack_command)
        words = voice.say(language, "error.no_question", recipe=recipe.name, example=example)
        return error(modal_view.QUESTION, words)
    try:
        job = _own(resources, sent.team, sent.user, sent.job_id)
        if job is None:
            return error(modal_view.RECIPE, voice.say(language, "intake.not_yours_to_use"))
        intake.accept(resources, sent.request(recipe, job))
    except intake.NotSaved as trouble:
        voice.log_not_saved(trouble)
        return error(modal_view.RECIPE, voice.say(language, "intake.not_saved"))
    except intake.Refused as refusal:
        return error(modal_view.RECIPE, refusal.words(language, f"{resources.settings.slack_command} cancel"))
    return {}


def _own(resources: Resources, team: str, user: str, job_id: str) -> Job | None:
    with intake.saving(), session.reading(resources.engine) as reading:
        return jobs.get(reading, job_id, team, user)
