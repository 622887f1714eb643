"""The Retry button under a failure."""

from slack_bolt import Ack, App
from sqlalchemy.exc import SQLAlchemyError

from bot import intake, payloads, voice
from bot.aside import Aside
from bot.listeners import home
from db import jobs, posts, session
from tasks import actions
from tasks.resources import Resources


def register(app: App, resources: Resources) -> None:
    """Listen for presses."""

    aside = Aside(resources)

    @app.action(actions.RETRY)
    def retry(ack: Ack, body: payloads.Payload) -> None:
        press = payloads.press(body)
        try:
            refusal = again(resources, press)
        except intake.TooMany as too_many:
            voice.whisper(press.response_url, voice.too_many(resources, press.team, press.user, too_many))
        else:
            if refusal is not None:
                language = voice.language(resources, press.team, press.user)
                voice.whisper(press.response_url, voice.say(language, refusal))
        ack()
        home.refresh(resources, body, aside)


def again(resources: Resources, press: payloads.Press) -> str | None:
    """Begin a new attempt, once for each failure; else the key of what to tell the person.

    Raises TooMany when that would be one open request more than the person may have.
    """
    most_open = resources.settings.most_open
    now = resources.clock()
    try:
        with session.transaction(resources.engine) as transaction:
            # The id in a button can be forged: the job must be this person's, in this workspace.
            if jobs.get(transaction, press.attempt.job_id, press.team, press.user) is None:
                return "intake.not_yours_to_retry"
            patience = resources.settings.job_deadline
            job = jobs.retry(transaction, press.attempt.job_id, press.attempt.number, now, patience)
            # It counts again; the error takes the attempt back.
            if job is not None and jobs.count_open(transaction, press.team, press.user) > most_open:
                raise intake.TooMany(most_open)
    except SQLAlchemyError as error:
        voice.log_not_saved(error)
        return "intake.not_saved"
    if job is None:
        return "intake.retried_already"
    resources.bell.ring_prepare(job.id)
    for lane in posts.lanes(job):
        resources.bell.ring_deliver(lane)
    return None
