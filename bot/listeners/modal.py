"""Asking by form: `/analyze` without a text, or the shortcut "Ask Threadline"."""

from typing import Any

import structlog
from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.aside import Aside
from bot.payloads import forms
from bot.views import modal as modal_view
from tasks import actions, slack
from tasks.prepare.extract import limits, problem
from tasks.recipes import Recipe
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for the shortcut and for the form that comes back; the command opens it too."""
    aside = Aside(resources)

    @app.global_shortcut(actions.NEW_ANALYSIS)
    def new_analysis(ack: Ack, body: payloads.Payload) -> None:
        show_or_tell(resources, forms.opening(body), aside)
        ack()

    @app.view(modal_view.CALLBACK)
    def submitted(ack: Ack, body: payloads.Payload) -> None:
        ack(**take(resources, forms.submission(body)))


def show(resources: Resources, opening: forms.Opening, recipe: Recipe) -> bool:
    """Open the form; False when Slack did not take it in time. The trigger lives for 3 seconds."""
    language = voice.language_of_newcomers_too(resources, opening.team, opening.user)
    origin = modal_view.Origin(opening.channel, opening.response_url)
    view = modal_view.form(language, resources.recipes_of(opening.team), recipe, origin)
    try:
        voice.quick(resources).views_open(trigger_id=opening.trigger, view=view)
    except slack.ERRORS as error:
        log.warning("modal.unopened", code=slack.problem(error).code)
        return False
    return True


def show_or_tell(resources: Resources, opening: forms.Opening, aside: Aside) -> None:
    """Open the form for somebody whom no answer of ours reaches; if it does not open, a direct message says so."""
    if show(resources, opening, resources.recipes.default):
        return

    def say() -> None:
        words = voice.say(voice.language(resources, opening.team, opening.user), "modal.unopened")
        direct = resources.slack.conversations_open(users=opening.user)["channel"]["id"]
        resources.slack.chat_postMessage(channel=direct, text=words)

    aside.do(say)


def take(resources: Resources, sent: forms.Submission) -> dict[str, Any]:
    """Save what the form asks for; else the errors beside its fields, in the acknowledgement's own form."""
    language = voice.language(resources, sent.team, sent.user, sent.filled.text)

    def error(field: str, key: str, **values: object) -> dict[str, Any]:
        return {"response_action": "errors", "errors": {field: voice.say(language, key, **values)}}

    recipes = resources.recipes_of(sent.team)
    recipe = recipes.get(sent.filled.recipe)
    if recipe is None:
        alternatives = recipes.alternatives(sent.filled.recipe)
        return error(modal_view.RECIPE, "error.unknown_recipe", word=sent.filled.recipe, **alternatives)
    if not sent.filled.text and not sent.filled.files:
        return error(modal_view.TEXT, "modal.empty")
    if too_large := sent.too_large(limits.FILE_BYTES):
        name, size = too_large
        numbers = problem.too_large("too_large", size, limits.FILE_BYTES).params
        return error(modal_view.FILES, "modal.too_large", name=name, **numbers)
    if recipe.needs_question and not sent.filled.question:
        example = recipe.example_of(language, resources.settings.slack_command)
        return error(modal_view.QUESTION, "error.no_question", recipe=recipe.name, example=example)
    channel = sent.origin.channel
    if channel is None or sent.filled.only_me:
        try:
            channel = str(voice.quick(resources).conversations_open(users=sent.user)["channel"]["id"])
        except slack.ERRORS as trouble:
            log.warning("modal.no_direct_message", code=slack.problem(trouble).code)
            return error(
                modal_view.PLACE if sent.origin.channel else modal_view.TEXT, "modal.no_direct_message"
            )
    try:
        intake.accept(resources, sent.request(recipe, channel))
    except intake.NotSaved as trouble:
        voice.log_not_saved(trouble)
        return error(modal_view.TEXT, "intake.not_saved")
    except intake.Refused as refusal:
        words = refusal.words(language, f"{resources.settings.slack_command} cancel")
        return {"response_action": "errors", "errors": {modal_view.TEXT: words}}
    return {}
