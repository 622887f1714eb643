"""Thumbs under an answer; a thumb down asks, for whoever wants to say it, what was wrong."""

import structlog
from slack_bolt import Ack, App

from bot import intake, payloads, voice
from bot.payloads import forms, presses
from bot.views import note
from db import jobs, session
from tasks import actions, slack
from tasks.resources import Resources

log = structlog.get_logger()


def register(app: App, resources: Resources) -> None:
    """Listen for the thumbs and for the note."""

    @app.action(actions.FEEDBACK)
    def rated(ack: Ack, body: payloads.Payload) -> None:
        rating = presses.rating(body)
        job_id = rating.attempt.job_id
        if not rate(resources, rating.team, rating.user, job_id, rating.good, note=None):
            language = voice.language_of_newcomers_too(resources, rating.team, rating.user)
            voice.whisper(rating.response_url, voice.say(language, "intake.not_yours_to_use"))
        elif not rating.good:
            _ask_why(resources, rating)
        ack()

    @app.view(note.CALLBACK)
    def noted(ack: Ack, body: payloads.Payload) -> None:
        sent = forms.note(body)
        rate(resources, sent.team, sent.user, sent.job_id, good=False, note=sent.text)
        ack()


def rate(resources: Resources, team: str, user: str, job_id: str, good: bool, note: str | None) -> bool:
    """Keep what a person thinks of their answer; False when the job is not theirs. Raises NotSaved."""
    with intake.saving(), session.transaction(resources.engine) as transaction:
        return jobs.rate(transaction, job_id, team, user, good, note, resources.clock())


def _ask_why(resources: Resources, rating: presses.Rating) -> None:
    language = voice.language(resources, rating.team, rating.user)
    view = note.form(language, rating.attempt.job_id)
    try:
        voice.quick(resources).views_open(trigger_id=rating.trigger, view=view)
    except slack.ERRORS as error:
        # The thumb counts without a note.
        log.warning("modal.unopened", code=slack.problem(error).code)
