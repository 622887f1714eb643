"""The Retry button under a failure."""

from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot import intake, payloads, voice
from bot.aside import Aside
from bot.listeners import home
from bot.payloads import presses
from db import jobs, posts, session
from db.models import Job
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for presses."""

    aside = Aside(resources)

    @app.action(actions.RETRY)
    def retry(ack: Ack, body: payloads.Payload) -> None:
        press = presses.press(body)
        try:
            refusal = again(resources, press)
        except intake.Refused as refused:
            voice.whisper(press.response_url, voice.refused(resources, press.team, press.user, refused))
        else:
            if refusal is not None:
                language = voice.language_of_newcomers_too(resources, press.team, press.user)
                voice.whisper(press.response_url, voice.say(language, refusal))
        ack()
        home.refresh(resources, body, aside)


def again(resources: Resources, press: presses.Press) -> str | None:
    """Begin a new attempt, once for each failure; else the key of what to tell the person.

    Raises Refused when a new request would not be taken either: the error takes the attempt back.
    """
    most_open = resources.settings.most_open
    now = resources.clock()
    try:
        with session.transaction(resources.engine) as transaction:
            # The id in a button can be forged: the job must be this person's, in this workspace.
            failed = jobs.get(transaction, press.attempt.job_id, press.team, press.user)
            if failed is None:
                return "intake.not_yours_to_retry"
            # Looked at before, while it does not count itself.
            refused = intake.refusal(transaction, failed, most_open) or _gone(resources, transaction, failed)
            patience = resources.settings.job_deadline
            job = jobs.retry(transaction, press.attempt.job_id, press.attempt.number, now, patience)
            if job is not None and refused is not None:
                raise refused
            if job is not None:
                job.own_recipe = intake.own_recipe(resources, transaction, job.team, job.recipe)
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved"
    if job is None:
        return "intake.retried_already"
    resources.bell.ring_prepare(job.id)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    return None


def _gone(resources: Resources, transaction: Session, job: Job) -> intake.Refused | None:
    """Whether owners took back the recipe that they had made: what they took back is not begun anew."""
    if job.own_recipe is None or intake.own_recipe(resources, transaction, job.team, job.recipe):
        return None
    return intake.Refused(
        "unknown_recipe", word=job.recipe, **resources.recipes_of(job.team).alternatives(job.recipe)
    )
